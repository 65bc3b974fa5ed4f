"""`make simulate`: do intervals and names keep what they promise? Requests of known truth, tables.

.venv/bin/python -m tests.simulation.run [rounds]     (400 rounds: a few minutes)
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from typing import Final

import numpy as np

from tests.support.simulated import SHAPES, Floats, World, population_of
from tracer.analysis.beta import student_quantile
from tracer.analysis.budget import Budget, budget, errors
from tracer.analysis.compare import Comparison, compare
from tracer.analysis.l_statistics import SLOWEST, STATISTICS
from tracer.analysis.population import Population

COUNTS: Final = (100, 1_000, 10_000)
TRUTH: Final = 1_000_000  # requests that stand for all
SLOW: Final = 3  # number of the part that has the fault
PATHS: Final = 9


def main(rounds: int) -> None:
    """Two tables, in Markdown."""
    _coverages(rounds, np.random.default_rng(20_260))
    _findings(rounds, np.random.default_rng(20_261))


def _coverages(rounds: int, random: np.random.Generator) -> None:
    _say(
        "Coverage of intervals of 95 %: of the number / of its change / of what a path contributes"
    )
    _head("shape", "requests", *(one.name for one in STATISTICS))
    for shape in SHAPES:
        truth = _truth(World(shape), random)
        for count in COUNTS:
            cells = _coverage(World(shape), truth, count, _fewer(rounds, count), random)
            _row(shape, f"{count:,}", *cells)


def _findings(rounds: int, random: np.random.Generator) -> None:
    _say("\nHow often a changed path is found (and named in the mean of the slowest 5 %)")
    _head("shape", "paths", "requests", *FAULTS, "another path")
    for shape in SHAPES:
        for paths in (9, 50):
            for count in COUNTS:
                rate = _names(World(shape, paths=paths), count, _fewer(rounds, count), random)
                _row(shape, str(paths), f"{count:,}", *rate)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _row(*cells: str) -> None:
    _say(f"| {' | '.join(cells)} |")


def _head(*titles: str) -> None:
    _say("")
    _row(*titles)
    _row(*("---" for _ in titles))


def _fewer(rounds: int, count: int) -> int:
    return max(20, rounds // 4) if count >= 10_000 else rounds


def _draw(world: World, count: int, random: np.random.Generator) -> Population:
    return population_of(*world.draw(count, random))


def _truth(world: World, random: np.random.Generator) -> list[Budget]:
    many = _draw(world, TRUTH, random)
    return [budget(many, one) for one in STATISTICS]


def _coverage(
    world: World, truth: list[Budget], count: int, rounds: int, random: np.random.Generator
) -> list[str]:
    """Of each number: 'value / change / path', a dash where there is no interval."""
    hits, of = Counter[tuple[str, str]](), Counter[tuple[str, str]]()

    def tell(what: str, name: str, is_hit: bool | Floats) -> None:
        hits[what, name] += int(np.sum(is_hit))
        of[what, name] += int(np.size(is_hit))

    for _ in range(rounds):
        drawn = _draw(world, count, random)
        found = [budget(drawn, one) for one in STATISTICS]
        for one, true in zip(found, truth, strict=True):
            if one.low_ns is None or one.high_ns is None:
                continue
            name = one.statistic.name
            tell("value", name, one.low_ns <= true.value_ns <= one.high_ns)
            edge = found[1] if one.statistic == SLOWEST else one
            reach = errors(drawn, one, np.arange(PATHS), edge)
            reach = reach * student_quantile(max(one.band.n_eff - 1, 1.0), 0.95)
            tell("path", name, np.abs(one.critical_ns - true.critical_ns) <= reach)
        for change in compare(drawn, _draw(world, count, random)).changes:
            low, high = change.interval
            if low is not None and high is not None:
                tell("change", change.statistic.name, low <= 0 <= high)

    def cell(name: str) -> str:
        shares = [
            f"{hits[what, name] / of[what, name]:.3f}" if of[what, name] else "–"
            for what in ("value", "change", "path")
        ]
        return " / ".join(shares)

    return [cell(one.name) for one in STATISTICS]


FAULTS: Final = {
    "none": {},
    "+5 ms": {"extra_ms": 5.0},
    "+300 ms in 2 %": {"extra_ms": 300.0, "share": 0.02},
    "11 calls": {"extra_calls": 10},
}


def _names(world: World, count: int, rounds: int, random: np.random.Generator) -> list[str]:
    """By fault: how often something (no fault) or the slow part (a fault) is said to have changed,
    and how often it is named in the mean of the slowest."""
    said, tail, wrong = Counter[str](), Counter[str](), 0
    for _ in range(rounds):
        before = _draw(world, count, random)
        for fault, how in FAULTS.items():
            found = compare(before, _draw(replace(world, **how), count, random))  # type: ignore[arg-type]
            changed = _changed(found)
            said[fault] += bool(changed) if fault == "none" else SLOW in changed
            tail[fault] += SLOW in found.changes[-1].named()
            wrong += fault != "none" and bool(changed - {SLOW})
    rates = [f"{said[fault] / rounds:.3f} ({tail[fault] / rounds:.2f})" for fault in FAULTS]
    return [*rates, f"{wrong / rounds / (len(FAULTS) - 1):.3f}"]


def _changed(found: Comparison) -> set[int]:
    rows = {int(row) for row in np.flatnonzero(found.has_changed.any(axis=0))}
    return rows | {-1 for change in found.changes if change.is_stratum_named.any()}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
