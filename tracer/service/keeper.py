"""Keeps the embedded store within its disk budget: looks again and again, drops the oldest.

Two limits, both off by default: `disk_budget` bounds what the store takes, `disk_reserve` wants
that much of the disk left, whoever filled it. What goes first stands in `store/budget.py`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracer.errors import TracerError, Unavailable
from tracer.settings import Settings
from tracer.store import budget
from tracer.store.ballast import Ballast
from tracer.store.engine import Engine
from tracer.store.partitions import Partition, Used, drop_partition, read_partitions, read_used
from tracer.units import rfc3339

log = logging.getLogger("tracer.keeper")

LOOK_S: Final = 15.0
# Room is made a little before it is needed: a merge writes its result beside its sources, which
# the engine deletes within a minute.
FULL_SHARE: Final = 0.95


@dataclass(frozen=True)
class Limits:
    """What the store must keep to, in bytes; 0 = no limit."""

    budget_bytes: int
    reserve_bytes: int

    def excess(self, used: Used, free_bytes: int) -> int:
        """How much must go now; 0 when all is well."""
        over = 0
        if self.budget_bytes:
            lasting = used.lasting - round(self.budget_bytes * FULL_SHARE)
            over = max(lasting, used.total - self.budget_bytes)
        short = self.reserve_bytes - free_bytes if self.reserve_bytes else 0
        return max(0, over, min(short, used.total))


UNLIMITED: Final = Limits(0, 0)


def limits(settings: Settings) -> Limits:
    """The limits as the settings want them; a ClickHouse server keeps its own disk."""
    if settings.store:
        return UNLIMITED
    return Limits(settings.disk_budget, settings.disk_reserve)


class Keeper:
    """Call `look` again and again from one thread; `start` does so until `close`."""

    def __init__(
        self,
        engine: Engine,
        bounds: Limits,
        *,
        free_bytes: Callable[[], int],
        now_ns: Callable[[], int],
        ballast: Ballast | None = None,
    ) -> None:
        self.dropped = self._saved = budget.read_dropped(engine)
        self.missing_bytes = 0  # over the limits, with nothing left to drop
        self.failures = 0
        self._engine = engine
        self._limits = bounds
        self._free_bytes = free_bytes
        self._now_ns = now_ns
        self._ballast = ballast
        self._version = 0  # of the account: the clock may stand still or step back
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._drop(budget.leftovers(read_partitions(engine), self.dropped))

    def look(self) -> int:
        """Drops what is too much; returns how many bytes went."""
        owed = self._ballast.trim(self._free_bytes()) if self._ballast is not None else 0
        excess = self._limits.excess(read_used(self._engine), self._free_bytes() - owed)
        if not excess:
            self.missing_bytes = 0
            return 0
        now = self._now_ns()
        wanted = budget.plan(read_partitions(self._engine), excess_bytes=excess, now_ns=now)
        before = self.dropped
        self._drop(wanted.going)
        self._tell(wanted, before)
        self.missing_bytes = wanted.missing_bytes
        return self.dropped.bytes - before.bytes

    def _drop(self, going: Sequence[Partition]) -> None:
        for one in going:
            if one.tier != "raw":
                self._save(budget.marked(self.dropped, [one]))
            drop_partition(self._engine, one)
            self.dropped = budget.counted(
                budget.marked(self.dropped, [one]), one, now_ns=self._now_ns()
            )
            self._save_or_wait()
        if going:
            self._save(replace(self.dropped, facts_done_ns=self.dropped.facts_from_ns))

    def _save(self, account: budget.Dropped) -> None:
        self._version = max(self._version + 1, self._now_ns())
        budget.write_dropped(self._engine, self._saved, account, version_ns=self._version)
        self.dropped = self._saved = account

    def _save_or_wait(self) -> None:
        """On a full disk room comes first, the account of it a little later."""
        try:
            self._save(self.dropped)
        except Unavailable as error:
            log.warning("disk budget: the account cannot be written yet: %s", error)

    def _tell(self, wanted: budget.Plan, before: budget.Dropped) -> None:
        if wanted.going:
            log.info(
                "disk budget: dropped %d bytes (%d spans, %d facts, %d rows of rollups); "
                "spans are kept from %s",
                self.dropped.bytes - before.bytes,
                self.dropped.spans - before.spans,
                self.dropped.facts - before.facts,
                self.dropped.rollup_rows - before.rollup_rows,
                rfc3339(self.dropped.raw_from_ns),
            )
        if wanted.current:
            log.warning(
                "disk budget: nothing older was left, so spans of the current hour were dropped; "
                "raise disk_budget, or send less"
            )
        if wanted.missing_bytes and wanted.missing_bytes != self.missing_bytes:
            log.warning(
                "disk budget: still %d bytes over, and nothing is left to drop; "
                "raise disk_budget or lower disk_reserve",
                wanted.missing_bytes,
            )

    def start(self) -> None:
        """Looks in a thread of its own until `close`; without limits there is nothing to do."""
        if self._limits == UNLIMITED:
            return
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def alive(self) -> bool:
        """False only when it should be looking and is not."""
        return self._thread is None or self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except (TracerError, OSError) as error:
                self.failures += 1
                log.warning("disk budget: cannot look now: %s", error)
            except Exception:  # a door: the thread must outlive a mistake of ours, loudly
                self.failures += 1
                log.exception("disk budget: failed; it will look again")
            self._stop.wait(LOOK_S)

    def close(self) -> None:
        """Ends the thread after the partition it is at."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
