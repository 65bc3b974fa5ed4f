"""Calls made again because they failed: siblings that are alike, one after the other.

    checkout              |----------|
      checkout/pay !      | --       |    failed, so
      checkout/pay !      |    --    |    tried again (RETRY), failed, so
      checkout/pay        |       -- |    tried again (RETRY)

Each attempt stays a span of its own: the parent waited for all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.packing import Rows, run_starts
from tracer.columns.spans import STATUS_ERROR, SpanColumns

_NEVER = np.iinfo(np.int64).max


def retries(spans: SpanColumns, parent: Rows) -> Rows:
    """Rows that start after a sibling of the same service, operation and kind failed and ended.

    Only families with a failed member are looked at.
    """
    failed = (spans.status == STATUS_ERROR) & (parent >= 0)
    if not failed.any():
        return np.zeros(0, dtype=np.intp)
    affected = np.zeros(len(parent), dtype=np.bool_)
    affected[parent[failed]] = True
    row = np.flatnonzero((parent >= 0) & affected[parent])
    alike = (spans.kind[row], spans.operation[row], spans.service[row], parent[row])
    order = np.lexsort(alike)
    head = run_starts(*(column[order] for column in alike))
    size = np.diff(np.append(head, len(order)))
    row = row[order]
    failed_end = np.where(failed[row], spans.end_ns[row], _NEVER)
    first_end = np.repeat(np.minimum.reduceat(failed_end, head), size)
    again: NDArray[np.bool_] = spans.start_ns[row] >= first_end
    # an instant that failed is no attempt after itself
    again &= failed_end != first_end
    return row[again]
