"""Who was waited for is a guess where siblings overlap: how much hangs on it, in JSON and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from tracer.analysis.judgement import AnalysisReport
from tracer.columns.ids import span_id_text
from tracer.report import figures as fig
from tracer.report.safe import safe_text

MOST_PASSED_BY: Final = 20  # listed by trace; the rest is counted
Share = dict[str, float]
Shares = Callable[[int, int, int], Share | None]  # of root, path, critical ns


def critical_shares(report: AnalysisReport) -> Shares:
    """The least and the most of a root's duration that any choice among overlapping siblings gives
    to a path; None of a root without duration."""
    found, facts = report.bounds, report.analysis.facts
    paths = max(1, len(facts.paths))
    keys = found.root * paths + found.owner
    duration_ns = facts.duration_ns

    def share(root: int, path: int, critical_ns: int) -> Share | None:
        whole = int(duration_ns[root])
        if not whole:
            return None
        at = int(np.searchsorted(keys, root * paths + path))
        least = most = critical_ns
        if at < len(keys) and keys[at] == root * paths + path:
            least, most = int(found.least_ns[at]), int(found.most_ns[at])
        return {"min": round(least / whole, 6), "max": round(most / whole, 6)}

    return share


def doubt_document(report: AnalysisReport, rank: int) -> dict[str, Any]:
    """How much of a root is in doubt, and who was passed by."""
    forest, found = report.analysis.forest, report.bounds
    first, stop = np.searchsorted(found.root, (rank, rank + 1)).tolist()
    certain_ns = int(found.least_ns[first:stop].sum())
    every = report.analysis.sections.passed_by
    rows = every[forest.root_rank[every] == rank].tolist()
    spans = forest.spans
    return {
        "in_doubt_ns": int(report.analysis.facts.duration_ns[rank]) - certain_ns if rows else 0,
        "passed_by": {
            "total": {"value": len(rows), "exact": True},
            "items": [
                {
                    "span_id": span_id_text(int(spans.span_id[row])),
                    "service": spans.services[spans.service[row]].name,
                    "operation": spans.operations[spans.operation[row]],
                    "duration_ns": int(spans.end_ns[row] - spans.start_ns[row]),
                }
                for row in rows[:MOST_PASSED_BY]
            ],
        },
    }


def doubt_text(trace: Mapping[str, Any]) -> str:
    """One sentence, '' where nothing is in doubt."""
    doubt = trace["ambiguous"]
    if not doubt["in_doubt_ns"]:
        return ""
    share = fig.percent(doubt["in_doubt_ns"] / trace["duration_ns"])
    passed = doubt["passed_by"]["total"]["value"]
    said = (
        f"Who was waited for is a guess in {fig.duration(doubt['in_doubt_ns'])} ({share}): "
        f"{fig.counted(passed, 'call')} ran beside the path"
    )
    widest = max(trace["bottlenecks"], key=_width, default=None)
    if widest is not None and _width(widest) > 0:
        least, most = (fig.percent(widest["critical_share"][end]) for end in ("min", "max"))
        whose = f"{safe_text(widest['service'])} {safe_text(widest['operation'])}"
        said += f"; {whose} is {least} to {most} of the trace"
    return f"{said}."


def _width(item: Mapping[str, Any]) -> float:
    share = item["critical_share"]
    return 0.0 if share is None else float(share["max"] - share["min"])
