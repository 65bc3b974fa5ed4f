"""Which spans of a trace are worth a line, and how they are nested: the path and the biggest."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tracer.analysis.forest import Forest, SpanFlag
from tracer.analysis.judgement import AnalysisReport
from tracer.columns.ids import span_id_text
from tracer.columns.schema import SPAN_KINDS
from tracer.columns.spans import STATUS_ERROR

MOST_ROWS: Final = 40
_PATH_ROWS: Final = 30  # of them at most for the critical path
_CLIMB: Final = 10_000  # levels looked up for a caller that is shown


def outline(report: AnalysisReport, trace: int) -> dict[str, Any]:
    """At most MOST_ROWS spans of a trace in order of calls and start, and how many are hidden.

    `indent` counts the callers that are shown; `levels_hidden` those left out right above.
    """
    forest = report.analysis.forest
    shown = _chosen(report, trace)
    above = {row: _shown_caller(forest, row, shown) for row in sorted(shown)}
    below: dict[int, list[int]] = {}
    for row, (caller, _) in above.items():
        below.setdefault(caller, []).append(row)
    start_ns, end_ns = forest.spans.start_ns, forest.spans.end_ns
    main = int(forest.main_root[trace])

    def order(row: int) -> tuple[bool, int, int, int]:
        return row != main, int(start_ns[row]), -int(end_ns[row]), row

    lines = []
    stack = [(row, 0) for row in sorted(below.get(-1, []), key=order, reverse=True)]
    while stack:
        row, indent = stack.pop()
        lines.append(_line(report, row, indent, above[row][1], int(start_ns[main])))
        children = sorted(below.get(row, []), key=order, reverse=True)
        stack += [(child, indent + 1) for child in children]
    first, stop = forest.trace_offset[trace : trace + 2].tolist()
    return {"rows": lines, "hidden": stop - first - len(lines)}


def _chosen(report: AnalysisReport, trace: int) -> set[int]:
    """The root, the spans with most critical time, then the longest."""
    forest = report.analysis.forest
    first, stop = forest.trace_offset[trace : trace + 2].tolist()
    rows = np.arange(first, stop)
    if len(rows) <= MOST_ROWS:
        return set(rows.tolist())
    critical = report.critical_ns[first:stop]
    length = forest.spans.end_ns[first:stop] - forest.spans.start_ns[first:stop]
    by_path = rows[np.lexsort((rows, -length, -critical))][:_PATH_ROWS]
    chosen = {int(forest.main_root[trace]), *by_path[critical[by_path - first] > 0].tolist()}
    for row in rows[np.lexsort((rows, -length))].tolist()[: 2 * MOST_ROWS]:
        if len(chosen) == MOST_ROWS:
            break
        chosen.add(row)
    return chosen


def _shown_caller(forest: Forest, row: int, shown: set[int]) -> tuple[int, int]:
    """The nearest caller that is shown (-1: none), and how many levels lie between."""
    caller, skipped = int(forest.caller_row[row]), 0
    while caller >= 0 and caller not in shown:
        if skipped == _CLIMB:
            return int(forest.root_row[row]) if int(forest.root_row[row]) in shown else -1, skipped
        caller, skipped = int(forest.caller_row[caller]), skipped + 1
    return caller, skipped


def _line(
    report: AnalysisReport, row: int, indent: int, levels_hidden: int, origin_ns: int
) -> dict[str, Any]:
    forest = report.analysis.forest
    spans = forest.spans
    return {
        "span_id": span_id_text(int(spans.span_id[row])),
        "service": spans.services[spans.service[row]].name,
        "operation": spans.operations[spans.operation[row]],
        "kind": SPAN_KINDS[int(spans.kind[row])].lower(),
        "indent": indent,
        "levels_hidden": levels_hidden,
        "offset_ns": int(spans.start_ns[row]) - origin_ns,
        "duration_ns": int(spans.end_ns[row] - spans.start_ns[row]),
        "self_ns": int(report.analysis.self_ns[row]),
        "critical_ns": int(report.critical_ns[row]),
        "failed": bool(spans.status[row] == STATUS_ERROR),
        "flags": [str(flag.name).lower() for flag in SpanFlag if int(forest.flags[row]) & flag],
    }
