"""Group commit: requests wait together and are acknowledged once they are stored.

    offer -> [ queue, bounded in bytes ] -> take many -> decode -> steps -> write -> acknowledge all

What queued while the last block was written is the next block, so blocks grow under load by
themselves. Two threads take turns: one may decode the next block while the other writes the last,
but only once enough waits to be worth a block of its own: small blocks cost the engine more per
span. There is no log of our own: not acknowledged means the client still has it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tracer.errors import TracerError, Unavailable
from tracer.ingest.answered import Answered, digest
from tracer.ingest.commit import (
    Ack,
    Block,
    BlockDone,
    Committed,
    Decode,
    Outcome,
    Watch,
    Way,
    Write,
    commit,
    is_large,
    prepare,
)
from tracer.ingest.steps import DEFAULT_SETTINGS, STEPS, Step, StepSettings

REASONS_LIMIT = 100  # distinct reasons counted apart


@dataclass(frozen=True)
class SinkSettings:
    """Limits of the queue, of a block and of what is remembered for retries."""

    queue_bytes: int = 256 << 20  # waiting and being written; beyond it `offer` refuses
    block_rows: int = 98_304  # most spans in a block, judged by the size of those before
    block_bytes: int = 32 << 20  # most bytes of requests in a block
    overlap_bytes: int = 16 << 20  # what must wait before a block is begun while another is written
    small_bytes: int = 8 << 20  # less than this waits a while since the last block was begun:
    interval_s: float = 0.05  # at least so long,
    longest_interval_s: float = 0.25  # and four times as long as a commit takes, but not longer
    retry_memory_s: float = 600.0
    retry_memory_count: int = 131_072


@dataclass(frozen=True)
class SinkStats:
    """Counters since the start, and gauges of now."""

    accepted_spans: int = 0
    rejected_spans: dict[str, int] = field(default_factory=dict)  # by reason
    own_spans: int = 0  # tracer's own telemetry, left out
    committed_requests: int = 0
    refused_requests: dict[str, int] = field(default_factory=dict)  # by kind of error
    repeated_requests: int = 0  # retries answered from memory or joined
    commits: int = 0
    commit_s: float = 0.0  # of the last block: decode to acknowledged
    block_rows: int = 0  # of the last block
    queue_bytes: int = 0
    queue_requests: int = 0


@dataclass(frozen=True)
class _Waiting:
    """A request and the promise made for it."""

    request: bytes
    key: bytes
    future: Future[Ack]


@dataclass(frozen=True)
class _Begun:
    """A block that was taken from the queue; `block` is None when it could not be prepared."""

    taken: list[_Waiting]
    ingest_ns: int
    begun_s: float
    block: Block | None
    decode_s: float = 0.0

    @property
    def requests(self) -> list[bytes]:
        return [waiting.request for waiting in self.taken]

    def done(self, result: Committed, started_s: float, ended_s: float) -> BlockDone:
        """The block as it ended: written from `started_s` to `ended_s`."""
        return BlockDone(
            requests=len(self.taken),
            request_bytes=sum(map(len, self.requests)),
            result=result,
            decode_s=self.decode_s,
            write_s=ended_s - started_s,
            commit_s=ended_s - self.begun_s,
            # Not prepared: too large for what a tracer exports of itself, or it broke the decoder.
            foreign=self.block.foreign if self.block else result.rows,
        )


class Sink:
    """Takes requests from any thread; stores them in blocks on threads of its own."""

    def __init__(
        self,
        *,
        decode: Decode,
        write: Write,
        steps: tuple[Step, ...] = STEPS,
        step_settings: StepSettings = DEFAULT_SETTINGS,
        settings: SinkSettings = SinkSettings(),
        now_ns: Callable[[], int] = time.time_ns,
        wall_ns: Callable[[], int] | None = None,
        watch: Watch = lambda done: None,
    ) -> None:
        """`now_ns` stamps what comes in; `wall_ns` is what times of spans are judged by."""
        self._watch = watch
        self._way = Way(decode, write, steps, step_settings, wall_ns or now_ns)
        self._settings = settings
        self._now_ns = now_ns
        self._changed = threading.Condition()  # guards everything below
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._held_bytes = 0  # queued and in flight
        self._unanswered: dict[bytes, _Waiting] = {}
        self._answered = Answered(
            keep_ns=int(settings.retry_memory_s * 1e9), count=settings.retry_memory_count
        )
        self._in_flight = 0  # blocks begun
        self._held: set[int] = set()  # ingest times that the horizon may not pass
        self._clock_ns = 0
        self._begun_s = float("-inf")  # the last block
        self._ended_s = float("-inf")
        self._bytes_per_row = 64.0
        self._closing = False
        self._abandoned = False  # closed before everything was committed
        self._counts: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._commit_s = 0.0
        self._block_rows = 0
        self._taking = threading.Lock()  # one thread takes and decodes
        self._writing = threading.Lock()  # one thread writes
        self._threads = [
            threading.Thread(target=self._run, name=f"tracer-commit-{number}", daemon=True)
            for number in range(2)
        ]
        for thread in self._threads:
            thread.start()

    def offer(self, request: bytes) -> Future[Ack]:
        """Queue one serialized OTLP trace request; the future is done when it is committed.

        A request seen within the last minutes is not stored again: its future is that of the
        first, or done at once. The future fails with `BadInput`, `StoreFailure` (both final) or
        `Unavailable` (retry). Raises Unavailable when the queue is full or the sink is closed.
        """
        key = digest(request)
        with self._changed:
            if self._closing:
                self._refused["closing"] += 1
                raise Unavailable(
                    "tracer is shutting down: retry when it is back", reason="closing"
                )
            if (waiting := self._unanswered.get(key)) is not None:
                self._counts["repeated"] += 1
                return waiting.future
            future: Future[Ack] = Future()
            if (ack := self._answered.find(key, self._tick())) is not None:
                self._counts["repeated"] += 1
                future.set_result(ack)
                return future
            self._make_room(len(request))
            future.set_running_or_notify_cancel()  # several callers may share it: no one cancels
            waiting = _Waiting(request, key, future)
            self._unanswered[key] = waiting
            self._queue.append(waiting)
            self._queued_bytes += len(request)
            self._held_bytes += len(request)
            self._changed.notify()
            return future

    def horizon_ns(self) -> int:
        """Every span whose IngestTime is below this has been committed (or has failed)."""
        with self._changed:
            return min(self._held, default=self._tick())

    @contextmanager
    def holding(self) -> Iterator[int]:
        """An ingest time for spans that are written past the queue, by an import.

        The horizon stays below it until the `with` block ends, so analysis cannot miss them.
        """
        with self._changed:
            ingest_ns = self._enter()
        try:
            yield ingest_ns
        finally:
            with self._changed:
                self._held.remove(ingest_ns)

    def alive(self) -> bool:
        """Whether the threads that commit are running."""
        return all(thread.is_alive() for thread in self._threads)

    def stats(self) -> SinkStats:
        """A snapshot of the counters."""
        with self._changed:
            return SinkStats(
                accepted_spans=self._counts["accepted"],
                rejected_spans=dict(self._rejected),
                own_spans=self._counts["own"],
                committed_requests=self._counts["committed"],
                refused_requests=dict(self._refused),
                repeated_requests=self._counts["repeated"],
                commits=self._counts["commits"],
                commit_s=self._commit_s,
                block_rows=self._block_rows,
                queue_bytes=self._held_bytes,
                queue_requests=len(self._unanswered),
            )

    def close(self, timeout_s: float = 30.0) -> None:
        """Refuse new requests, commit what is queued, stop. What is left then is Unavailable."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        with self._changed:
            self._queue.clear()
            left = list(self._unanswered.values())
            self._abandoned = bool(left)
        error = Unavailable("tracer was stopped before it could store the request: retry")
        self._answer(left, Committed((error,) * len(left)))

    def _make_room(self, size: int) -> None:
        """Raises Unavailable when `size` bytes more are too much; one request always fits."""
        if self._held_bytes and self._held_bytes + size > self._settings.queue_bytes:
            self._refused["queue full"] += 1
            raise Unavailable(
                f"the ingest queue is full ({self._held_bytes} of {self._settings.queue_bytes} "
                "bytes): retry later, or raise queue_bytes",
                retry_after_s=min(30.0, max(1.0, 2 * self._commit_s)),
                reason="queue_full",
            )

    def _tick(self) -> int:
        """Now, but never earlier than it was: a horizon once told stays true."""
        self._clock_ns = max(self._clock_ns, self._now_ns())
        return self._clock_ns

    def _enter(self) -> int:
        """An ingest time of its own, later than any horizon told, held until it is removed."""
        self._clock_ns = max(self._clock_ns + 1, self._now_ns())
        self._held.add(self._clock_ns)
        return self._clock_ns

    def _run(self) -> None:
        while (begun := self._begin()) is not None:
            with self._writing:
                if self._abandoned:
                    return
                started_s = time.monotonic()
                result = commit(self._way, begun.requests, begun.ingest_ns, begun.block)
                ended_s = time.monotonic()
            with self._changed:
                self._in_flight -= 1
                self._held.remove(begun.ingest_ns)
                self._commit_s, self._ended_s = ended_s - begun.begun_s, ended_s
                self._block_rows = result.rows
                self._counts["commits"] += 1
            self._watch(begun.done(result, started_s, ended_s))
            self._answer(begun.taken, result)

    def _begin(self) -> _Begun | None:
        """The next block, taken and decoded; None when the sink is closed and empty."""
        with self._taking:
            with self._changed:
                while (wait_s := self._wait_s()) is None or wait_s > 0:
                    self._changed.wait(wait_s)
                if not self._queue:
                    return None
                self._begun_s = time.monotonic()
                self._in_flight += 1
                begun = _Begun(self._take(), self._enter(), self._begun_s, None)
            if is_large(begun.requests[0]):
                return begun
            try:
                block = prepare(self._way, begun.requests, begun.ingest_ns)
            except BaseException:  # noqa: BLE001 - `commit` looks for the guilty request
                return begun
        rows = len(block.arrivals.request_of)
        if rows:
            self._bytes_per_row = max(1.0, sum(map(len, begun.requests)) / rows)
        return replace(begun, block=block, decode_s=time.monotonic() - begun.begun_s)

    def _wait_s(self) -> float | None:
        """Seconds until a block should be begun: 0 is now, None is when something changes."""
        if self._closing:
            return 0.0
        if not self._queue:
            return None
        if self._in_flight and self._queued_bytes < self._settings.overlap_bytes:
            return None
        if self._queued_bytes >= self._settings.small_bytes:
            return 0.0
        longest_s = min(self._settings.longest_interval_s, 4 * self._commit_s)
        interval_s = max(self._settings.interval_s, longest_s)
        # Clients that were just answered are about to come again: their requests go in together.
        answered_s = self._ended_s + min(self._settings.interval_s, self._commit_s / 4)
        return max(0.0, max(self._begun_s + interval_s, answered_s) - time.monotonic())

    def _take(self) -> list[_Waiting]:
        """What is queued, up to a full block, and at least one request; a large one alone."""
        limit = min(self._settings.block_bytes, self._settings.block_rows * self._bytes_per_row)
        taken: list[_Waiting] = []
        size = 0
        while self._queue:
            request = self._queue[0].request
            if taken and (size + len(request) > limit or is_large(request)):
                break
            taken.append(self._queue.popleft())
            size += len(request)
            if is_large(request):
                break
        self._queued_bytes -= size
        return taken

    def _answer(self, taken: list[_Waiting], result: Committed) -> None:
        """Count, remember and tell: in this order, so a counter is never behind an answer."""
        told: list[tuple[Future[Ack], Outcome]] = []
        with self._changed:
            for waiting, outcome in zip(taken, result.outcomes, strict=True):
                if self._unanswered.pop(waiting.key, None) is None:
                    continue  # the sink was closed in the meantime
                self._held_bytes -= len(waiting.request)
                if isinstance(outcome, TracerError):
                    self._refused[type(outcome).__name__] += 1
                else:
                    self._counts["committed"] += 1
                    self._answered.add(waiting.key, outcome, self._tick())
                told.append((waiting.future, outcome))
            self._counts["accepted"] += result.rows
            self._counts["own"] += result.dropped
            for reason, count in result.rejected.items():
                known = reason in self._rejected or len(self._rejected) < REASONS_LIMIT
                self._rejected[reason if known else "other"] += count
            self._changed.notify_all()
        for future, outcome in told:
            if isinstance(outcome, TracerError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
