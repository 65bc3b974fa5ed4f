"""Facts that are slow: conditions and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracer.store.engine import Engine

NEVER = 2**63 - 1


@dataclass(frozen=True)
class RootLimit:
    """A root on this path is slow beyond `limit_ns`; `source` says where the limit comes from."""

    path_id: int
    limit_ns: int
    source: str


def root_counts(
    engine: Engine, window: tuple[int, int], through: list[int] | None
) -> dict[int, int]:
    """Main roots that start in the window, by root path; `through`: with one of these paths."""
    where, parameters = _inside(window, through)
    rows = engine.rows(
        "SELECT RootPathId, count() FROM tracer_facts FINAL "
        f"WHERE IsDeleted = 0 AND {where} GROUP BY RootPathId",
        parameters,
    )
    return {int(path_id): int(count) for path_id, count in rows}


def slow_where(
    window: tuple[int, int], through: list[int] | None, limits: list[RootLimit]
) -> tuple[str, dict[str, Any]]:
    """Condition and parameters: main roots in the window that last longer than their limit."""
    where, parameters = _inside(window, through)
    parameters["limit_paths"] = [limit.path_id for limit in limits]
    parameters["limits"] = [limit.limit_ns for limit in limits]
    beyond = (
        "DurationNs > transform(RootPathId, {limit_paths:Array(UInt64)}, {limits:Array(Int64)}, "
        f"toInt64({NEVER}))"
        if limits
        else "0"
    )
    return f"{where} AND {beyond}", parameters


def count_slow(engine: Engine, where: str, parameters: dict[str, Any]) -> int:
    """How many facts meet the condition."""
    rows = engine.rows(
        f"SELECT count() FROM tracer_facts FINAL WHERE IsDeleted = 0 AND {where}", parameters
    )
    return int(rows[0][0])


def estimate_requests(
    engine: Engine, where: str, parameters: dict[str, Any]
) -> tuple[float, float] | None:
    """How many requests the facts that meet the condition stand for, and all of their window.

    None where no sampling weight is known in the window; a fact without one counts once.
    """
    weight = "if(SamplingWeight > 0, SamplingWeight, 1)"
    rows = engine.rows(
        f"SELECT sumIf({weight}, {where}), sum({weight}), max(SamplingWeight) "
        f"FROM tracer_facts FINAL WHERE IsDeleted = 0 AND {_condition('through' in parameters)}",
        parameters,
    )
    slow, of, known = (float(number) for number in rows[0])
    return (slow, of) if known > 0 else None


def _inside(window: tuple[int, int], through: list[int] | None) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {"start": window[0], "end": window[1]}
    if through is not None:
        parameters["through"] = through
    return _condition(through is not None), parameters


def _condition(is_through: bool) -> str:
    where = "IsMain = 1 AND StartNs >= {start:Int64} AND StartNs < {end:Int64}"
    return where + (" AND hasAny(`Paths.PathId`, {through:Array(UInt64)})" if is_through else "")


def paths_named(engine: Engine, service: str | None, operation: str | None) -> list[int]:
    """Call paths that end in this service and operation; None does not restrict."""
    where, parameters = named(service, operation)
    rows = engine.rows(
        f"SELECT DISTINCT PathId FROM tracer_paths WHERE {where} ORDER BY PathId", parameters
    )
    return [int(row[0]) for row in rows]


def named(service: str | None, operation: str | None) -> tuple[str, dict[str, Any]]:
    """Condition and parameters for a service and an operation; None does not restrict."""
    conditions, parameters = ["1"], {}
    if service is not None:
        conditions.append("ServiceName = {service:String}")
        parameters["service"] = service
    if operation is not None:
        conditions.append("Operation = {operation:String}")
        parameters["operation"] = operation
    return " AND ".join(conditions), parameters
