"""Looks at the health again and again: for the gRPC health service, and for the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from tracer.service.health import Health

EVERY_S: Final = 2.0

log = logging.getLogger("tracer.health")


class Monitor:
    """A thread that tells of every change of readiness until `close`."""

    def __init__(self, look: Callable[[], Health], tell: Callable[[bool], None]) -> None:
        self._look = look
        self._tell = tell
        self.last = Health(())  # as of the last look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tracer-health", daemon=True)

    def start(self) -> None:
        """Looks from now on, every `EVERY_S`."""
        self._thread.start()

    def step(self) -> None:
        """One look."""
        now = self._look()
        if self._stop.is_set():
            return  # that it is not ready while it ends is no news
        if now.ready != self.last.ready:
            self._tell(now.ready)
        if now.status != self.last.status:
            wrong = "; ".join(f"{part.name} is {part}" for part in now.parts if part.says)
            if not now.ready:
                log.error("not ready: %s", wrong)
            elif wrong:
                log.warning("ready, but %s", wrong)
            else:
                log.info("ready: every part works again")
        self.last = now

    def _run(self) -> None:
        self.step()
        while not self._stop.wait(EVERY_S):
            self.step()

    def end(self) -> None:
        """Tells nothing more."""
        self._stop.set()

    def close(self) -> None:
        """Ends the thread."""
        self.end()
        self._thread.join()
