"""What a stopped tracer left behind, against what its raw spans say when they are counted again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.soak import recount
from tracer.analysis.analyse import analyse
from tracer.service.open import open_context
from tracer.settings import Settings
from tracer.store import rollups
from tracer.store.activity import read_spans
from tracer.store.engine import Engine
from tracer.store.facts import read_facts
from tracer.store.reader import spans_by_trace

CHUNK_TRACES: Final = 5_000
ALWAYS: Final = (0, 2**62)
_KEY: Final = (
    *("TenantId", "Environment", "ServiceNamespace", "ServiceName", "Operation", "SpanKind"),
    *("Outcome", "CallerServiceName", "CallerOperation"),
)
_OPERATION: Final = ("Spans", "Weight2", "Buckets")
_SUMS: Final = (
    *("Traces", "Weight", "Weight2", "SpanWeight2"),
    *("Calls", "SelfBuckets", "CriticalBuckets", "DurationBuckets"),
)


@dataclass
class Found:
    """Rows of facts and closed minutes that are there or should be, and those that are wrong."""

    raw_rows: int
    facts: list[recount.FactKey] = field(default_factory=list)
    wrong_facts: list[recount.FactKey] = field(default_factory=list)
    minutes: list[int] = field(default_factory=list)
    wrong_minutes: list[int] = field(default_factory=list)


def examine(data: Path) -> Found:
    """Opens the data directory and compares everything in it."""
    with open_context(Settings(data=str(data))) as context:
        return compare(context.engine)


def compare(engine: Engine) -> Found:
    """Every trace analysed again from its raw spans, every minute added up again."""
    found = Found(int(engine.rows("SELECT count() FROM otel_traces")[0][0]))
    counted = recount.Minutes()
    for ids in _chunks(engine):
        spans = read_spans(engine, ids, start_ns=ALWAYS[0], end_ns=ALWAYS[1], after_ns=None)
        facts = analyse(spans).facts
        counted.add(facts)
        _compare_facts(engine, ids, recount.rows(facts), found)
    _facts_of_nothing(engine, found)
    _compare_minutes(engine, counted, found)
    return found


def _chunks(engine: Engine) -> Iterator[list[str]]:
    ids = [trace_id for trace_id, _ in spans_by_trace(engine, *ALWAYS)]
    for first in range(0, len(ids), CHUNK_TRACES):
        yield ids[first : first + CHUNK_TRACES]


def _compare_facts(
    engine: Engine,
    ids: list[str],
    wanted: dict[recount.FactKey, recount.FactRow],
    found: Found,
) -> None:
    stored = recount.rows(
        read_facts(engine, "TraceId IN {ids:Ids}", {"ids": ids}, order="TraceId", limit=2**31)
    )
    every = sorted(wanted.keys() | stored.keys())
    found.facts += every
    found.wrong_facts += [key for key in every if wanted.get(key) != stored.get(key)]


def _facts_of_nothing(engine: Engine, found: Found) -> None:
    """Facts that stand twice (in two partitions), or whose trace has no spans."""
    rows = engine.rows(
        "SELECT TraceId, RootSpanId FROM tracer_facts FINAL WHERE IsDeleted = 0 "
        "GROUP BY TraceId, RootSpanId HAVING count() > 1 "
        "OR TraceId NOT IN (SELECT TraceId FROM otel_traces)"
    )
    found.wrong_facts += [(str(trace_id), str(root)) for trace_id, root in rows]


def _compare_minutes(engine: Engine, counted: recount.Minutes, found: Found) -> None:
    cached = {
        int(row[0])
        for row in engine.rows(
            "SELECT DISTINCT PeriodNs FROM tracer_rollups WHERE Grain = 'minute'"
        )
    }
    found.minutes = sorted(cached | counted.operations.keys())
    found.wrong_minutes = [
        minute
        for minute in found.minutes
        if minute not in cached
        or _read_operations(engine, minute) != _operations(counted.operations.get(minute, {}))
        or _read_sums(engine, minute, counted) != _sums(counted.sums.get(minute, {}))
    ]


def _read_operations(engine: Engine, minute: int) -> dict[Any, Any]:
    window = rollups.Window(minute, minute + rollups.MINUTE_NS)
    rows = rollups.read_operations(engine, window, "1", {}).to_pylist()
    return {tuple(row[name] for name in _KEY): _plain(row, _OPERATION) for row in rows}


def _read_sums(engine: Engine, minute: int, counted: recount.Minutes) -> dict[Any, Any]:
    window = rollups.Window(minute, minute + rollups.MINUTE_NS)
    known = engine.rows("SELECT DISTINCT PathId FROM tracer_paths")
    paths = {int(row[0]) for row in known} | counted.sums.get(minute, {}).keys()
    rows = rollups.read_path_sums(engine, window, sorted(paths)).to_pylist()
    return {row["PathId"]: _plain(row, _SUMS) for row in rows}


def _plain(row: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    """Numbers, and maps as dicts."""
    return tuple(dict(row[name]) if isinstance(row[name], list) else row[name] for name in names)


def _operations(minute: recount.Minute) -> dict[Any, Any]:
    return {
        key: (one["spans"], one["span_weight2"], dict(one["durations"]))
        for key, one in minute.items()
    }


def _sums(minute: recount.Minute) -> dict[Any, Any]:
    return {
        key: (
            *(one["traces"], one["weight"], one["weight2"], one["span_weight2"]),
            *(dict(one[name]) for name in ("calls", "self", "critical", "durations")),
        )
        for key, one in minute.items()
    }
