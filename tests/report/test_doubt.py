"""How much hangs on the guess who was waited for: in documents and in words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.picture import read
from tests.support.requests import MS
from tracer.report.json import analysis_document
from tracer.report.text import analysis_text
from tracer.service.analyze import analyze

AT_ONCE = """
    web/page    |##--------|
      cdn/get   |  ########|
      db/select |  ----    |
"""
IN_TURN = """
    web/page    |##--------|
      cdn/get   |      ####|
      db/select |  ####    |
"""


def drawn(picture: str) -> dict[str, Any]:
    spans = read(picture, unit_ns=MS).spans
    return analysis_document(analyze(spans))


def test_shares_are_bounded_where_siblings_overlap() -> None:
    document = drawn(AT_ONCE)
    (trace,) = document["traces"]
    shares = {found["operation"]: found["critical_share"] for found in trace["bottlenecks"]}
    assert shares["get"] == {"min": 0.4, "max": 0.8}
    assert shares["page"] == {"min": 0.2, "max": 0.2}
    assert trace["ambiguous"] == {
        "in_doubt_ns": 4 * MS,
        "passed_by": {
            "total": {"value": 1, "exact": True},
            "items": [
                {
                    "span_id": "0000000000000003",
                    "service": "db",
                    "operation": "select",
                    "duration_ns": 4 * MS,
                }
            ],
        },
    }
    assert trace["quality"]["ambiguous"] == 1
    assert document["quality"]["with_ambiguous"] == 1


def test_calls_in_turn_leave_no_doubt() -> None:
    (trace,) = drawn(IN_TURN)["traces"]
    assert trace["ambiguous"]["in_doubt_ns"] == trace["quality"]["ambiguous"] == 0
    for found in trace["bottlenecks"]:
        assert found["critical_share"]["min"] == found["critical_share"]["max"]
        assert found["critical_share"]["min"] == pytest.approx(found["critical_ns"] / (10 * MS))


def test_words() -> None:
    said = " ".join(analysis_text(drawn(AT_ONCE), width=200, colour=False).split())
    assert (
        "Who was waited for is a guess in 4ms (40 %): 1 call ran beside the path; "
        "cdn get is 40 % to 80 % of the trace."
    ) in said
    assert "guess" not in analysis_text(drawn(IN_TURN), width=200, colour=False)


def test_a_trace_that_took_no_time_has_no_shares() -> None:
    (trace,) = drawn("web/page |o|")["traces"]
    assert [found["critical_share"] for found in trace["bottlenecks"]] in ([], [None])
