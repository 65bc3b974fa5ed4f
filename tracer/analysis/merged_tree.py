"""Many traces as one tree of call paths: what each path took itself, and with all below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.packing import Rows
from tracer.columns.path_bands import Floats, Metric, PathBands

NO_PARENT = -1


@dataclass(frozen=True)
class MergedTree:
    """A row (of `sums`: a column) is a call path; roots have the parent NO_PARENT.

    The inclusive critical time of a root path is the sum of the durations of its roots, and that of
    the children of a path is never more than its own.
    """

    sums: PathBands
    parent: Rows
    depth: NDArray[np.int64]
    size: NDArray[np.int64]  # paths below, itself counted
    inclusive_self_ns: Floats  # len(BANDS) × n
    inclusive_critical_ns: Floats

    def inclusive_ns(self, metric: Metric) -> Floats:
        """One of the two."""
        return self.inclusive_critical_ns if metric == "critical" else self.inclusive_self_ns


def merged_tree(sums: PathBands, parent_path_id: NDArray[np.uint64]) -> MergedTree:
    """`parent_path_id` of each path of `sums`; a parent that is not among them is none."""
    parent = _rows_of(sums.path_id, parent_path_id)
    bands = len(sums.self_ns)
    own = np.concatenate((sums.self_ns, sums.critical_ns, np.ones((1, len(sums)))))
    depth, below = _climb(parent, own)
    return MergedTree(
        sums=sums,
        parent=parent,
        depth=depth,
        size=below[-1].astype(np.int64),
        inclusive_self_ns=below[:bands],
        inclusive_critical_ns=below[bands:-1],
    )


def widest(tree: MergedTree, width: Floats, limit: int) -> list[int]:
    """At most `limit` rows, each with all rows above it, parents first, the wider child first.

    `width` MUST NOT grow from parent to child.
    """
    chosen = np.lexsort((tree.sums.path_id, tree.depth, -width))[:limit]  # parents before children
    below: dict[int, list[int]] = {}
    for row in chosen.tolist():
        below.setdefault(int(tree.parent[row]), []).append(row)
    drawn: list[int] = []
    stack = below.get(NO_PARENT, [])[::-1]
    while stack:
        row = stack.pop()
        drawn.append(row)
        stack += below.get(row, [])[::-1]
    return drawn


def _rows_of(path_id: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> Rows:
    if not len(path_id):
        return np.zeros(0, np.intp)
    at = np.minimum(np.searchsorted(path_id, wanted), len(path_id) - 1)
    return np.where(path_id[at] == wanted, at, NO_PARENT)


def _climb(parent: Rows, own: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Depth of each row, and each value summed over the row and all rows below it.

    In round k `total` holds what lies less than 2^k levels below a row and `above` is the ancestor
    2^k levels up, so a chain of a hundred thousand takes seventeen rounds.
    """
    count = len(parent)
    total, above = own.copy(), parent
    depth = (parent != NO_PARENT).astype(np.int64)
    while True:
        rows = np.flatnonzero(above != NO_PARENT)
        if not len(rows):
            return depth, total
        up = above[rows]
        step, added = depth.copy(), np.empty_like(total)
        for line, values in enumerate(total):
            added[line] = np.bincount(up, values[rows], minlength=count)
        depth[rows] += step[up]
        total += added
        above = above.copy()
        above[rows] = above[up]
