"""Which spans of a trace are worth a line, and how they are nested: the path and the biggest.

Four or more leaves of one operation below one caller are one line: eighty queries are one fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tracer.analysis.forest import Forest, SpanFlag
from tracer.analysis.judgement import AnalysisReport
from tracer.analysis.packing import Rows
from tracer.columns.ids import span_id_text
from tracer.columns.schema import SPAN_KINDS
from tracer.columns.spans import STATUS_ERROR

MOST_ROWS: Final = 40
_PATH_ROWS: Final = 30  # of them at most for the critical path
_CLIMB: Final = 10_000  # levels looked up for a caller that is shown
_REPEATED: Final = 4  # so many leaves are one line
# Told of a line. An instant is drawn as one, and that copies came changes nothing about a span.
TOLD: Final = tuple(flag for flag in SpanFlag if flag not in (SpanFlag.INSTANT, SpanFlag.DUPLICATE))
_TELLING: Final = np.uint16(sum(TOLD) & ~SpanFlag.RETRY)  # leaves that differ in these stay apart


@dataclass(frozen=True)
class _Lines:
    """What may become a line: spans, by the row of the first span of each, ascending."""

    row: Rows
    members: list[Rows]  # more than one: leaves that are one line

    def __len__(self) -> int:
        return len(self.row)


def outline(report: AnalysisReport, trace: int) -> dict[str, Any]:
    """At most MOST_ROWS lines of a trace in order of calls and start, and the spans not shown.

    `indent` counts the callers that are shown; `levels_hidden` those left out right above. A line
    of `count` spans lasts from the first start to the last end; `sum_ns` adds up its spans.
    """
    forest = report.analysis.forest
    lines = _lines(forest, trace)
    members = {int(lines.row[at]): lines.members[at] for at in _chosen(report, trace, lines)}
    above = {row: _shown_caller(forest, row, members) for row in sorted(members)}
    below: dict[int, list[int]] = {}
    for row, (caller, _) in above.items():
        below.setdefault(caller, []).append(row)
    start_ns, end_ns = forest.spans.start_ns, forest.spans.end_ns
    main = int(forest.main_root[trace])

    def order(row: int) -> tuple[bool, int, int, int]:
        return row != main, int(start_ns[row]), -int(end_ns[row]), row

    drawn = []
    stack = [(row, 0) for row in sorted(below.get(-1, []), key=order, reverse=True)]
    while stack:
        row, indent = stack.pop()
        drawn.append(_line(report, members[row], indent, above[row][1], int(start_ns[main])))
        children = sorted(below.get(row, []), key=order, reverse=True)
        stack += [(child, indent + 1) for child in children]
    first, stop = forest.trace_offset[trace : trace + 2].tolist()
    return {"rows": drawn, "hidden": stop - first - sum(line["count"] for line in drawn)}


def _lines(forest: Forest, trace: int) -> _Lines:
    first, stop = forest.trace_offset[trace : trace + 2].tolist()
    rows = np.arange(first, stop)
    spans, caller = forest.spans, forest.caller_row[first:stop]
    is_leaf = np.ones(stop - first, np.bool_)
    is_leaf[caller[caller >= 0] - first] = False
    key = np.column_stack(
        [
            np.where(is_leaf & (caller >= 0), caller, -1 - rows),  # others are by themselves
            spans.service[first:stop],
            spans.operation[first:stop],
            spans.kind[first:stop],
            spans.status[first:stop],
            forest.flags[first:stop] & _TELLING,
        ]
    ).astype(np.int64)
    group, count = np.unique(key, axis=0, return_inverse=True, return_counts=True)[1:]
    group = group.reshape(-1)
    group = np.where(count[group] >= _REPEATED, group, len(count) + np.arange(len(rows)))
    by_group = np.lexsort((rows, spans.start_ns[first:stop], group))
    heads = np.flatnonzero(np.diff(group[by_group], prepend=-1))
    members = np.split(rows[by_group], heads[1:])
    members.sort(key=lambda one: int(one[0]))
    return _Lines(np.array([one[0] for one in members], np.intp), members)


def _chosen(report: AnalysisReport, trace: int, lines: _Lines) -> list[int]:
    """The root, the lines with most critical time, then the longest."""
    forest = report.analysis.forest
    if len(lines) <= MOST_ROWS:
        return list(range(len(lines)))
    spans = forest.spans
    critical = np.array([report.critical_ns[one].sum() for one in lines.members])
    length = np.array([(spans.end_ns[one] - spans.start_ns[one]).sum() for one in lines.members])
    by_path = np.lexsort((lines.row, -length, -critical))[:_PATH_ROWS]
    root = int(np.searchsorted(lines.row, forest.main_root[trace]))
    chosen = {root, *by_path[critical[by_path] > 0].tolist()}
    for at in np.lexsort((lines.row, -length)).tolist()[: 2 * MOST_ROWS]:
        if len(chosen) == MOST_ROWS:
            break
        chosen.add(at)
    return sorted(chosen)


def _shown_caller(forest: Forest, row: int, shown: dict[int, Rows]) -> tuple[int, int]:
    """The nearest caller that is shown (-1: none), and how many levels lie between."""
    caller, skipped = int(forest.caller_row[row]), 0
    while caller >= 0 and caller not in shown:
        if skipped == _CLIMB:
            return int(forest.root_row[row]) if int(forest.root_row[row]) in shown else -1, skipped
        caller, skipped = int(forest.caller_row[caller]), skipped + 1
    return caller, skipped


def _line(
    report: AnalysisReport, members: Rows, indent: int, levels_hidden: int, origin_ns: int
) -> dict[str, Any]:
    """Of the first of the spans, and of all of them where they add up."""
    forest = report.analysis.forest
    spans = forest.spans
    row = int(members[0])
    start_ns, end_ns = spans.start_ns[members], spans.end_ns[members]
    return {
        "span_id": span_id_text(int(spans.span_id[row])),
        "service": spans.services[spans.service[row]].name,
        "operation": spans.operations[spans.operation[row]],
        "kind": SPAN_KINDS[int(spans.kind[row])].lower(),
        "count": len(members),
        "indent": indent,
        "levels_hidden": levels_hidden,
        "offset_ns": int(start_ns.min()) - origin_ns,
        "duration_ns": int(end_ns.max() - start_ns.min()),
        "sum_ns": int((end_ns - start_ns).sum()),
        "self_ns": int(report.analysis.self_ns[members].sum()),
        "critical_ns": int(report.critical_ns[members].sum()),
        "failed": bool(spans.status[row] == STATUS_ERROR),
        "flags": [str(flag.name).lower() for flag in TOLD if int(forest.flags[row]) & flag],
    }
