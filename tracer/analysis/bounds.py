"""How much the guess matters: the least and the most critical time of each owner.

    search   |#-----##|      who of the two was waited for, while both ran, is a guess. The path
      index  | ---    |      says ranker; a choice may say index. So of the trace
      ranker | #####  |      index is 0 to 3, ranker 2 to 5, search 3 to 3

A *choice* goes down from the root at every moment on its own: from a span to any one of its
children that runs at that moment, and stays where none does. What the critical path says is a
choice, too, also where it stays with a span although children run (those it passed by). Over all
choices

    most    the moments in which some choice ends with the owner
    least   the moments in which every choice does

Both are reached by some choice, since moments are chosen apart. That is also what they do not know:
whoever was waited for at one moment was most likely waited for until it ended; and a call that
nobody waits for at all is not told from others, so time in which a child runs is given to its
parent only where the path does. Bounds of several owners cannot be added.

What a sibling overlaps of the last `tolerance` of a span is no doubt, as it is none on the path.
An owner is whatever spans are grouped by: several calls of one call path that run at once leave no
doubt about the path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.critical_path import Sections, tolerances
from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows, run_starts

Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Bounds:
    """By (root, owner), sorted: owners that some choice ends with. `root` is a rank of
    `forest.roots`.

    Only roots whose path passed a span by have rows; in all others no time is in doubt.
    """

    root: Rows
    owner: Rows
    least_ns: Times
    most_ns: Times

    def __len__(self) -> int:
        return len(self.root)


@dataclass(frozen=True)
class _Stretches:
    """Half-open intervals, none empty, each of a group: a span, or a (root, owner)."""

    group: Rows
    start_ns: Times
    end_ns: Times


def bounds(
    forest: Forest, sections: Sections, owner: Rows, *, tolerance_ns: int | None = None
) -> Bounds:
    """Least and most critical time by root and `owner` (by span row, non-negative).

    `tolerance_ns` as for the critical path. Cost: sorting the spans of roots that are in doubt.
    """
    doubtful = np.zeros(len(forest.roots), dtype=np.bool_)
    doubtful[forest.root_rank[sections.passed_by]] = True
    if not doubtful.any():
        none = np.zeros(0, dtype=np.intp)
        return Bounds(none, none, none.astype(np.int64), none.astype(np.int64))
    on_path = np.flatnonzero(doubtful[forest.root_rank[sections.span_row]])
    chosen = _alone(forest, np.flatnonzero(doubtful[forest.root_rank]), tolerance_ns)
    row = np.concatenate((sections.span_row[on_path], chosen.group))
    start_ns = np.concatenate((sections.start_ns[on_path], chosen.start_ns))
    end_ns = np.concatenate((sections.end_ns[on_path], chosen.end_ns))

    rank, owned_by = forest.root_rank[row], owner[row]
    order = np.lexsort((owned_by, rank))
    first = run_starts(rank[order], owned_by[order])
    number = np.empty(len(row), dtype=np.intp)
    number[order] = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(row))))
    group_root, group_owner = rank[order][first], owned_by[order][first]
    united = _united(_Stretches(number, start_ns, end_ns))
    most_ns = np.zeros(len(first), dtype=np.int64)
    np.add.at(most_ns, united.group, united.end_ns - united.start_ns)
    return Bounds(group_root, group_owner, _least(united, group_root), most_ns)


def _alone(forest: Forest, rows: Rows, tolerance_ns: int | None) -> _Stretches:
    """What choices give to each span: its time, within all above it, in which no child runs."""
    spans, parent = forest.spans, forest.parent_row
    start_ns = spans.start_ns.copy()
    end_ns = _forgiven(forest, rows, tolerances(forest, tolerance_ns))
    below, above = rows[parent[rows] >= 0], parent.copy()
    while len(below):  # each round looks twice as far up
        over = above[below]
        start_ns[below] = np.maximum(start_ns[below], start_ns[over])
        end_ns[below] = np.minimum(end_ns[below], end_ns[over])
        above[below] = above[over]
        below = below[above[below] >= 0]

    child = rows[parent[rows] >= 0]
    over = parent[child]
    child_start = np.maximum(spans.start_ns[child], start_ns[over])
    child_end = np.minimum(spans.end_ns[child], end_ns[over])
    running = child_start < child_end
    group = np.concatenate((rows, rows, over[running], over[running]))
    time = np.concatenate((start_ns[rows], end_ns[rows], child_start[running], child_end[running]))
    is_child = np.repeat((0, 1), (2 * len(rows), 2 * int(running.sum())))
    is_alive = start_ns[group] < end_ns[group]
    step = np.concatenate((np.repeat((1, -1), len(rows)), np.repeat((2, -2), int(running.sum()))))[
        is_alive
    ]
    group, time, is_child = group[is_alive], time[is_alive], is_child[is_alive]
    order = np.lexsort((is_child, time, group))
    count = np.cumsum(step[order])  # 1: the span runs and no child does
    group, time = group[order], time[order]
    at = np.flatnonzero((count[:-1] == 1) & (time[:-1] < time[1:]))
    return _Stretches(group[at], time[at], time[at + 1])


def _forgiven(forest: Forest, rows: Rows, tolerance: Times) -> Times:
    """Ends by row, cut where a sibling began within the last `tolerance` of the span."""
    spans, parent = forest.spans, forest.parent_row
    end_ns = spans.end_ns.copy()
    took_time = spans.start_ns[rows] < spans.end_ns[rows]
    child = rows[(parent[rows] >= 0) & took_time]
    family, start_ns = parent[child], spans.start_ns[child]
    asked_ns = np.maximum(end_ns[child] - tolerance[family], start_ns + 1)
    slot = np.concatenate((family, family))
    time = np.concatenate((asked_ns, start_ns))
    is_start = np.repeat((False, True), len(child))
    order = np.lexsort((is_start, time, slot))
    place = np.where(is_start[order], np.arange(len(order)), len(order) - 1)
    following = np.minimum.accumulate(place[::-1])[::-1]
    asks = np.flatnonzero(~is_start[order])
    found = order[following[asks]]
    asker = order[asks]
    begins = time[found]
    cuts = is_start[found] & (slot[found] == slot[asker]) & (begins < end_ns[child[asker]])
    end_ns[child[asker[cuts]]] = begins[cuts]
    return end_ns


def _united(parts: _Stretches) -> _Stretches:
    """The moments of each group, each once; parts that touch become one. Sorted by group, start."""
    count = len(parts.group)
    group = np.concatenate((parts.group, parts.group))
    time = np.concatenate((parts.start_ns, parts.end_ns))
    step = np.repeat((1, -1), count)
    order = np.lexsort((-step, time, group))
    running = np.cumsum(step[order])
    begins = order[(step[order] == 1) & (running == 1)]
    ends = order[running == 0]
    return _Stretches(group[begins], time[begins], time[ends])


def _least(united: _Stretches, root: Rows) -> Times:
    """By group: the moments of its root in which no other group of the root has a part."""
    group = np.concatenate((united.group, united.group))
    time = np.concatenate((united.start_ns, united.end_ns))
    step = np.repeat((1, -1), len(united.group))
    order = np.lexsort((time, root[group]))
    running, who = np.cumsum(step[order]), np.cumsum(step[order] * group[order])
    time = time[order]
    at = np.flatnonzero((running[:-1] == 1) & (time[:-1] < time[1:]))
    least_ns = np.zeros(len(root), dtype=np.int64)
    np.add.at(least_ns, who[at], time[at + 1] - time[at])
    return least_ns
