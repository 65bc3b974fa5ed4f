"""One block of requests, from bytes to the store: what became of each of them.

Many requests are decoded in one pass and written as one block; a very large one is written in parts
and acknowledged after the last. When something in a block cannot be stored, the block is halved by
request until the guilty request stands alone; the innocent ones are stored. Pure but for the
`write` and the clock it is given.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from google.protobuf.message import DecodeError

from tracer.columns.records import SpanRecords
from tracer.errors import BadInput, StoreFailure, TracerError, Unavailable
from tracer.ingest.otlp.decoded import Decoded, Rejected
from tracer.ingest.otlp.split import split
from tracer.ingest.steps import DEFAULT_SETTINGS, STEPS, Arrivals, Step, StepSettings, apply

_LOG = logging.getLogger(__name__)

Write = Callable[[SpanRecords], None]  # returns when the spans are committed

MESSAGE_LIMIT = 1024  # characters of a partial success message
# Failed writes after which the search for the guilty request ends: a store that refuses everything
# must not be asked once per request.
SEARCH_LIMIT = 64
PART_BYTES = 8 << 20  # a request larger than this is decoded and written in parts of this size


class Decode(Protocol):
    """Requests to spans, in one pass; a request that does not decode is refused alone."""

    def __call__(self, requests: Sequence[bytes], *, ingest_ns: int) -> Decoded: ...


@dataclass(frozen=True)
class Ack:
    """The request is committed. `message` says why spans were rejected, '' when none were."""

    accepted: int
    rejected: int
    message: str
    reasons: tuple[tuple[str, int], ...] = field(
        default=(), compare=False
    )  # rejected spans of each


Outcome = Ack | TracerError


@dataclass(frozen=True)
class Way:
    """How requests get into the store."""

    decode: Decode
    write: Write
    steps: tuple[Step, ...] = STEPS
    settings: StepSettings = DEFAULT_SETTINGS
    wall_ns: Callable[[], int] = time.time_ns  # judges the times of spans


@dataclass(frozen=True)
class Block:
    """Decoded requests that went through the steps; `refused` by index of request."""

    arrivals: Arrivals
    refused: dict[int, BadInput]

    @property
    def foreign(self) -> int:
        """Spans that are not of a tracer telling of its own work."""
        return max(0, len(self.arrivals.records) - self.arrivals.kin)


@dataclass(frozen=True)
class Committed:
    """What became of the requests, in their order, and what was counted on the way."""

    outcomes: tuple[Outcome, ...]
    rows: int = 0  # stored
    dropped: int = 0  # left out on purpose
    rejected: Counter[str] = field(default_factory=Counter)  # spans, by reason


def is_large(request: bytes) -> bool:
    """Whether the request is stored in parts, alone."""
    return len(request) > PART_BYTES


@dataclass(frozen=True)
class BlockDone:
    """One block as it ended, for whoever watches: what became of it, and what it took."""

    requests: int
    request_bytes: int
    result: Committed
    decode_s: float  # bytes to columns, and the steps
    write_s: float  # the store's part; when a guilty request is looked for, decoding again too
    commit_s: float  # from taken off the queue to stored
    foreign: int  # spans offered to the store that are not of a tracer telling of itself


Watch = Callable[[BlockDone], None]  # called by the thread that commits: MUST NOT raise or wait


def prepare(way: Way, requests: Sequence[bytes], ingest_ns: int) -> Block:
    """Decode the requests and apply the steps."""
    decoded = way.decode(requests, ingest_ns=ingest_ns)
    arrivals = Arrivals(decoded.records, decoded.request_of, decoded.rejected)
    return Block(apply(arrivals, way.steps, way.settings, way.wall_ns()), decoded.refused)


def commit(
    way: Way, requests: Sequence[bytes], ingest_ns: int, block: Block | None = None
) -> Committed:
    """Store the requests; `block` is what `prepare` made of them, if it could make something.

    Never raises: every request has an outcome. `Unavailable` from the store is everybody's.
    """
    if len(requests) == 1 and is_large(requests[0]):
        return _commit_in_parts(way, requests[0], ingest_ns)
    return _commit(way, requests, ingest_ns, block, [SEARCH_LIMIT])


def _commit_in_parts(way: Way, request: bytes, ingest_ns: int) -> Committed:
    """All parts or an error: what is stored by then, a retry stores again, and it is read once."""
    whole = Committed(())
    try:
        for part in split(request, PART_BYTES):
            done = _commit(way, [part], ingest_ns, None, [1])
            whole = _joined(whole, done)
            if isinstance(done.outcomes[0], TracerError):
                break
    except DecodeError:  # the judge in `decode` says it better
        return _commit(way, [request], ingest_ns, None, [1])
    return replace(whole, outcomes=(_of_parts(whole),))


def _of_parts(whole: Committed) -> Outcome:
    acks = [outcome for outcome in whole.outcomes if isinstance(outcome, Ack)]
    if len(acks) < len(whole.outcomes):
        return whole.outcomes[-1]
    rejected = [Rejected(0, count, reason) for reason, count in whole.rejected.items()]
    return _ack(sum(ack.accepted for ack in acks), rejected)


def _commit(
    way: Way, requests: Sequence[bytes], ingest_ns: int, block: Block | None, left: list[int]
) -> Committed:
    try:
        ready = block or prepare(way, requests, ingest_ns)
        if len(ready.arrivals.records):
            way.write(ready.arrivals.records)
    except Unavailable as error:
        return Committed((error,) * len(requests))
    except BaseException as error:  # noqa: BLE001 - a door: a panic in a native decoder is one too
        left[0] -= 1
        if len(requests) == 1:
            return Committed((_as_failure(error),))
        if left[0] <= 0:
            reason = f"the store refuses one block after the other, last: {error}; retry later"
            return Committed((Unavailable(reason, retry_after_s=10.0),) * len(requests))
        middle = len(requests) // 2
        return _joined(
            _commit(way, requests[:middle], ingest_ns, None, left),
            _commit(way, requests[middle:], ingest_ns, None, left),
        )
    return _acknowledged(len(requests), ready)


def _as_failure(error: BaseException) -> TracerError:
    if isinstance(error, TracerError):
        return error
    _LOG.error("a request could not be stored", exc_info=error)
    return StoreFailure(f"could not store the request: {type(error).__name__}: {error}")


def _joined(one: Committed, other: Committed) -> Committed:
    return Committed(
        one.outcomes + other.outcomes,
        one.rows + other.rows,
        one.dropped + other.dropped,
        one.rejected + other.rejected,
    )


def _acknowledged(count: int, block: Block) -> Committed:
    accepted = np.bincount(block.arrivals.request_of, minlength=count).tolist()
    rejected: dict[int, list[Rejected]] = {}
    by_reason: Counter[str] = Counter()
    for some in block.arrivals.rejected:
        rejected.setdefault(some.request, []).append(some)
        by_reason[some.reason] += some.count
    outcomes = tuple(
        block.refused.get(request) or _ack(accepted[request], rejected.get(request, []))
        for request in range(count)
    )
    return Committed(outcomes, len(block.arrivals.records), block.arrivals.dropped, by_reason)


def _ack(accepted: int, rejected: list[Rejected]) -> Ack:
    message = "; ".join(f"{some.count} rejected: {some.reason}" for some in rejected)
    reasons = tuple((some.reason, some.count) for some in rejected)
    return Ack(accepted, sum(some.count for some in rejected), message[:MESSAGE_LIMIT], reasons)
