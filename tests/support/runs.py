"""Runs of the small shop in numbers (tests/support/requests.py), with the noise of a machine."""

from __future__ import annotations

import numpy as np

from tests.support.picture import columns
from tests.support.requests import MS, basket
from tracer.analysis.analyse import analyse
from tracer.analysis.run_sums import run_sums
from tracer.columns.runs import Run


def shop_run(seed: int, requests: int = 100, *, factor: float = 1.0, **how: int) -> Run:
    """`factor`: how slow the machine is; `how`: what is changed in `basket`, by noise times it."""
    random = np.random.default_rng(seed)
    machine = factor * float(np.exp(random.normal(0, 0.02)))
    usual = {"query_ns": 20 * MS, "own_ns": 10 * MS, "hop_ns": 2 * MS} | how
    lines = []
    for trace in range(1, requests + 1):
        drawn = {
            name: round(value * machine * random.lognormal(0, 0.2))
            if name.endswith("_ns")
            else value
            for name, value in usual.items()
        }
        lines += basket(trace, **drawn)  # type: ignore[arg-type]
    return run_sums(analyse(columns(lines)).facts, {"file": f"run{seed}"})


def shop_runs(first: int, runs: int, **how: float) -> list[Run]:
    """Runs of different luck."""
    return [shop_run(first + number, **how) for number in range(runs)]  # type: ignore[arg-type]
