"""Is the candidate worse than the baseline? What a gate asks, of the runs of two sides.

Every call path, and every operation on several of them, is judged by its calls per call of the path
above, failures, critical time per request, self time per call, p50, p95 and p99. A number is worse
when it is by more than chance (`gate_tests`; Holm over everything that was tested, so that the
chance of even one false alarm is 5 %) *and* by enough. What all paths have in common is the
environment, and of times nothing is concluded then. New paths are worse when they are called again
and again, or take time that no vanished neighbour gave back: a path with another name is no news.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.environment import Environment, environment
from tracer.analysis.gate_news import costly, news
from tracer.analysis.gate_numbers import (
    MEASURES,
    MIN_REQUESTS,
    Paths,
    Sums,
    added,
    all_paths,
    divide,
    sums_of,
)
from tracer.analysis.gate_order import AT, Found, Worse, in_order
from tracer.analysis.gate_tests import Subjects, Tested, subjects, tested
from tracer.analysis.limits import Limit, matching
from tracer.analysis.packing import Rows
from tracer.analysis.significance import LEVEL, holm
from tracer.columns.runs import Run

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_IS_TIME: Final = np.array([measure.unit == "ns" for measure in MEASURES])


@dataclass(frozen=True)
class Rules:
    """What counts as enough."""

    min_ratio: float = 0.10  # of what it was
    min_excess_ns: int = 1_000_000
    min_calls: float = 0.1  # per call of the path above
    min_failed: float = 0.01  # of the calls


@dataclass(frozen=True)
class Gate:
    """Everything that was found; rows of `tested` are MEASURES, columns subjects."""

    subjects: Subjects
    tested: Tested
    p: Floats  # corrected
    baseline: Sums
    candidate: Sums
    worse: tuple[Worse, ...]  # worst first, causes before symptoms
    better: tuple[tuple[int, int], ...]  # (measure, subject), largest gain first
    withheld: int  # measures that would be worse, were it not for the environment
    environment: Environment | None
    new: Rows  # topmost new paths
    vanished: Rows
    judged_roots: Rows
    unmatched: tuple[Limit, ...]  # limits that are about nothing that was seen often enough
    tests: int


def gate(
    baseline: list[Run], candidate: list[Run], rules: Rules, limits: tuple[Limit, ...] = ()
) -> Gate:
    """Neither side may be empty. Nothing here is random: same runs, same answer."""
    paths = all_paths(baseline + candidate)
    runs = [[sums_of(run, paths) for run in side] for side in (baseline, candidate)]
    one, other = added(runs[0]), added(runs[1])
    of = subjects(paths, one, other)
    numbers = tested(of, *runs)
    cut = (_is_cut(baseline, paths), _is_cut(candidate, paths))
    alone = news(paths, one, other, is_cut=cut)
    corrected = holm(np.concatenate([numbers.p.ravel(), alone.chance]))
    p = corrected[: numbers.p.size].reshape(numbers.p.shape)
    common = environment(numbers, AT["self_time"], len(paths))
    is_worse, is_better = _changed(of, (numbers, p), other, rules)
    withheld = 0
    if common is not None:
        withheld = int(is_worse[_IS_TIME].sum())
        is_worse[_IS_TIME] = is_better[_IS_TIME] = False
    certain = alone.new[corrected[numbers.p.size :] <= LEVEL]
    least = None if common is not None else (float(rules.min_excess_ns), rules.min_ratio)
    costs = costly(paths, one, other, alone, certain, min_excess=least)
    broken, unmatched = _broken(numbers, paths, other, limits)
    gain = np.abs(np.nan_to_num(numbers.after - numbers.before))
    better = sorted(
        ((m, s) for m, s in np.argwhere(is_better).tolist()), key=lambda at: -gain[at[0], at[1]]
    )
    is_judged = np.minimum(one.n_eff, other.n_eff) * (1 + 1e-9) >= MIN_REQUESTS
    return Gate(
        subjects=of,
        tested=numbers,
        p=p,
        baseline=one,
        candidate=other,
        worse=in_order(of, numbers, one, other, Found(is_worse, costs, broken)),
        better=tuple(better),
        withheld=withheld,
        environment=common,
        new=alone.new,
        vanished=alone.vanished,
        judged_roots=np.flatnonzero(paths.is_root & is_judged),
        unmatched=unmatched,
        tests=int((~np.isnan(corrected)).sum()),
    )


def _is_cut(side: list[Run], paths: Paths) -> bool:
    return paths.left_out > 0 or any(run.left_out for run in side)


def _changed(
    of: Subjects, tests: tuple[Tested, Floats], candidate: Sums, rules: Rules
) -> tuple[Mask, Mask]:
    """What is worse and what is better, by more than chance and by enough."""
    numbers, p = tests
    before, after = numbers.before, numbers.after
    least = {"ns": float(rules.min_excess_ns), "calls": rules.min_calls, "share": rules.min_failed}
    floor = np.array([[least[measure.unit]] for measure in MEASURES])
    floor = np.repeat(floor, len(of), axis=1)
    # self time is per call; what matters is what it adds to a request
    calls = divide(candidate.of("calls"), candidate.of("requests"), otherwise=1.0)
    floor[AT["self_time"], : len(of.paths)] /= np.maximum(calls, 1.0)
    enough = np.maximum(floor, rules.min_ratio * np.nan_to_num(np.minimum(before, after)))
    is_sure = np.nan_to_num(p, nan=1.0) <= LEVEL
    change = np.nan_to_num(after - before)
    return is_sure & (change >= enough), is_sure & (-change >= enough)


def _broken(
    numbers: Tested, paths: Paths, candidate: Sums, limits: tuple[Limit, ...]
) -> tuple[dict[int, list[Limit]], tuple[Limit, ...]]:
    """Limits that are not kept, by path; and those that no path with enough requests is about."""
    broken: dict[int, list[Limit]] = {}
    unmatched = []
    for limit in limits:
        rows = matching(limit, paths)
        rows = rows[candidate.n_eff[rows] * (1 + 1e-9) >= MIN_REQUESTS]
        values = numbers.after[AT[limit.measure], rows]
        rows, values = rows[~np.isnan(values)], values[~np.isnan(values)]
        if not len(rows):
            unmatched.append(limit)
        for row, value in zip(rows.tolist(), values.tolist(), strict=True):
            if limit.is_broken_by(value):
                broken.setdefault(row, []).append(limit)
    return broken, tuple(unmatched)
