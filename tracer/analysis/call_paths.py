"""Call paths: the chain (service identity, operation, kind) from a root down to each span.

Two spans share a `path_id` exactly when their chains are equal (up to 64-bit collisions), in any
batch and process. What nobody waits for starts a chain of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows, order_by, run_starts
from tracer.columns.facts import PathTable
from tracer.columns.hashing import Hashes, mix, mix_one, operation_key
from tracer.columns.spans import SpanColumns

ROOT_PATH_ID: Final = 0  # stands for "above the root"
_NARROW: Final = 16  # levels with fewer spans are mixed in plain Python


@dataclass(frozen=True)
class CallPaths:
    """The path of every span. `path` indexes `table`; `path_id` is `table.path_id[path]`."""

    path_id: Hashes
    path: Rows
    table: PathTable


def call_paths(forest: Forest) -> CallPaths:
    """Path of every row of the forest, and the table of distinct paths sorted by id."""
    path_id = _path_ids(forest)
    order = np.argsort(path_id)
    ordered = path_id[order]
    first = run_starts(ordered)
    path = np.empty(len(path_id), dtype=np.intp)
    path[order] = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(order))))
    return CallPaths(path_id, path, _table(forest, path_id, order[first]))


def _table(forest: Forest, path_id: Hashes, example: Rows) -> PathTable:
    """One row of the table for each example span."""
    spans = forest.spans
    parent = forest.parent_row[example]
    above = np.where(parent < 0, np.uint64(ROOT_PATH_ID), path_id[parent])
    return PathTable(
        path_id=path_id[example],
        parent_path_id=above,
        kind=spans.kind[example],
        service=tuple(spans.services[code] for code in spans.service[example].tolist()),
        operation=tuple(spans.operations[code] for code in spans.operation[example].tolist()),
    )


def _path_ids(forest: Forest) -> Hashes:
    own = _triple_hashes(forest.spans)
    path_id = np.empty(len(own), dtype=np.uint64)
    order, level_stops = _by_depth(forest.depth)
    begin = 0
    for stop in level_stops:
        rows = order[begin:stop]
        if not begin:
            path_id[rows] = mix(np.full(len(rows), ROOT_PATH_ID, dtype=np.uint64), own[rows])
        elif stop - begin < _NARROW:
            for row, above in zip(rows.tolist(), forest.parent_row[rows].tolist(), strict=True):
                path_id[row] = mix_one(int(path_id[above]), int(own[row]))
        else:
            path_id[rows] = mix(path_id[forest.parent_row[rows]], own[rows])
        begin = stop
    return path_id


def _by_depth(depth: NDArray[np.int32]) -> tuple[Rows, list[int]]:
    """Rows by depth, and where each level stops."""
    if not len(depth):
        return np.zeros(0, dtype=np.intp), []
    deepest = int(depth.max())
    narrowest = np.uint16 if deepest < 1 << 16 else np.int32  # 16 bits are sorted by radix
    order = np.argsort(depth.astype(narrowest), kind="stable")
    return order, np.cumsum(np.bincount(depth, minlength=deepest + 1)).tolist()


def _triple_hashes(spans: SpanColumns) -> Hashes:
    """blake2b of each span's (service identity, operation, kind); hashed once per distinct one."""
    order = order_by(spans.service, spans.operation, spans.kind.astype(np.uint8))
    first = run_starts(spans.service[order], spans.operation[order], spans.kind[order])
    distinct = order[first]
    hashes = [
        operation_key(spans.services[service], spans.operations[operation], kind)
        for service, operation, kind in zip(
            spans.service[distinct].tolist(),
            spans.operation[distinct].tolist(),
            spans.kind[distinct].tolist(),
            strict=True,
        )
    ]
    own = np.empty(len(spans), dtype=np.uint64)
    sizes = np.diff(np.append(first, len(order)))
    own[order] = np.repeat(np.array(hashes, dtype=np.uint64), sizes)
    return own
