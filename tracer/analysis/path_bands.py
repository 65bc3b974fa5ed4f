"""Facts of many traces summed by call path and duration band, and the traces that show a path."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.baseline import weights
from tracer.analysis.packing import Rows, order_by, run_starts
from tracer.columns.facts import TraceFacts
from tracer.columns.ids import span_id_text, trace_id_text
from tracer.columns.path_bands import (
    BANDS,
    LIMITS,
    BandLimits,
    Exemplar,
    Exemplars,
    Floats,
    Metric,
    PathBands,
)

NOT_COUNTED = -1
_ENTRIES = 1 << 20  # worked on at once: memory does not grow with the number of traces
_ROUNDING = 1e-12  # of a sum of weights


def counted(facts: TraceFacts, through: NDArray[np.uint64] | None = None) -> NDArray[np.bool_]:
    """Rows that count: no fragments of orphans, which are parts of a root that is not known.

    `through`: only roots that contain one of these call paths.
    """
    found = facts.is_main | ~facts.root_missing
    if through is None or not len(facts):
        return found
    hits = np.isin(facts.path_id, through)
    passes: NDArray[np.bool_] = np.logical_or.reduceat(hits, facts.offset[:-1])
    return found & passes


def band_limits(
    root_path_id: NDArray[np.uint64], duration_ns: NDArray[np.int64], weight: Floats
) -> BandLimits:
    """Quantiles of the durations of each kind of root: the least with that share at or below."""
    order = np.lexsort((duration_ns, root_path_id))
    kind, length_ns = root_path_id[order], duration_ns[order]
    first = run_starts(kind)
    if not len(first):
        return BandLimits(root_path_id[:0], np.zeros((len(LIMITS), 0), np.int64))
    running = np.cumsum(weight[order])
    stop = np.append(first[1:], len(kind))
    below = np.where(first > 0, running[first - 1], 0.0)
    total = running[stop - 1] - below
    limit_ns = [
        length_ns[
            np.clip(
                np.searchsorted(running, below + share * total - _ROUNDING * running[-1]),
                first,
                stop - 1,
            )
        ]
        for share in LIMITS
    ]
    return BandLimits(kind[first], np.array(limit_ns))


def band_of(
    limits: BandLimits, root_path_id: NDArray[np.uint64], duration_ns: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Index into BANDS of each root; NOT_COUNTED where its kind has no limits."""
    if not len(limits):
        return np.full(len(root_path_id), NOT_COUNTED, np.int8)
    at = np.minimum(np.searchsorted(limits.root_path_id, root_path_id), len(limits) - 1)
    band = (duration_ns > limits.limit_ns[:, at]).sum(axis=0)
    known = limits.root_path_id[at] == root_path_id
    return np.where(known, band, NOT_COUNTED).astype(np.int8)


def path_bands(facts: TraceFacts, band: NDArray[np.int8]) -> PathBands:
    """Sums over the rows of `facts`, each in its `band`; NOT_COUNTED leaves a row out."""
    paths = len(facts.paths)
    cells = len(BANDS) * paths
    weight = weights(facts)
    roots = np.zeros(cells, np.int64)
    sums = np.zeros((6, cells))
    failed = facts.calls * facts.entry_failed
    for part in _parts(facts, band):
        cell = band[part.root].astype(np.intp) * paths + part.path
        each = weight[part.root]
        critical_ns = part.total(facts.critical_ns)
        added = (
            each,
            each * (critical_ns > 0),
            each * part.total(facts.calls),
            each * part.total(failed),
            each * part.total(facts.self_ns),
            each * critical_ns,
        )
        roots += np.bincount(cell, minlength=cells)
        for row, values in enumerate(added):
            sums[row] += np.bincount(cell, values, minlength=cells)
    shape = (len(BANDS), paths)
    seen = np.flatnonzero(roots.reshape(shape).any(axis=0))
    return PathBands(
        facts.paths.path_id[seen],
        roots.reshape(shape)[:, seen],
        *(row.reshape(shape)[:, seen] for row in sums),
    )


def exemplars(
    facts: TraceFacts, rows: NDArray[np.bool_], metric: Metric, path_ids: NDArray[np.uint64]
) -> dict[int, Exemplars]:
    """Typical and worst of `rows` for each of the call paths that they contain."""
    by_id = np.empty(len(facts), np.intp)
    by_id[np.lexsort((facts.root_span_id, facts.trace_lo, facts.trace_hi))] = np.arange(len(facts))
    spent = facts.critical_ns if metric == "critical" else facts.self_ns
    wanted = np.isin(facts.paths.path_id, path_ids)
    found: list[tuple[Rows, Rows, NDArray[np.int64]]] = []
    for part in _parts(facts, np.where(rows, 0, NOT_COUNTED).astype(np.int8)):
        kept = wanted[part.path]
        found.append((part.path[kept], part.root[kept], part.total(spent)[kept]))
    if not any(len(path) for path, _, _ in found):
        return {}
    path, root, spent_ns = (np.concatenate(column) for column in zip(*found, strict=True))
    order = order_by(path, spent_ns, by_id[root])
    path, root, spent_ns = path[order], root[order], spent_ns[order]
    first = run_starts(path)
    stop = np.append(first[1:], len(path))
    equal = run_starts(path, spent_ns)

    def lowest(at: Rows) -> Rows:
        """The first of those that spent as much."""
        return equal[np.searchsorted(equal, at, side="right") - 1]

    def one(at: int) -> Exemplar:
        row = root[at]
        return Exemplar(
            trace_id_text(facts.trace_hi[row], facts.trace_lo[row]),
            span_id_text(facts.root_span_id[row]),
            int(spent_ns[at]),
        )

    typical, worst = lowest((first + stop - 1) // 2), lowest(stop - 1)
    return {
        int(facts.paths.path_id[path[begin]]): Exemplars(one(middle), one(last))
        for begin, middle, last in zip(first, typical, worst, strict=True)
    }


class _Part:
    """Some rows of the facts: one element for each (root, call path)."""

    def __init__(self, facts: TraceFacts, band: NDArray[np.int8], first: int, stop: int) -> None:
        begin, end = int(facts.offset[first]), int(facts.offset[stop])
        root = np.repeat(np.arange(first, stop), np.diff(facts.offset[first : stop + 1]))
        path = np.searchsorted(facts.paths.path_id, facts.path_id[begin:end])
        self._entries: Rows | slice = slice(begin, end)
        if (band[first:stop] == NOT_COUNTED).any():
            kept = np.flatnonzero(band[root] != NOT_COUNTED)
            root, path, self._entries = root[kept], path[kept], kept + begin
        self._heads = run_starts(root, path)  # entries of a root are sorted by path
        self.root: Rows = root[self._heads]
        self.path: Rows = path[self._heads]

    def total(self, values: NDArray[np.generic]) -> NDArray[np.int64]:
        """Entries summed over outcome and bucket."""
        if not len(self._heads):
            return np.zeros(0, np.int64)
        return np.add.reduceat(values[self._entries].astype(np.int64), self._heads)


def _parts(facts: TraceFacts, band: NDArray[np.int8]) -> Iterator[_Part]:
    first = 0
    while first < len(facts):
        stop = int(np.searchsorted(facts.offset, facts.offset[first] + _ENTRIES, side="right")) - 1
        stop = min(max(stop, first + 1), len(facts))
        yield _Part(facts, band, first, stop)
        first = stop
