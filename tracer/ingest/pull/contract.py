"""What every back end that traces are pulled from is to the rest of tracer.

A source MUST give whole traces, MUST say when an answer may not hold everything, and MUST NOT pass
off a part as the whole. It MAY give a trace more than once, in one answer or in several.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from tracer.columns.records import SpanRecords


@dataclass(frozen=True)
class Search:
    """Traces with a span of `service` that starts within `[start_ns, end_ns)`.

    `min_duration_ns`: that span lasts at least so long; its trace may be longer.
    """

    service: str
    start_ns: int
    end_ns: int
    operation: str = ""
    min_duration_ns: int | None = None


@dataclass(frozen=True)
class Page:
    """One answer. `is_full`: as many traces as were asked for, so there may be more.

    `missing` says in a sentence what the source itself says is not there, '' when it says nothing.
    `rejected` counts spans that were not valid, by reason.
    """

    records: SpanRecords
    traces: int
    is_full: bool = False
    missing: str = ""
    rejected: Counter[str] = field(default_factory=Counter)


class Source(Protocol):
    """A back end. Everything raises `Unavailable` when later may help, and `BadInput`,
    `NotFound` or `Unsupported` when not; the message names the source and the fix."""

    name: str

    def services(self) -> list[str]:
        """Names, sorted."""
        ...

    def operations(self, service: str) -> list[str]:
        """Names of spans, sorted; empty for a service that is not known."""
        ...

    def search(self, search: Search) -> Page:
        """Some of the traces, all when not `is_full`; which ones is up to the source.

        Raises `TooLarge` when the answer is; less at a time may help.
        """
        ...

    def trace(self, trace_id: str) -> Page:
        """One trace by its 32 hex digits, no spans when it is not known."""
        ...
