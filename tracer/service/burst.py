"""While a burst of exports lasts, merging parts waits altogether.

A merge that runs beside the committer takes what it needs of caches and memory even at the lowest
priority (`store/priority.py`). So merges are held back while receivers are busy and let go after
it; and after a while they are let go even if it lasts, because parts must not become too many.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from tracer.errors import TracerError

LOOK_EVERY_S: Final = 0.5
CALM_S: Final = 2.0  # a burst is over when receivers were not busy for so long
LONGEST_S: Final = 45.0  # merges wait no longer, and have as long before they wait again

log = logging.getLogger("tracer.burst")


class MergePause:
    """Holds merges back while `is_busy`; `close` lets them go. `step` is one look."""

    def __init__(self, hold: Callable[[bool], None], is_busy: Callable[[], bool]) -> None:
        self._hold = hold
        self._is_busy = is_busy
        self.holding = False
        self._since_s = float("-inf")  # held, or let go because it took too long
        self._busy_s = float("-inf")  # when receivers were last seen busy
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tracer-burst", daemon=True)

    def step(self, now_s: float) -> None:
        """Holds or lets go by what is seen now."""
        if self._is_busy():
            self._busy_s = now_s
        calm = now_s - self._busy_s >= CALM_S
        long_ago = now_s - self._since_s >= LONGEST_S
        if self.holding and (calm or long_ago):
            self._change(False, float("-inf") if calm else now_s)
        elif not self.holding and not calm and long_ago:
            self._change(True, now_s)

    def _change(self, holding: bool, since_s: float) -> None:
        try:
            self._hold(holding)
        except TracerError as error:  # the store is away or full: others tell, it comes again
            log.debug("merges could not be told: %s", error)
            return
        self.holding, self._since_s = holding, since_s

    def start(self) -> None:
        """Looks from now on, every `LOOK_EVERY_S`."""
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            self.step(time.monotonic())

    def close(self) -> None:
        """Ends the thread and lets merges go."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.holding:
            self._change(False, float("-inf"))
