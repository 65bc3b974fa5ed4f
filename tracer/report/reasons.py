"""Why something is a bottleneck, in words with the numbers that prove it."""

from __future__ import annotations

from tracer.report import figures as fig

SYMPTOM = "symptom"


def reason_words(
    reason: str | None,
    role: str,
    *,
    calls: float,
    usual_calls: float | None,
    duration_ns: float,
    expected_p95_ns: float | None,
) -> str:
    """`slower: 324ms a call, p95 22ms`, `80 calls, usually 1`; a dash where nothing is known.

    `duration_ns` is of the longest call. What only follows from something else is a symptom,
    whatever it looks like.
    """
    if role == SYMPTOM:
        return SYMPTOM
    if reason == "slower":
        return _slower(calls, duration_ns, expected_p95_ns)
    if reason == "more calls":
        usually = "more than usual" if usual_calls is None else f"usually {_calls(usual_calls)}"
        return f"{fig.counted(calls, 'call')}, {usually}"
    return reason or fig.NONE


def _slower(calls: float, duration_ns: float, expected_p95_ns: float | None) -> str:
    if expected_p95_ns is None:
        return "slower"
    each = f"{'up to ' if calls > 1 else ''}{fig.duration(duration_ns)} a call"
    if duration_ns > expected_p95_ns:
        return f"slower: {each}, p95 {fig.duration(expected_p95_ns)}"
    return "above usual, within p95"


def _calls(value: float) -> str:
    """A median may lie between two counts."""
    return "none" if value == 0 else f"{value:,.4g}"
