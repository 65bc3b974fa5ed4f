"""What many traces tell about two clocks, where one trace only bounds how far they differ.

Each trace says that the clocks of two hosts differ by something between `low` and `high`: by as
much as its calls have room for. Calls with little room are rare; but the middle of the room is off
by half of what the way there and the way back differ, now to one side, now to the other, so the
median over traces is near the truth, and the spread of the middles says how near.

Clocks are taken as steady for as long as the traces of one batch last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from tracer.analysis.host_calls import FAR, Calls
from tracer.analysis.packing import run_starts
from tracer.analysis.parents import Parents

MIN_TRACES: Final = 8  # fewer are no experience


class Offset(NamedTuple):
    """How two clocks differ: what to add to the second's, the median distance from that, and of
    how many traces."""

    offset_ns: int
    spread_ns: int
    traces: int


Learned = Mapping[tuple[str, str], Offset]
"""By two host names, the first before the second in the alphabet."""


def learn(parents: Parents, calls: Calls) -> Learned:
    """Offsets of all pairs of hosts with calls in enough traces. Order of spans changes nothing.

    Traces whose calls contradict each other, or bound one side only, say nothing.
    """
    spans = parents.spans
    rank = np.argsort(np.argsort(np.array(spans.hosts, dtype=object), kind="stable"))
    client, server = (rank[spans.host[row]] for row in (calls.client, calls.server))
    turned = client > server
    low = np.where(turned, -calls.high_ns, calls.low_ns)
    high = np.where(turned, -calls.low_ns, calls.high_ns)
    pair = np.minimum(client, server) * len(rank) + np.maximum(client, server)
    trace = parents.trace_row[calls.server]
    order = np.lexsort((trace, pair))
    head = run_starts(pair[order], trace[order])
    if not len(head):
        return {}
    low = np.maximum.reduceat(low[order], head)
    high = np.minimum.reduceat(high[order], head)
    tells = (low <= high) & (low > -FAR) & (high < FAR)
    pair, middle = pair[order][head][tells], ((low + high) // 2)[tells]

    by_pair = np.lexsort((middle, pair))
    pair, middle = pair[by_pair], middle[by_pair]
    heads = run_starts(pair)
    sizes = np.diff(np.append(heads, len(pair)))
    names = sorted(spans.hosts)
    learned = {}
    for first, size in zip(heads.tolist(), sizes.tolist(), strict=True):
        if size >= MIN_TRACES:
            middles = middle[first : first + size]
            median = int(middles[(size - 1) // 2])
            spread = int(np.sort(np.abs(middles - median))[(size - 1) // 2])
            one, two = divmod(int(pair[first]), len(rank))
            learned[names[one], names[two]] = Offset(median, spread, size)
    return learned


def between(learned: Learned, first: str, second: str) -> Offset | None:
    """How much to add to the clock of `second` to have that of `first`."""
    if (first, second) in learned:
        return learned[first, second]
    if (second, first) in learned:
        known = learned[second, first]
        return known._replace(offset_ns=-known.offset_ns)
    return None
