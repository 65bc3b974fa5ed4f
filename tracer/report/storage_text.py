"""`tracer.storage/1` for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import RenderableType

from tracer.report import figures as fig
from tracer.report.tables import BAD, STRONG, Column, draw, plain, table
from tracer.units import DAY_NS, short_duration

Document = Mapping[str, Any]

TABLES: Final = (
    Column("table"),
    Column("holds", is_spare=True),
    Column("rows", is_number=True),
    Column("bytes", is_number=True),
    Column("a row", is_number=True, is_spare=True),
    Column("parts", is_number=True, is_spare=True),
    Column("kept", is_number=True),
    Column("oldest", keep_whole=True, is_spare=True),
    Column("newest", keep_whole=True, is_spare=True),
)
SET_ASIDE: Final = (
    Column("table"),
    Column("part"),
    Column("bytes", is_number=True),
    Column("reason"),
)
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def storage_text(document: Document, *, width: int, colour: bool) -> str:
    """Totals, a row a table, and what is not served."""
    return draw(_parts(document), width=width, colour=colour)


def size(value: float) -> str:
    """`1.5 GiB`: three digits and a unit."""
    unit = 0
    while abs(value) >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    digits = f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
    return f"{digits} {_UNITS[unit]}"


def _parts(document: Document) -> Iterator[RenderableType]:
    yield plain(f"Stored: {size(document['total']['bytes'])}{_limit(document)}", STRONG)
    yield from _room(document)
    yield table(TABLES, (_row(one) for one in document["tables"]))
    aside = document["set_aside"]
    if aside["parts"]:
        total = aside["total"]["value"]
        yield plain("")
        yield plain(
            f"Set aside and not served: {fig.cut(len(aside['parts']), total, 'damaged part')}", BAD
        )
        yield table(SET_ASIDE, (_damaged(one) for one in aside["parts"]))


def _limit(document: Document) -> str:
    limit = document["budget"]["limit_bytes"]
    if limit is None:
        return ""
    share = fig.percent(document["budget"]["used_share"])
    return f" of {size(limit)} allowed ({share})"


def _room(document: Document) -> Iterator[RenderableType]:
    if disk := document["disk"]:
        free, total = size(disk["free_bytes"]), size(disk["total_bytes"])
        yield plain(f"Disk of {disk['path']}: {free} of {total} free")
    budget = document["budget"]
    if budget["limit_bytes"] is None and document["store"] == "embedded":
        yield plain("No disk budget: only age bounds what is kept (disk_budget sets one)")
    dropped = budget["dropped"]
    if dropped["last"]:
        yield plain(
            f"Dropped for room so far: {fig.counted(dropped['spans'], 'span')}, "
            f"{fig.counted(dropped['facts'], 'fact')}, {size(dropped['bytes'])}; "
            f"spans are kept from {_clock(dropped['spans_kept_from'])}"
        )


def _row(one: Document) -> list[object]:
    return [
        one["table"],
        one["holds"],
        fig.count(one["rows"]),
        size(one["bytes"]),
        fig.NONE if one["bytes_per_row"] is None else size(one["bytes_per_row"]),
        fig.count(one["parts"]),
        " / ".join(_age(age["age_ns"]) for age in one["retention"]) or fig.NONE,
        _clock(one["oldest"]),
        _clock(one["newest"]),
    ]


def _damaged(one: Document) -> list[object]:
    return [one["table"], one["part"], size(one["bytes"]), one["reason"]]


def _age(age_ns: int) -> str:
    return f"{age_ns // DAY_NS}d" if age_ns % DAY_NS == 0 else short_duration(age_ns)


def _clock(moment: str | None) -> str:
    return fig.NONE if moment is None else f"{moment[:19]}Z"
