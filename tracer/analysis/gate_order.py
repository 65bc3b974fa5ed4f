"""What is worse, one entry a subject: causes before what merely follows from them, worst first.

What is worse only for what it waits for, or because something above is called more often, is a
symptom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.gate_news import critical_below
from tracer.analysis.gate_numbers import MEASURES, Paths, Sums
from tracer.analysis.gate_tests import Subjects, Tested
from tracer.analysis.limits import Limit

Mask = NDArray[np.bool_]
Role = Literal["cause", "symptom"]

AT: Final = {measure.name: at for at, measure in enumerate(MEASURES)}
_SHARE_OF_MOST: Final = 0.25  # of the largest gain of critical time: less is no cause
_OWN: Final = [at for at, measure in enumerate(MEASURES) if measure.is_own]


@dataclass(frozen=True)
class Worse:
    """A subject that is worse: which measures, and how much of all time or requests it costs."""

    subject: int
    measures: tuple[int, ...]  # of MEASURES; () for new paths and limits alone
    limits: tuple[Limit, ...]
    is_new: bool
    role: Role
    cost: float


@dataclass(frozen=True)
class Found:
    """Everything that is worse: measures by subject, new paths with the ns that each adds to a
    request, and limits that are not kept, by path."""

    is_worse: Mask
    new: Mapping[int, float]
    broken: Mapping[int, Sequence[Limit]]


def in_order(
    of: Subjects, numbers: Tested, baseline: Sums, candidate: Sums, found: Found
) -> tuple[Worse, ...]:
    """All entries."""
    paths = of.paths
    is_worse = found.is_worse[:, : len(paths)]
    is_cause = _causes(paths, found)
    took, takes = critical_below(paths, baseline), critical_below(paths, candidate)
    rows = np.flatnonzero(is_worse.any(axis=0)).tolist()
    entries = []
    for row in sorted({*rows, *found.new, *found.broken}):
        measures = tuple(np.flatnonzero(is_worse[:, row]).tolist())
        own_ns = _more(numbers, "critical_time", row)
        more_ns = float(takes[row] - took[row]) if AT["calls"] in measures else own_ns
        cost = max(0.0, found.new.get(row, more_ns) / max(float(takes[paths.root[row]]), 1.0))
        if AT["error_share"] in measures:
            cost = max(cost, _more(numbers, "error_share", row) * _share(candidate, row))
        entries.append(
            Worse(
                subject=row,
                measures=measures,
                limits=tuple(found.broken.get(row, ())),
                is_new=row in found.new,
                role="cause" if is_cause[row] or row in found.broken else "symptom",
                cost=cost,
            )
        )
    entries += _operations(of, numbers, candidate, found.is_worse)
    return tuple(sorted(entries, key=lambda one: (one.role != "cause", -one.cost, one.subject)))


def _operations(of: Subjects, numbers: Tested, candidate: Sums, is_worse: Mask) -> Iterator[Worse]:
    """Operations show alone where each of their callers has too few requests.

    Those that are on the critical path no longer than before only wait for others.
    """
    paths = len(of.paths)
    whole_ms = max(float(candidate.of("critical_ms").sum()), 1e-9)
    rows = [at for at in range(len(of.operations)) if is_worse[:, paths + at].any()]
    told = {at: bool(is_worse[:, :paths][:, of.members[at]].any()) for at in rows}
    more_ms = {at: _more(numbers, "critical_time", paths + at) / 1e6 for at in rows}
    fails = {at: bool(is_worse[AT["error_share"], paths + at]) for at in rows}
    most_ms = max(more_ms.values(), default=0.0)
    for at in rows:
        is_cause = not told[at] and (fails[at] or more_ms[at] >= _SHARE_OF_MOST * most_ms)
        requests = float(candidate.of("requests")[of.members[at]].sum())
        yield Worse(
            subject=paths + at,
            measures=tuple(np.flatnonzero(is_worse[:, paths + at]).tolist()),
            limits=(),
            is_new=False,
            role="cause" if is_cause else "symptom",
            cost=max(0.0, more_ms[at] * requests / whole_ms),
        )


def _causes(paths: Paths, found: Found) -> Mask:
    is_worse = found.is_worse[:, : len(paths)]
    above = _above(paths)
    is_cause = np.zeros(len(paths), np.bool_)
    is_cause |= is_worse[_OWN].any(axis=0)
    failing = np.flatnonzero(is_worse[AT["error_share"]])
    for row in failing.tolist():
        is_cause[row] |= not above[failing, row].any()  # nothing below fails more
    is_cause[list(found.new)] = True
    causes = np.flatnonzero(is_cause)
    for row in np.flatnonzero(is_worse.any(axis=0)).tolist():  # far from any cause: its own
        is_cause[row] |= not (above[causes, row].any() or above[row, causes].any())
    return is_cause


def _more(numbers: Tested, measure: str, row: int) -> float:
    at = AT[measure]
    return float(np.nan_to_num(numbers.after[at, row] - numbers.before[at, row]))


def _share(of: Sums, row: int) -> float:
    """Of the requests that have the path."""
    requests = of.of("requests")
    return min(1.0, float(requests[row] / max(float(requests[of.root[row]]), 1e-300)))


def _above(paths: Paths) -> Mask:
    """(paths, paths): whether the second is above the first."""
    above = np.zeros((len(paths), len(paths)), np.bool_)
    rows, at = np.arange(len(paths)), np.arange(len(paths))
    while True:
        is_deep = ~paths.is_root[at]
        if not is_deep.any():
            return above
        at = np.where(is_deep, paths.parent[at], at)
        above[rows[is_deep], at[is_deep]] = True
