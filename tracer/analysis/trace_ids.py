"""Trace ids of 64 bits beside ids of 128 that end alike: one trace whose id was cut on the way.

A tracer of the older width keeps the lower half of an id it was handed and sends the upper half as
zero. Where exactly one whole id of the batch ends with that half, the spans belong to it; where
several do, nobody can tell, and they stay apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tracer.columns.spans import SpanColumns


def join_short_ids(spans: SpanColumns) -> tuple[SpanColumns, NDArray[np.bool_]]:
    """The spans with whole ids, and which of them came with half of one."""
    short = spans.trace_hi == 0
    joined = np.zeros(len(spans), dtype=np.bool_)
    if not short.any() or short.all():
        return spans, joined
    whole = np.unique(np.stack((spans.trace_lo[~short], spans.trace_hi[~short])), axis=1)
    low, first, count = np.unique(whole[0], return_index=True, return_counts=True)
    at = np.minimum(np.searchsorted(low, spans.trace_lo), len(low) - 1)
    joined = short & (low[at] == spans.trace_lo) & (count[at] == 1)
    if not joined.any():
        return spans, joined
    return replace(spans, trace_hi=np.where(joined, whole[1][first[at]], spans.trace_hi)), joined
