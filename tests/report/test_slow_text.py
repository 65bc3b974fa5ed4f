"""The slow report as people read it, whole."""

from __future__ import annotations

import re
from typing import Any

import pytest

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
    "critical_ns": 799 * MS,
    "usual_ns": 98 * MS,
    "calls": 1.0,
    "usual_calls": 1.0,
    "excess_ns": 701 * MS,
    "total_excess_ns": 82_718 * MS,
    "traces": 118,
    "share_of_excess": 1.0,
    "reason": "slower",
    "role": "cause",
    "baseline": {"traces_n_eff": 1204.0, "spans_n_eff": 1300.0},
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
        "failed": {"value": 12, "exact": True},
        "users": {"value": 37, "exact": False},
        "user_attribute": "user.id",
    },
    "bottlenecks": [CAUSE, SYMPTOM],
    "bottlenecks_total": 2,
    "traces": [TRACE],
    "waiting_traces": None,
    "quality": {
        "traces_judged": 118,
        "sampled": False,
        "orphaned_share": 0.0123,
        "root_missing_share": 0.0,
        "overrun_share": 0.0,
        "dropped_share": 0.0,
        "duplicates": 1,
        "skew_corrected_share": 0.0,
        "ambiguous_share": 0.0,
        "late_share": 0.0,
        "sampling": "stored spans",
    },
    "reproduce": (
        "tracer slow --start 2026-01-31T12:00:00.000000000Z --end 2026-01-31T12:15:00.250000000Z "
        "--baseline-start 2026-01-31T11:00:00.000000001Z --baseline-end 2026-01-31T12:00:00Z "
        "--min-duration 500000000ns --service 'web shop' --data ./here"
    ),
}

EXPECTED = """\
Slow traces, 2026-01-31T12:00:00.000Z … 2026-01-31T12:15:00.000Z (15m)
Slow means: the root lasts longer than the normal p95
Compared with: last 24 h, 2026-01-31T12:00:00.000Z … 2026-01-31T12:15:00.000Z (15m), 1,204 traces
Affected: 118 of 1,204 requests (9.8 %), 12 of them failed, ≥ 37 users (user.id)

Bottlenecks, worst first
#  service operation        reason                             now  usual  excess  share  traces
1  catalog SELECT products  slower: 812ms a call, p95 120ms  799ms   98ms   701ms  100 %     118
2  web GET /                symptom                          799ms   98ms   701ms      –     118
too narrow for: normal p95, deviation (see --json)
now, usual: median time on the critical path in an affected trace, and in a normal one; excess: mean
time beyond usual

1. web GET / › catalog SELECT products
   normal: usually 98ms a trace on the critical path (n=1,204 traces, 1,300 spans)
   see: tracer trace abababababababababababababababab \
--baseline-start 2026-01-31T11:00:00.000000001Z --baseline-end 2026-01-31T12:00:00Z --data ./here

Slow traces (1 of 118), slowest first
trace                             root        took  normal p95  deviation  spans
abababababababababababababababab  web GET /  900ms       150ms     +500 %  1,234
too narrow for: start (see --json)

Quality: 1.2 % of the traces have spans whose parent is missing; 1 copy of spans merged
Again: tracer slow --start 2026-01-31T12:00:00Z --end 2026-01-31T12:15:00.250Z \
--baseline-start 2026-01-31T11:00:00.000000001Z --baseline-end 2026-01-31T12:00:00Z \
--min-duration 500ms --service 'web shop' --data ./here
"""


def test_the_whole_report() -> None:
    assert slow_text(DOCUMENT, width=100, colour=False) == EXPECTED


def test_it_fits_a_narrow_terminal() -> None:
    lines = slow_text(DOCUMENT, width=72, colour=False).splitlines()
    assert max(len(line) for line in lines if "tracer " not in line) <= 72


def test_eighty_columns_keep_the_share_and_the_traces() -> None:
    long = {**CAUSE, "operation": "GET /recommendations/{customer_id}"}
    text = slow_text({**DOCUMENT, "bottlenecks": [long]}, width=80, colour=False)
    assert re.search(r"now +usual +excess +share +traces$", text, re.M)
    assert "/recommendations" in text


def test_without_a_command_to_repeat_it_there_are_none() -> None:
    text = slow_text({**DOCUMENT, "reproduce": None}, width=100, colour=False)
    assert "tracer " not in text


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
    small = {**CAUSE, "share_of_excess": 0.004, "total_excess_ns": 40 * MS}
    big = {**CAUSE, "share_of_excess": 0.97, "total_excess_ns": 9_700 * MS}
    found = [big, small, small, {**SYMPTOM, "total_excess_ns": 10 * MS}]
    many = {**DOCUMENT, "bottlenecks": found, "bottlenecks_total": 13}
    text = slow_text(many, width=110, colour=False)
    assert "12 more, together 3 % of the excess (--json has 3)" in text
    assert text.count("catalog SELECT products  ") == 1
    few = slow_text({**many, "bottlenecks_total": 4}, width=110, colour=False)
    assert "3 more, together 3 % of the excess (--json has them)" in few


def test_where_nothing_can_be_compared_operations_are_listed() -> None:
    unknown = {
        **CAUSE,
        "reason": None,
        "share_of_excess": None,
        "excess_ns": None,
        "total_excess_ns": None,
        "usual_ns": None,
        "usual_calls": None,
        "expected_p95_ns": None,
        "deviation_percent": None,
    }
    many = {**DOCUMENT, "bottlenecks": [unknown] * 10, "bottlenecks_total": 10}
    text = slow_text(many, width=110, colour=False)
    assert "2 more (--json has them)" in text
    assert "normal: not known" in text


USUALLY = [
    (98 * MS, 1.0, "usually 98ms a trace on the critical path"),
    (0, 1.0, "usually off the critical path (hidden behind parallel work)"),
    (0, 0.0, "usually not called"),
]


@pytest.mark.parametrize(("usual_ns", "calls", "expected"), USUALLY)
def test_what_is_usual(usual_ns: int, calls: float, expected: str) -> None:
    one = {**CAUSE, "usual_ns": usual_ns, "usual_calls": calls}
    text = slow_text({**DOCUMENT, "bottlenecks": [one]}, width=110, colour=False)
    assert f"normal: {expected} (n=" in text


def test_quality_says_only_what_is_not_fine() -> None:
    fine = {**DOCUMENT["quality"], "orphaned_share": 0.0, "duplicates": 0}
    text = slow_text({**DOCUMENT, "quality": fine}, width=110, colour=False)
    assert "Quality: nothing unusual (118 traces judged)" in text
    sampled = slow_text({**DOCUMENT, "quality": {**fine, "sampled": True}}, width=110, colour=False)
    assert "Quality: only 118 traces judged, taken by their id" in sampled


def test_traces_that_wait_are_told() -> None:
    text = slow_text({**DOCUMENT, "waiting_traces": 1}, width=200, colour=False)
    assert "1 trace is here but not analysed yet" in text
