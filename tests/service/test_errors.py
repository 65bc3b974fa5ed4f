"""What fails, over many traces: counted where it began, shared out, with exemplars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.analysis.test_failures import event
from tests.api.running import NOW, context_with
from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, SECOND, span
from tracer.report.errors_text import errors_text
from tracer.service import errors as service
from tracer.service.context import Context, Window
from tracer.service.errors import ErrorQuery, error_groups
from tracer.service.trace import trace_analysis

MS = 1_000_000
WINDOW = Window(EPOCH, NOW)
FAILED, RETRIED, BROKEN = 6, 4, 5  # traces


def pay(number: int, attempts: list[bool], *, fails: bool) -> list[dict[str, Any]]:
    """web → pay → bank; the attempts that are False are refused by the bank."""
    start = EPOCH + number * SECOND
    bad = {"StatusCode": "Error"}
    spans = [
        span(number, 1, start=start, duration=100 * MS, service="web", **(bad if fails else {})),
    ]
    for nth, is_good in enumerate(attempts):
        at = start + (10 + 20 * nth) * MS
        said = (
            {}
            if is_good
            else {
                **bad,
                **event(
                    ("exception.type", "Refused"),
                    ("exception.message", f"card {number} of row {nth} was refused"),
                    ("exception.stacktrace", "Traceback\n  in ledger"),
                ),
            }
        )
        spans += [
            span(number, 10 + nth, 1, start=at, duration=15 * MS, service="web", name="POST /pay",
                 kind="Client", **({} if is_good else bad)),
            span(number, 20 + nth, 10 + nth, start=at + MS, duration=10 * MS, service="bank",
                 name="POST /pay", **said),
        ]  # fmt: skip
    return spans


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    spans = []
    for number in range(1, 101):
        if number <= FAILED:
            spans += pay(number, [False], fails=True)
        elif number <= FAILED + RETRIED:
            spans += pay(number, [False, True], fails=False)
        elif number <= FAILED + RETRIED + BROKEN:
            unset = {"SpanAttributes": [("http.response.status_code", "500")]}
            spans.append(span(number, 1, start=EPOCH + number * SECOND, service="web", **unset))
        else:
            spans += pay(number, [True], fails=False)
    with fresh_engine() as engine:
        yield context_with(engine, spans)


def test_errors_are_counted_where_they_began(context: Context) -> None:
    document = error_groups(context, ErrorQuery(WINDOW, None, 20))
    assert document["schema"] == "tracer.errors/1"
    assert document["total"] == {"value": 2, "exact": True}
    bank, web = document["errors"]
    assert (bank["service"], bank["type"]) == ("bank", "Refused")
    assert bank["message"] == "card <n> of row <n> was refused"
    assert bank["count"] == bank["trace_count"] == bank["estimated_count"] == FAILED + RETRIED
    assert (bank["outcomes"]["unhandled"], bank["outcomes"]["retried"]) == (FAILED, RETRIED)
    assert (bank["operation_spans"], bank["service_spans"]) == (99, 99)
    assert bank["share_of_operation"] == bank["share_of_service"] == (FAILED + RETRIED) / 99
    assert bank["first_seen_ns"] == EPOCH + SECOND + 11 * MS
    assert [one["operation"] for one in bank["reaches"]] == ["GET /", "POST /pay"]
    assert bank["stacktrace"] == "Traceback\n  in ledger"
    (newest, *_) = bank["exemplars"]
    assert int(newest["trace_id"], 16) == FAILED
    assert newest["outcome"] == "unhandled"
    assert [one["service"] for one in newest["chain"]] == ["bank", "web", "web"]
    assert (web["service"], web["type"], web["count"]) == ("web", "HTTP 500", BROKEN)
    assert document["quality"]["rules"] == "status and attributes"
    assert document["quality"]["traces_with_errors"] == FAILED + RETRIED + BROKEN


def test_the_same_question_gives_the_same_answer(context: Context) -> None:
    query = ErrorQuery(WINDOW, None, 20)
    assert error_groups(context, query) == error_groups(context, query)


def test_one_service_and_few_rows(context: Context) -> None:
    (only,) = error_groups(context, ErrorQuery(WINDOW, "web", 20))["errors"]
    assert (only["service"], only["count"]) == ("web", BROKEN)
    limited = error_groups(context, ErrorQuery(WINDOW, None, 1))
    assert (len(limited["errors"]), limited["total"]["value"]) == (1, 2)
    none = error_groups(context, ErrorQuery(WINDOW, "nobody", 20))
    assert none["errors"] == []
    assert "No error began in nobody; tracer services" in errors_text(none, width=99, colour=False)


def test_only_errors_that_began_in_the_range_count(context: Context) -> None:
    until = Window(EPOCH, EPOCH + 3 * SECOND)
    (bank,) = error_groups(context, ErrorQuery(until, None, 20))["errors"]
    assert bank["count"] == 2


def test_many_traces_are_sampled_and_that_is_said(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "JUDGED", 5)
    document = error_groups(context, ErrorQuery(WINDOW, None, 20))
    quality = document["quality"]
    assert (quality["traces_read"], quality["sampled"]) == (5, True)
    assert document["total"]["exact"] is False
    assert all(one["estimated_count"] == 3 * one["count"] for one in document["errors"])
    assert "only 5 traces" in errors_text(document, width=100, colour=False)


def test_too_many_spans_are_judged_by_status(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SPANS_LOOKED_AT", 10)
    document = error_groups(context, ErrorQuery(WINDOW, None, 20))
    assert document["quality"]["rules"] == "status only"
    assert [one["service"] for one in document["errors"]] == ["bank"]


def test_the_analysis_of_a_trace_has_its_errors(context: Context) -> None:
    document = trace_analysis(context, f"{1:032x}", baseline=None, tolerance_ns=None)
    (trace,) = document["traces"]
    assert trace["errors"]["failed_spans"] == 3
    (error,) = trace["errors"]["items"]
    assert (error["service"], error["outcome"]) == ("bank", "unhandled")
    assert error["message"] == "card 1 of row 0 was refused"
    assert document["errors"]["items"][0]["operation_spans"] == 1


def test_the_text_names_error_way_and_command(context: Context) -> None:
    text = errors_text(error_groups(context, ErrorQuery(WINDOW, None, 20)), width=120, colour=False)
    for words in (
        "bank POST /pay",
        "Refused: card <n> of row <n> was refused",
        "1. bank POST /pay → web POST /pay → web GET / (unhandled)",
        f"see: tracer trace {FAILED:032x}",
        "Again: tracer errors --start",
    ):
        assert words in text
