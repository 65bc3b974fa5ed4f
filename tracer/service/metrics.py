"""What `/metrics` says: the meters, and the figures of now of every part.

A scrape never waits for a busy engine: its own figures are asked for on the side, kept a few
seconds, and the last ones are shown when new ones do not come.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tracer import __version__
from tracer.errors import TracerError
from tracer.ingest.sink import Sink
from tracer.service.bounded import Bounded
from tracer.service.health import DEGRADED, DOWN, OK, Health
from tracer.service.keeper import Keeper
from tracer.service.settle import Settler
from tracer.settings import Settings
from tracer.store.engine import READERS, Engine, disk_bytes
from tracer.store.figures import StoreFigures, read_figures
from tracer.telemetry.figures import Family, Figure, Figures
from tracer.telemetry.meters import Meters

KEEP_S: Final = 5.0
WAIT_S: Final = 0.5

HEALTH: Final = (
    Family("tracer_ready", "gauge", "1 when exports are stored and questions answered"),
    Family("tracer_part_state", "gauge", "0 works, 1 degraded, 2 down", ("part",)),
)
INGEST: Final = (
    Family("tracer_spans_accepted", "counter", "Spans stored and acknowledged"),
    Family("tracer_spans_rejected", "counter", "Invalid spans, not stored", ("reason",)),
    Family("tracer_own_spans_dropped", "counter", "Spans of this process itself, left out"),
    Family("tracer_requests_committed", "counter", "Exports stored and acknowledged"),
    Family("tracer_requests_repeated", "counter", "Retried exports answered without storing"),
    Family("tracer_queue_bytes", "gauge", "Bytes of exports accepted and not stored yet"),
    Family("tracer_queue_limit_bytes", "gauge", "Beyond this exports are refused (queue_bytes)"),
    Family("tracer_queue_requests", "gauge", "Exports waiting for their answer"),
)
ANALYSIS: Final = (
    Family("tracer_traces_analysed", "counter", "Traces turned into facts"),
    Family("tracer_spans_analysed", "counter", "Spans read by analysis"),
    Family(
        "tracer_spans_renamed",
        "counter",
        "Spans counted as other operations or services (max_operations, max_services)",
    ),
    Family("tracer_rollups", "counter", "Closed minutes summed up into rollups"),
    Family("tracer_analysis_failures", "counter", "Steps of analysis that must be repeated"),
    Family("tracer_analysis_lag_seconds", "gauge", "Age of the oldest trace waiting for analysis"),
    Family("tracer_analysis_active", "gauge", "0 while it stands by for another analyser, else 1"),
)
STORE: Final = (
    Family("tracer_build_info", "gauge", "Always 1", ("version", "python", "engine")),
    Family("tracer_engine_up", "gauge", "1 when the engine told its figures for this scrape"),
    Family("tracer_engine_memory_bytes", "gauge", "Memory that the engine accounts for"),
    Family("tracer_engine_memory_limit_bytes", "gauge", "Its limit (engine_memory)"),
    Family("tracer_engine_readers", "gauge", "Handles for questions; one more question waits"),
    Family("tracer_engine_busy_readers", "gauge", "Handles in use"),
    Family("tracer_table_parts", "gauge", "Active parts", ("table",)),
    Family("tracer_table_rows", "gauge", "Rows in active parts", ("table",)),
    Family("tracer_table_bytes", "gauge", "Compressed bytes of active parts", ("table",)),
    Family("tracer_disk_free_bytes", "gauge", "Free on the disk of the data directory"),
    Family("tracer_disk_size_bytes", "gauge", "Size of the disk of the data directory"),
)
KEEPER: Final = (
    Family("tracer_parts_set_aside", "gauge", "Damaged parts on disk that are not served"),
    Family("tracer_budget_dropped_spans", "counter", "Spans dropped by the disk budget"),
    Family("tracer_budget_dropped_facts", "counter", "Facts dropped by the disk budget"),
    Family("tracer_budget_dropped_bytes", "counter", "Bytes dropped by the disk budget"),
    Family("tracer_budget_failures", "counter", "Looks of the disk budget that failed"),
    Family(
        "tracer_budget_missing_bytes",
        "gauge",
        "Bytes over the disk budget with nothing left to drop",
    ),
    Family(
        "tracer_budget_kept_from_seconds",
        "gauge",
        "Oldest hour of spans the disk budget has kept, unix time; 0: nothing dropped",
    ),
)


def add_figures(
    meters: Meters,
    *,
    sink: Sink | None,
    settler: Settler | None,
    keeper: Keeper | None,
    engine: Engine,
    health: Callable[[], Health],
    settings: Settings,
) -> None:
    """Every scrape of `meters` shows these parts from now on.

    What is None has no figures; its families are named all the same.
    """
    aside = engine.aside()
    look = Bounded(lambda: read_figures(aside), name="tracer-figures", keep_s=KEEP_S)
    for one in (
        Figures(HEALTH, lambda: _health(health())),
        Figures(INGEST, lambda: _ingest(sink, settings) if sink else ()),
        Figures(ANALYSIS, lambda: _analysis(settler) if settler else ()),
        Figures(STORE, lambda: _store(look, engine, settings)),
        Figures(KEEPER, lambda: _keeper(look, keeper)),
    ):
        meters.registry.register(one)


def _health(health: Health) -> Iterator[Figure]:
    yield Figure("tracer_ready", health.ready)
    for part in health.parts:
        yield Figure("tracer_part_state", (OK, DEGRADED, DOWN).index(part.state), (part.name,))


def _ingest(sink: Sink, settings: Settings) -> Iterator[Figure]:
    stats = sink.stats()
    yield Figure("tracer_spans_accepted", stats.accepted_spans)
    for reason, count in sorted(stats.rejected_spans.items()):
        yield Figure("tracer_spans_rejected", count, (reason,))
    yield Figure("tracer_own_spans_dropped", stats.own_spans)
    yield Figure("tracer_requests_committed", stats.committed_requests)
    yield Figure("tracer_requests_repeated", stats.repeated_requests)
    yield Figure("tracer_queue_bytes", stats.queue_bytes)
    yield Figure("tracer_queue_limit_bytes", settings.queue_bytes)
    yield Figure("tracer_queue_requests", stats.queue_requests)


def _analysis(settler: Settler) -> Iterator[Figure]:
    progress = settler.progress
    yield Figure("tracer_traces_analysed", progress.traces)
    yield Figure("tracer_spans_analysed", progress.spans)
    yield Figure("tracer_spans_renamed", progress.renamed_spans)
    yield Figure("tracer_rollups", progress.minutes)
    yield Figure("tracer_analysis_failures", progress.failures)
    yield Figure("tracer_analysis_lag_seconds", settler.lag_ns() / 1e9)
    yield Figure("tracer_analysis_active", not progress.stands_by)


def _store(look: Bounded[StoreFigures], engine: Engine, settings: Settings) -> Iterator[Figure]:
    try:
        figures: StoreFigures | None = look.ask(WAIT_S)
        yield Figure("tracer_engine_up", 1)
    except TracerError:
        figures = look.last
        yield Figure("tracer_engine_up", 0)
    version = figures.version if figures else "unknown"
    yield Figure("tracer_build_info", 1, (__version__, platform.python_version(), version))
    yield Figure("tracer_engine_readers", READERS)
    yield Figure("tracer_engine_busy_readers", engine.busy_readers())
    if figures:
        yield Figure("tracer_engine_memory_bytes", figures.memory_bytes)
        for table in figures.tables:
            yield Figure("tracer_table_parts", table.parts, (table.table,))
            yield Figure("tracer_table_rows", table.rows, (table.table,))
            yield Figure("tracer_table_bytes", table.stored_bytes, (table.table,))
    if not settings.store:
        yield Figure("tracer_engine_memory_limit_bytes", settings.engine_memory)
        with contextlib.suppress(TracerError):  # the health says it
            free, size = disk_bytes(Path(settings.data))
            yield Figure("tracer_disk_free_bytes", free)
            yield Figure("tracer_disk_size_bytes", size)


def _keeper(look: Bounded[StoreFigures], keeper: Keeper | None) -> Iterator[Figure]:
    if look.last:
        yield Figure("tracer_parts_set_aside", look.last.parts_set_aside)
    if keeper is None:
        return
    dropped = keeper.dropped
    yield Figure("tracer_budget_dropped_spans", dropped.spans)
    yield Figure("tracer_budget_dropped_facts", dropped.facts)
    yield Figure("tracer_budget_dropped_bytes", dropped.bytes)
    yield Figure("tracer_budget_failures", keeper.failures)
    yield Figure("tracer_budget_missing_bytes", keeper.missing_bytes)
    yield Figure("tracer_budget_kept_from_seconds", dropped.raw_from_ns / 1e9)
