"""The path of a request on through queues: producer, wait, consumer, until all it caused is done.

    web/handle server         |##--      |     the journey: ##   until the message is handed over
      web/send producer       |  ##      |               ##  the producer
        mail/take consumer    |      ####|             ..    the wait in the queue
                              |##++..####|                 ####  the consumer

A fragment is caused by the span that sent its message: its caller in the trace, or the one that it
links to, in whatever trace. Of many links (a batch) the message that was sent last decided when it
could begin. The journey of a root goes to the caused fragment that ends last. Up to each hand-over
it is the critical path to that moment: of what was over by then, and what lies above the producer.

What is sent is handed over when the producer ends, or when the consumer begins if that is earlier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.critical_path import Sections, critical_path
from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows
from tracer.analysis.tree import build
from tracer.columns.hashing import Hashes, mix
from tracer.columns.links import SpanLinks
from tracer.columns.spans import KIND_CLIENT, KIND_CONSUMER, KIND_PRODUCER

MOST_QUEUES: Final = 20  # that a journey passes


@dataclass(frozen=True)
class Leg:
    """A stretch of a journey: a span's own time, or the wait for a consumer to begin."""

    span_row: int  # of a wait: the consumer
    start_ns: int
    end_ns: int
    is_wait: bool


def causes(forest: Forest, links: SpanLinks | None = None) -> Rows:
    """By row: the span that sent what this root of a fragment was made for, -1 for all others.

    A link counts if it leads from a CONSUMER, or to a PRODUCER or a CLIENT that sends a message,
    and to a span of the batch.
    """
    cause = np.where(forest.parent_row < 0, forest.caller_row, -1)
    if links is None or not len(links):
        return cause
    spans = forest.spans
    keys = _key(spans.trace_hi, spans.trace_lo, spans.span_id)
    by_key = np.argsort(keys, kind="stable")
    from_row = _find(keys, by_key, _key(links.trace_hi, links.trace_lo, links.span_id))
    to_row = _find(keys, by_key, _key(links.to_trace_hi, links.to_trace_lo, links.to_span_id))
    sends = (spans.kind == KIND_PRODUCER) | ((spans.kind == KIND_CLIENT) & spans.sends_message)
    fits = (from_row >= 0) & (to_row >= 0)
    fits &= (spans.kind[from_row] == KIND_CONSUMER) | sends[to_row]
    fits &= (forest.parent_row[from_row] < 0) & (cause[from_row] < 0)
    from_row, to_row = from_row[fits], to_row[fits]
    last = np.lexsort((-to_row, spans.end_ns[to_row], from_row))
    cause[from_row[last]] = to_row[last]  # the last of each wins
    return cause


def _key(trace_hi: Hashes, trace_lo: Hashes, span_id: Hashes) -> Hashes:
    return mix(mix(trace_hi, trace_lo), span_id)


def _find(keys: Hashes, by_key: Rows, wanted: Hashes) -> Rows:
    """The first row with each key, -1 where there is none."""
    if not len(keys):
        return np.full(len(wanted), -1, dtype=np.intp)
    at = np.minimum(np.searchsorted(keys[by_key], wanted), len(keys) - 1)
    return np.where(keys[by_key[at]] == wanted, by_key[at], -1)


def last_caused(forest: Forest, cause: Rows) -> dict[int, int]:
    """By root: the caused fragment that its journey goes to next; roots without one are left out.

    The fragment whose own journey ends last; of equal ends the one that starts first, then by row.
    What starts before its cause is not caused by it. Cost: a step for each caused fragment.
    """
    start, end = forest.spans.start_ns, forest.spans.end_ns
    caused = np.flatnonzero(cause >= 0)
    above = forest.root_row[cause[caused]]
    fits = start[caused] >= start[above]
    fits &= caused != above
    caused, above = caused[fits], above[fits]
    order = np.lexsort((caused, start[caused]))[::-1]
    until: dict[int, int] = {}
    following: dict[int, int] = {}
    for root, caller in zip(caused[order].tolist(), above[order].tolist(), strict=True):
        done = max(until.get(root, 0), int(end[root]))
        if done >= until.get(caller, int(end[caller]) + 1):
            until[caller] = done
            following[caller] = root
    return following


def journey(
    forest: Forest,
    sections: Sections,
    root: int,
    *,
    cause: Rows,
    following: dict[int, int],
    tolerance_ns: int | None = None,
) -> list[Leg]:
    """The legs of a root's journey, ascending, tiling it from the root's start; [] without one.

    It ends with the fragment behind the MOST_QUEUES-th queue. Cost: that of the traces it passes.
    """
    legs: list[Leg] = []
    seen: set[int] = set()
    while root in following and root not in seen and len(seen) < MOST_QUEUES:
        seen.add(root)
        consumer = following[root]
        producer = int(cause[consumer])
        begins = int(forest.spans.start_ns[consumer])
        handed = min(int(forest.spans.end_ns[producer]), begins)
        handed = max(handed, int(forest.spans.start_ns[root]))
        legs += _path_until(forest, producer, handed, tolerance_ns)
        if handed < begins:
            legs.append(Leg(consumer, handed, begins, is_wait=True))
        root = consumer
    return legs + _own(forest, sections, root) if legs else []


def _own(forest: Forest, sections: Sections, root: int) -> list[Leg]:
    rank = int(forest.root_rank[root])
    part = slice(int(sections.offset[rank]), int(sections.offset[rank + 1]))
    return _legs(sections.span_row[part], sections.start_ns[part], sections.end_ns[part])


def _legs(rows: Rows, start: NDArray[np.int64], end: NDArray[np.int64]) -> list[Leg]:
    return [
        Leg(row, begin, stop, is_wait=False)
        for row, begin, stop in zip(rows.tolist(), start.tolist(), end.tolist(), strict=True)
    ]


def _path_until(
    forest: Forest, producer: int, moment_ns: int, tolerance_ns: int | None
) -> list[Leg]:
    """The critical path of a fragment as if it had ended when its producer handed over."""
    root, trace = int(forest.root_row[producer]), int(forest.trace_row[producer])
    chain = [producer]
    while chain[-1] != root:
        chain.append(int(forest.parent_row[chain[-1]]))
    first, stop = forest.trace_offset[trace : trace + 2].tolist()
    rows = np.arange(first, stop)
    spans = forest.spans
    in_chain = np.isin(rows, chain)
    over = (spans.end_ns[rows] <= moment_ns) | in_chain
    rows = rows[(forest.root_row[rows] == root) & over]
    in_chain = np.isin(rows, chain)
    part = spans.take(rows)
    end_ns = np.where(in_chain, np.maximum(moment_ns, part.start_ns), part.end_ns)
    no_parent = np.where(rows == root, np.uint64(0), part.parent_span_id)
    cut = build(replace(part, end_ns=end_ns, parent_span_id=no_parent))
    found = critical_path(cut, tolerance_ns=tolerance_ns)
    rank = int(cut.root_rank[cut.main_root[0]])
    at = slice(int(found.offset[rank]), int(found.offset[rank + 1]))
    return _legs(rows[found.span_row[at]], found.start_ns[at], found.end_ns[at])
