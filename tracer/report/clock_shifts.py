"""How clocks were put right: a list for documents, and the same in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tracer.analysis.judgement import AnalysisReport
from tracer.analysis.skew import SkewReason
from tracer.report import figures as fig
from tracer.report.safe import safe_text

MOST_SHIFTS: Final = 20  # listed by trace; the rest is counted
MOST_SAID: Final = 5

WHY: Final = {
    SkewReason.CALLS: "calls",
    SkewReason.LEARNED: "learned",
    SkewReason.CONFLICT: "conflict",
    SkewReason.CALLER: "caller",
}


def clock_shifts(report: AnalysisReport, trace: int) -> dict[str, Any]:
    """Hosts of a trace whose times were shifted, by name; those beyond the limit say so."""
    skew, spans = report.analysis.skew, report.analysis.forest.spans
    first, stop = np.searchsorted(skew.trace, (trace, trace + 1)).tolist()
    return {
        "total": {"value": stop - first, "exact": True},
        "items": [
            {
                "host": spans.hosts[skew.host[row]],
                "service": spans.services[spans.service[skew.server[row]]].name,
                "against": spans.hosts[skew.against[row]],
                "shift_ns": int(skew.shift_ns[row]),
                "error_ns": int(skew.error_ns[row]) if skew.error_ns[row] >= 0 else None,
                "calls": int(skew.calls[row]),
                "why": WHY[SkewReason(int(skew.reason[row]))],
                "applied": bool(skew.applied[row]),
            }
            for row in range(first, min(stop, first + MOST_SHIFTS))
        ],
    }


def clocks_text(shifts: Mapping[str, Any], limit_ns: int | None) -> str:
    """One sentence, '' when nothing was shifted."""
    said = [_said(one, limit_ns) for one in shifts["items"][:MOST_SAID]]
    more = shifts["total"]["value"] - len(said)
    said += [f"{fig.counted(more, 'more host')}"] if more > 0 else []
    return f"Clocks: {'; '.join(said)}." if said else ""


def _said(one: Mapping[str, Any], limit_ns: int | None) -> str:
    by = f"{'+' if one['shift_ns'] > 0 else ''}{fig.duration(one['shift_ns'])}"
    by += "" if one["error_ns"] is None else f" ± {fig.duration(one['error_ns'])}"
    whose = f"{safe_text(one['service'])} on {safe_text(one['host'])}"
    against = safe_text(one["against"])
    if not one["applied"]:
        return (
            f"{whose} would need {by} against {against}, not applied: over {fig.duration(limit_ns)}"
        )
    calls = fig.counted(one["calls"], "call")
    why = {
        "calls": f"the middle of what {calls} with {against} allow",
        "learned": f"as other traces tell of it and {against}",
        "conflict": f"{calls} with {against} contradict each other: the middle",
        "caller": f"with {against}, which calls it",
    }[one["why"]]
    return f"{whose} {by} ({why})"
