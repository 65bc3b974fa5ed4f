"""Histograms from facts, minutes and hours say the same, whatever pieces a window is made of."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.support.records import EPOCH, SECOND, records, span
from tracer.analysis.analyse import analyse
from tracer.store.activity import read_spans
from tracer.store.engine import Engine
from tracer.store.facts import read_facts, write_facts
from tracer.store.loose import Floors
from tracer.store.rollups import (
    RolledUntil,
    Window,
    pieces,
    read_operations,
    read_path_sums,
    roll_up_hour,
    roll_up_minute,
)
from tracer.store.writer import write_spans
from tracer.units import HOUR_NS, MINUTE_NS

HOUR = EPOCH // HOUR_NS * HOUR_NS
MS = 1_000_000


def _fill(engine: Engine) -> None:
    """Two hours, a trace every 30 s: a root that calls one child twice."""
    spans = []
    for number in range(240):
        at = HOUR + number * 30 * SECOND + 7
        spans += [
            span(number + 1, 1, start=at, duration=(10 + number % 5) * MS, service="web"),
            span(number + 1, 2, 1, start=at + MS, duration=3 * MS, service="db", name="q"),
            span(
                number + 1,
                3,
                1,
                start=at + 5 * MS,
                duration=2 * MS,
                service="db",
                name="q",
                StatusCode="Error" if number % 10 == 0 else "Unset",
            ),
        ]
    write_spans(engine, records(spans))
    ids = [f"{number + 1:032x}" for number in range(240)]
    columns = read_spans(engine, ids, start_ns=0, end_ns=2**62, after_ns=None)
    write_facts(engine, analyse(columns).facts, version_ns=EPOCH)


def _operations(engine: Engine, window: Window) -> list[Any]:
    table = read_operations(engine, window, "1", {}).drop_columns(["Exemplar"])
    rows = table.to_pylist()
    return [{**row, "Buckets": sorted(row["Buckets"])} for row in rows]


def _sums(engine: Engine, window: Window) -> list[Any]:
    paths = read_facts(engine, "1", {}, order="StartNs", limit=1000).paths.path_id.tolist()
    rows = read_path_sums(engine, window, paths).to_pylist()
    return [{k: sorted(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows]


def test_caches_answer_like_facts(engine: Engine) -> None:
    _fill(engine)
    windows = [
        Window(HOUR, HOUR + 2 * HOUR_NS),
        Window(HOUR + 17 * SECOND, HOUR + HOUR_NS + 95 * SECOND),
        Window(HOUR + 61 * SECOND, HOUR + 62 * SECOND),
        Window(HOUR - HOUR_NS, HOUR + 3 * HOUR_NS + 1),
    ]
    from_facts = [(_operations(engine, one), _sums(engine, one)) for one in windows]
    assert sum(row["Spans"] for row in from_facts[0][0]) == 720
    for minute in range(HOUR, HOUR + 2 * HOUR_NS, MINUTE_NS):
        roll_up_minute(engine, minute, version_ns=EPOCH + 1)
    assert [(_operations(engine, one), _sums(engine, one)) for one in windows] == from_facts
    roll_up_hour(engine, HOUR, version_ns=EPOCH + 2)
    assert [(_operations(engine, one), _sums(engine, one)) for one in windows] == from_facts


def test_a_rollup_without_its_mark_is_not_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(engine)
    whole = Window(HOUR, HOUR + MINUTE_NS)
    roll_up_minute(engine, HOUR, version_ns=EPOCH + 1)
    before = _operations(engine, whole)
    monkeypatch.setattr("tracer.store.rollups._mark", lambda *_: None)
    roll_up_minute(engine, HOUR, version_ns=EPOCH + 9)
    assert _operations(engine, whole) == before


def test_operations_know_their_caller_and_outcome(engine: Engine) -> None:
    _fill(engine)
    rows = {
        (row["ServiceName"], row["Outcome"]): (row["CallerServiceName"], row["Spans"])
        for row in _operations(engine, Window(HOUR, HOUR + 2 * HOUR_NS))
    }
    assert rows == {
        ("web", "ok"): ("", 240.0),
        ("db", "ok"): ("web", 456.0),
        ("db", "error"): ("web", 24.0),
    }


@pytest.mark.parametrize("rolled", [0, HOUR, HOUR + 90 * SECOND, HOUR + 5 * HOUR_NS])
@pytest.mark.parametrize("start", [HOUR, HOUR + 1, HOUR + 59 * MINUTE_NS])
@pytest.mark.parametrize("length", [1, MINUTE_NS, HOUR_NS, 3 * HOUR_NS + 7])
def test_pieces_tile_the_window(rolled: int, start: int, length: int) -> None:
    window = Window(start, start + length)
    found = sorted(pieces(window, RolledUntil(rolled, rolled)), key=lambda piece: piece[1].start_ns)
    assert found[0][1].start_ns == window.start_ns
    assert found[-1][1].end_ns == window.end_ns
    for (_, left), (_, right) in itertools.pairwise(found):
        assert left.end_ns == right.start_ns
    for source, piece in found:
        step = {"facts": 1, "minute": MINUTE_NS, "hour": HOUR_NS}[source]
        assert piece.start_ns % step == piece.end_ns % step == 0
        assert source == "facts" or piece.end_ns <= rolled


def test_what_is_over_age_is_read_from_hours_and_facts() -> None:
    """Live minutes of then are gone, imported facts of then never had any."""
    until = HOUR + 5 * HOUR_NS
    floor = HOUR + 2 * HOUR_NS
    floors = Floors(minutes_from_ns=floor, loose_below_ns=floor)
    assert pieces(Window(HOUR + 7, HOUR + 3 * HOUR_NS), RolledUntil(until, until, floors)) == [
        ("loose", Window(HOUR + 7, HOUR + 2 * HOUR_NS)),
        ("hour", Window(HOUR + HOUR_NS, HOUR + 2 * HOUR_NS)),
        ("hour", Window(HOUR + 2 * HOUR_NS, HOUR + 3 * HOUR_NS)),
    ]
