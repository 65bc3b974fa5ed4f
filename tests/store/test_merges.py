"""How parts of spans are merged: what a burst of exports relies on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.engine import fresh_engine
from tracer.errors import TracerError
from tracer.store.engine import Engine
from tracer.store.priority import MERGE_THREAD, NICENESS, hold_merges, let_merges_give_way

FILL = (
    "INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, ServiceName, SpanAttributes) "
    "SELECT fromUnixTimestamp64Nano(toInt64(1700000000000000000 + number)), hex(number), "
    "hex(number), 'GET', 'shop', map('k', toString(number)) FROM numbers(60000)"
)


def test_merged_parts_are_wide_and_merged_column_by_column() -> None:
    with fresh_engine() as engine:
        before = _vertical(engine)
        engine.command("SYSTEM STOP MERGES otel_traces")
        for _ in range(2):
            engine.command(FILL)
        fresh = engine.rows(_PARTS)
        engine.command("SYSTEM START MERGES otel_traces")
        engine.command("OPTIMIZE TABLE otel_traces FINAL")
        assert {row[0] for row in fresh} == {"Compact"}
        assert [tuple(row) for row in engine.rows(_PARTS)] == [("Wide", 120_000)]
        assert _vertical(engine) > before


_PARTS = (
    "SELECT part_type, rows FROM system.parts "
    "WHERE database = currentDatabase() AND table = 'otel_traces' AND active"
)


def _vertical(engine: Engine) -> int:
    rows = engine.rows(
        "SELECT value FROM system.events WHERE event = 'MergeVerticalStageTotalMilliseconds'"
    )
    return int(rows[0][0]) if rows else 0


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux")
def test_merge_threads_have_a_low_priority_and_others_do_not() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)  # tests may run under `nice`
    with fresh_engine():
        assert let_merges_give_way() > 0
        for task in Path("/proc/self/task").iterdir():
            merges = (task / "comm").read_text().strip() == MERGE_THREAD
            priority = os.getpriority(os.PRIO_PROCESS, int(task.name))
            high = priority < NICENESS or priority == own
            assert priority >= NICENESS if merges else high, (task / "comm").read_text()


def test_nothing_happens_where_there_is_no_such_list(tmp_path: Path) -> None:
    assert let_merges_give_way(tmp_path / "absent") == 0


def test_the_engine_merges_nothing_while_held() -> None:
    with fresh_engine() as engine:
        engine.command("CREATE TABLE heap (x UInt8) ENGINE = MergeTree ORDER BY x")
        hold_merges(engine, True)
        for _ in range(3):
            engine.command("INSERT INTO heap VALUES (1)")
        parts = (
            "SELECT count() FROM system.parts "
            "WHERE database = currentDatabase() AND table = 'heap' AND active"
        )
        with pytest.raises(TracerError, match=r"(?i)cancelled|abort"):
            engine.command("OPTIMIZE TABLE heap FINAL")
        assert engine.rows(parts) == [(3,)]
        hold_merges(engine, False)
        engine.command("OPTIMIZE TABLE heap FINAL")
        assert engine.rows(parts) == [(1,)]
