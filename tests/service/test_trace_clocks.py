"""A stored trace of two hosts: clocks are corrected as the setting and the question want it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.engine import LONG, fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.service.context import Context
from tracer.service.importing import import_records, settle_all
from tracer.service.trace import trace_analysis
from tracer.store.engine import Engine

MS = 1_000_000
TRACE = f"{1:032x}"
SPANS = [
    span(1, 1, start=EPOCH, duration=100 * MS, service="web", kind="Client", Host="a"),
    span(1, 2, 1, start=EPOCH - SECOND, duration=40 * MS, service="shop", Host="b"),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with fresh_engine() as opened:
        yield opened


def asked(engine: Engine, *, limit_ns: int = SECOND * 300, **how: Any) -> dict[str, Any]:
    settings = replace(LONG, max_clock_skew=limit_ns)
    context = Context(engine, settings, lambda: EPOCH + 60 * SECOND)
    return trace_analysis(context, TRACE, baseline=None, tolerance_ns=None, **how)


def shop_ns(document: dict[str, Any]) -> int:
    path = document["traces"][0]["critical_path"]
    return sum(one["duration_ns"] for one in path if one["service"] == "shop")


def test_facts_are_of_corrected_clocks(engine: Engine) -> None:
    context = Context(engine, LONG, lambda: EPOCH + 60 * SECOND)
    import_records(context, records(SPANS))
    settle_all(context)
    rows = engine.rows(
        "SELECT arraySort(`Paths.CriticalNs`) FROM tracer_facts FINAL WHERE IsDeleted = 0"
    )
    assert [list(row[0]) for row in rows] == [[40 * MS, 60 * MS]]


def test_the_answer_tells(engine: Engine) -> None:
    document = asked(engine)
    assert shop_ns(document) == 40 * MS
    (shift,) = document["traces"][0]["clock_shifts"]["items"]
    assert (shift["host"], shift["shift_ns"], shift["error_ns"]) == ("b", 1_030 * MS, 30 * MS)
    assert "--no-skew-correction" not in document["reproduce"]


def test_the_question_can_switch_it_off(engine: Engine) -> None:
    document = asked(engine, skew_correction=False)
    assert (shop_ns(document), document["clock_skew"]["corrected"]) == (0, False)
    assert document["traces"][0]["quality"]["off_path"] == 1
    assert document["reproduce"].endswith("--no-skew-correction")


def test_so_can_the_setting(engine: Engine) -> None:
    assert shop_ns(asked(engine, limit_ns=0)) == 0


def test_a_limit_leaves_what_is_beyond_it(engine: Engine) -> None:
    document = asked(engine, limit_ns=SECOND)
    (shift,) = document["traces"][0]["clock_shifts"]["items"]
    assert (shop_ns(document), shift["applied"]) == (0, False)
