"""The budget of a number: which call path contributes how much of a p95, to the last nanosecond.

Sections of a critical path tile their root, so a request's duration is the sum of what its call
paths have in it. A quantile is a weighted sum over requests (`l_statistics`), so it is the sum over
call paths of the same weighted sums:

    p95 = sum_j w_j duration(j) = sum_i (sum_j w_j critical_i(j))

Each contribution is calls x self time per call x critical share, all three under the same weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.l_statistics import (
    Band,
    Statistic,
    band,
    interval,
    part_errors,
    tail_errors,
)
from tracer.analysis.packing import Rows
from tracer.analysis.population import Population, effective_count

Floats = NDArray[np.float64]

_CELLS: Final = 20_000_000  # of a table of requests by call paths held at once


@dataclass(frozen=True)
class Budget:
    """One number of one population, and by row of the path table what it is made of.

    `critical_ns` sums to `value_ns`; a bound is None where the population is too small for one.
    """

    statistic: Statistic
    value_ns: float
    low_ns: float | None
    high_ns: float | None
    n_eff: float
    calls: Floats
    self_ns: Floats
    critical_ns: Floats
    band: Band


def budget(requests: Population, statistic: Statistic) -> Budget:
    """The budget of one number; `requests` MUST NOT be empty."""
    part = band(statistic, requests.weight)
    entry = _entries(requests, part)
    weight = np.repeat(part.weight, np.diff(requests.offset[part.first : part.stop + 1]))
    low_ns, high_ns = interval(statistic, requests.duration_ns, requests.weight)

    def by_path(values: NDArray[np.int64]) -> Floats:
        summed = np.bincount(
            requests.path[entry], weight * values[entry], minlength=len(requests.paths)
        )
        return summed.astype(np.float64)

    return Budget(
        statistic=statistic,
        value_ns=float(part.weight @ requests.duration_ns[part.first : part.stop]),
        low_ns=low_ns,
        high_ns=high_ns,
        n_eff=effective_count(requests.weight),
        calls=by_path(requests.calls),
        self_ns=by_path(requests.self_ns),
        critical_ns=by_path(requests.critical_ns),
        band=part,
    )


def errors(requests: Population, of: Budget, paths: Rows, edge: Budget) -> Floats:
    """Standard error of what each of `paths` contributes to `of`, a budget of `requests`.

    `edge` is the budget of the quantile above which `of` takes its mean, `of` itself otherwise.
    """
    part = of.band
    duration_ns = requests.duration_ns[part.first : part.stop].astype(np.float64)
    at_once = max(1, _CELLS // max(1, len(duration_ns)))
    found = np.zeros(len(paths))
    for begin in range(0, len(paths), at_once):
        columns = paths[begin : begin + at_once]
        table = _table(requests, part, columns)
        found[begin : begin + at_once] = (
            tail_errors(part, table, edge.critical_ns[columns])
            if of.statistic.is_tail_mean
            else part_errors(part, duration_ns, table)
        )
    return found


def _entries(requests: Population, part: Band) -> slice:
    return slice(int(requests.offset[part.first]), int(requests.offset[part.stop]))


def _table(requests: Population, part: Band, columns: Rows) -> Floats:
    """Critical time of the band's requests by path, one column for each of `columns`."""
    entry = _entries(requests, part)
    place = np.full(len(requests.paths), -1)
    place[columns] = np.arange(len(columns))
    column = place[requests.path[entry]]
    rows = part.stop - part.first
    row = np.repeat(np.arange(rows), np.diff(requests.offset[part.first : part.stop + 1]))
    known = column >= 0
    table = np.zeros((rows, len(columns)))
    table[row[known], column[known]] = requests.critical_ns[entry][known]
    return table
