"""What is stored, what it costs, how long it stays and what was dropped for room."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tracer.service.context import Context
from tracer.store.budget import Dropped, read_dropped
from tracer.store.engine import disk_bytes
from tracer.store.inventory import TABLES, Kept, SetAside, TableSize, read_set_aside, read_sizes
from tracer.store.partitions import read_used
from tracer.units import NS_PER_S, rfc3339

MOST_SET_ASIDE: Final = 100  # named in one answer; the total says when there are more
BUDGET: Final = "the disk budget, oldest first"


def storage(context: Context) -> dict[str, Any]:
    """Document `tracer.storage/1`."""
    settings = context.settings
    now_ns = context.now_ns()
    used = read_used(context.engine)
    sizes = read_sizes(context.engine)
    aside = read_set_aside(context.engine)
    return {
        "schema": "tracer.storage/1",
        **_moment("at", now_ns),
        "store": "server" if settings.store else "embedded",
        "total": {
            "rows": sum(size.rows for size in sizes.values()),
            "bytes": used.total,
            "active_bytes": used.active,
            "merged_away_bytes": used.merged_away,
            "set_aside_bytes": used.set_aside,
        },
        "disk": None if settings.store else _disk(Path(settings.data)),
        "budget": _budget(context, used.total, read_dropped(context.engine)),
        "tables": [_table(context, one, sizes[one.table]) for one in TABLES],
        "set_aside": {
            "total": {"value": len(aside), "exact": True},
            "parts": [_set_aside(one) for one in aside[:MOST_SET_ASIDE]],
        },
    }


def _disk(directory: Path) -> dict[str, Any]:
    free, total = disk_bytes(directory)
    return {"path": str(directory), "total_bytes": total, "free_bytes": free}


def _budget(context: Context, used_bytes: int, dropped: Dropped) -> dict[str, Any]:
    limit = context.settings.disk_budget
    return {
        "limit_bytes": limit or None,
        "used_share": used_bytes / limit if limit else None,
        "reserve_bytes": context.settings.disk_reserve or None,
        "dropped": {
            "spans": dropped.spans,
            "facts": dropped.facts,
            "rollup_rows": dropped.rollup_rows,
            "bytes": dropped.bytes,
            **_moment("last", dropped.last_ns or None),
            **_moment("spans_kept_from", dropped.raw_from_ns or None),
            **_moment("facts_kept_from", dropped.facts_from_ns or None),
            **_moment("minutes_kept_from", dropped.minutes_from_ns or None),
        },
    }


def _table(context: Context, kept: Kept, size: TableSize) -> dict[str, Any]:
    return {
        "table": kept.table,
        "holds": kept.holds,
        "rows": size.rows,
        "bytes": size.bytes,
        "uncompressed_bytes": size.uncompressed_bytes,
        "bytes_per_row": size.bytes / size.rows if size.rows else None,
        "parts": size.parts,
        **_moment("oldest", size.oldest_ns),
        **_moment("newest", size.newest_ns),
        "retention": [
            {"setting": name, "age_ns": getattr(context.settings, name), "counted_from": since}
            for name, since in kept.retention
        ],
        "dropped_by": [
            *(["age"] if kept.retention else []),
            *([BUDGET] if kept.budget and not context.settings.store else []),
        ],
    }


def _set_aside(one: SetAside) -> dict[str, Any]:
    return {
        "table": one.table,
        "part": one.part,
        "reason": one.reason or "damaged when it was read, or detached by hand",
        "bytes": one.bytes,
        "path": one.path,
        **_moment("since", one.since_s * NS_PER_S),
    }


def _moment(name: str, time_ns: int | None) -> dict[str, Any]:
    """A time as text and as ns; both null when there is none."""
    return {
        name: None if time_ns is None else rfc3339(time_ns),
        f"{name}_ns": time_ns,
    }
