"""Bottlenecks as tables that fit: what says least goes first where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.tables import DIM, Column, plain, table

Item = Mapping[str, Any]


class Field(NamedTuple):
    """A column, the least width of terminal that shows it, and its cell."""

    column: Column
    from_width: int
    cell: Callable[[Item], str]


def _reason(item: Item) -> str:
    reason = item["reason"] or fig.NONE
    return f"{reason}, follows" if item["role"] == "symptom" else reason


_SERVICE: Final = Field(Column("service"), 0, lambda item: item["service"])
_OPERATION: Final = Field(Column("operation"), 0, lambda item: item["operation"])
_REASON: Final = Field(Column("reason", keep_whole=True), 0, _reason)
_TOOK: Final = Field(
    Column("took", is_number=True), 90, lambda item: fig.duration(item["duration_ns"])
)
_NORMAL: Final = Field(
    Column("normal p95", is_number=True), 110, lambda item: fig.duration(item["expected_p95_ns"])
)
_DEVIATION: Final = Field(
    Column("deviation", is_number=True), 80, lambda item: fig.deviation(item["deviation_percent"])
)

COMMON: Final = (
    _SERVICE,
    _OPERATION,
    _REASON,
    Field(Column("traces", is_number=True), 0, lambda item: fig.count(item["trace_count"])),
    Field(Column("excess in all", is_number=True), 0, lambda item: fig.duration(item["excess_ns"])),
    _TOOK,
    _NORMAL,
    _DEVIATION,
)
OF_TRACE: Final = (
    _SERVICE,
    _OPERATION,
    Field(Column("span", keep_whole=True), 120, lambda item: item["span_id"]),
    Field(Column("calls", is_number=True), 100, lambda item: fig.count(item["calls"])),
    Field(Column("on path", is_number=True), 0, lambda item: fig.duration(item["critical_ns"])),
    Field(Column("excess", is_number=True), 0, lambda item: fig.duration(item["excess_ns"])),
    _TOOK,
    _NORMAL,
    _DEVIATION,
    _REASON,
)


def common_table(items: Sequence[Item], width: int) -> RenderableType:
    """Findings over many traces."""
    return _table(COMMON, items, width)


def trace_table(items: Sequence[Item], width: int) -> RenderableType:
    """Findings of one trace; what follows from another is dim."""
    return _table(OF_TRACE, items, width)


def _table(fields: Sequence[Field], items: Sequence[Item], width: int) -> RenderableType:
    shown = [
        field
        for field in fields
        if width >= field.from_width and any(field.cell(item) != fig.NONE for item in items)
    ]
    return table(
        [Column("#", is_number=True), *(field.column for field in shown)],
        [
            (Text(str(number)), *(plain(field.cell(item), _style(item)) for field in shown))
            for number, item in enumerate(items, start=1)
        ],
    )


def _style(item: Item) -> str:
    return DIM if item["role"] == "symptom" else ""
