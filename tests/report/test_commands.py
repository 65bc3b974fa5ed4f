"""Commands to go on with: short, whole, on the same source."""

from __future__ import annotations

import pytest

from tracer.report.commands import again, see_trace

START = "2026-01-31T12:00:00"
AGAIN = [
    (f"--start {START}.000000000Z", f"--start {START}Z"),
    (f"--end {START}.250000000Z", f"--end {START}.250Z"),
    (f"--end {START}.250100000Z", f"--end {START}.250100Z"),
    (f"--end {START}.000000001Z", f"--end {START}.000000001Z"),
    (f"--end {START}Z", f"--end {START}Z"),
    ("--min-duration 500000000ns", "--min-duration 500ms"),
    ("--min-duration 1500000000ns", "--min-duration 1500ms"),
    ("--min-duration 2s", "--min-duration 2s"),
    ("--min-duration 7ns", "--min-duration 7ns"),
    ("--min-duration soon", "--min-duration soon"),
    ("--service 500000000ns", "--service 500000000ns"),
    ("--service 'web shop'", "--service 'web shop'"),
]


@pytest.mark.parametrize(("words", "shown"), AGAIN)
def test_moments_and_durations_are_short_where_that_is_exact(words: str, shown: str) -> None:
    assert again(f"tracer slow {words}").plain == f"Again: tracer slow {shown}"


def test_a_trace_is_seen_as_the_report_saw_it() -> None:
    baseline = f"--baseline-start {START}.000000000Z --baseline-end {START}.500000000Z"
    report = f"tracer slow --start {START}Z {baseline} --limit 5 --server http://h:8000"
    short = f"--baseline-start {START}Z --baseline-end {START}.500Z"
    expected = f"   see: tracer trace abc {short} --server http://h:8000"
    assert see_trace(report, "abc").plain == expected
    assert see_trace("tracer slow --data 'my data'", "abc").plain == (
        "   see: tracer trace abc --data 'my data'"
    )


def test_names_in_commands_cannot_move_the_cursor() -> None:
    assert "\x1b" not in again("tracer slow --service '\x1b[2Jx'").plain
