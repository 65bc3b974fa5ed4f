"""Self time: what is left of a span when the time its children ran is taken away.

parent   |----------|
  a      | ---      |      covered: union of a and b, clipped to the parent = 6
  b      |   ----   |      self    = 10 - 6 = 4
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows, run_starts

_LIMIT = float(2**62)  # of a running total of durations


def self_time(forest: Forest) -> NDArray[np.int64]:
    """Nanoseconds of each span during which no child that it waits for was running.

    Children are walked from the latest end to the earliest, each adding what lies before all that
    is already covered: one running maximum for the whole batch.
    """
    spans = forest.spans
    own_ns = spans.end_ns - spans.start_ns
    child = forest.children
    if not len(child):
        return own_ns
    parent = forest.parent_row[child]
    parent_end, parent_ns = spans.end_ns[parent], own_ns[parent]
    # distances back from the parent's end, clipped to the parent
    near_ns = np.clip(parent_end - spans.end_ns[child], 0, parent_ns)
    far_ns = np.clip(parent_end - spans.start_ns[child], 0, parent_ns)

    first = run_starts(parent)
    size = np.diff(np.append(first, len(child)))
    covered = np.empty(len(child), dtype=np.int64)
    for part in _parts(parent_ns[first]):
        at = slice(first[part.start], first[part.stop - 1] + size[part.stop - 1])
        # each family is shifted behind the one before it, so that one maximum serves all
        widths = parent_ns[first[part]]
        shift = np.repeat(np.cumsum(widths) - widths, size[part])
        reached = np.maximum.accumulate(far_ns[at] + shift) - shift
        before = np.zeros(len(reached), dtype=np.int64)
        before[1:] = reached[:-1]
        before[first[part] - first[part.start]] = 0
        covered[at] = np.maximum(far_ns[at] - np.maximum(near_ns[at], before), 0)
    own_ns[parent[first]] -= np.add.reduceat(covered, first)
    return own_ns


def _parts(width_ns: NDArray[np.int64]) -> list[slice]:
    """Families cut into stretches whose widths sum to less than 2^62; nearly always one."""
    total = np.cumsum(width_ns.astype(np.float64))
    if total[-1] < _LIMIT:
        return [slice(0, len(width_ns))]
    stretch = np.floor(total / (_LIMIT / 2)).astype(np.int64)
    edges: Rows = np.append(run_starts(stretch), len(width_ns))
    return [slice(int(low), int(high)) for low, high in pairwise(edges)]
