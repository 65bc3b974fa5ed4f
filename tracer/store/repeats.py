"""On a server, an insert that is sent again because its answer was lost is stored once.

Replicated tables know the tokens of their last inserts anyway; others must be told to. The embedded
engine never loses an answer and is spared the file that this costs.
"""

from __future__ import annotations

from typing import Final

from tracer.store.cluster import SHARD_BY
from tracer.store.engine import Engine

REMEMBERED: Final = 1000  # inserts by table; a repeat comes within seconds


def remember_inserts(engine: Engine) -> None:
    """Makes every table know its last inserts by their tokens; a no-op where it does."""
    rows = engine.rows(
        "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
    )
    setting = f"non_replicated_deduplication_window = {REMEMBERED}"
    for name, shown in rows:
        if name in SHARD_BY and setting not in str(shown):
            engine.command(f"ALTER TABLE {name} MODIFY SETTING {setting}")
