"""This process among the others on a shared server: it beats, so that they know it is here.

What is agreed by it (tracer/decisions/010-roles-apart.md):

* one clock: ingest times and waits are in the server's time, so clocks of machines may differ;
* one horizon: analysis goes no further than what every receiver here has stored;
* one analyser: of those here the one that came first works, the others stand by;
* no late acknowledgement: a receiver that the server may have forgotten acknowledges nothing,
  because what it stored meanwhile may lie below what is analysed already.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

from tracer.errors import TracerError, Unavailable
from tracer.store.engine import Engine
from tracer.store.members import ANALYSE, RECEIVE, Member, announce, read_clock, read_first
from tracer.store.members import read_horizon as read_lowest
from tracer.units import NS_PER_S

log = logging.getLogger("tracer.presence")

BEATS: Final = 10  # in the time after which one is forgotten
LONGEST_BEAT_S: Final = 2.0
DOUBTFUL_NS: Final = NS_PER_S  # a clock that took longer to be read is not taken over


class Presence:
    """Announced once when made, then again and again from `start` to `close`.

    `engine` is its own: a beat must not wait behind a block. It is closed with this.
    """

    def __init__(
        self,
        engine: Engine,
        duties: Sequence[str],
        *,
        expiry_ns: int,
        allowance_ns: int,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._engine = engine
        self._expiry_ns = expiry_ns
        self._allowance_ns = allowance_ns
        self._monotonic_ns = monotonic_ns
        self._horizon_ns: Callable[[], int] = self.now_ns
        self._ahead_ns: int | None = None  # of the monotonic clock
        self._seen_ns = 0
        self._beats = 0
        self._beating = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        since_ns = self._read_clock()  # as it was read: who came later read a later one
        name = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"  # a new life is a new member
        self._members = tuple(Member(name, duty, since_ns) for duty in duties)
        self.beat()

    def now_ns(self) -> int:
        """The server's time, as far as it can be known from here."""
        return self._monotonic_ns() + (self._ahead_ns or 0)

    def beat(self) -> None:
        """Says that this process is here. Raises Unavailable when the server cannot be told."""
        with self._beating:
            begun_ns = self._monotonic_ns()
            self._beats += 1
            for member in self._members:
                horizon_ns = self._horizon_ns() if member.duty == RECEIVE else 0
                announce(self._engine, member, beat=self._beats, horizon_ns=horizon_ns)
            self._seen_ns = begun_ns

    def _read_clock(self) -> int:
        begun_ns = self._monotonic_ns()
        server_ns = read_clock(self._engine)
        ended_ns = self._monotonic_ns()
        if self._ahead_ns is None or ended_ns - begun_ns < DOUBTFUL_NS:
            self._ahead_ns = server_ns - (begun_ns + ended_ns) // 2
        return server_ns

    def is_seen(self) -> bool:
        """Whether nobody can think that this process is gone."""
        return self._monotonic_ns() - self._seen_ns < self._expiry_ns

    def assure(self) -> None:
        """After a write, before it is acknowledged. Raises Unavailable when it may lie too low."""
        if not self.is_seen():
            raise Unavailable(
                "the store has not heard of this receiver for too long to acknowledge; retry",
                retry_after_s=LONGEST_BEAT_S,
            )

    def read_horizon(self) -> int:
        """Every span whose ingest time is below this is stored, whoever received it."""
        now_ns, lowest_ns = read_lowest(self._engine, expiry_ns=self._expiry_ns)
        settled_ns = now_ns - self._allowance_ns
        return settled_ns if lowest_ns is None else min(settled_ns, lowest_ns)

    def is_first_analyser(self) -> bool:
        """Whether this is the one that analyses."""
        first = read_first(self._engine, ANALYSE, expiry_ns=self._expiry_ns)
        return self.is_seen() and first in {member.name for member in self._members}

    def start(self, horizon_ns: Callable[[], int] | None = None) -> None:
        """Beats in a thread of its own; `horizon_ns` is what a receiver has stored all below."""
        if horizon_ns is not None:
            self._horizon_ns = horizon_ns
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._thread.start()

    def alive(self) -> bool:
        """Whether the thread that beats is running."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        pause_s = min(LONGEST_BEAT_S, self._expiry_ns / NS_PER_S / BEATS)
        while not self._stop.wait(pause_s):
            try:
                self._read_clock()
                self.beat()
            except TracerError as error:
                log.warning("the store cannot be told that this process is here: %s", error)

    def close(self) -> None:
        """Takes leave, so that nobody waits; call it once all that was taken is stored."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            for member in self._members:
                announce(self._engine, member, beat=self._beats + 1, is_gone=True)
        except TracerError as error:
            log.warning("could not take leave, others will wait a while: %s", error)
        self._engine.close()
