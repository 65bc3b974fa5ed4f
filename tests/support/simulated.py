"""Requests whose truth is known: parts of a given distribution, served in series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.population import Population, Strata
from tracer.columns.facts import PathTable
from tracer.columns.spans import ServiceIdentity

Floats = NDArray[np.float64]
Random = np.random.Generator

MS: Final = 1_000_000
SHAPES: Final = ("lognormal", "two humps", "heavy tail")


@dataclass(frozen=True)
class World:
    """How requests are served: `paths` parts, of which number `slow` has a fault."""

    shape: str
    paths: int = 9
    slow: int = 3
    extra_ms: float = 0.0  # added to the slow part ...
    share: float = 1.0  # ... of so many requests
    extra_calls: int = 0  # of the slow part, each as long as its only one

    def draw(self, count: int, random: Random) -> tuple[Floats, Floats]:
        """Milliseconds and calls of each part, requests by parts."""
        parts = _PARTS[self.shape](count, self.paths, random)
        calls = np.ones(parts.shape)
        hit = random.random(count) < self.share
        parts[hit, self.slow] += self.extra_ms
        if self.extra_calls:
            calls[hit, self.slow] += self.extra_calls
            more = _PARTS[self.shape](count * self.extra_calls, self.paths, random)[:, self.slow]
            parts[:, self.slow] += np.where(hit, more.reshape(count, -1).sum(axis=1), 0.0)
        return parts, calls


def _lognormal(count: int, paths: int, random: Random) -> Floats:
    scale = 4.0 + 16.0 * (np.arange(paths) % 5) / 4
    parts: Floats = scale * random.lognormal(0.0, 0.5, (count, paths))
    return parts


def _two_humps(count: int, paths: int, random: Random) -> Floats:
    """A cache that misses now and then in front of the first part."""
    parts = _lognormal(count, paths, random)
    parts[:, 0] = np.where(random.random(count) < 0.08, random.normal(120, 15, count), parts[:, 0])
    return np.abs(parts)


def _heavy_tail(count: int, paths: int, random: Random) -> Floats:
    parts = _lognormal(count, paths, random)
    parts[:, 1] = 15 * random.pareto(3, count)
    return parts


_PARTS: Final[dict[str, Callable[[int, int, Random], Floats]]] = {
    "lognormal": _lognormal,
    "two humps": _two_humps,
    "heavy tail": _heavy_tail,
}


def population_of(parts_ms: Floats, calls: Floats) -> Population:
    """Requests of one root operation with a path for each part, all of it self and critical."""
    count, paths = parts_ms.shape
    part_ns = np.round(parts_ms * MS).astype(np.int64)
    order = np.argsort(part_ns.sum(axis=1), kind="stable")
    part_ns = part_ns[order]
    ids = np.arange(1, paths + 1, dtype=np.uint64)
    return Population(
        duration_ns=part_ns.sum(axis=1),
        weight=np.ones(count),
        is_weighted=np.ones(count, np.bool_),
        stratum=np.zeros(count, np.intp),
        offset=np.arange(0, count * paths + 1, paths),
        path=np.tile(np.arange(paths), count),
        calls=calls[order].astype(np.int64).ravel(),
        self_ns=part_ns.ravel(),
        critical_ns=part_ns.ravel(),
        strata=Strata(np.zeros(1, np.intp), np.zeros(1, np.bool_)),
        paths=PathTable(
            path_id=ids,
            parent_path_id=np.where(ids > 1, 1, 0).astype(np.uint64),
            kind=np.ones(paths, np.int8),
            service=(ServiceIdentity("", "", "", "shop"),) * paths,
            operation=tuple(f"part {number}" for number in range(paths)),
        ),
    )
