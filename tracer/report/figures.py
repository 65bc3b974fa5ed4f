"""Numbers of documents as people read them: with units, signs and honest bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tracer.units import NS_PER_S, short_duration

NONE: Final = "–"
HOUR_NS: Final = 3_600 * NS_PER_S


def duration(value_ns: float | None) -> str:
    """`1.24s`, or a dash for what is not known."""
    return NONE if value_ns is None else short_duration(value_ns)


def interval(bounds_ns: Sequence[float] | None) -> str:
    """`98ms–140ms`, or a dash when there is none."""
    return NONE if bounds_ns is None else "–".join(short_duration(one) for one in bounds_ns)


def percent(share: float | None) -> str:
    """A share of one in two digits: `9.8 %`; some is never none, and not all never all."""
    if share is None:
        return NONE
    value = share * 100
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.5 <= value < 100:
        return ">99 %"
    digits = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}".removesuffix(".0")
    return f"{digits} %"


def deviation(value_percent: float | None) -> str:
    """`+577 %` against normal."""
    return NONE if value_percent is None else f"{value_percent:+,.0f} %"


def count(value: float) -> str:
    """`1,204`."""
    return f"{value:,.0f}"


def counted(value: float, thing: str) -> str:
    """`1 user`, `1,204 users`."""
    return f"{count(value)} {_plural(value, thing)}"


def total(value: Mapping[str, Any]) -> str:
    """A total as documents have it: `1,204`, or `≥ 1,204` when it is not exact."""
    return f"{'' if value['exact'] else '≥ '}{count(value['value'])}"


def total_of(value: Mapping[str, Any], thing: str) -> str:
    """As `total`, with what is counted: `≥ 37 users`."""
    return f"{total(value)} {_plural(value['value'], thing)}"


def cut(shown: int, of: int, thing: str) -> str:
    """`services (20 of 31)`, or `31 services` when all are shown."""
    return counted(of, thing) if shown >= of else f"{thing}s ({count(shown)} of {count(of)})"


def clock(moment: str) -> str:
    """RFC 3339 with nine digits → seconds with three, still RFC 3339."""
    head, dot, _ = moment.partition(".")
    return f"{head}.{moment[len(head) + 1 : len(head) + 4]}Z" if dot else moment


def moments(window: Mapping[str, Any]) -> str:
    """A window: its ends and its length."""
    length = _length(window["end_ns"] - window["start_ns"])
    return f"{clock(window['start'])} … {clock(window['end'])} ({length})"


def _plural(value: float, thing: str) -> str:
    return thing if value == 1 else f"{thing}s"


def _length(value_ns: int) -> str:
    if value_ns < 2 * HOUR_NS:
        return short_duration(value_ns)
    days, hours = divmod(value_ns / HOUR_NS, 24)
    return f"{days:,.0f}d {hours:.0f}h" if days >= 2 else f"{value_ns / HOUR_NS:.3g}h"
