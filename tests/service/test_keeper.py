"""The disk budget at work on a real store. The clock and the free disk are numbers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.disks import small_disk
from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.columns.facts import ANALYSIS_VERSION
from tracer.service.keeper import Keeper, Limits
from tracer.service.settle import Rules, Settler
from tracer.store.budget import read_dropped
from tracer.store.engine import Engine
from tracer.store.partitions import Used, read_partitions
from tracer.store.rollups import Window, count_traces, read_operations
from tracer.store.writer import write_spans
from tracer.units import HOUR_NS

HOUR = EPOCH // HOUR_NS * HOUR_NS
HOURS = 5
PER_HOUR = 300
MS = 1_000_000
NOW = HOUR + 1800 * SECOND
EVERYTHING = Window(HOUR - 2 * HOURS * HOUR_NS, NOW)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with fresh_engine() as opened:
        yield opened


def fill(
    engine: Engine, *, ago: int, first: int = 0, count: int = PER_HOUR, ingest: int = 0
) -> None:
    """Traces of one span in the hour that began `ago` hours before this one; taken in then."""
    start = HOUR - ago * HOUR_NS
    write_spans(
        engine,
        records(
            span(
                first + ago * PER_HOUR + n + 1,
                n + 1,
                start=start + n * MS,
                ingest=ingest or start + n * MS,
                SpanAttributes=[("url.full", f"/{n * 7919:x}/{ago * 104729:x}")],
            )
            for n in range(count)
        ),
    )


def settle(engine: Engine, now_ns: int = NOW) -> None:
    rules = Rules(settle_ns=SECOND, root_wait_ns=SECOND, max_trace_age_ns=SECOND)
    work = Settler(engine, rules, now_ns=lambda: now_ns, horizon_ns=lambda: now_ns)
    work.step()
    work.close()


def keeper(engine: Engine, bounds: Limits, free_bytes: int = 2**40) -> Keeper:
    return Keeper(engine, bounds, free_bytes=lambda: free_bytes, now_ns=lambda: NOW)


def hours(engine: Engine, table: str = "otel_traces", time: str = "Timestamp") -> list[int]:
    """Hours before this one that the table has rows of."""
    stamp = f"toUnixTimestamp64Nano({time})" if time == "Timestamp" else time
    rows = engine.rows(f"SELECT DISTINCT intDiv({stamp}, {HOUR_NS}) AS h FROM {table} ORDER BY h")
    return [int(row[0]) - HOUR // HOUR_NS for row in rows]


def short_of(missing_bytes: int) -> dict[str, Any]:
    """A disk with that much less than what is to be kept free."""
    return {"bounds": Limits(0, 2**30), "free_bytes": 2**30 - missing_bytes}


@pytest.mark.parametrize(
    ("bounds", "used", "free", "excess"),
    [
        (Limits(0, 0), Used(10**9, 0, 0), 0, 0),
        (Limits(1000, 0), Used(900, 50, 50), 0, 0),  # 95 % are reached, no more
        (Limits(1000, 0), Used(960, 0, 10), 0, 20),
        (Limits(1000, 0), Used(940, 60, 0), 0, 0),  # what is merged away goes by itself
        (Limits(1000, 0), Used(940, 100, 0), 0, 40),  # but never is there more than allowed
        (Limits(0, 500), Used(10**9, 0, 0), 500, 0),
        (Limits(0, 500), Used(10**9, 0, 0), 380, 120),
        (Limits(0, 500), Used(100, 0, 0), 0, 100),  # no more than we have
        (Limits(1000, 500), Used(1000, 0, 0), 300, 200),
    ],
)
def test_how_much_must_go(bounds: Limits, used: Used, free: int, excess: int) -> None:
    assert bounds.excess(used, free) == excess


def test_within_its_budget_nothing_goes(engine: Engine) -> None:
    fill(engine, ago=5)
    assert keeper(engine, Limits(0, 0)).look() == 0
    assert keeper(engine, Limits(2**30, 2**20)).look() == 0
    assert hours(engine) == [-5]


def test_over_its_budget_the_oldest_hour_goes_and_is_counted(engine: Engine) -> None:
    for ago in range(HOURS):
        fill(engine, ago=ago)
    keep = keeper(engine, **short_of(100))
    freed = keep.look()
    assert hours(engine) == [-3, -2, -1, 0]
    assert hours(engine, "otel_traces_trace_id_ts", "StartNs") == hours(engine)
    assert freed > 100
    told = read_dropped(engine)
    assert told == keep.dropped
    assert (told.spans, told.bytes, told.partitions) == (PER_HOUR, freed, 2)
    assert told.raw_from_ns == HOUR - 3 * HOUR_NS
    roomy = keeper(engine, Limits(2**30, 2**20))
    assert (roomy.look(), roomy.dropped) == (0, told)


def test_a_disk_that_others_fill_costs_hours_only_when_asked_for(engine: Engine) -> None:
    for ago in range(HOURS):
        fill(engine, ago=ago)
    assert keeper(engine, Limits(2**40, 0), free_bytes=0).look() == 0
    assert keeper(engine, Limits(0, 2**20), free_bytes=2**20 - 10).look() > 0
    assert hours(engine) == [-3, -2, -1, 0]


def test_spans_go_before_facts_and_the_current_hour_goes_last(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    for ago in range(3):
        fill(engine, ago=ago)
    settle(engine)
    closed = sum(
        one.bytes for one in read_partitions(engine) if one.tier == "raw" and one.start_ns < HOUR
    )
    keeper(engine, Limits(0, closed), free_bytes=0).look()
    assert hours(engine, "tracer_facts", "StartNs") == [-2, -1, 0]
    assert hours(engine) == [0]
    starved = keeper(engine, Limits(1, 0))
    starved.look()
    assert hours(engine) == []
    assert hours(engine, "tracer_facts", "StartNs") == [0]
    assert starved.missing_bytes > 0
    assert "current hour" in caplog.text
    assert "nothing is left to drop" in caplog.text


def test_rollups_stay_when_their_facts_go_and_late_facts_come_on_top(engine: Engine) -> None:
    for ago in range(HOURS):
        fill(engine, ago=ago)
    settle(engine)
    before = count_traces(engine, EVERYTHING)
    assert before == HOURS * PER_HOUR
    keep = keeper(engine, Limits(0, 2**20), free_bytes=2**20 - 1)
    while hours(engine, "tracer_facts", "StartNs")[0] < -2:
        keep.look()
    assert count_traces(engine, EVERYTHING) == before
    fill(engine, ago=4, first=10**6, count=10, ingest=NOW)  # a late import
    settle(engine, NOW + 60 * SECOND)
    for _ in range(2):
        assert count_traces(engine, EVERYTHING) == before + 10
        table = read_operations(engine, EVERYTHING, "1", {})
        assert table["Spans"].to_pylist() == [before + 10]
        settle(engine, NOW + 120 * SECOND)  # a restart rolls nothing up again


def test_minutes_of_another_analysis_whose_facts_are_gone_are_left_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("tracer.store.rollups.ANALYSIS_VERSION", 0)
        fill(engine, ago=3)
        fill(engine, ago=1)
        settle(engine)
    keep = keeper(engine, Limits(0, 2**20), free_bytes=2**20 - 1)
    while -3 in hours(engine, "tracer_facts", "StartNs"):
        keep.look()
    settle(engine, NOW + 60 * SECOND)
    rows = engine.rows(
        f"SELECT intDiv(PeriodNs, {HOUR_NS}) AS h, groupUniqArray(AnalysisVersion) "
        "FROM tracer_rollups FINAL WHERE Grain = 'minute' GROUP BY h ORDER BY h"
    )
    assert [list(row[1]) for row in rows] == [[0], [ANALYSIS_VERSION]]


def test_on_a_full_disk_the_ballast_makes_room_for_dropping(tmp_path: Path) -> None:
    """In a process of its own: the engine has one directory a process."""
    code = (
        "import sys; from pathlib import Path; from tests.service.full_disk import main;"
        "main(Path(sys.argv[1]))"
    )
    with small_disk(tmp_path / "disk", "160m") as disk:
        done = subprocess.run(
            [sys.executable, "-c", code, str(disk)], capture_output=True, text=True, check=False
        )
    assert (done.stdout, done.returncode) == ("refused\ndropped\n", 0), done.stderr


def test_it_looks_in_a_thread_until_it_is_closed(engine: Engine) -> None:
    for ago in range(2):
        fill(engine, ago=ago)
    keep = keeper(engine, **short_of(100))
    assert keep.alive()
    keep.start()
    while not read_dropped(engine).spans:
        assert keep.alive()
    keep.close()
    assert not keep.alive()
