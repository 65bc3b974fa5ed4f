"""Turns stored spans into facts once their traces have settled, and facts into rollups.

A trace is ready when nothing came in for `settle` and its root is there; without a root it waits
`root_wait`; one that is never quiet is analysed after `max_trace_age` and again later. Everything
is idempotent: a fact replaces the fact before it, a rollup is computed whole. So the only thing
remembered is a watermark over ingest time, and a crash anywhere just repeats the last steps.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.analyse import analyse
from tracer.analysis.skew import MAX_CLOCK_SKEW_NS
from tracer.errors import TracerError
from tracer.service.known_names import KnownNames
from tracer.store import activity as stored
from tracer.store import rollups
from tracer.store.engine import Engine
from tracer.store.facts import read_names, read_state, write_facts, write_state
from tracer.store.loose import read_floors
from tracer.telemetry.self_trace import SERVICE
from tracer.units import MINUTE_NS, NS_PER_S

log = logging.getLogger("tracer.settle")

SETTLED_UNTIL = "settled_until_ns"  # ingest time; every trace quiet before it has its facts
ROLLED_VERSION = "rolled_version"  # facts up to this version are in the rollups of closed minutes
BATCH_SPANS = 400_000
BATCH_TRACES = 20_000
REMEMBERED_NS = 600 * NS_PER_S  # a retried export may touch a settled trace for this long
PERSIST_EVERY_NS = 5 * NS_PER_S
PAUSE_S = 1.0  # between two steps, at least
REST = 3  # and so many times as long as the last step took: each step has a cost of its own
LONGEST_PAUSE_S = 3.0
SILENT_S = 10.0  # steps and pauses are not worth mentioning unless they take longer
MOST_YIELD_S = 30.0  # how long analysis gives way to receivers
FUTURE_NS = 3_600 * NS_PER_S


@dataclass(frozen=True)
class Rules:
    """When a trace is ready, durations in ns; how it is analysed, and of how many names."""

    settle_ns: int
    root_wait_ns: int
    max_trace_age_ns: int
    max_services: int = 1_000
    max_operations: int = 2_000  # of one service
    max_skew_ns: int | None = MAX_CLOCK_SKEW_NS  # None: clocks stay as they are


@dataclass
class Progress:
    """Counters, read by others without a lock: each is one assignment."""

    traces: int = 0
    spans: int = 0
    own_spans: int = 0  # of a tracer telling of itself
    minutes: int = 0
    lag_ns: int = 0
    stands_by: bool = False  # another analyser works
    failures: int = 0
    renamed_spans: int = 0  # counted as other operations or other services
    failing: str = ""  # why the last step failed, '' when it did not
    stepped_s: float = 0.0  # when the last one succeeded, by the monotonic clock


@dataclass(frozen=True)
class StepDone:
    """One step of analysis that found something to do, for whoever watches."""

    traces: int
    spans: int
    step_s: float
    foreign: int  # spans that are not of a tracer telling of itself


Watch = Callable[[StepDone], None]  # called by the thread that steps: MUST NOT raise or wait


class Settler:
    """Call `step` again and again from one thread; `start` does so until `close`."""

    def __init__(
        self,
        engine: Engine,
        rules: Rules,
        *,
        now_ns: Callable[[], int],
        horizon_ns: Callable[[], int],
        is_busy: Callable[[], bool] = lambda: False,
        wall_ns: Callable[[], int] | None = None,
        is_first: Callable[[], bool] = lambda: True,
        watch: Watch = lambda done: None,
    ) -> None:
        """`now_ns` is the clock of ingest times; `wall_ns`, if another, that of spans' minutes."""
        self._watch = watch
        self.progress = Progress()
        self._engine = engine
        self._rules = rules
        self._now_ns = now_ns
        self._horizon_ns = horizon_ns
        self._is_busy = is_busy
        self._wall_ns = wall_ns or now_ns
        self._is_first = is_first
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._load()

    def _load(self) -> None:
        """What an earlier life, or another analyser, has left."""
        self._watermark = read_state(self._engine, SETTLED_UNTIL)
        self._persisted_ns = 0
        self._version = read_state(self._engine, ROLLED_VERSION)
        self._names = KnownNames(
            read_names(self._engine),
            max_services=self._rules.max_services,
            max_operations=self._rules.max_operations,
        )
        self._done: dict[int, int] = {}  # trace key → last ingest time analysed, above watermark
        self._recent: deque[tuple[int, NDArray[np.uint64]]] = deque()  # settled, sorted keys
        self._dirty: dict[int, int] = {}  # minute → first fact version not rolled up
        self._rolled_ns: dict[int, int] = {}  # minute → when, of those rolled up lately
        self._floors = read_floors(self._engine)
        self._recall()
        self._is_loaded = True

    def _recall(self) -> None:
        """After a restart: what was settled lately, and which minutes lack their rollup."""
        earlier = stored.read_activity(
            self._engine, after_ns=self._watermark - REMEMBERED_NS, until_ns=self._watermark
        )
        self._recent.append((self._watermark, np.sort(earlier.key)))
        for minute in rollups.touched_minutes(
            self._engine, self._floors, after_version_ns=self._version
        ):
            self._touch(minute, self._version + 1)

    def _touch(self, minute_ns: int, version: int) -> None:
        """Minutes of the future, or over age, as an import may have, are left to the facts."""
        is_loose = self._floors.is_loose(minute_ns, version)
        if not is_loose and minute_ns <= self._wall_ns() + FUTURE_NS:
            self._dirty.setdefault(minute_ns, version)

    def step(self) -> int:
        """Analyses every trace that is ready; returns how many."""
        now = self._now_ns()
        until = min(now, self._horizon_ns()) - 1  # all below the horizon is committed
        seen = stored.read_activity(self._engine, after_ns=self._watermark, until_ns=until)
        fresh = (
            np.array([self._done.get(key, -1) for key in seen.key.tolist()], np.int64)
            < seen.last_ingest_ns
        )
        again = self._settled_before(seen.key)
        ready = fresh & self._is_ready(seen, again, now)
        self._lag(seen.last_ingest_ns[fresh], now)
        for batch, batch_again in self._batches(seen.take(ready), again[ready]):
            if self._stop.is_set():
                return 0  # the watermark stays: what is left comes again after a restart
            self._analyse(batch, batch_again)
        waiting = seen.first_ingest_ns[fresh & ~ready]
        self._advance(int(waiting.min()) - 1 if len(waiting) else until, now)
        self._roll_up(now)
        self._lag(seen.last_ingest_ns[fresh & ~ready], now)
        return int(ready.sum())

    def take_turn(self) -> int:
        """A step if this analyser is the first of those here; else it stands by and forgets."""
        self.progress.stands_by = not self._is_first()
        if self.progress.stands_by:
            self._is_loaded = False
            self.progress.lag_ns = 0
            return 0
        if not self._is_loaded:
            self._load()
        return self.step()

    def _lag(self, waiting_since_ns: NDArray[np.int64], now: int) -> None:
        oldest = int(waiting_since_ns.min()) if len(waiting_since_ns) else now
        self.progress.lag_ns = max(0, now - oldest)

    def _is_ready(
        self, seen: stored.Activity, again: NDArray[np.bool_], now: int
    ) -> NDArray[np.bool_]:
        rules = self._rules
        quiet = seen.last_ingest_ns <= now - rules.settle_ns
        given_up = seen.last_ingest_ns <= now - rules.root_wait_ns
        old = seen.first_ingest_ns <= now - rules.max_trace_age_ns
        return (quiet & (seen.has_root | again)) | given_up | old

    def _settled_before(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        found = np.array([key in self._done for key in keys.tolist()], np.bool_)
        order = np.argsort(keys)  # neighbours are looked for near each other
        for _, settled in self._recent:
            if len(settled):
                at = np.searchsorted(settled[:-1], keys[order])
                found[order] |= settled[at] == keys[order]
        return found

    def _batches(
        self, ready: stored.Activity, again: NDArray[np.bool_]
    ) -> list[tuple[stored.Activity, NDArray[np.bool_]]]:
        share = np.maximum(ready.spans / BATCH_SPANS, 1 / BATCH_TRACES)  # of a batch, by each trace
        change = np.flatnonzero(np.diff(np.cumsum(share) // 1)) + 1
        edges = [0, *change.tolist(), len(ready)]
        return [
            (ready.take(slice(low, high)), again[low:high])
            for low, high in itertools.pairwise(edges)
            if high > low
        ]

    def _analyse(self, batch: stored.Activity, again: NDArray[np.bool_]) -> None:
        """Facts of one batch. Traces that were here before are read whole, whatever their age."""
        ids = batch.trace_id.tolist()
        known = stored.analysed(self._engine, ids)
        whole = again | ~batch.has_root | np.array([one in known for one in ids], np.bool_)
        fresh = batch.take(~whole)
        if len(fresh):
            self._write(
                fresh.trace_id.tolist(),
                start_ns=int(fresh.start_ns.min()),
                end_ns=int(fresh.end_ns.max()),
                after_ns=int(fresh.first_ingest_ns.min()) - 1,
            )
        if whole.any():
            ids = batch.take(whole).trace_id.tolist()
            start_ns, end_ns = stored.read_bounds(self._engine, ids)
            self._write(ids, start_ns=start_ns, end_ns=end_ns, after_ns=None)
        self._done.update(zip(batch.key.tolist(), batch.last_ingest_ns.tolist(), strict=True))

    def _write(
        self, trace_ids: list[str], *, start_ns: int, end_ns: int, after_ns: int | None
    ) -> None:
        """Facts of traces read whole, or of new ones from what came in after `after_ns`."""
        # Before the spans are read: facts of one that was paused in between are not the newest.
        self._version = max(self._version + 1, self._now_ns())
        spans = stored.read_spans(
            self._engine, trace_ids, start_ns=start_ns, end_ns=end_ns, after_ns=after_ns
        )
        if len(spans) == 0:
            return
        facts = analyse(self._names.bounded(spans), max_skew_ns=self._rules.max_skew_ns).facts
        taken_back_ns = write_facts(
            self._engine, facts, version_ns=self._version, are_new=after_ns is not None
        )
        starts_ns = np.concatenate([facts.start_ns, np.array(taken_back_ns, np.int64)])
        for minute in np.unique(starts_ns // MINUTE_NS).tolist():
            self._touch(minute * MINUTE_NS, self._version)
        self.progress.traces += len(trace_ids)
        self.progress.spans += len(spans)
        self.progress.renamed_spans = self._names.overflowed
        tracers = [code for code, one in enumerate(spans.services) if one.name == SERVICE]
        self.progress.own_spans += int(np.isin(spans.service, tracers).sum()) if tracers else 0

    def _advance(self, watermark: int, now: int) -> None:
        if watermark <= self._watermark:
            return
        passed = [key for key, last in self._done.items() if last <= watermark]
        if passed:
            self._remember(watermark, np.array(passed, np.uint64))
            for key in passed:
                del self._done[key]
        while self._recent and self._recent[0][0] < watermark - REMEMBERED_NS:
            self._recent.popleft()
        self._watermark = watermark
        if now - self._persisted_ns >= PERSIST_EVERY_NS:
            self._persist(now)

    def _remember(self, watermark: int, keys: NDArray[np.uint64]) -> None:
        if self._recent and watermark - self._recent[-1][0] < REMEMBERED_NS // 20:
            started, earlier = self._recent.pop()
            self._recent.append((started, np.union1d(earlier, keys)))
        else:
            self._recent.append((watermark, np.unique(keys)))

    def _persist(self, now: int) -> None:
        if not self._is_first():  # another has taken over since this step began
            return
        write_state(self._engine, SETTLED_UNTIL, self._watermark, version_ns=now)
        rolled = min(self._dirty.values()) - 1 if self._dirty else self._version
        write_state(self._engine, ROLLED_VERSION, rolled, version_ns=now)
        self._floors = read_floors(self._engine)
        self._persisted_ns = now

    def _roll_up(self, now: int) -> None:
        """Rolls up the touched minutes that are due, then the hours above them."""
        settle_ns = self._rules.settle_ns
        closed = min(now, self._wall_ns()) - 2 * settle_ns - MINUTE_NS
        # A minute is read whole: one that is touched by every step is not rolled up with each.
        lately = {m: ns for m, ns in self._rolled_ns.items() if now - 2 * settle_ns < ns <= now}
        self._rolled_ns = lately
        minutes = sorted(
            minute for minute in self._dirty if minute <= closed and minute not in lately
        )
        for minute in minutes:
            self._version = max(self._version + 1, now)
            rollups.roll_up_minute(
                self._engine, minute, version_ns=self._version, floors=self._floors
            )
            del self._dirty[minute]
            self._rolled_ns[minute] = now
            self.progress.minutes += 1
        if minutes:
            for hour in rollups.stale_hours(self._engine, until_ns=closed):
                self._version = max(self._version + 1, now)
                rollups.roll_up_hour(self._engine, hour, version_ns=self._version)

    def start(self) -> None:
        """Steps in a thread of its own until `close`."""
        self.progress.stepped_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="settle", daemon=True)
        self._thread.start()

    def alive(self) -> bool:
        """Whether the thread that steps is running."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._give_way()
            began_s = time.monotonic()
            try:
                worked = self._watched_turn()
            except TracerError as error:
                # The store is away or full: nothing is lost, the same step comes again.
                self._failed(error)
                log.warning("analysis waits: %s", error)
                worked = 0
            except Exception as error:  # a door: the thread must outlive a mistake of ours, loudly
                self._failed(error)
                log.exception("analysis failed; the same step comes again")
                worked = 0
            rest_s = min(LONGEST_PAUSE_S, REST * (time.monotonic() - began_s))
            self._stop.wait(max(PAUSE_S, rest_s) if worked < BATCH_TRACES else 0)

    def lag_ns(self) -> int:
        """Age of the oldest trace waiting; it grows while steps take long or fail."""
        silent_s = time.monotonic() - self.progress.stepped_s
        return self.progress.lag_ns + int(silent_s * 1e9 if silent_s > SILENT_S else 0)

    def _failed(self, error: Exception) -> None:
        self.progress.failures += 1
        self.progress.failing = f"{type(error).__name__}: {error}"

    def _watched_turn(self) -> int:
        before, began_s = replace(self.progress), time.monotonic()
        worked = self.take_turn()
        self.progress.failing, self.progress.stepped_s = "", time.monotonic()
        if worked:
            spans = self.progress.spans - before.spans
            self._watch(
                StepDone(
                    traces=self.progress.traces - before.traces,
                    spans=spans,
                    step_s=time.monotonic() - began_s,
                    foreign=spans - (self.progress.own_spans - before.own_spans),
                )
            )
        return worked

    def _give_way(self) -> None:
        """Exporters must never be slowed down: while receivers are busy analysis lags a little."""
        yielded_s = 0.0
        while yielded_s < MOST_YIELD_S and self._is_busy() and not self._stop.wait(PAUSE_S):
            yielded_s += PAUSE_S

    def close(self) -> None:
        """Stops the thread and remembers how far it came, unless it stood by."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if not self._is_loaded:
            return
        try:
            self._persist(self._now_ns())
        except TracerError as error:
            log.warning("the watermark could not be stored, the last steps will repeat: %s", error)
