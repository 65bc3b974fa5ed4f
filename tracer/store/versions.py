"""Which traces ran one version of a service, and which ran several."""

from __future__ import annotations

from typing import Any, Final

from tracer.store.engine import Engine
from tracer.units import HOUR_NS

_LONGEST_NS: Final = HOUR_NS  # after its root a span of a trace is still looked for

_OF_TRACE: Final = (
    "SELECT TraceId FROM otel_traces WHERE ServiceName = {service:String} "
    "AND Timestamp >= fromUnixTimestamp64Nano({from:Int64}) "
    "AND Timestamp < fromUnixTimestamp64Nano({until:Int64}) GROUP BY TraceId "
)


def of_version(service: str, version: str, window: tuple[int, int]) -> tuple[str, dict[str, Any]]:
    """Condition on facts, and its parameters: all spans of the service are of this version."""
    return (
        f"TraceId IN ({_OF_TRACE} HAVING uniqExact(ServiceVersion) = 1 "
        "AND any(ServiceVersion) = {version:String})",
        {**_around(service, window), "version": version},
    )


def count_mixed(engine: Engine, service: str, version: str, window: tuple[int, int]) -> int:
    """Traces of the window with this version of the service and another one."""
    rows = engine.rows(
        "SELECT count() FROM tracer_facts FINAL WHERE IsDeleted = 0 AND IsMain = 1 "
        "AND StartNs >= {start:Int64} AND StartNs < {end:Int64} "
        f"AND TraceId IN ({_OF_TRACE} HAVING uniqExact(ServiceVersion) > 1 "
        "AND countIf(ServiceVersion = {version:String}) > 0)",
        {
            **_around(service, window),
            "version": version,
            "start": window[0],
            "end": window[1],
        },
    )
    return int(rows[0][0])


def known_versions(engine: Engine, service: str, window: tuple[int, int]) -> list[str]:
    """Versions of the service in the window, most spans first, a few of them."""
    rows = engine.rows(
        "SELECT toString(ServiceVersion) AS version, count() AS spans FROM otel_traces "
        "WHERE ServiceName = {service:String} "
        "AND Timestamp >= fromUnixTimestamp64Nano({from:Int64}) "
        "AND Timestamp < fromUnixTimestamp64Nano({until:Int64}) "
        "GROUP BY version ORDER BY spans DESC, version LIMIT 10",
        _around(service, window),
    )
    return [str(version) for version, _ in rows]


def _around(service: str, window: tuple[int, int]) -> dict[str, Any]:
    return {
        "service": service,
        "from": window[0],
        "until": min(window[1] + _LONGEST_NS, 2**63 - 1),
    }
