"""Links between spans: which span points to which other, in its own trace or another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracer.columns.convert import hex_words
from tracer.columns.records import SpanRecords

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class SpanLinks:
    """Equal-length arrays, one row a link, in any order. Read-only. Ids as in `SpanColumns`."""

    trace_hi: Words
    trace_lo: Words
    span_id: Words
    to_trace_hi: Words
    to_trace_lo: Words
    to_span_id: Words

    def __len__(self) -> int:
        return len(self.span_id)


def links_from_records(records: SpanRecords) -> SpanLinks:
    """Every link of every span. Raises BadInput on an id that is not hex."""
    batch = records.batch
    traces, spans = batch.column("Links.TraceId"), batch.column("Links.SpanId")
    offsets = np.asarray(traces.offsets.to_numpy(zero_copy_only=False))
    owner = pa.array(np.repeat(np.arange(len(batch)), np.diff(offsets)))
    trace = hex_words(batch.column("TraceId").take(owner), 2)
    to_trace = hex_words(traces.flatten(), 2)
    return SpanLinks(
        trace_hi=trace[0],
        trace_lo=trace[1],
        span_id=hex_words(batch.column("SpanId").take(owner), 1)[0],
        to_trace_hi=to_trace[0],
        to_trace_lo=to_trace[1],
        to_span_id=hex_words(spans.flatten(), 1)[0],
    )
