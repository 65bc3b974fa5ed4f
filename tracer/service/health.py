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
from tracer.service.keeper import Keeper
from tracer.service.presence import Presence
from tracer.service.settle import Settler
from tracer.service.writes import Writes
from tracer.settings import Settings
from tracer.store.engine import READERS, Engine, disk_bytes
from tracer.store.members import ANALYSE, read_first
from tracer.store.opening import ROOM_BYTES
from tracer.units import NS_PER_S

ANSWER_S: Final = 1.8  # health is told within this, whatever hangs
KEEP_S: Final = 0.5
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
    """Looks at the parts it borrows; of one that is None there is nothing to tell. Thread-safe."""

    def __init__(
        self,
        *,
        sink: Sink | None,
        settler: Settler | None,
        keeper: Keeper | None,
        presence: Presence | None,
        engine: Engine,
        writes: Writes | None,
        settings: Settings,
    ) -> None:
        """Raises Unavailable or StoreFailure when the engine answers nothing to begin with."""
        aside = engine.aside()
        aside.rows(QUESTION)  # opens the handle: the first look is not to take longer than others

        def look() -> str:
            aside.rows(QUESTION)
            if settings.store and settler is None:
                return read_first(aside, ANALYSE, expiry_ns=settings.member_expiry)
            return ""

        # Gives the analyser at work, where that is another process.
        self._answers = Bounded(look, name="tracer-try-read", keep_s=KEEP_S)
        self._sink = sink
        self._settler = settler
        self._keeper = keeper
        self._presence = presence
        self._engine = engine
        self._writes = writes
        self._settings = settings
        self.draining = False

    def ready(self) -> Health:
        """Every part as it is now; within `ANSWER_S` or a little more."""
        if self.draining:
            return Health((Part("service", DOWN, "it is shutting down"),))
        until_s = time.monotonic() + ANSWER_S
        return Health(tuple(self._parts(lambda: max(0.0, until_s - time.monotonic()))))

    def _parts(self, left_s: Callable[[], float]) -> Iterator[Part]:
        store = self._store(left_s())
        yield store
        if not self._settings.store:
            yield self._disk()
        if self._sink and self._writes:
            yield self._commits(self._sink, self._writes, left_s())
            yield self._receivers(self._sink)
        if self._settler:
            yield self._analysis(self._settler)
        elif self._settings.store and store.state != DOWN:
            yield self._analyser()

    def live(self) -> Health:
        """Whether the threads that do the work run; nothing else that a restart would not mend."""
        return Health(tuple(self._threads()))

    def _threads(self) -> Iterator[Part]:
        for name, part, says in (
            ("commits", self._sink, "a thread that commits has ended"),
            ("analysis", self._settler, "its thread has ended"),
            ("presence", self._presence, "the thread that tells the store of it has ended"),
        ):
            if part is not None:
                lost = not self.draining and not part.alive()
                yield Part(name, DOWN, says) if lost else Part(name)

    def _store(self, left_s: float) -> Part:
        try:
            self._answers.ask(left_s)
        except TracerError as error:
            return Part("store", DOWN, str(error))
        if self._engine.busy_readers() >= READERS:
            return Part("store", DEGRADED, f"{READERS} questions are being answered, others wait")
        return Part("store")

    def _disk(self) -> Part:
        try:
            free, _ = disk_bytes(Path(self._settings.data))
        except TracerError as error:
            return Part("disk", DOWN, str(error))
        if free < ROOM_BYTES:
            says = f"it is full: {free} bytes free; exports are refused until there is room"
            return Part("disk", DOWN, says)
        if free < SCANT_BYTES:
            return Part("disk", DEGRADED, f"{free >> 20} MiB free; shorten retention_raw")
        if self._keeper and not self._keeper.alive():
            return Part("disk", DEGRADED, "the thread that keeps the disk budget has ended")
        if self._keeper and self._keeper.missing_bytes:
            says = f"{self._keeper.missing_bytes} bytes over disk_budget, and nothing left to drop"
            return Part("disk", DEGRADED, says)
        return Part("disk")

    def _commits(self, sink: Sink, writes: Writes, left_s: float) -> Part:
        if not sink.alive():
            return Part("commits", DOWN, "a thread that commits has ended; restart tracer")
        trouble = writes.trouble(left_s)
        return Part("commits", DOWN, trouble) if trouble else Part("commits")

    def _receivers(self, sink: Sink) -> Part:
        if self._presence and not self._presence.is_seen():
            says = "the store does not hear of this process: exports are refused until it does"
            return Part("receivers", DOWN, says)
        used = sink.stats().queue_bytes / self._settings.queue_bytes
        if used > FULL:
            says = "the queue is full: exports are refused until the store catches up"
            return Part("receivers", DOWN, says)
        if used > FILLING:
            return Part("receivers", DEGRADED, f"the queue is {used:.0%} full")
        return Part("receivers")

    def _analyser(self) -> Part:
        if self._answers.last:
            return Part("analysis")
        says = "nobody analyses what is stored here; start a tracer with --role analyse"
        return Part("analysis", DEGRADED, says)

    def _analysis(self, settler: Settler) -> Part:
        progress, settings = settler.progress, self._settings
        if not settler.alive():
            return Part("analysis", DOWN, "its thread has ended; restart tracer")
        if progress.failing:
            return Part("analysis", DEGRADED, f"it fails and is tried again: {progress.failing}")
        lag_ns = settler.lag_ns()
        limit_ns = max(settings.root_wait, settings.settle) + LAG_MARGIN_NS
        if lag_ns > limit_ns:
            says = f"the oldest trace has waited for {lag_ns // NS_PER_S} s"
            return Part("analysis", DEGRADED, says)
        return Part("analysis")
