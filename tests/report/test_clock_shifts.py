"""Shifts are told by host, in the document and in words."""

from __future__ import annotations

from tests.support.picture import Line, columns
from tests.support.requests import MS
from tracer.report.clock_shifts import MOST_SHIFTS
from tracer.report.json import analysis_document
from tracer.report.text import analysis_text
from tracer.service.analyze import analyze

LINES = [
    Line(1, 1, 0, 0, 100 * MS, "page", "load", 3, host="browser"),
    Line(1, 2, 1, 2_000 * MS, 2_060 * MS, "web", "GET", 2, host="n1"),
    Line(1, 3, 2, 2_010 * MS, 2_050 * MS, "web", "call", 3, host="n1"),
    Line(1, 4, 3, 2_020 * MS, 2_040 * MS, "shop", "GET", 2, host="n2"),
]
FIRST = {
    "host": "n1",
    "service": "web",
    "against": "browser",
    "shift_ns": -1_980 * MS,
    "error_ns": 20 * MS,
    "calls": 1,
    "why": "calls",
    "applied": True,
}
SECOND = {
    **FIRST,
    "host": "n2",
    "service": "shop",
    "against": "n1",
    "error_ns": None,
    "why": "caller",
}


def test_by_host() -> None:
    document = analysis_document(analyze(columns(LINES)))
    assert document["clock_skew"] == {"corrected": True, "max_ns": 300_000 * MS}
    (trace,) = document["traces"]
    assert trace["clock_shifts"] == {
        "total": {"value": 2, "exact": True},
        "items": [FIRST, SECOND],
    }
    assert trace["quality"]["skew_corrected"] == 3
    assert document["quality"]["with_skew_corrected"] == 1
    assert sum(section["duration_ns"] for section in trace["critical_path"]) == 100 * MS


def test_in_words() -> None:
    text = analysis_text(analysis_document(analyze(columns(LINES))), width=300, colour=False)
    assert (
        "Clocks: web on n1 -1.98s ± 20ms (the middle of what 1 call with browser allow); "
        "shop on n2 -1.98s (with n1, which calls it)." in text
    )
    assert "~ shifted: the clock of its host was off" in text


def test_beyond_the_limit() -> None:
    report = analyze(columns(LINES), max_skew_ns=1_000 * MS)
    document = analysis_document(report)
    assert document["traces"][0]["clock_shifts"]["items"] == [{**FIRST, "applied": False}]
    assert document["traces"][0]["quality"]["skew_corrected"] == 0
    text = analysis_text(document, width=300, colour=False)
    assert "web on n1 would need -1.98s ± 20ms against browser, not applied: over 1s." in text, text


def test_switched_off() -> None:
    document = analysis_document(analyze(columns(LINES), max_skew_ns=None))
    assert document["clock_skew"] == {"corrected": False, "max_ns": None}
    assert document["traces"][0]["clock_shifts"]["items"] == []


def test_many_hosts_are_counted_and_some_listed() -> None:
    count = 2 * MOST_SHIFTS
    lines = [Line(1, 1, 0, 1_000, 1_000_000, kind=2, host="a")]
    for number in range(count):
        lines += [
            Line(1, 2 * number + 2, 1, 2_000, 3_000, kind=3, host="a"),
            Line(1, 2 * number + 3, 2 * number + 2, 100, 200, kind=2, host=f"h{number:02}"),
        ]
    document = analysis_document(analyze(columns(lines)))
    shifts = document["traces"][0]["clock_shifts"]
    assert shifts["total"]["value"] == count
    assert [one["host"] for one in shifts["items"]] == [f"h{at:02}" for at in range(MOST_SHIFTS)]
    text = analysis_text(document, width=2_000, colour=False)
    assert f"; {count - 5} more hosts." in text
