"""A set of requests to judge or compare: one root a row, and what each took by call path.

A *stratum* is all requests with one root operation (service identity, operation, kind) and one
outcome: what a change of traffic moves between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.baseline import weights
from tracer.analysis.packing import Rows, ranges, run_starts
from tracer.columns.facts import PathTable, TraceFacts

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True)
class Strata:
    """Distinct (root path, failed), sorted by both; read-only."""

    path: Rows  # row of the path table
    failed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.path)


@dataclass(frozen=True)
class Population:
    """m requests by duration, shortest first (equal ones by id); read-only.

    Ragged sums by call path: those of row i are `[offset[i], offset[i + 1])`. Over a row they sum
    to its duration exactly: `critical_ns` is the part of each path in it.
    """

    duration_ns: Times
    weight: Floats  # how many requests it stands for; 1 where that is not known
    is_weighted: NDArray[np.bool_]  # whether it is known
    stratum: Rows
    offset: Rows  # m + 1
    path: Rows  # row of the path table
    calls: Times
    self_ns: Times
    critical_ns: Times
    strata: Strata
    paths: PathTable

    def __len__(self) -> int:
        return len(self.duration_ns)

    def take(self, rows: Rows) -> Population:
        """These rows, which MUST ascend; strata and paths stay numbered as they are."""
        sizes = self.offset[rows + 1] - self.offset[rows]
        inside = ranges(self.offset[rows], sizes)
        return replace(
            self,
            duration_ns=self.duration_ns[rows],
            weight=self.weight[rows],
            is_weighted=self.is_weighted[rows],
            stratum=self.stratum[rows],
            offset=_offsets(sizes),
            path=self.path[inside],
            calls=self.calls[inside],
            self_ns=self.self_ns[inside],
            critical_ns=self.critical_ns[inside],
        )


def population(facts: TraceFacts, chosen: NDArray[np.bool_] | None = None) -> Population:
    """The main roots of the facts, or the chosen ones of them. Order of the facts is no matter."""
    is_in = facts.is_main if chosen is None else facts.is_main & chosen
    rows = np.flatnonzero(is_in)
    rows = rows[
        np.lexsort(
            (
                facts.root_span_id[rows],
                facts.trace_lo[rows],
                facts.trace_hi[rows],
                facts.duration_ns[rows],
            )
        )
    ]
    sizes = facts.offset[rows + 1] - facts.offset[rows]
    entry = ranges(facts.offset[rows], sizes)
    row = np.repeat(np.arange(len(rows)), sizes)
    path_id = facts.path_id[entry]
    first = run_starts(row, path_id)  # entries of a row are sorted by path
    root_path = np.searchsorted(facts.paths.path_id, facts.root_path_id[rows])
    key = root_path * 2 + facts.failed[rows]
    distinct, stratum = np.unique(key, return_inverse=True)
    return Population(
        duration_ns=facts.duration_ns[rows],
        weight=weights(facts)[rows],
        is_weighted=facts.weight[rows] > 0,
        stratum=stratum.astype(np.intp),
        offset=_offsets(np.bincount(row[first], minlength=len(rows))),
        path=np.searchsorted(facts.paths.path_id, path_id[first]),
        calls=_sums(facts.calls[entry], first),
        self_ns=_sums(facts.self_ns[entry], first),
        critical_ns=_sums(facts.critical_ns[entry], first),
        strata=Strata(distinct // 2, distinct % 2 == 1),
        paths=facts.paths,
    )


def align(one: Population, other: Population) -> tuple[Population, Population]:
    """Both with one path table and one table of strata, so that their rows can be compared."""
    paths, places = _all_paths(one.paths, other.paths)
    keys = [
        place[part.strata.path] * 2 + part.strata.failed
        for part, place in zip((one, other), places, strict=True)
    ]
    distinct = np.unique(np.concatenate(keys))
    strata = Strata(distinct // 2, distinct % 2 == 1)
    aligned = [
        replace(
            part,
            stratum=np.searchsorted(distinct, key)[part.stratum],
            path=place[part.path],
            strata=strata,
            paths=paths,
        )
        for part, key, place in zip((one, other), keys, places, strict=True)
    ]
    return aligned[0], aligned[1]


def join(one: Population, other: Population) -> tuple[Population, Rows]:
    """All rows of two aligned populations, and which row (of `one`, then of `other`) each was."""
    duration_ns = np.concatenate([one.duration_ns, other.duration_ns])
    order = np.argsort(duration_ns, kind="stable")
    sizes = np.concatenate([np.diff(one.offset), np.diff(other.offset)])
    begins = np.concatenate([one.offset[:-1], other.offset[:-1] + len(one.path)])
    inside = ranges(begins[order], sizes[order])

    def rows(name: str) -> NDArray[np.generic]:
        both: NDArray[np.generic] = np.concatenate([getattr(one, name), getattr(other, name)])
        return both

    by_row = {name: rows(name)[order] for name in ("weight", "is_weighted", "stratum")}
    by_sum = {name: rows(name)[inside] for name in ("path", "calls", "self_ns", "critical_ns")}
    joined = Population(
        duration_ns=duration_ns[order],
        offset=_offsets(sizes[order]),
        strata=one.strata,
        paths=one.paths,
        **by_row,  # type: ignore[arg-type]
        **by_sum,  # type: ignore[arg-type]
    )
    return joined, order


def effective_count(weight: Floats) -> float:
    """How many equal samples weighted ones are worth (Kish 1965): (sum w)^2 / sum w^2."""
    squares = float((weight * weight).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def _offsets(sizes: NDArray[np.integer]) -> Rows:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.intp)


def _sums(values: NDArray[np.integer], first: Rows) -> Times:
    if not len(first):
        return np.zeros(0, np.int64)
    return np.add.reduceat(values.astype(np.int64), first)


def _all_paths(one: PathTable, other: PathTable) -> tuple[PathTable, tuple[Rows, Rows]]:
    """The union of two tables, and the row in it of each row of either."""
    path_id, first = np.unique(np.concatenate([one.path_id, other.path_id]), return_index=True)
    services, operations = one.service + other.service, one.operation + other.operation
    table = PathTable(
        path_id=path_id,
        parent_path_id=np.concatenate([one.parent_path_id, other.parent_path_id])[first],
        kind=np.concatenate([one.kind, other.kind])[first],
        service=tuple(services[row] for row in first.tolist()),
        operation=tuple(operations[row] for row in first.tolist()),
    )
    return table, (
        np.searchsorted(path_id, one.path_id),
        np.searchsorted(path_id, other.path_id),
    )
