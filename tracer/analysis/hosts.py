"""The hosts of a trace, and which of them calls which: what clocks are corrected along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.packing import Rows, run_starts
from tracer.analysis.parents import Parents


@dataclass(frozen=True)
class Hosts:
    """The hosts of the affected traces, in an order in which callers come first.

    `node` is by span: its (trace, host), -1 outside of affected traces. Spans of an unknown host
    count as on the host of what called them.
    """

    node: Rows
    first: Rows  # span that enters the host first
    above: Rows  # node that calls it, -1 for the host of a root
    depth: Rows  # of calls between hosts


def find_hosts(parents: Parents, rows: Rows) -> Hosts:
    spans, parent = parents.spans, parents.parent_row
    host = _known_host(parents, rows)
    fragment = _rank_of_fragment(parents, rows)
    order = np.lexsort((rows, parents.depth[rows], fragment, host[rows], parents.trace_row[rows]))
    ordered = rows[order]
    head = run_starts(parents.trace_row[ordered], host[ordered])
    node = np.full(len(spans), -1, dtype=np.intp)
    node[ordered] = np.repeat(np.arange(len(head)), np.diff(np.append(head, len(ordered))))
    first = ordered[head]
    above = np.where(parent[first] < 0, -1, node[parent[first]])
    return Hosts(node, first, above, _depth(above))


def _known_host(parents: Parents, rows: Rows) -> NDArray[np.int32]:
    """By span: its host, or that of the nearest span above it whose host is known."""
    spans, parent = parents.spans, parents.parent_row
    host = spans.host
    known = np.array([bool(name) for name in spans.hosts], dtype=np.bool_)
    unknown = rows[~known[host[rows]] & (parent[rows] >= 0)]
    if not len(unknown):
        return host
    above = np.arange(len(host), dtype=np.intp)
    above[unknown] = parent[unknown]
    while True:
        higher = above[above[unknown]]
        if np.array_equal(higher, above[unknown]):
            break
        above[unknown] = higher
    host = host.copy()
    host[unknown] = spans.host[above[unknown]]
    return host


def _rank_of_fragment(parents: Parents, rows: Rows) -> Rows:
    """Largest fragment of a trace first: the clock of its first host is the one that counts.

    Not the earliest one: which that is, clocks decide.
    """
    root = parents.root_row[rows]
    size = np.bincount(root, minlength=len(parents.root_row))
    order = np.lexsort((root, -size[root], parents.trace_row[root]))
    rank = np.empty(len(rows), dtype=np.intp)
    head = run_starts(root[order])
    rank[order] = np.repeat(np.arange(len(head)), np.diff(np.append(head, len(order))))
    return rank


def _depth(above: Rows) -> Rows:
    """How many hosts lie above each; callers come before what they call in any climb."""
    ancestor = np.where(above < 0, np.arange(len(above)), above)
    depth = (above >= 0).astype(np.intp)
    while not np.array_equal(ancestor[ancestor], ancestor):
        depth += depth[ancestor]
        ancestor = ancestor[ancestor]
    return depth
