"""Bottlenecks of `tracer.analysis/1` as tables that fit: what says least goes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.reasons import SYMPTOM, reason_words
from tracer.report.tables import DIM, Column, plain, table

Item = Mapping[str, Any]


class Field(NamedTuple):
    """A column and its cell."""

    column: Column
    cell: Callable[[Item], str]


def _of_trace(item: Item) -> str:
    return reason_words(
        item["reason"],
        item["role"],
        calls=item["calls"],
        usual_calls=None,
        duration_ns=item["duration_ns"],
        expected_p95_ns=item["expected_p95_ns"],
    )


def _in_common(item: Item) -> str:
    return SYMPTOM if item["role"] == SYMPTOM else item["reason"]


_NAME: Final = Field(
    Column("service operation"), lambda item: f"{item['service']} {item['operation']}"
)
_LONGEST: Final = Field(
    Column("longest call", is_number=True, is_spare=True),
    lambda item: fig.duration(item["duration_ns"]),
)
_NORMAL: Final = Field(
    Column("p95 of a call", is_number=True, is_spare=True),
    lambda item: fig.duration(item["expected_p95_ns"]),
)
_DEVIATION: Final = Field(
    Column("deviation", is_number=True, is_spare=True),
    lambda item: fig.deviation(item["deviation_percent"]),
)

COMMON: Final = (
    _NAME,
    Field(Column("reason"), _in_common),
    Field(Column("traces", is_number=True), lambda item: fig.count(item["trace_count"])),
    Field(Column("excess in all", is_number=True), lambda item: fig.duration(item["excess_ns"])),
    _LONGEST,
    _NORMAL,
    _DEVIATION,
)
OF_TRACE: Final = (
    _NAME,
    Field(Column("reason"), _of_trace),
    Field(Column("on path", is_number=True), lambda item: fig.duration(item["critical_ns"])),
    Field(Column("excess", is_number=True), lambda item: fig.duration(item["excess_ns"])),
    Field(Column("calls", is_number=True), lambda item: fig.count(item["calls"])),
    _LONGEST,
    _NORMAL,
    _DEVIATION,
    Field(Column("span", keep_whole=True, is_spare=True), lambda item: item["span_id"]),
)


def common_table(items: Sequence[Item]) -> RenderableType:
    """Findings over many traces."""
    return _table(COMMON, items)


def trace_table(items: Sequence[Item]) -> RenderableType:
    """Findings of one trace; what follows from another is dim."""
    return _table(OF_TRACE, items)


def rest_of_path(items: Sequence[Item], duration_ns: int) -> str:
    """What closes the table of a trace: the critical path is as long as the root."""
    rest_ns = duration_ns - sum(item["critical_ns"] for item in items)
    total = f"together {fig.duration(duration_ns)} = the root"
    return f"other spans on the path {fig.duration(rest_ns)}; {total}" if rest_ns > 0 else total


def _table(fields: Sequence[Field], items: Sequence[Item]) -> RenderableType:
    shown = [field for field in fields if any(field.cell(item) != fig.NONE for item in items)]
    return table(
        [Column("#", is_number=True), *(field.column for field in shown)],
        [
            (Text(str(number)), *(plain(field.cell(item), _style(item)) for field in shown))
            for number, item in enumerate(items, start=1)
        ],
    )


def _style(item: Item) -> str:
    return DIM if item["role"] == SYMPTOM else ""
