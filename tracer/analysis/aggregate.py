"""Bottlenecks over many traces: which operation, on which path, added most in all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.packing import Rows, run_starts
from tracer.analysis.rank import CAUSE, NO_REASON, REASONS, SYMPTOM, Bottlenecks

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CommonBottlenecks:
    """One row per call path with findings, causes before symptoms, largest total excess first."""

    path: Rows  # row of the facts' path table
    excess_ns: NDArray[np.int64]  # total over the traces affected
    trace_count: NDArray[np.int64]  # roots with a finding on this path
    reason: NDArray[np.int8]  # the one with most excess; index into REASONS
    role: NDArray[np.int8]  # the one with most excess; index into ROLES
    duration_ns: NDArray[np.int64]  # median of the spans that stand for the path
    expected_p95_ns: Floats  # median of what was expected; NaN: not enough data anywhere
    deviation_percent: Floats  # median; NaN likewise
    exemplars: tuple[tuple[int, ...], ...]  # rows of the facts, most excess first

    def __len__(self) -> int:
        return len(self.path)


def aggregate(bottlenecks: Bottlenecks, *, most_exemplars: int = 3) -> CommonBottlenecks:
    """Only rows with a reason count: what was not compared with a baseline adds nothing."""
    found = np.flatnonzero(bottlenecks.reason != NO_REASON)
    found = found[np.lexsort((-bottlenecks.excess_ns[found], bottlenecks.path[found]))]
    first = run_starts(bottlenecks.path[found])
    groups = np.split(found, first[1:]) if len(first) else []
    rows = [_one(bottlenecks, group, most_exemplars) for group in groups]
    rows.sort(key=lambda row: (row[4], -row[1], row[0]))
    columns = list(zip(*rows, strict=True)) or [()] * 9
    return CommonBottlenecks(
        path=np.array(columns[0], np.intp),
        excess_ns=np.array(columns[1], np.int64),
        trace_count=np.array(columns[2], np.int64),
        reason=np.array(columns[3], np.int8),
        role=np.array(columns[4], np.int8),
        duration_ns=np.array(columns[5], np.int64),
        expected_p95_ns=np.array(columns[6], np.float64),
        deviation_percent=np.array(columns[7], np.float64),
        exemplars=tuple(columns[8]),
    )


_Row = tuple[int, int, int, int, int, int, float, float, tuple[int, ...]]


def _one(bottlenecks: Bottlenecks, group: Rows, most_exemplars: int) -> _Row:
    """A path's row; `group` is sorted by excess, largest first."""
    added_ns = np.maximum(bottlenecks.excess_ns[group], 0.0)
    by_reason = np.bincount(bottlenecks.reason[group], added_ns, minlength=len(REASONS))
    as_symptom = float(added_ns[bottlenecks.role[group] == SYMPTOM].sum())
    is_symptom = as_symptom > float(added_ns.sum()) / 2 or not added_ns.any()
    return (
        int(bottlenecks.path[group[0]]),
        int(added_ns.sum()),
        len(group),
        int(by_reason.argmax()) if by_reason.any() else int(bottlenecks.reason[group[0]]),
        SYMPTOM if is_symptom else CAUSE,
        int(np.median(bottlenecks.duration_ns[group])),
        _median(bottlenecks.expected_p95_ns[group]),
        _median(bottlenecks.deviation_percent[group]),
        tuple(bottlenecks.root[group[:most_exemplars]].tolist()),
    )


def _median(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")
