"""The critical path: which span the end of a request was waiting for, at every moment of it.

    checkout |##--------######|      walk back from the end of the root: where no child runs, the
      auth   |  ###           |      span itself is the reason; where children run, the one that
      pay    |     ##--#      |      ends last takes over, and within it the same again
        card |       ##       |

A span's *effective* interval is its own, cut to the effective interval of its parent and to the
moment it takes over (the cursor). Among children with effective `start < cursor` and effective
`end <= cursor + tolerance` the one that ends last takes over (equal ends: earliest effective start,
then lowest span id). The tolerance forgives clocks that let neighbours overlap a little.

The work is done level by level for the whole batch: numpy where a level is wide, a plain loop over
the same steps where it is narrow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows, order_by, ranges

Times = NDArray[np.int64]
Mask = NDArray[np.bool_]

TOLERANCE_SHARE: Final = 100  # a hundredth of the parent's duration ...
TOLERANCE_MOST_NS: Final = 1_000_000  # ... and at most one millisecond
_NARROW: Final = 24  # below so many spans a plain loop beats numpy's cost per call


@dataclass(frozen=True)
class Sections:
    """Who owned each moment: half-open, never empty. Read-only.

    Sections of root `forest.roots[i]` are `[offset[i], offset[i + 1])`, ascending; they tile
    `[root.start_ns, root.end_ns)` exactly once. A root of zero duration has none.

    `passed_by`: children of spans on the path that ran beside it, because they overlap who took
    over by more than the tolerance. Whether they were waited for nobody knows (`bounds`).
    """

    span_row: Rows
    start_ns: Times
    end_ns: Times
    offset: Rows
    passed_by: Rows  # ascending

    def __len__(self) -> int:
        return len(self.span_row)

    @property
    def duration_ns(self) -> Times:
        """Length of each section."""
        length: Times = self.end_ns - self.start_ns
        return length


def critical_path(forest: Forest, *, tolerance_ns: int | None = None) -> Sections:
    """Sections of every root. `tolerance_ns` None: 1 % of the parent's duration, at most 1 ms."""
    spans = forest.spans
    roots = forest.roots[spans.end_ns[forest.roots] > spans.start_ns[forest.roots]]
    level = _Level(roots, spans.start_ns[roots], spans.end_ns[roots])
    tolerance = tolerances(forest, tolerance_ns)
    owned = _Owned()
    narrow = _Narrow(forest, tolerance, owned)
    while len(level.rows):
        families = forest.child_offset[level.rows + 1] - forest.child_offset[level.rows]
        if len(level.rows) + int(families.sum()) < _NARROW:
            level = narrow.descend(level)
        else:
            level = _descend(forest, level, families, tolerance, owned)
    return owned.sections(forest)


def critical_ns(sections: Sections, span_count: int) -> Times:
    """Exclusive critical time by span row."""
    total = np.zeros(span_count, dtype=np.int64)
    np.add.at(total, sections.span_row, sections.duration_ns)
    return total


@dataclass(frozen=True)
class _Level:
    """Spans on the path at one depth, with their effective intervals, none empty."""

    rows: Rows
    start_ns: Times
    end_ns: Times


@dataclass
class _Owned:
    """Stretches found so far, in no order, some of them empty."""

    rows: list[Rows] = field(default_factory=list)
    starts: list[Times] = field(default_factory=list)
    ends: list[Times] = field(default_factory=list)
    passed_by: list[Rows] = field(default_factory=list)

    def add(self, rows: Rows, start_ns: Times, end_ns: Times) -> None:
        self.rows.append(rows)
        self.starts.append(start_ns)
        self.ends.append(end_ns)

    def sections(self, forest: Forest) -> Sections:
        none = np.zeros(0, dtype=np.int64)
        row = np.concatenate([*self.rows, none.astype(np.intp)])
        start_ns, end_ns = np.concatenate([*self.starts, none]), np.concatenate([*self.ends, none])
        full = np.flatnonzero(start_ns < end_ns)
        row, start_ns, end_ns = row[full], start_ns[full], end_ns[full]
        rank = forest.root_rank[row]
        order = order_by(rank, start_ns - forest.spans.start_ns[forest.root_row[row]])
        count = np.bincount(rank, minlength=len(forest.roots))
        offset = np.concatenate(([0], np.cumsum(count))).astype(np.intp)
        passed_by = np.sort(np.concatenate([*self.passed_by, none.astype(np.intp)]))
        return Sections(row[order], start_ns[order], end_ns[order], offset, passed_by)


def tolerances(forest: Forest, tolerance_ns: int | None) -> Times:
    """How far a child may reach over the cursor, by row of the parent."""
    if tolerance_ns is not None:
        return np.full(len(forest), tolerance_ns, dtype=np.int64)
    duration_ns = forest.spans.end_ns - forest.spans.start_ns
    limit: Times = np.minimum(duration_ns // TOLERANCE_SHARE, TOLERANCE_MOST_NS)
    return limit


@dataclass(frozen=True)
class _Siblings:
    """Children of one level, family by family, latest end first, with effective intervals."""

    rows: Rows
    slot: Rows  # place of the parent in the level
    start_ns: Times
    end_ns: Times

    def take(self, which: Rows | Mask) -> _Siblings:
        return _Siblings(
            self.rows[which], self.slot[which], self.start_ns[which], self.end_ns[which]
        )


@dataclass(frozen=True)
class _Verdict:
    """By sibling: the cursor when its turn came, how far it may overlap, whether it took over."""

    cursor: Times
    limit: Times
    taken: Mask


def _descend(
    forest: Forest, level: _Level, families: Rows, tolerance: Times, owned: _Owned
) -> _Level:
    """Let children take over from the spans of a level; returns those that did."""
    siblings = _effective(forest, level, families)
    slot = siblings.slot
    first = np.ones(len(slot), dtype=np.bool_)
    first[1:] = slot[1:] != slot[:-1]
    cursor = np.empty(len(slot), dtype=np.int64)
    cursor[1:] = siblings.start_ns[:-1]
    cursor[first] = level.end_ns[slot[first]]
    limit = tolerance[level.rows][slot]
    taken = (siblings.end_ns <= cursor + limit) & (siblings.start_ns < cursor)
    if not taken.all():
        _walk(np.append(np.flatnonzero(first), len(slot)), siblings, _Verdict(cursor, limit, taken))
        owned.passed_by.append(siblings.rows[~taken])
        siblings, cursor = siblings.take(taken), cursor[taken]
        slot = siblings.slot

    end_ns = np.minimum(siblings.end_ns, cursor)
    reached = level.end_ns.copy()
    last = np.ones(len(slot), dtype=np.bool_)
    last[:-1] = slot[1:] != slot[:-1]
    reached[slot[last]] = siblings.start_ns[last]
    owned.add(level.rows[slot], end_ns, cursor)
    owned.add(level.rows, level.start_ns, reached)
    return _Level(siblings.rows, siblings.start_ns, end_ns)


def _effective(forest: Forest, level: _Level, families: Rows) -> _Siblings:
    """All children of a level that are left after cutting them to their parents."""
    rows = forest.children[ranges(forest.child_offset[level.rows], families)]
    slot = np.repeat(np.arange(len(level.rows)), families)
    level_start, level_end = level.start_ns[slot], level.end_ns[slot]
    own_start, own_end = forest.spans.start_ns[rows], forest.spans.end_ns[rows]
    siblings = _Siblings(
        rows, slot, np.maximum(own_start, level_start), np.minimum(own_end, level_end)
    )
    clipped = (own_start < level_start) | (own_end > level_end)
    alive = siblings.start_ns < siblings.end_ns
    if not alive.all():
        siblings, clipped = siblings.take(alive), clipped[alive]
    if not clipped.any():
        return siblings
    # cutting made ends or starts equal: those families are sorted as they now are
    disturbed = np.zeros(len(level.rows), dtype=np.bool_)
    disturbed[siblings.slot[clipped]] = True
    at = np.flatnonzero(disturbed[siblings.slot])
    cut = siblings.take(at)
    order = np.arange(len(siblings.rows))
    order[at] = at[np.lexsort((cut.rows, cut.start_ns, -cut.end_ns, cut.slot))]
    return siblings.take(order)


def _walk(edges: Rows, siblings: _Siblings, verdict: _Verdict) -> None:
    """Correct the verdict in families where not every child takes over.

    It came in as if each child followed the one before it: right up to a family's first refusal.
    Family i is `[edges[i], edges[i + 1])`.
    """
    refused = np.flatnonzero(~verdict.taken)
    at = refused[np.searchsorted(refused, edges[:-1]).clip(max=len(refused) - 1)]
    unfinished = (at >= edges[:-1]) & (at < edges[1:])
    at, stop = at[unfinished], edges[1:][unfinished]
    now = verdict.cursor[at]
    while len(at) >= _NARROW:
        begins = siblings.start_ns[at]
        takes = (siblings.end_ns[at] <= now + verdict.limit[at]) & (begins < now)
        verdict.taken[at] = takes
        verdict.cursor[at] = now
        now = np.where(takes, begins, now)
        at = at + 1
        more = at < stop
        at, stop, now = at[more], stop[more], now[more]
    for low, high, moment in zip(at.tolist(), stop.tolist(), now.tolist(), strict=True):
        _walk_one(slice(low, high), moment, siblings, verdict)


def _walk_one(part: slice, now: int, siblings: _Siblings, verdict: _Verdict) -> None:
    """The same for what is left of one family, from the cursor `now`."""
    tolerance = int(verdict.limit[part.start])
    takes, moments = [], []
    for begin, end in zip(
        siblings.start_ns[part].tolist(), siblings.end_ns[part].tolist(), strict=True
    ):
        take = end <= now + tolerance and begin < now
        takes.append(take)
        moments.append(now)
        if take:
            now = begin
    verdict.taken[part] = takes
    verdict.cursor[part] = moments


class _Narrow:
    """The same descent for a few spans at a time, in plain Python over borrowed buffers."""

    def __init__(self, forest: Forest, tolerance: Times, owned: _Owned) -> None:
        self._start = forest.spans.start_ns.data
        self._end = forest.spans.end_ns.data
        self._children = forest.children.data
        self._offset = forest.child_offset.data
        self._tolerance = tolerance.data
        self._owned = owned
        self._passed_by: list[int] = []

    def descend(self, level: _Level) -> _Level:
        """Go down until nothing is left or a level is wide; returns that level."""
        frontier = list(
            zip(level.rows.tolist(), level.start_ns.tolist(), level.end_ns.tolist(), strict=True)
        )
        pieces: list[tuple[int, int, int]] = []
        offset = self._offset
        while frontier:
            below: list[tuple[int, int, int]] = []
            for row, start, end in frontier:
                self._hand_over(row, start, end, below, pieces)
            frontier = below
            width = len(frontier)
            if width + sum(offset[row + 1] - offset[row] for row, _, _ in frontier) >= _NARROW:
                break
        self._owned.add(*_columns(pieces))
        self._owned.passed_by.append(np.array(self._passed_by, dtype=np.intp))
        self._passed_by.clear()
        return _Level(*_columns(frontier))

    def _hand_over(
        self,
        row: int,
        start: int,
        end: int,
        below: list[tuple[int, int, int]],
        pieces: list[tuple[int, int, int]],
    ) -> None:
        """Walk back through one span: `pieces` it owns itself, and who is `below` it."""
        starts, ends = self._start, self._end
        family = self._children[self._offset[row] : self._offset[row + 1]]
        effective = [(-min(ends[c], end), max(starts[c], start), c) for c in family]
        effective.sort()
        cursor = end
        limit = self._tolerance[row]
        for minus_end, begin, child in effective:
            stop = -minus_end
            if stop <= cursor + limit and begin < cursor and begin < stop:
                stop = min(stop, cursor)
                pieces.append((row, stop, cursor))
                below.append((child, begin, stop))
                cursor = begin
            elif begin < stop:
                self._passed_by.append(child)
        pieces.append((row, start, cursor))


def _columns(rows: list[tuple[int, int, int]]) -> tuple[Rows, Times, Times]:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return table[:, 0].astype(np.intp), table[:, 1].copy(), table[:, 2].copy()
