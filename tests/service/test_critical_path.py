"""Where the time of many traces goes: the store and a file give the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.running import NOW, context_with, shop
from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.errors import NotFound
from tracer.report.path_json import path_choice
from tracer.service.context import Context, Window
from tracer.service.critical_path import PathQuery, critical_path
from tracer.service.path_file import critical_path_of
from tracer.store import path_bands

MS = 1_000_000
QUEUE = [
    span(500, 1, start=EPOCH + SECOND, duration=9 * MS, name="POST /orders"),
    span(500, 2, 1, start=EPOCH + SECOND + MS, duration=MS, name="send", kind="Producer"),
    span(500, 3, 2, start=EPOCH + SECOND + 4 * MS, duration=90 * MS, service="worker",
         name="process", kind="Consumer"),
    span(500, 4, 99, start=EPOCH + SECOND, duration=MS, service="lost"),
]  # fmt: skip
SPANS = [*shop(), *QUEUE]
WINDOW = Window(EPOCH, NOW)


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    with fresh_engine() as engine:
        yield context_with(engine, SPANS)


def _ask(context: Context, window: Window = WINDOW, **words: Any) -> dict[str, Any]:
    names = {name: words.pop(name, None) for name in ("service", "operation")}
    choice = path_choice(words.get("metric"), words.get("band"), words.get("limit"))
    return critical_path(context, PathQuery(window, **names, choice=choice))


ASKED = [
    {},
    {"metric": "self", "band": "50-95"},
    {"band": "99+"},
    {"service": "stock", "limit": 1},
    {"operation": "process"},
]


@pytest.mark.parametrize("words", ASKED, ids=str)
def test_the_store_and_a_file_give_the_same_answer(context: Context, words: dict[str, Any]) -> None:
    stored = _ask(context, **words)
    choice = path_choice(words.get("metric"), words.get("band"), words.get("limit"))
    filed = critical_path_of(
        records(SPANS), choice, service=words.get("service"), operation=words.get("operation")
    )
    assert stored.pop("window")["start_ns"] == EPOCH
    assert stored.pop("as_of")
    assert stored.pop("reproduce").startswith("tracer path --start ")
    assert filed.pop("window") is None
    assert stored == filed


def test_the_tree_of_a_shop(context: Context) -> None:
    answer = _ask(context, operation="SELECT stock")
    web, stock = answer["paths"]
    assert (web["operation"], web["parent"], stock["parent"]) == ("GET /", None, 0)
    assert (stock["service"], stock["kind"], stock["depth"]) == ("stock", "client", 1)
    assert answer["bands"][0]["critical_ns"] == (90 * 10 + 10 * 108) * MS
    assert stock["bands"]["0-50"]["critical_ns"] == 90 * 2 * MS
    assert stock["bands"]["50-95"]["critical_ns"] == 10 * 100 * MS
    assert web["bands"]["all"]["error_share"] == 0.01
    assert stock["exemplars"]["worst"] == {
        "trace_id": f"{91:032x}",
        "root_span_id": f"{1:016x}",
        "spent_ns": 100 * MS,
    }
    assert stock["exemplars"]["typical"]["trace_id"] == f"{1:032x}"


def test_what_nobody_waits_for_is_a_root_and_what_is_lost_is_none(context: Context) -> None:
    answer = _ask(context)
    assert answer["traces"] == {"value": 101, "exact": True}
    assert answer["fragments"] == {"value": 1, "exact": True}
    tops = {one["operation"] for one in answer["paths"] if one["parent"] is None}
    assert tops == {"GET /", "POST /orders", "process"}
    assert "lost" not in {one["service"] for one in answer["paths"]}
    assert answer["quality"]["orphaned_share"] == pytest.approx(1 / 102)


def test_very_many_roots_are_thinned_and_it_says_so(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(path_bands, "MOST_ROOTS", 30)
    answer = _ask(context)
    assert answer["quality"]["one_in"] == 4
    assert answer["traces"] == {"value": 101, "exact": True}
    everything = answer["bands"][0]
    assert everything["roots"]["exact"] is False
    assert 5 < everything["roots"]["value"] < 60
    assert everything["estimated_roots"]["value"] == 4 * everything["roots"]["value"]
    assert everything["critical_ns"] == sum(
        one["bands"]["all"]["critical_ns"] for one in answer["paths"]
    )


def test_the_same_question_has_the_same_answer(context: Context) -> None:
    assert _ask(context, band="0-50") == _ask(context, band="0-50")


def test_an_unknown_name_and_an_empty_window(context: Context) -> None:
    with pytest.raises(NotFound, match="'nobody'"):
        _ask(context, service="nobody")
    answer = _ask(context, Window(1, 2))
    assert (answer["paths"], answer["traces"]["value"], answer["waiting_traces"]) == ([], 0, 0)
    assert [band["roots"]["value"] for band in answer["bands"]] == [0] * 5


def test_sampling_weights_count() -> None:
    spans = [
        one | {"SamplingWeight": 10.0 if one["TraceId"].endswith("1") else 0.0} for one in shop(20)
    ]
    with fresh_engine() as engine:
        answer = _ask(context_with(engine, spans))
    everything = answer["bands"][0]
    assert everything["roots"]["value"] == 20
    assert answer["quality"]["sampling"] == "partly known"
    assert everything["estimated_roots"] == {"value": 18 + 20, "exact": False}
    assert answer["paths"][0]["bands"]["all"]["calls"] == 38
