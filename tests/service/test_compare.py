"""Ranges and versions of stored traces compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.engine import LONG, fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.errors import BadQuery, NotFound
from tracer.service.compare import compare_query, compare_stored
from tracer.service.context import Context
from tracer.service.importing import import_records, settle_all
from tracer.units import rfc3339

MS = 1_000_000
CHANGE = EPOCH + 200 * SECOND
END = EPOCH + 400 * SECOND
NOW = EPOCH + 500 * SECOND


def trace(number: int) -> list[dict[str, Any]]:
    """One a second; from number 200 on orders is of version 2 and asks eight times. Each tenth
    of the last hundred is served by both versions."""
    random = np.random.default_rng(number)
    at, is_new = EPOCH + number * SECOND, number >= 200
    version = [("service.version", "2" if is_new else "1")]
    query = int(random.lognormal(2.0, 0.4) * MS)
    queries = 8 if is_new else 1
    inner = queries * query + 4 * MS
    spans = [
        span(number, 1, start=at, duration=inner + 10 * MS, service="web", name="GET /checkout"),
        span(number, 2, 1, start=at + 4 * MS, duration=inner, service="orders", name="GET /orders",
             ServiceVersion=version[0][1], ResourceAttributes=version),
    ]  # fmt: skip
    if number >= 300 and number % 10 == 0:
        spans.append(span(number, 3, 2, start=at + 5 * MS, duration=MS, service="orders",
                          name="warm", ServiceVersion="1",
                          ResourceAttributes=[("service.version", "1")]))  # fmt: skip
    spans += [
        span(number, 10 + call, 2, start=at + 6 * MS + call * query, duration=query,
             service="db", name="SELECT", kind="Client")
        for call in range(queries)
    ]  # fmt: skip
    return spans


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    with fresh_engine() as engine:
        made = Context(engine, LONG, lambda: NOW)
        import_records(made, records([one for number in range(400) for one in trace(number)]))
        settle_all(made)
        yield made


RANGE = {"start": rfc3339(CHANGE), "end": rfc3339(END)}


def ask(context: Context, **words: Any) -> dict[str, Any]:
    return compare_stored(context, compare_query(NOW, **words))


def test_a_range_is_compared_with_the_one_just_before(context: Context) -> None:
    found = ask(context, **RANGE)
    assert (found["baseline"]["traces"], found["candidate"]["traces"]) == (200, 200)
    assert found["baseline"]["chosen"] == "just before"
    assert found["subject"] == {"service": "web", "operation": "GET /checkout", "kind": "server"}
    p95 = found["statistics"][1]
    assert p95["paths"][0]["path"] == ["web GET /checkout", "orders GET /orders", "db SELECT"]
    assert "`db SELECT` being called 8 times instead of once" in found["verdict"]["text"]
    assert found["verdict"]["direction"] == "slower"


def test_versions_are_compared_without_traces_of_both(context: Context) -> None:
    found = ask(context, service="orders", baseline_version="1", candidate_version="2", since="1h")
    assert (found["baseline"]["traces"], found["candidate"]["traces"]) == (200, 190)
    assert found["candidate"]["mixed_versions"] == 10
    assert any("10 traces of the candidate ran several versions" in n for n in found["notes"])
    assert "`db SELECT` being called 8 times" in found["verdict"]["text"]


def test_the_command_of_an_answer_gives_it_again(context: Context) -> None:
    for words in (RANGE, {"service": "orders", "baseline_version": "1", "candidate_version": "2",
                          "since": "1h", "limit": 5}):  # fmt: skip
        found = ask(context, **words)
        flags = iter(found["reproduce"].removeprefix("tracer compare ").split())
        again = {flag[2:].replace("-", "_"): word for flag, word in zip(flags, flags, strict=True)}
        repeated = ask(context, **{**again, "limit": int(again["limit"])})
        repeated["baseline"]["chosen"] = found["baseline"]["chosen"]
        assert repeated == found


def test_only_traces_through_an_operation_count(context: Context) -> None:
    found = ask(context, start=rfc3339(EPOCH + 350 * SECOND), end=rfc3339(END), operation="warm")
    assert (found["baseline"]["traces"], found["candidate"]["traces"]) == (5, 5)
    assert found["status"] == "refused"


EMPTY = [
    ({"start": "-1d", "end": "-20h"}, "the baseline is empty: no analysed trace in"),
    ({**RANGE, "service": "nobody"}, "no analysed span is named 'nobody'"),
    (
        {"service": "orders", "baseline_version": "1", "candidate_version": "3", "since": "1h"},
        "ran only version '3' of 'orders'",
    ),
    (
        {"service": "orders", "baseline_version": "0", "candidate_version": "2", "since": "1h"},
        "there is '1', '2'",
    ),
]


@pytest.mark.parametrize(("words", "message"), EMPTY, ids=[one[1] for one in EMPTY])
def test_an_empty_set_is_named(context: Context, words: dict[str, Any], message: str) -> None:
    with pytest.raises(NotFound, match=message):
        ask(context, **words)


WRONG = [
    ({"baseline_version": "1", "service": "a"}, "give baseline_version and candidate_version"),
    ({"baseline_version": "1", "candidate_version": "2"}, "give service too"),
    ({"baseline_version": "1", "candidate_version": "1", "service": "a"}, "both versions are '1'"),
    ({"baseline_start": "-2h"}, "give baseline_start and baseline_end"),
    ({"start": "0", "end": "5"}, "nothing lies before the range"),
    ({"since": "soon"}, "since: duration 'soon'"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[one[1] for one in WRONG])
def test_what_is_wrong_is_named(words: dict[str, Any], message: str) -> None:
    with pytest.raises(BadQuery, match=message):
        compare_query(NOW, **words)
