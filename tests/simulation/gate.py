"""`make simulate`, the gate: false alarms, and faults that are found first, in runs of known truth.

.venv/bin/python -m tests.simulation.gate [rounds]     (100 rounds: some minutes)
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tests.support.simulated import World, population_of
from tracer.analysis.gate import Gate, Rules, gate
from tracer.analysis.run_sums import _INSTANT_MS
from tracer.columns.buckets import bucket_of
from tracer.columns.flaws import NOBODY
from tracer.columns.runs import Run, Step

SLOW: Final = 3  # number of the part that has the fault
ANY_SIZE: Final = Rules(min_ratio=0.0, min_excess_ns=0, min_calls=0.0, min_failed=0.0)
FAULTS: Final = {"+5 ms": {"extra_ms": 5.0}, "4 calls": {"extra_calls": 3}}


@dataclass(frozen=True)
class Setting:
    """How many runs a side, and how much they differ: all paths alike, and each by itself."""

    shape: str
    paths: int
    requests: int
    runs: int
    common: float
    own: float


SETTINGS: Final = tuple(
    Setting(shape, paths, requests, runs, common, own)
    for shape in ("lognormal", "two humps", "heavy tail")
    for paths, requests, runs, common, own in (
        (9, 100, 1, 0.0, 0.0),
        (9, 1_000, 1, 0.0, 0.0),
        (9, 300, 3, 0.0, 0.0),
        (9, 300, 3, 0.05, 0.02),
        (50, 300, 3, 0.05, 0.05),
        (50, 300, 5, 0.05, 0.05),
    )
)


def main(rounds: int) -> None:
    """A table, in Markdown."""
    _row("shape", "paths", "requests a run", "runs", "noise", "alarm", *FAULTS)
    _row(*("---" for _ in range(6 + len(FAULTS))))
    random = np.random.default_rng(20_262)
    for one in SETTINGS:
        world = World(one.shape, paths=one.paths)
        alarms, first = 0, dict.fromkeys(FAULTS, 0)
        for _ in range(rounds):
            before = _side(one, world, random)
            alarms += bool(gate(before, _side(one, world, random), ANY_SIZE).worse)
            for fault, how in FAULTS.items():
                changed = replace(world, **how)  # type: ignore[arg-type]
                first[fault] += _is_first(gate(before, _side(one, changed, random), Rules()))
        noise = f"{one.common:.0%}, {one.own:.0%}" if one.common else "none"
        rates = [f"{hits / rounds:.2f}" for hits in (alarms, *first.values())]
        _row(one.shape, str(one.paths), f"{one.requests:,}", str(one.runs), noise, *rates)


def _is_first(found: Gate) -> bool:
    return bool(found.worse) and found.worse[0].subject == SLOW


def _side(one: Setting, world: World, random: np.random.Generator) -> list[Run]:
    return [_run(one, world, random) for _ in range(one.runs)]


def _run(one: Setting, world: World, random: np.random.Generator) -> Run:
    """Part 0 is the root, all others are below it."""
    parts, calls = world.draw(one.requests, random)
    parts = parts * np.exp(random.normal(0, one.common))
    parts *= np.exp(random.normal(0, one.own, parts.shape[1]))
    calls[:, 0] = 1
    count, paths = parts.shape
    table = population_of(parts, calls).paths
    told = np.log(parts / calls + _INSTANT_MS)
    ones = np.ones_like(parts)
    sums = np.stack(
        [ones, ones, calls, calls**2, calls, 0 * ones, parts, told, told**2, parts, parts**2]
    ).sum(axis=1)
    spans = np.where(np.arange(paths) == 0, parts.sum(axis=1)[:, None], parts / calls) * 1e6
    histograms = [
        np.unique(bucket_of(spans[:, at].astype(np.int64)), return_counts=True)
        for at in range(paths)
    ]
    return Run(
        path_id=table.path_id,
        parent_path_id=table.parent_path_id,
        steps=tuple(Step("", "shop", name, 2) for name in table.operation),
        sums=sums.T,
        offset=np.cumsum([0, *(len(bucket) for bucket, _ in histograms)]),
        bucket=np.concatenate([bucket for bucket, _ in histograms]).astype(np.int32),
        count=np.concatenate([n for _, n in histograms]).astype(np.float64),
        flaws=NOBODY._replace(traces=count, weighted=count),
        spans=int(calls.sum()),
        left_out=0,
    )


def _row(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
