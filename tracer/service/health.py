"""Whether exports are stored and questions answered now, and whether a restart would help.

Three answers a part: it works; it is degraded, which people should know and a load balancer should
not act upon; it is down, and exports had better go to another instance.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tracer.errors import TracerError
from tracer.ingest.sink import Sink
from tracer.service.bounded import Bounded
from tracer.service.settle import Settler
from tracer.service.writes import Writes
from tracer.settings import Settings
from tracer.store.engine import READERS, Engine, disk_bytes
from tracer.units import NS_PER_S

ANSWER_S: Final = 1.8  # health is told within this, whatever hangs
KEEP_S: Final = 0.5
ROOM_BYTES: Final = 64 * 2**20  # less takes no block (min_free_disk_bytes_to_perform_insert)
SCANT_BYTES: Final = 1 << 30  # less free disk is worth a warning
FULL: Final = 0.95  # of the queue: the next export is likely to be refused
FILLING: Final = 0.75
LAG_MARGIN_NS: Final = 60 * NS_PER_S  # on top of what the settings make traces wait

QUESTION: Final = "SELECT 1 FROM otel_traces LIMIT 0"  # the table is there, and costs nothing

OK: Final = "ok"
DEGRADED: Final = "degraded"
DOWN: Final = "down"


@dataclass(frozen=True)
class Part:
    """One part. `says` is what is wrong, in a sentence."""

    name: str
    state: str = OK
    says: str = ""

    def __str__(self) -> str:
        return OK if self.state == OK else f"{self.state}: {self.says}"


@dataclass(frozen=True)
class Health:
    """All parts at one moment."""

    parts: tuple[Part, ...]

    @property
    def ready(self) -> bool:
        """Whether exports should be sent here."""
        return all(part.state != DOWN for part in self.parts)

    @property
    def status(self) -> str:
        """The worst of the parts."""
        states = {part.state for part in self.parts}
        return next((state for state in (DOWN, DEGRADED) if state in states), OK)

    def document(self) -> dict[str, Any]:
        """As `/api/v1/health/…` tells it."""
        return {
            "schema": "tracer.health/1",
            "ready": self.ready,
            "status": self.status,
            "parts": {part.name: str(part) for part in self.parts},
        }


class HealthCheck:
    """Looks at the parts it borrows. Thread-safe."""

    def __init__(
        self, *, sink: Sink, settler: Settler, engine: Engine, writes: Writes, settings: Settings
    ) -> None:
        """Raises Unavailable or StoreFailure when the engine answers nothing to begin with."""
        aside = engine.aside()
        aside.rows(QUESTION)  # opens the handle: the first look is not to take longer than others
        self._answers = Bounded(lambda: aside.rows(QUESTION), name="tracer-try-read", keep_s=KEEP_S)
        self._sink = sink
        self._settler = settler
        self._engine = engine
        self._writes = writes
        self._settings = settings
        self.draining = False

    def ready(self) -> Health:
        """Every part as it is now; within `ANSWER_S` or a little more."""
        if self.draining:
            return Health((Part("service", DOWN, "it is shutting down"),))
        until_s = time.monotonic() + ANSWER_S
        checks = (self._store, self._disk, self._commits, self._receivers, self._analysis)
        return Health(
            tuple(check(lambda: max(0.0, until_s - time.monotonic())) for check in checks)
        )

    def live(self) -> Health:
        """Whether the threads that do the work run; nothing else that a restart would not mend."""
        return Health(tuple(self._threads()))

    def _threads(self) -> Iterator[Part]:
        lost = not self.draining and not self._sink.alive()
        yield Part("commits", DOWN, "a thread that commits has ended") if lost else Part("commits")
        lost = not self.draining and not self._settler.alive()
        yield Part("analysis", DOWN, "its thread has ended") if lost else Part("analysis")

    def _store(self, left_s: Callable[[], float]) -> Part:
        try:
            self._answers.ask(left_s())
        except TracerError as error:
            return Part("store", DOWN, str(error))
        if self._engine.busy_readers() >= READERS:
            return Part("store", DEGRADED, f"{READERS} questions are being answered, others wait")
        return Part("store")

    def _disk(self, left_s: Callable[[], float]) -> Part:
        del left_s
        if self._settings.store:
            return Part("disk")
        try:
            free, _ = disk_bytes(Path(self._settings.data))
        except TracerError as error:
            return Part("disk", DOWN, str(error))
        if free < ROOM_BYTES:
            says = f"it is full: {free} bytes free; exports are refused until there is room"
            return Part("disk", DOWN, says)
        if free < SCANT_BYTES:
            return Part("disk", DEGRADED, f"{free >> 20} MiB free; shorten retention_raw")
        return Part("disk")

    def _commits(self, left_s: Callable[[], float]) -> Part:
        if not self._sink.alive():
            return Part("commits", DOWN, "a thread that commits has ended; restart tracer")
        trouble = self._writes.trouble(left_s())
        return Part("commits", DOWN, trouble) if trouble else Part("commits")

    def _receivers(self, left_s: Callable[[], float]) -> Part:
        del left_s
        used = self._sink.stats().queue_bytes / self._settings.queue_bytes
        if used > FULL:
            says = "the queue is full: exports are refused until the store catches up"
            return Part("receivers", DOWN, says)
        if used > FILLING:
            return Part("receivers", DEGRADED, f"the queue is {used:.0%} full")
        return Part("receivers")

    def _analysis(self, left_s: Callable[[], float]) -> Part:
        del left_s
        progress, settings = self._settler.progress, self._settings
        if not self._settler.alive():
            return Part("analysis", DOWN, "its thread has ended; restart tracer")
        if progress.failing:
            return Part("analysis", DEGRADED, f"it fails and is tried again: {progress.failing}")
        lag_ns = self._settler.lag_ns()
        limit_ns = max(settings.root_wait, settings.settle) + LAG_MARGIN_NS
        if lag_ns > limit_ns:
            says = f"the oldest trace has waited for {lag_ns // NS_PER_S} s"
            return Part("analysis", DEGRADED, says)
        return Part("analysis")
