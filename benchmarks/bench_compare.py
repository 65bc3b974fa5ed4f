"""The p95 budget of one set of requests and the comparison of two, on one core.

A million spans a set: 140,000 requests of seven call paths. Seconds are CPU seconds of this
process, best of three. The reference is the same budget made request by request in plain Python,
on a twentieth of them, scaled up; its contributions are compared first.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from tests.support.simulated import World, population_of
from tracer.analysis.budget import budget, errors
from tracer.analysis.compare import compare
from tracer.analysis.l_statistics import P95, SLOWEST, STATISTICS, band
from tracer.analysis.population import Population

_REQUESTS: Final = 140_000
_PATHS: Final = 7
_PART: Final = 20


def run() -> list[dict[str, Any]]:
    """Rows of name, value, unit, reference (the naive way, same run) and ratio."""
    before, after = _drawn(1, 0.0), _drawn(2, 5.0)
    some = before.take(np.arange(0, _REQUESTS, _PART))
    if not np.allclose(_naive(some), budget(some, P95).critical_ns, rtol=1e-9):
        raise AssertionError("the contributions differ from the naive ones")
    naive = _best(lambda: [_naive(some) for _ in STATISTICS]) * _PART
    return [
        _row("four budgets with intervals, 1M spans", _best(lambda: _budgets(before)), naive),
        _row("two sets compared, 1M spans each", _best(lambda: compare(before, after)), None),
    ]


def _drawn(seed: int, extra_ms: float) -> Population:
    world = World("lognormal", _PATHS, extra_ms=extra_ms)
    return population_of(*world.draw(_REQUESTS, np.random.default_rng(seed)))


def _budgets(requests: Population) -> None:
    found = {one: budget(requests, one) for one in STATISTICS}
    for one, made in found.items():
        errors(requests, made, np.arange(_PATHS), found[P95 if one == SLOWEST else one])


def _naive(requests: Population) -> list[float]:
    part = band(P95, requests.weight)
    weight = dict(zip(range(part.first, part.stop), part.weight.tolist(), strict=True))
    total: dict[int, float] = defaultdict(float)
    for row in range(len(requests)):
        for entry in range(requests.offset[row], requests.offset[row + 1]):
            share = weight.get(row, 0.0)
            total[int(requests.path[entry])] += share * int(requests.critical_ns[entry])
    return [total[path] for path in range(_PATHS)]


def _row(name: str, value: float, reference: float | None) -> dict[str, Any]:
    ratio = None if reference is None else reference / value
    return {"name": name, "value": value, "unit": "s", "reference": reference, "ratio": ratio}


def _best(work: Callable[[], object], rounds: int = 3) -> float:
    seconds: list[float] = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)
