"""What every use case is given: the store, the settings, the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracer.errors import BadQuery
from tracer.settings import Settings
from tracer.store.engine import Engine
from tracer.store.url import parse_store_url
from tracer.units import rfc3339


@dataclass(frozen=True)
class Context:
    """Borrowed by use cases; whoever opened the engine closes it."""

    engine: Engine
    settings: Settings
    now_ns: Callable[[], int]

    @property
    def name(self) -> str:
        """The store as it may be shown: never with a password."""
        if self.settings.store:
            return parse_store_url(self.settings.store).shown
        return self.settings.data

    @property
    def max_skew_ns(self) -> int | None:
        """Clocks off by up to this are corrected; None: none is."""
        return self.settings.max_clock_skew or None


@dataclass(frozen=True)
class Window:
    """A range of time, `[start_ns, end_ns)`."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.start_ns >= self.end_ns:
            raise BadQuery(
                f"the range is empty: start {rfc3339(self.start_ns)} "
                f"is not before end {rfc3339(self.end_ns)}"
            )

    def document(self) -> dict[str, Any]:
        """Times as text and as ns."""
        return {
            "start": rfc3339(self.start_ns),
            "end": rfc3339(self.end_ns),
            "start_ns": self.start_ns,
            "end_ns": self.end_ns,
        }
