"""Facts of a window summed by call path and duration band, in the engine: any window, same memory.

The numbers are those of `analysis/path_bands.py`, which sums facts in memory; a test holds the two
against each other. A window with more facts than `MOST_ROOTS` or `MOST_ENTRIES` is thinned by trace
id, and each root that is left stands for so many more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tracer.columns.flaws import Flaws
from tracer.columns.path_bands import (
    BANDS,
    BandLimits,
    Exemplar,
    Exemplars,
    Metric,
    PathBands,
)
from tracer.store.engine import Engine
from tracer.store.entries import PATHS, sum_by_path
from tracer.store.flaws import COUNTS

MOST_ROOTS: Final = 1_000_000  # whose durations are held in memory, 32 bytes each
MOST_ENTRIES: Final = 20_000_000  # per call path, outcome and bucket: some seconds of one core
KINDS: Final = 2_000  # of roots, most frequent first


@dataclass(frozen=True)
class Roots:
    """The roots of a window: a condition on facts with its parameters, and the share taken."""

    where: str
    parameters: dict[str, Any]
    one_in: int = 1

    @property
    def weight(self) -> str:
        """What one root stands for; a sample of ours is one more sampling."""
        return f"{self.one_in} * if(SamplingWeight > 0, SamplingWeight, 1)"

    @property
    def facts(self) -> str:
        """Current facts that are taken."""
        taken = "" if self.one_in == 1 else f" AND cityHash64(TraceId) % {self.one_in} = 0"
        return (
            f"(SELECT * FROM tracer_facts FINAL WHERE IsDeleted = 0 AND ({self.where}){taken}) AS f"
        )


def roots_of(window: tuple[int, int], through: list[int] | None) -> Roots:
    """All roots that start in the window and are no orphans in a trace that has another root.

    `through`: with one of these call paths.
    """
    where = "(IsMain = 1 OR RootMissing = 0) AND StartNs >= {start:Int64} AND StartNs < {end:Int64}"
    parameters: dict[str, Any] = {"start": window[0], "end": window[1]}
    if through is not None:
        where += " AND hasAny(`Paths.PathId`, {through:Array(UInt64)})"
        parameters["through"] = through
    return Roots(where, parameters)


def count_flaws(engine: Engine, roots: Roots) -> tuple[Flaws, int]:
    """Of all roots, and how many entries they have on call paths."""
    rows = engine.rows(
        f"SELECT {COUNTS}, sum(length(`Paths.PathId`)) FROM {roots.facts}",
        roots.parameters,
    )
    *counts, entries = map(int, rows[0])
    return Flaws(*counts), entries


def thin(roots: Roots, count: int, entries: int) -> Roots:
    """As many of the `count` roots as can be summed in some seconds."""
    one_in = max(1, -(-count // MOST_ROOTS), -(-entries // MOST_ENTRIES))
    return Roots(roots.where, roots.parameters, one_in)


@dataclass(frozen=True)
class Durations:
    """Distinct durations of each kind of root, and how many roots they stand for."""

    root_path_id: NDArray[np.uint64]
    duration_ns: NDArray[np.int64]
    weight: NDArray[np.float64]
    roots_left_out: int  # of kinds beyond KINDS


def read_durations(engine: Engine, roots: Roots) -> Durations:
    """Of the most frequent kinds of roots."""
    kinds = engine.rows(
        f"SELECT RootPathId, count() FROM {roots.facts} GROUP BY RootPathId "
        "ORDER BY count() DESC, RootPathId",
        roots.parameters,
    )
    kept = [int(kind) for kind, _ in kinds[:KINDS]]
    table = engine.arrow(
        f"SELECT RootPathId, DurationNs, sum({roots.weight}) AS weight FROM {roots.facts} "
        "WHERE RootPathId IN {kinds:Keys} GROUP BY RootPathId, DurationNs",
        {**roots.parameters, "kinds": kept},
    )
    return Durations(
        root_path_id=table["RootPathId"].to_numpy().astype(np.uint64),
        duration_ns=table["DurationNs"].to_numpy().astype(np.int64),
        weight=table["weight"].to_numpy().astype(np.float64),
        roots_left_out=sum(int(count) for _, count in kinds[KINDS:]),
    )


def read_path_bands(engine: Engine, roots: Roots, limits: BandLimits) -> PathBands:
    """Sums over the roots whose kind has limits."""
    table = engine.arrow(
        "SELECT Band, PathId, count() AS roots, sum(W) AS weight, "
        "sumIf(W, critical > 0) AS critical_weight, sum(W * calls) AS calls_sum, "
        "sum(W * failed) AS failed_sum, sum(W * self) AS self_sum, "
        "sum(W * critical) AS critical_sum "
        f"FROM ({_by_path(roots)}) GROUP BY Band, PathId",
        {**roots.parameters, **_limit_parameters(limits)},
    )
    paths, column = np.unique(table["PathId"].to_numpy().astype(np.uint64), return_inverse=True)
    row = table["Band"].to_numpy().astype(np.intp)

    def spread(name: str, kind: type[np.generic] = np.float64) -> NDArray[Any]:
        values = np.zeros((len(BANDS), len(paths)), kind)
        values[row, column] = table[name].to_numpy()
        return values

    return PathBands(
        path_id=paths,
        roots=spread("roots", np.int64),
        weight=spread("weight"),
        critical_weight=spread("critical_weight"),
        calls=spread("calls_sum"),
        failed=spread("failed_sum"),
        self_ns=spread("self_sum"),
        critical_ns=spread("critical_sum"),
    )


def read_exemplars(
    engine: Engine,
    roots: Roots,
    limits: BandLimits,
    *,
    metric: Metric,
    band: int | None,
    path_ids: list[int],
) -> dict[int, Exemplars]:
    """For each of the call paths that roots in the band (all bands: None) contain."""
    if not path_ids or not len(limits):
        return {}
    spent = (
        f"(SELECT TraceId, RootSpanId, PathId, {metric} AS spent FROM ({_by_path(roots)}) "
        "WHERE PathId IN {paths:Keys}" + ("" if band is None else f" AND Band = {band}") + ")"
    )
    parameters = {**roots.parameters, **_limit_parameters(limits), "paths": path_ids}
    found = engine.rows(
        f"SELECT PathId, quantileExactLow(0.5)(spent), max(spent) FROM {spent} GROUP BY PathId",
        parameters,
    )
    if not found:
        return {}
    pairs = sorted({(int(path), int(spent)) for path, *two in found for spent in two})
    named = engine.rows(
        "SELECT PathId, spent, min((TraceId, RootSpanId)) AS root "
        f"FROM {spent} WHERE (PathId, spent) IN ({_tuples(pairs)}) GROUP BY PathId, spent",
        parameters,
    )
    ids = {(int(path), int(spent)): (str(one[0]), str(one[1])) for path, spent, one in named}
    return {
        int(path): Exemplars(
            *(Exemplar(*ids[int(path), int(spent)], int(spent)) for spent in (typical, worst))
        )
        for path, typical, worst in found
        if {(int(path), int(typical)), (int(path), int(worst))} <= ids.keys()
    }


def read_parents(engine: Engine, path_ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The parent of each call path, 0 for roots and for what is not known."""
    table = engine.arrow(
        "SELECT PathId, any(ParentPathId) AS parent FROM tracer_paths WHERE PathId IN {ids:Keys} "
        "GROUP BY PathId ORDER BY PathId",
        {"ids": path_ids.tolist()},
    )
    known = table["PathId"].to_numpy().astype(np.uint64)
    parent = np.append(table["parent"].to_numpy().astype(np.uint64), np.uint64(0))
    at = np.searchsorted(known, path_ids)
    at[~np.isin(path_ids, known)] = len(known)
    return parent[at]


def _by_path(roots: Roots) -> str:
    """One row for each root and call path of it."""
    sums = ", ".join(
        f"{sum_by_path(values)} AS {name}"
        for name, values in (
            ("calls", "`Paths.Calls`"),
            ("failed", "arrayMap((n, bad) -> n * bad, `Paths.Calls`, `Paths.Failed`)"),
            ("self", "`Paths.SelfNs`"),
            ("critical", "`Paths.CriticalNs`"),
        )
    )
    beyond = " + ".join(
        f"(DurationNs > transform(RootPathId, {{kinds:Array(UInt64)}}, {{limit{number}"
        ":Array(Int64)}, toInt64(0)))"
        for number in range(len(BANDS) - 1)
    )
    return (
        "SELECT TraceId, RootSpanId, W, Band, PathId, calls, failed, self, critical FROM ("
        f"SELECT TraceId, RootSpanId, {roots.weight} AS W, {beyond} AS Band, "
        f"{PATHS} AS paths, {sums} "
        f"FROM {roots.facts} WHERE has({{kinds:Array(UInt64)}}, RootPathId)"
        ") ARRAY JOIN paths AS PathId, calls, failed, self, critical"
    )


def _limit_parameters(limits: BandLimits) -> dict[str, Any]:
    return {
        "kinds": limits.root_path_id.tolist(),
        **{f"limit{number}": row.tolist() for number, row in enumerate(limits.limit_ns)},
    }


def _tuples(pairs: list[tuple[int, int]]) -> str:
    return ", ".join(f"(toUInt64({path}), toInt64({spent}))" for path, spent in pairs)
