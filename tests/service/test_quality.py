"""Every answer about many traces says the same of their quality, in the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.engine import LONG, fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.columns.flaws import NOBODY
from tracer.report.json import analysis_document
from tracer.report.path_json import path_choice
from tracer.report.quality import quality_shares
from tracer.service.analyze import analyze
from tracer.service.baselines import baselines
from tracer.service.catalog import operations, services
from tracer.service.compare_files import compare_records
from tracer.service.context import Context, Window
from tracer.service.critical_path import PathQuery, critical_path
from tracer.service.dependencies import DependencyQuery, dependencies
from tracer.service.errors import ErrorQuery, error_groups
from tracer.service.importing import import_records, settle_all
from tracer.service.path_file import critical_path_of
from tracer.service.search import TraceQuery, search_traces
from tracer.service.slow import SlowQuery, slow_traces

MS = 1_000_000
END = EPOCH + 60 * SECOND
WINDOW = Window(EPOCH - SECOND, END)
BAD = {"StatusCode": "Error"}
# One trace whose server's clock is off, one with calls at once, one with a lost parent, one fine.
SPANS = [
    span(1, 1, start=EPOCH, duration=100 * MS, service="web", kind="Client", Host="a", **BAD),
    span(1, 2, 1, start=EPOCH - SECOND, duration=40 * MS, service="shop", Host="b"),
    span(2, 1, start=EPOCH, duration=100 * MS, service="web", kind="Client", **BAD),
    span(2, 2, 1, start=EPOCH + 10 * MS, duration=40 * MS, service="shop"),
    span(2, 3, 1, start=EPOCH + 20 * MS, duration=60 * MS, service="shop"),
    span(3, 1, start=EPOCH, duration=100 * MS, service="web", kind="Client", **BAD),
    span(3, 2, 77, start=EPOCH, duration=40 * MS, service="shop", kind="Internal"),
    span(4, 1, start=EPOCH, duration=100 * MS, service="web", kind="Client", **BAD),
]
EXPECTED = {
    "skew_corrected_share": 0.25,
    "ambiguous_share": 0.25,
    "orphaned_share": 0.25,
    "late_share": 0.25,
    "root_missing_share": 0.0,
    "overrun_share": 0.0,
    "dropped_share": 0.0,
    "duplicates": 0,
}
CHOICE = path_choice(None, None, None)
LIST = TraceQuery(WINDOW, None, None, None, None, None, (), 10, None)
SLOW = SlowQuery(WINDOW, None, None, None, 1, 10, ())

DOORS: dict[str, Callable[[Context], dict[str, Any]]] = {
    "services": lambda context: services(context, WINDOW),
    "operations": lambda context: operations(context, "web", WINDOW),
    "baselines": lambda context: baselines(
        context, service=None, operation=None, window=WINDOW, limit=10
    ),
    "traces": lambda context: search_traces(context, LIST),
    "slow": lambda context: slow_traces(context, SLOW),
    "path": lambda context: critical_path(context, PathQuery(WINDOW, None, None, CHOICE)),
    "errors": lambda context: error_groups(context, ErrorQuery(WINDOW, None, 10)),
    "dependencies": lambda context: dependencies(context, DependencyQuery(WINDOW, None, 10)),
    "path of a file": lambda context: critical_path_of(
        records(SPANS), CHOICE, service=None, operation=None
    ),
    "compare": lambda context: compare_records(
        records(SPANS), records(SPANS), said=({}, {}), limit=10
    )["candidate"],
    "analyze": lambda context: analysis_document(analyze(records(SPANS))),
}


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    with fresh_engine() as engine:
        made = Context(engine, LONG, lambda: END)
        import_records(made, records(SPANS))
        settle_all(made)
        yield made


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
def test_every_door_says_the_same(
    context: Context, door: Callable[[Context], dict[str, Any]]
) -> None:
    quality = door(context)["quality"]
    assert {name: quality[name] for name in EXPECTED} == EXPECTED
    assert quality["sampling"] == "stored spans"


def test_an_answer_about_nothing_has_a_quality(context: Context) -> None:
    quality = services(context, Window(0, 1))["quality"]
    assert quality == {"roots": 0, **quality_shares(NOBODY)}
    assert not any(value for name, value in quality.items() if name != "sampling")
