"""What the engine says about itself: parts, rows and bytes of every table, its memory."""

from __future__ import annotations

from dataclasses import dataclass

from tracer.store.engine import Aside

_TABLES = """
SELECT name, parts, total_rows, total_bytes
FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
ORDER BY name
"""
_SET_ASIDE = "SELECT count() FROM system.detached_parts WHERE database = currentDatabase()"
_MEMORY = "SELECT value FROM system.metrics WHERE metric = 'MemoryTracking'"


@dataclass(frozen=True)
class TableFigures:
    """Active parts only; `stored_bytes` are compressed, on disk."""

    table: str
    parts: int
    rows: int
    stored_bytes: int


@dataclass(frozen=True)
class StoreFigures:
    """One look at the engine."""

    version: str
    memory_bytes: int
    tables: tuple[TableFigures, ...]
    parts_set_aside: int


def read_figures(aside: Aside) -> StoreFigures:
    """Raises Unavailable or StoreFailure when the engine does not say."""
    ((version,),) = aside.rows("SELECT version()")
    ((memory_bytes,),) = aside.rows(_MEMORY)
    tables = tuple(TableFigures(*row) for row in aside.rows(_TABLES))
    ((set_aside,),) = aside.rows(_SET_ASIDE)
    return StoreFigures(version, max(0, memory_bytes), tables, set_aside)
