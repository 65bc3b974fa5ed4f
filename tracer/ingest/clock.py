"""The clock that ingest times are read from: it never goes back and it never stands still.

The machine's clock does both when it is set, and analysis would suffer. Spans stamped behind the
watermark of analysis are never looked at; a clock that waits at its latest reading until the
machine catches up makes every trace wait as long. So this one follows the machine's clock forward,
and when that is set back it goes on from where it was, at the speed of a clock nobody can set.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class IngestClock:
    """Call it for a time in ns; later calls, from any thread, give no earlier time."""

    def __init__(
        self,
        not_before_ns: int = 0,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self._lock = threading.Lock()
        self._last_ns = not_before_ns
        self._steady_at_ns = steady_ns()

    def __call__(self) -> int:
        """Now: the machine's clock, or later."""
        with self._lock:
            steady = self._steady_ns()
            self._last_ns = max(self._wall_ns(), self._last_ns + steady - self._steady_at_ns)
            self._steady_at_ns = steady
            return self._last_ns
