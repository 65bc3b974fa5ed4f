"""What facts and minute histograms must say, counted again one entry at a time. Slow and obvious.

A row of facts becomes a key and a tuple, with the names of its call paths written out, so that two
tables of facts compare whatever their order. A minute becomes a dict of what was counted in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.columns.buckets import bucket_of
from tracer.columns.facts import TraceFacts
from tracer.columns.ids import span_id_text, trace_id_text
from tracer.columns.schema import SPAN_KINDS
from tracer.store.rollups import MINUTE_NS

FactKey = tuple[str, str]  # trace id, root span id
FactRow = tuple[Any, ...]
Minute = dict[Any, dict[str, Any]]  # operation with its caller, or call path → what was counted

_SCALARS = (
    *("root_path_id", "start_ns", "duration_ns", "is_main", "root_missing", "failed"),
    *("span_count", "service_count", "error_count", "orphan_count", "duplicate_count"),
    *("overrun_count", "cycle_count", "dropped_count", "weight"),
)
_ENTRIES = ("path_id", "entry_failed", "bucket", "calls", "self_ns", "critical_ns")


def rows(facts: TraceFacts) -> dict[FactKey, FactRow]:
    """Every row of facts by its key; entries with the names of their path."""
    named = {int(path): (parent, *name) for path, parent, name in _paths(facts)}
    scalars = _tuples(getattr(facts, name) for name in _SCALARS)
    entries = _tuples(getattr(facts, name) for name in _ENTRIES)
    return {
        key: (
            *scalars[row],
            facts.version[row],
            tuple(
                (named[entry[0]], *entry)
                for entry in entries[facts.offset[row] : facts.offset[row + 1]]
            ),
        )
        for row, key in enumerate(keys(facts))
    }


def keys(facts: TraceFacts) -> list[FactKey]:
    """The key of every row."""
    ids = _tuples((facts.trace_hi, facts.trace_lo, facts.root_span_id))
    return [(trace_id_text(high, low), span_id_text(root)) for high, low, root in ids]


def _tuples(columns: Iterator[NDArray[Any]] | tuple[NDArray[Any], ...]) -> list[tuple[Any, ...]]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _paths(facts: TraceFacts) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    """(path id, parent's path id, identity with operation and kind)."""
    table = facts.paths
    for row, (path, parent) in enumerate(_tuples((table.path_id, table.parent_path_id))):
        kind = SPAN_KINDS[table.kind[row]]
        yield path, parent, (*table.service[row], table.operation[row], kind)


class Minutes:
    """Adds up facts by the minute in which their root starts."""

    def __init__(self) -> None:
        self.operations: dict[int, Minute] = defaultdict(dict)
        self.sums: dict[int, Minute] = defaultdict(dict)

    def add(self, facts: TraceFacts) -> None:
        """Counts every entry of every row."""
        names = {path: (parent, name) for path, parent, name in _paths(facts)}
        nobody = (0, ("", "", "", "", "", ""))
        entries = _tuples(getattr(facts, name) for name in _ENTRIES)
        for row, start_ns in enumerate(facts.start_ns.tolist()):
            minute = start_ns // MINUTE_NS * MINUTE_NS
            weight = float(facts.weight[row]) or 1.0
            spent: dict[int, list[int]] = {}
            for path, failed, bucket, calls, self_ns, critical_ns in entries[
                facts.offset[row] : facts.offset[row + 1]
            ]:
                parent, name = names[path]
                caller = names.get(parent, nobody)[1]
                outcome = "error" if failed else "ok"
                operation = (*name, outcome, caller[3], caller[4])
                _count_spans(self.operations[minute], operation, bucket, calls, weight)
                _count_spans(self.sums[minute], path, bucket, calls, weight)
                total = spent.setdefault(path, [0, 0, 0])
                for place, number in enumerate((calls, self_ns, critical_ns)):
                    total[place] += number
            for path, total in spent.items():
                _count_trace(self.sums[minute][path], total, weight)


def _count_spans(minute: Minute, key: Any, bucket: int, calls: int, weight: float) -> None:
    """Spans of one bucket: what the histograms of single spans hold."""
    counted = minute.setdefault(key, {"spans": 0.0, "span_weight2": 0.0, "durations": Counter()})
    counted["spans"] += calls
    counted["span_weight2"] += calls * weight * weight
    counted["durations"][bucket] += calls * weight


def _count_trace(counted: dict[str, Any], total: list[int], weight: float) -> None:
    """One trace: what it spent on the path."""
    if "traces" not in counted:
        counted |= {"traces": 0.0, "weight": 0.0, "weight2": 0.0}
        counted |= {name: Counter() for name in ("calls", "self", "critical")}
    calls, self_ns, critical_ns = total
    self_bucket, critical_bucket = bucket_of(np.array([self_ns, critical_ns], np.int64)).tolist()
    counted["traces"] += 1
    counted["weight"] += weight
    counted["weight2"] += weight * weight
    counted["calls"][calls] += weight
    counted["self"][self_bucket] += weight
    counted["critical"][critical_bucket] += weight
