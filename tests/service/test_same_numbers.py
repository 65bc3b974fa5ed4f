"""Whatever door is asked, the same spans have the same times: clocks put right, half ids joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.analysis.test_failures import event
from tests.support.engine import LONG, fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.report.json import analysis_document
from tracer.report.path_json import path_choice
from tracer.service.analyze import analyze
from tracer.service.context import Context, Window
from tracer.service.critical_path import PathQuery, critical_path
from tracer.service.dependencies import DependencyQuery, dependencies
from tracer.service.errors import ErrorQuery, error_groups
from tracer.service.failures import add_errors, errors_in
from tracer.service.importing import import_records, settle_all
from tracer.service.path_file import critical_path_of
from tracer.service.trace import trace_analysis

MS = 1_000_000
TRACES = 12  # enough to learn clocks from
WINDOW = Window(EPOCH - 60 * SECOND, EPOCH + 60 * SECOND)
HIGH = 7 << 64
CHOICE = path_choice(None, None, None)


def call(number: int, room_ms: int, *, is_cut: bool = False) -> list[dict[str, Any]]:
    """web calls shop, whose clock is a second behind and whose trace id may be cut in half."""
    start = EPOCH + number * MS
    took = 100 * MS
    refused = event(("exception.type", "Refused"))
    bad: dict[str, Any] = {"StatusCode": "Error"}
    below = span(
        number, 2, 1, start=start - SECOND + room_ms * MS // 3, duration=took - room_ms * MS,
        service="shop", Host="b", **bad, **refused,
    )  # fmt: skip
    whole = f"{HIGH + number:032x}"
    below["TraceId"] = f"{number:032x}" if is_cut else whole
    above = span(number, 1, start=start, duration=took, service="web", kind="Client", Host="a")
    onward = [
        span(number, 3, 2, start=start - SECOND + 40 * MS, duration=20 * MS, service="shop",
             kind="Client", Host="b"),
        span(number, 4, 3, start=start - SECOND + 41 * MS, duration=18 * MS, service="stock",
             Host="b"),
    ]  # fmt: skip
    here = [below, *({**one, "TraceId": below["TraceId"]} for one in onward)]
    return [{**above, "TraceId": whole, **bad}, *here]


SPANS = [
    one
    for number in range(1, TRACES + 1)
    for one in call(number, 1 + number, is_cut=number == TRACES)
]
WHOLE = [one for one in SPANS if one["TraceId"].startswith(f"{7:016x}")]


def by_service(document: dict[str, Any]) -> Counter[str]:
    """Critical time in `tracer.critical-path/1`."""
    total: Counter[str] = Counter()
    for one in document["paths"]:
        total[one["service"]] += one["bands"]["all"]["critical_ns"]
    return total


def of_traces(document: dict[str, Any]) -> Counter[str]:
    """Critical time in `tracer.analysis/1`."""
    total: Counter[str] = Counter()
    for trace in document["traces"]:
        for section in trace["critical_path"]:
            total[section["service"]] += section["duration_ns"]
    return total


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    with fresh_engine() as engine:
        made = Context(engine, LONG, lambda: EPOCH + 60 * SECOND)
        import_records(made, records(WHOLE))
        settle_all(made)
        yield made


def test_path_and_analyze_agree_about_a_file() -> None:
    told = of_traces(analysis_document(analyze(records(SPANS), is_file=True)))
    path = critical_path_of(records(SPANS), CHOICE, service=None, operation=None)
    assert by_service(path) == told
    assert told["shop"] == sum((99 - number - 18) * MS for number in range(1, TRACES + 1))
    assert told["stock"] == TRACES * 18 * MS
    assert path["quality"]["skew_corrected_share"] == 1.0
    assert path["traces"]["value"] == TRACES, "the half of an id is no trace of its own"


def test_all_questions_about_what_is_stored_agree(context: Context) -> None:
    ids = sorted({one["TraceId"] for one in WHOLE})
    told: Counter[str] = Counter()
    for trace_id in ids:
        told += of_traces(trace_analysis(context, trace_id, baseline=None, tolerance_ns=None))
    assert by_service(critical_path(context, PathQuery(WINDOW, None, None, CHOICE))) == told
    graph = dependencies(context, DependencyQuery(WINDOW, None, 10))
    spent = {edge["to"]: edge["critical_ns"] for edge in graph["edges"]}
    assert told["stock"] == (TRACES - 1) * 18 * MS
    assert spent["service:stock"] == (TRACES - 1) * 20 * MS, "the call and what it called"
    assert graph["quality"]["skew_corrected_share"] == (TRACES - 1) / TRACES


def test_errors_are_followed_between_hosts(context: Context) -> None:
    groups = error_groups(context, ErrorQuery(WINDOW, None, 10))["errors"]
    found = {group["service"]: group["count"] for group in groups}
    assert found == {"shop": TRACES - 1, "web": 1}, "web alone fails where shop's id was cut"


def test_errors_under_half_a_trace_id_are_found() -> None:
    spans = records(SPANS)
    report = analyze(spans, is_file=True)
    document = add_errors(analysis_document(report), report, errors_in(report, spans))
    (group,) = document["errors"]["items"]
    assert group["service"] == "shop"
    assert document["errors"]["failed_spans"] == 2 * TRACES
    (joined,) = (one for one in document["traces"] if one["quality"]["short_trace_ids"])
    assert joined["errors"]
