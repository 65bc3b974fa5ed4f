"""Whether blocks get stored: known from the blocks themselves, and tried once they failed.

An engine may answer `SELECT 1` and still not take a row. A failed block says so first; but a server
that is not ready is sent nothing, so no later block would ever say that it works again: then a row
of our own is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from tracer.columns.records import SpanRecords
from tracer.errors import TracerError
from tracer.ingest.commit import BlockDone, Write
from tracer.service.bounded import Bounded
from tracer.service.watching import failure_of

HOLD_S: Final = 10.0  # how long a store that did not take a block is believed to be broken
HANGS_S: Final = 30.0  # a write that takes longer does not come back, for all we know
KEEP_S: Final = 2.0


class Writes:
    """Told of writes by the threads that commit, asked by any thread; no locks, no waiting."""

    def __init__(
        self, write_row: Callable[[], None], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._try = Bounded(write_row, name="tracer-try-write", keep_s=KEEP_S)
        self._clock_s = clock_s
        self._began_s: float | None = None
        self._failed_s = float("-inf")
        self._failure: TracerError | None = None

    def around(self, write: Write) -> Write:
        """The same write, observed. One at a time, as the sink does."""

        def observed(records: SpanRecords) -> None:
            self._began_s = self._clock_s()
            try:
                write(records)
            finally:
                self._began_s = None

        return observed

    def watch(self, done: BlockDone) -> None:
        """A block ended."""
        failure = failure_of(done)
        if failure is not None:
            self._failure, self._failed_s = failure, self._clock_s()
        elif done.result.rows:
            self._failure = None

    def trouble(self, wait_s: float) -> str:
        """Why the next block would not be stored, '' when it would; answers within `wait_s`."""
        began_s, failure = self._began_s, self._failure
        if began_s is not None and (took_s := self._clock_s() - began_s) > HANGS_S:
            return f"a commit has been writing for {took_s:.0f} s"
        if failure is None:
            return ""
        since_s = self._clock_s() - self._failed_s
        if since_s < HOLD_S:
            return f"the last commit failed: {failure}"
        try:
            self._try.ask(wait_s)
        except TracerError as error:
            return f"the last commit failed, and so does a write of our own: {error}"
        if self._failure is failure:  # no later block has failed in the meantime
            self._failure = None
        return ""
