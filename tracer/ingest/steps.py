"""What happens to decoded spans before they are stored, in order.

Each step takes what arrived and gives back what is left of it. Steps are vectorised: their cost is
per block, not per span. A span that a step refuses is counted against the request it came in with,
so that the sender is told; a span that a step drops on purpose is only counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tracer.columns.records import SpanRecords
from tracer.ingest.otlp.decoded import Rejected
from tracer.ingest.redact import SECRET_KEYS, redacted
from tracer.telemetry.self_trace import INSTANCE_ATTRIBUTE, SCOPE, SERVICE

HOUR_NS: Final = 3_600_000_000_000
DAY_NS: Final = 24 * HOUR_NS


@dataclass(frozen=True)
class StepSettings:
    """`retention_ns`: age of the oldest span taken; `future_ns`: how far ahead a clock may be."""

    retention_ns: int = 7 * DAY_NS
    future_ns: int = HOUR_NS
    secret_keys: tuple[str, ...] = SECRET_KEYS
    own_instance: str = ""  # service.instance.id of what this process exports


DEFAULT_SETTINGS: Final = StepSettings()


@dataclass(frozen=True)
class Arrivals:
    """Spans on their way into the store. `request_of[row]` is the request a span came in with."""

    records: SpanRecords
    request_of: NDArray[np.int32]
    rejected: tuple[Rejected, ...] = ()
    dropped: int = 0  # spans left out on purpose
    kin: int = 0  # spans in which other tracers tell of their own work


Step = Callable[[Arrivals, StepSettings, int], Arrivals]


def reject_impossible_times(arrivals: Arrivals, settings: StepSettings, now_ns: int) -> Arrivals:
    """Refuse spans that start before retention would keep them or end too far in the future.

    A span of the year 2200 lands in a partition that is dropped at once, and one request that
    spans more partitions than a block may have fails its whole block.
    """
    start_ns = _int64(arrivals.records, "Timestamp")
    duration_ns = arrivals.records.batch.column("Duration").to_numpy(zero_copy_only=False)
    latest_ns = now_ns + settings.future_ns
    early = start_ns < now_ns - settings.retention_ns
    room_ns = np.maximum(latest_ns - np.minimum(start_ns, latest_ns), 0).astype(np.uint64)
    late = (start_ns > latest_ns) | (duration_ns > room_ns)
    days = settings.retention_ns / DAY_NS
    hours = settings.future_ns / HOUR_NS
    refused = (
        *_count(arrivals.request_of[early], f"starts more than {days:g} days ago (retention)"),
        *_count(
            arrivals.request_of[late & ~early], f"is more than {hours:g} h ahead of this clock"
        ),
    )
    if not refused:
        return arrivals
    kept = _keep(arrivals, ~(early | late))
    return replace(kept, rejected=arrivals.rejected + refused)


def redact(arrivals: Arrivals, settings: StepSettings, now_ns: int) -> Arrivals:
    """Replace the values of attributes that carry secrets."""
    del now_ns
    records = redacted(arrivals.records, settings.secret_keys)
    return arrivals if records is arrivals.records else replace(arrivals, records=records)


def drop_self(arrivals: Arrivals, settings: StepSettings, now_ns: int) -> Arrivals:
    """Leave out what this very process exported: storing it would make more of it, for ever.

    Spans of other tracers are kept and counted as `kin`.
    """
    del now_ns
    batch = arrivals.records.batch
    service = batch.column("ServiceName")
    code = service.dictionary.index(SERVICE).as_py()
    if code < 0:
        return arrivals
    named = np.flatnonzero(service.indices.to_numpy(zero_copy_only=False) == code)
    few = batch.select(["ScopeName", "ResourceAttributes"]).take(pa.array(named))
    of_tracers = pc.equal(few.column("ScopeName"), SCOPE).to_numpy(zero_copy_only=False)
    instances = pc.map_lookup(few.column("ResourceAttributes"), INSTANCE_ATTRIBUTE, "first")
    ours = of_tracers & np.array(
        [bool(one) and one == settings.own_instance for one in instances.to_pylist()], np.bool_
    )
    kin = arrivals.kin + int((of_tracers & ~ours).sum())
    if not ours.any():
        return replace(arrivals, kin=kin) if kin else arrivals
    kept = np.ones(len(arrivals.records), np.bool_)
    kept[named[ours]] = False
    dropped = arrivals.dropped + int(ours.sum())
    return replace(_keep(arrivals, kept), dropped=dropped, kin=kin)


STEPS: Final[tuple[Step, ...]] = (drop_self, reject_impossible_times, redact)

# Files keep the times they were recorded with; they are retained from when they were read.
IMPORT_STEPS: Final[tuple[Step, ...]] = (redact,)


def apply(
    arrivals: Arrivals, steps: tuple[Step, ...], settings: StepSettings, now_ns: int
) -> Arrivals:
    """The result of all steps, in order."""
    for step in steps:
        arrivals = step(arrivals, settings, now_ns)
    return arrivals


def _int64(records: SpanRecords, name: str) -> NDArray[np.int64]:
    times: NDArray[np.int64] = (
        records.batch.column(name).view(pa.int64()).to_numpy(zero_copy_only=False)
    )
    return times


def _keep(arrivals: Arrivals, rows: NDArray[np.bool_]) -> Arrivals:
    records = SpanRecords(arrivals.records.batch.filter(pa.array(rows)))
    return replace(arrivals, records=records, request_of=arrivals.request_of[rows])


def _count(requests: NDArray[np.int32], reason: str) -> tuple[Rejected, ...]:
    request, count = np.unique(requests, return_counts=True)
    return tuple(
        Rejected(int(one), int(spans), reason) for one, spans in zip(request, count, strict=True)
    )
