"""The on-call question, on traffic with a known fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.errors import NotFound
from tracer.service.context import Context, Window
from tracer.service.importing import settle_all
from tracer.service.slow import SlowQuery, slow_traces
from tracer.settings import Settings
from tracer.store.writer import write_spans

MS = 1_000_000
FAULT_AT = EPOCH + 600 * SECOND
END = FAULT_AT + 60 * SECOND


def _trace(number: int, at: int, query_ms: float, queries: int = 1) -> list[dict[str, Any]]:
    rng = np.random.default_rng(number)
    one = int(query_ms * MS * rng.uniform(0.9, 1.1))
    base = number * 1000
    inner = queries * (one + MS // 10)
    user = [("user.id", f"u{number % 7}")]
    spans = [
        span(number, base + 1, start=at, duration=inner + 12 * MS, service="web", name="GET /cart",
             SpanAttributes=user),
        span(number, base + 2, base + 1, start=at + 2 * MS, duration=inner + 8 * MS,
             service="web", name="GET", kind="Client"),
        span(number, base + 3, base + 2, start=at + 3 * MS, duration=inner + 6 * MS,
             service="cart", name="GET /items"),
    ]  # fmt: skip
    spans += [
        span(number, base + 4 + call, base + 3, start=at + 5 * MS + call * (one + MS // 10),
             duration=one, service="cart", name="SELECT items", kind="Client")
        for call in range(queries)
    ]  # fmt: skip
    return spans


def _context(engine: Any) -> Context:
    return Context(engine, Settings(), lambda: END + 60 * SECOND)


@pytest.fixture(params=["slow query", "n plus one"])
def context(request: pytest.FixtureRequest) -> Iterator[Context]:
    with fresh_engine() as engine:
        spans = []
        for number in range(1, 201):
            spans += _trace(number, EPOCH + number * 2 * SECOND, 4)
        for number in range(201, 241):
            faulty = number % 2 == 0
            kind = request.param
            spans += _trace(
                number,
                FAULT_AT + (number - 200) * SECOND,
                300 if faulty and kind == "slow query" else 4,
                60 if faulty and kind == "n plus one" else 1,
            )
        write_spans(engine, records(spans))
        context = _context(engine)
        settle_all(context)
        yield context


def _query(**changes: Any) -> SlowQuery:
    asked: dict[str, Any] = {
        "window": Window(FAULT_AT, END),
        "baseline": Window(EPOCH, FAULT_AT),
        "service": None,
        "operation": None,
        "min_duration_ns": None,
        "limit": 5,
        "user_attributes": ("enduser.id", "user.id"),
        **changes,
    }
    return SlowQuery(**asked)


def test_the_guilty_operation_is_named_first(context: Context) -> None:
    answer = slow_traces(context, _query())
    worst = answer["bottlenecks"][0]
    assert (worst["service"], worst["operation"], worst["role"]) == (
        "cart",
        "SELECT items",
        "cause",
    )
    assert worst["reason"] in ("slower", "more calls")
    assert worst["path"] == ["web GET /cart", "web GET", "cart GET /items", "cart SELECT items"]
    assert worst["excess_ns"] == pytest.approx(264 * MS, rel=0.2)
    assert answer["affected"]["requests"]["value"] >= 20
    assert answer["affected"]["of"]["value"] == 40
    assert answer["affected"]["users"] == {"value": 7, "exact": True}
    assert answer["affected"]["user_attribute"] == "user.id"
    assert answer["baseline"]["traces"] == 200
    assert len(answer["traces"]) == 5
    assert worst["exemplar_trace_ids"][0] in {f"{n:032x}" for n in range(201, 241)}


def test_every_slow_trace_shows_its_path_and_its_bottleneck(context: Context) -> None:
    for trace in slow_traces(context, _query())["traces"]:
        path = trace["critical_path"]
        assert path[0]["offset_ns"] == 0
        assert sum(one["end_ns"] - one["start_ns"] for one in path) == trace["duration_ns"]
        assert trace["bottlenecks"][0]["operation"] == "SELECT items"
        assert trace["expected_p95_ns"] < trace["duration_ns"]


def test_without_a_given_baseline_the_time_before_answers(context: Context) -> None:
    answer = slow_traces(context, _query(baseline=None))
    assert answer["baseline"]["chosen"] == "last 24 h"
    assert answer["bottlenecks"][0]["operation"] == "SELECT items"


def test_with_nothing_before_the_window_judges_itself(context: Context) -> None:
    answer = slow_traces(context, _query(baseline=None, window=Window(EPOCH, END)))
    assert answer["baseline"]["chosen"] == "none"
    assert answer["bottlenecks"][0]["operation"] == "SELECT items"


def test_filters_do_not_change_what_is_normal(context: Context) -> None:
    """Also when the window judges itself: the slow ones alone must not be their own normal."""
    whole = _query(baseline=None, window=Window(EPOCH, END))
    free = slow_traces(context, whole)["bottlenecks"][0]
    for changed in ({"service": "cart"}, {"min_duration_ns": 100 * MS}):
        asked = _query(baseline=None, window=Window(EPOCH, END), **changed)
        found = slow_traces(context, asked)["bottlenecks"][0]
        for field in ("operation", "usual_ns", "expected_p95_ns", "usual_calls", "reason"):
            assert found[field] == free[field], (changed, field)


def test_the_numbers_of_a_bottleneck_fit_each_other(context: Context) -> None:
    for found in slow_traces(context, _query())["bottlenecks"]:
        if found["role"] == "cause":
            assert found["critical_ns"] - found["usual_ns"] == pytest.approx(
                found["excess_ns"], rel=0.15
            )
        if found["expected_p95_ns"]:
            ratio = found["duration_ns"] / found["expected_p95_ns"]
            assert found["deviation_percent"] == pytest.approx((ratio - 1) * 100, abs=0.1)
        assert (found["calls"] > found["usual_calls"]) == (found["reason"] == "more calls")


def test_with_too_few_traces_the_time_is_shown_and_nothing_inferred() -> None:
    with fresh_engine() as engine:
        spans = [one for number in (1, 2) for one in _trace(number, FAULT_AT + number, 50)]
        write_spans(engine, records(spans))
        context = _context(engine)
        settle_all(context)
        answer = slow_traces(context, _query(baseline=None, min_duration_ns=1))
    worst = answer["bottlenecks"][0]
    assert worst["operation"] == "SELECT items"
    assert (worst["excess_ns"], worst["reason"], worst["share_of_excess"]) == (None, None, None)


def test_a_duration_can_be_the_rule(context: Context) -> None:
    answer = slow_traces(context, _query(min_duration_ns=200 * MS))
    assert answer["affected"]["requests"] == {"value": 20, "exact": True}
    assert answer["rule"]["slow_means"] == "the root lasts at least 200ms"


def test_a_service_in_the_middle_finds_the_traces_through_it(context: Context) -> None:
    through = slow_traces(context, _query(service="cart"))
    assert through["affected"] == slow_traces(context, _query())["affected"]
    with pytest.raises(NotFound, match="'nobody'"):
        slow_traces(context, _query(service="nobody"))


def test_the_same_question_has_the_same_answer(context: Context) -> None:
    assert slow_traces(context, _query()) == slow_traces(context, _query())


def test_a_quiet_window_blames_nobody(context: Context) -> None:
    answer = slow_traces(
        context,
        _query(
            window=Window(EPOCH + 300 * SECOND, EPOCH + 400 * SECOND),
            baseline=Window(EPOCH, EPOCH + 300 * SECOND),
        ),
    )
    assert answer["bottlenecks"] == []


def test_a_long_poll_is_not_slow() -> None:
    """It always takes 30 s, by design: as normal as anything else, and no one's fault."""
    spans = [
        span(at, at, start=EPOCH + (at - 9_000) * 3 * SECOND, duration=30 * SECOND,
             service="push", name="GET /wait")
        for at in range(9_001, 9_221)
    ]  # fmt: skip
    for number in range(1, 101):
        spans += _trace(number, EPOCH + number * 5 * SECOND, 4)
    for number in range(201, 211):
        spans += _trace(number, FAULT_AT + number % 100 * SECOND, 300)
    with fresh_engine() as engine:
        write_spans(engine, records(spans))
        context = _context(engine)
        settle_all(context)
        answer = slow_traces(context, _query())
    assert answer["affected"]["of"]["value"] == 10 + 20
    assert answer["affected"]["requests"]["value"] == 10
    assert {trace["root"]["service"] for trace in answer["traces"]} == {"web"}
    assert "push" not in {found["service"] for found in answer["bottlenecks"]}


def test_an_empty_window_says_so(context: Context) -> None:
    answer = slow_traces(context, _query(window=Window(END + SECOND, END + 2 * SECOND)))
    assert answer["affected"]["of"]["value"] == 0
    assert answer["bottlenecks"] == answer["traces"] == []
