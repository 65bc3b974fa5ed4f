"""What is to be said of stored roots: counts over facts, in the engine."""

from __future__ import annotations

from typing import Final

from tracer.columns.flaws import Flaws
from tracer.store.engine import Engine

COUNTS: Final = (
    "countIf(IsMain = 1), countIf(IsMain = 0), countIf(OrphanCount > 0), "
    "countIf(RootMissing = 1), countIf(OverrunCount > 0), countIf(DroppedCount > 0), "
    "sum(DuplicateCount), countIf(SamplingWeight > 0), countIf(SkewedCount > 0), "
    "countIf(AmbiguousCount > 0), countIf(LateCount > 0)"
)
"""The fields of Flaws, in their order."""


def read_flaws(engine: Engine, start_ns: int, end_ns: int) -> Flaws:
    """Of the traces whose main root starts in [start, end) and whose facts are kept."""
    rows = engine.rows(
        f"SELECT {COUNTS} FROM tracer_facts FINAL WHERE IsDeleted = 0 AND IsMain = 1 "
        "AND StartNs >= {start:Int64} AND StartNs < {end:Int64}",
        {"start": start_ns, "end": end_ns},
    )
    return Flaws(*map(int, rows[0]))
