"""What decoding gives: spans, which request each came from, and everything that was not taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracer.columns.records import SpanRecords
from tracer.errors import BadInput

# Why a span is rejected, in the order in which the rules are tried: the first that holds is named.
REASONS: Final = (
    "trace_id is not 16 bytes (32 hex digits in JSON)",
    "trace_id is all zero",
    "span_id is not 8 bytes (16 hex digits in JSON)",
    "span_id is all zero",
    "parent_span_id is not 8 bytes (16 hex digits in JSON) or empty",
    "start_time_unix_nano is 2^63 or more",
    "end_time_unix_nano is 2^63 or more",
    "an event's time_unix_nano is 2^63 or more",
)


@dataclass(frozen=True)
class Rejected:
    """Spans of one request that were invalid for one reason."""

    request: int
    count: int
    reason: str


@dataclass(frozen=True)
class Decoded:
    """The outcome of decoding a sequence of requests. Every span is in `records` or counted.

    `request_of` has one entry a span: the index of its request. `rejected` is ordered by request,
    then by `REASONS`. `refused` holds the requests that do not decode at all, by index.
    """

    records: SpanRecords
    request_of: NDArray[np.int32]
    rejected: tuple[Rejected, ...]
    refused: dict[int, BadInput]


@dataclass(frozen=True)
class Shaped:
    """What one decoder makes of requests that the judge has passed; indices are into those."""

    batch: pa.RecordBatch
    request_of: NDArray[np.int32]
    rejected: tuple[Rejected, ...]
