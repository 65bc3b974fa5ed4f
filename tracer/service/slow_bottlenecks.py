"""Bottlenecks over all slow traces of an answer, one entry an operation, most excess first.

An operation may be reached by several call paths. Totals are over all of them; everything that
describes a single trace (now, usual, calls, durations) is of the one path with most excess, so that
the numbers of an entry fit each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.baseline import path_sums
from tracer.analysis.packing import Rows
from tracer.analysis.rank import CAUSE, NO_REASON, REASONS, ROLES, SYMPTOM, Bottlenecks, rank
from tracer.analysis.typical import typical
from tracer.columns.baselines import Baselines
from tracer.columns.facts import PathTable, TraceFacts
from tracer.columns.ids import trace_id_text
from tracer.columns.schema import SPAN_KINDS

EXEMPLARS = 3


@dataclass(frozen=True)
class _Entry:
    """One operation: its rows in the ranking, and those of its heaviest path."""

    rows: Rows
    heaviest: Rows
    weight_ns: float  # total excess; critical time where nothing could be compared
    is_cause: bool


def common_bottlenecks(
    slow: TraceFacts, baselines: Baselines, *, leave_one_out: bool
) -> list[dict[str, Any]]:
    """Causes before symptoms. Where nothing can be compared, operations by critical time."""
    ranked = rank(slow, baselines, leave_one_out=leave_one_out)
    usual = typical(slow, path_sums(slow), baselines.paths, leave_one_out=leave_one_out)
    usual_calls = usual.calls[ranked.sum_row]
    compared = bool((ranked.reason != NO_REASON).any())
    entries = sorted(
        _entries(slow, ranked, compared=compared),
        key=lambda entry: (not entry.is_cause, -entry.weight_ns, int(entry.heaviest[0])),
    )
    total = sum(entry.weight_ns for entry in entries if entry.is_cause)
    ids = trace_ids(slow)
    return [
        {
            **_named(slow.paths, int(ranked.path[entry.heaviest[0]])),
            **_numbers(ranked, usual_calls, entry, compared=compared),
            "share_of_excess": (
                entry.weight_ns / total if compared and entry.is_cause and total else None
            ),
            "exemplar_trace_ids": [ids[ranked.root[row]] for row in _worst(ranked, entry.heaviest)],
        }
        for entry in entries
    ]


def trace_ids(facts: TraceFacts) -> list[str]:
    """Hex ids of the rows."""
    return [
        trace_id_text(high, low)
        for high, low in zip(facts.trace_hi.tolist(), facts.trace_lo.tolist(), strict=True)
    ]


def _entries(slow: TraceFacts, ranked: Bottlenecks, *, compared: bool) -> Iterator[_Entry]:
    """`compared`: only rows with a reason count; else all of them."""
    counted = np.flatnonzero(ranked.reason != NO_REASON) if compared else np.arange(len(ranked))
    operation = _operation_of(slow.paths)[ranked.path[counted]]
    weight_ns = _excess(ranked) if compared else ranked.critical_ns.astype(np.float64)
    for one in np.unique(operation):
        rows = counted[operation == one]
        by_path = {
            int(path): rows[ranked.path[rows] == path] for path in np.unique(ranked.path[rows])
        }
        heaviest = max(by_path.values(), key=lambda members: float(weight_ns[members].sum()))
        as_symptom = weight_ns[rows][ranked.role[rows] == SYMPTOM].sum()
        total = float(weight_ns[rows].sum())
        is_symptom = as_symptom > total / 2 or (compared and total == 0)
        yield _Entry(rows, heaviest, total, not is_symptom)


def _numbers(
    ranked: Bottlenecks, usual_calls: NDArray[np.float64], entry: _Entry, *, compared: bool
) -> dict[str, Any]:
    rows = entry.heaviest
    duration_ns = int(np.median(ranked.duration_ns[rows]))
    expected_ns = _median(ranked.expected_p95_ns[rows])
    usual_ns = _median(ranked.usual_ns[rows])
    excess_ns = _excess(ranked)
    by_reason = np.bincount(
        np.maximum(ranked.reason[rows], 0), excess_ns[rows] + 1.0, minlength=len(REASONS)
    )
    worst = _worst(ranked, rows)[0]
    return {
        "critical_ns": int(np.median(ranked.critical_ns[rows])),
        "usual_ns": usual_ns,
        "excess_ns": int(excess_ns[rows].mean()) if compared else None,
        "calls": float(np.median(ranked.calls[rows])),
        "usual_calls": None if usual_ns is None else float(np.median(usual_calls[rows])),
        "duration_ns": duration_ns,
        "expected_p95_ns": expected_ns,
        "deviation_percent": (
            round((duration_ns / expected_ns - 1) * 100, 1) if expected_ns else None
        ),
        "total_excess_ns": int(entry.weight_ns) if compared else None,
        "traces": len(np.unique(ranked.root[entry.rows])),
        "reason": REASONS[int(by_reason.argmax())] if compared else None,
        "role": ROLES[CAUSE if entry.is_cause else SYMPTOM],
        "baseline": {
            "traces_n_eff": float(ranked.traces_n_eff[worst]),
            "spans_n_eff": float(ranked.spans_n_eff[worst]),
        },
    }


def _worst(ranked: Bottlenecks, rows: Rows) -> list[int]:
    """The rows of a path with most excess, at most EXEMPLARS, a root once."""
    order = rows[np.lexsort((rows, -ranked.critical_ns[rows], -_excess(ranked)[rows]))]
    return [int(row) for row in order[:EXEMPLARS]]


def _excess(ranked: Bottlenecks) -> NDArray[np.float64]:
    return np.maximum(np.nan_to_num(ranked.excess_ns), 0.0)


def _operation_of(paths: PathTable) -> NDArray[np.intp]:
    """For every path the first row with its service, operation and kind."""
    first: dict[tuple[Any, ...], int] = {}
    keys = zip(paths.service, paths.operation, paths.kind.tolist(), strict=True)
    return np.array([first.setdefault(key, row) for row, key in enumerate(keys)], np.intp)


def _named(paths: PathTable, row: int) -> dict[str, Any]:
    service = paths.service[row]
    return {
        "service": service.name,
        "namespace": service.namespace,
        "environment": service.environment,
        "operation": paths.operation[row],
        "kind": SPAN_KINDS[int(paths.kind[row])].lower(),
        "path": _chain(paths, row),
    }


def _chain(paths: PathTable, row: int) -> list[str]:
    """'service operation' from the root down to the row."""
    chain: list[str] = []
    at = row
    while True:
        chain.append(f"{paths.service[at].name} {paths.operation[at]}")
        above = int(paths.parent_path_id[at])
        if above == 0:
            return chain[::-1]
        at = int(np.searchsorted(paths.path_id, np.uint64(above)))


def _median(values: NDArray[np.float64]) -> int | None:
    known = values[~np.isnan(values)]
    return round(float(np.median(known))) if len(known) else None
