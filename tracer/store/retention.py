"""How long each tier is kept: spans, facts, minute histograms, hourly histograms.

Whole parts are dropped once all of their rows are over age; the engine does so within seconds, in
the background. Spans and facts count from when they were taken in, so that an imported old file is
kept as long as a fresh one. Spans of a day ago are compressed harder.
"""

from __future__ import annotations

from typing import Final

from tracer.settings import Settings
from tracer.store.cluster import local, spread
from tracer.store.engine import Engine
from tracer.store.facts import PATHS_RENEWED_NS, read_states, write_states
from tracer.store.loose import FACTS_KEPT, MINUTES_KEPT
from tracer.units import NS_PER_S

REPACK_S: Final = 86_400  # spans older than this are compressed harder


def apply_retention(engine: Engine, settings: Settings) -> None:
    """Sets the TTL of every table from the settings; a no-op where it already says so."""
    for table, rule in _rules(settings).items():
        shown = str(
            engine.rows(
                "SELECT create_table_query FROM system.tables "
                "WHERE database = currentDatabase() AND name = {table:String}",
                {"table": local(table, engine.cluster)},
            )[0][0]
        )
        if rule not in shown.replace("\n", " "):
            change = f"MODIFY TTL {rule} SETTINGS materialize_ttl_after_modify = 0"
            for one in spread(f"ALTER TABLE {table} {change}", engine.cluster, engine.database):
                engine.command(one)
    kept = {FACTS_KEPT: settings.retention_facts, MINUTES_KEPT: settings.retention_minutes}
    if read_states(engine, list(kept)) != kept:
        now = int(engine.rows("SELECT toUnixTimestamp64Nano(now64(9))")[0][0])
        write_states(engine, kept, version_ns=now)


def _rules(settings: Settings) -> dict[str, str]:
    raw = _seconds(settings.retention_raw)
    facts = _seconds(settings.retention_facts)
    minutes = _seconds(settings.retention_minutes)
    hours = _seconds(settings.retention_hours)
    paths = max(facts, minutes, hours) + 2 * _seconds(PATHS_RENEWED_NS)
    period = "toDateTime(intDiv(PeriodNs, 1000000000))"
    tiers = (
        f"{period} + toIntervalSecond({minutes}) WHERE Grain = 'minute', "
        f"{period} + toIntervalSecond({hours}) WHERE Grain = 'hour'"
    )
    kept = f"toDateTime(IngestTime) + toIntervalSecond({raw})"
    repacked = f"toDateTime(IngestTime) + toIntervalSecond({REPACK_S}) RECOMPRESS CODEC(ZSTD(3))"
    return {
        "otel_traces": f"{kept}, {repacked}" if raw > REPACK_S else kept,
        "otel_traces_trace_id_ts": f"toDateTime(IngestTime) + toIntervalSecond({raw})",
        "tracer_facts": (f"toDateTime(intDiv(Version, 1000000000)) + toIntervalSecond({facts})"),
        "tracer_operations": tiers,
        "tracer_path_sums": tiers,
        "tracer_rollups": tiers,
        "tracer_paths": f"toDateTime(intDiv(LastSeenNs, 1000000000)) + toIntervalSecond({paths})",
    }


def _seconds(duration_ns: int) -> int:
    return max(1, duration_ns // NS_PER_S)
