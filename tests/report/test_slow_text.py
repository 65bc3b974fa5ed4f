"""The slow report as people read it, whole."""

from __future__ import annotations

from typing import Any

from tracer.report.slow_text import slow_text

MS = 1_000_000
WINDOW = {
    "start": "2026-01-31T12:00:00.000000000Z",
    "end": "2026-01-31T12:15:00.000000000Z",
    "start_ns": 0,
    "end_ns": 900_000 * MS,
}
CAUSE = {
    "service": "catalog",
    "operation": "SELECT products",
    "kind": "client",
    "path": ["web GET /", "catalog SELECT products"],
    "deviation_percent": 577.0,
    "expected_p95_ns": 120 * MS,
    "duration_ns": 812 * MS,
    "excess_ns": 701 * MS,
    "total_excess_ns": 82_718 * MS,
    "traces": 118,
    "share_of_excess": 1.0,
    "reason": "slower",
    "role": "cause",
    "baseline": {"usual_ns": 98 * MS, "traces_n_eff": 1204.0, "spans_n_eff": 1300.0},
    "exemplar_trace_ids": ["ab" * 16],
}
SYMPTOM = {
    **CAUSE,
    "service": "web",
    "operation": "GET /",
    "path": ["web GET /"],
    "expected_p95_ns": None,
    "deviation_percent": None,
    "share_of_excess": None,
    "role": "symptom",
}
TRACE = {
    "trace_id": "ab" * 16,
    "root": {"service": "web", "operation": "GET /\x1b[31m", "span_id": "1" * 16},
    "start": "2026-01-31T12:01:00.000000000Z",
    "start_ns": 60_000 * MS,
    "duration_ns": 900 * MS,
    "expected_p95_ns": 150 * MS,
    "deviation_percent": 500.0,
    "span_count": 1234,
}
DOCUMENT: dict[str, Any] = {
    "schema": "tracer.slow-traces/1",
    "window": WINDOW,
    "baseline": {**WINDOW, "chosen": "last 24 h", "traces": 1204, "leave_one_out": False},
    "rule": {"slow_means": "the root lasts longer than the normal p95", "min_duration_ns": None},
    "affected": {
        "requests": {"value": 118, "exact": True},
        "of": {"value": 1204, "exact": True},
        "users": {"value": 37, "exact": False},
        "user_attribute": "user.id",
    },
    "bottlenecks": [CAUSE, SYMPTOM],
    "traces": [TRACE],
    "quality": {"traces_judged": 118, "orphaned_share": 0.0123, "skew_corrected": False},
    "reproduce": "tracer slow --since 15m",
}

EXPECTED = """\
Slow traces, 2026-01-31T12:00:00.000Z … 2026-01-31T12:15:00.000Z (15m00s)
Slow means: the root lasts longer than the normal p95
Compared with: last 24 h, 2026-01-31T12:00:00.000Z … 2026-01-31T12:15:00.000Z (15m00s), 1,204 traces
Affected: 118 of 1,204 requests (9.8 %), ≥ 37 users (user.id)

2 bottlenecks, worst first
#  service  operation         took  normal p95  deviation  reason   share  traces  excess a trace
1  catalog  SELECT products  812ms       120ms     +577 %  slower   100 %     118           701ms
2  web      GET /            812ms           –          –  symptom      –     118           701ms

1. web GET / › catalog SELECT products
   normal: usually 98ms a trace (n=1,204 traces, 1,300 spans)
   see: tracer trace abababababababababababababababab

Slow traces (1 of 118), slowest first
trace                             root        took  normal p95  deviation  spans
abababababababababababababababab  web GET /  900ms       150ms     +500 %  1,234
too narrow for: start (see --json)

Quality: traces judged 118, orphaned share 1.23 %, skew corrected no
Again: tracer slow --since 15m
"""


def test_the_whole_report() -> None:
    assert slow_text(DOCUMENT, width=100, colour=False) == EXPECTED


def test_it_fits_a_narrow_terminal() -> None:
    lines = slow_text(DOCUMENT, width=72, colour=False).splitlines()
    assert max(map(len, lines)) <= 72


def test_when_nothing_is_slow() -> None:
    nothing = {
        **DOCUMENT,
        "baseline": {"chosen": "none", "start": None, "end": None, "traces": 0, "leave_one_out": 1},
        "affected": {**DOCUMENT["affected"], "users": None, "of": {"value": 0, "exact": True}},
        "bottlenecks": [],
        "traces": [],
    }
    text = slow_text(nothing, width=110, colour=False)
    assert "No bottleneck stands out." in text
    assert "users unknown (no user.id on the spans)" in text
    assert "Compared with: each trace with the others of this range" in text


def test_what_is_cut_is_counted() -> None:
    many = {**DOCUMENT, "bottlenecks": [CAUSE] * 20}
    text = slow_text(many, width=110, colour=False)
    assert "Bottlenecks (8 of 20), worst first" in text
    assert text.count("SELECT products  812ms") == 8
