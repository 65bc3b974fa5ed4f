"""By chance, or not: every number of every subject of two sides, each of one run or several.

With three runs a side or more, runs are the blocks: a number must differ more than it does between
runs of one side *and* more than requests of one run scatter. The first alone trusts three values,
the second takes all requests of a run for independent; the larger p-value counts. With fewer runs
only the second can be had. How much numbers scatter between runs is told by all subjects together
(`moderated`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.beta import student_p
from tracer.analysis.gate_numbers import MEASURES, OF_OPERATIONS, Measure, Paths, Sums, added
from tracer.analysis.gate_numbers import divide as _divide
from tracer.analysis.moderated import moderated
from tracer.columns.runs import COLUMN, SUMS, Step

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_RUNS: Final = 3  # a side, for runs to be the blocks
_LEAST_SCATTER: Final = 0.005  # between runs: the histograms are not finer


@dataclass(frozen=True)
class Subjects:
    """What is judged: all call paths, then the operations that are on several of them."""

    paths: Paths
    operations: tuple[Step, ...]
    members: NDArray[np.bool_]  # (operations, paths): paths that both sides have

    def __len__(self) -> int:
        return len(self.paths) + len(self.operations)


@dataclass(frozen=True)
class Tested:
    """By measure (order of MEASURES) and subject; NaN where there is nothing, or too little."""

    before: Floats
    after: Floats
    p: Floats  # not corrected yet
    by_runs: bool


def subjects(paths: Paths, one: Sums, other: Sums) -> Subjects:
    """Those of two sides."""
    is_both = (one.of("requests") > 0) & (other.of("requests") > 0)
    rows: dict[Step, list[int]] = {}
    for row in np.flatnonzero(is_both).tolist():
        rows.setdefault(paths.steps[row], []).append(row)
    several = sorted((at, step) for step, at in rows.items() if len(at) > 1)
    members = np.zeros((len(several), len(paths)), np.bool_)
    for number, (at, _) in enumerate(several):
        members[number, at] = True
    return Subjects(paths, tuple(step for _, step in several), members)


def tested(of: Subjects, baseline: list[Sums], candidate: list[Sums]) -> Tested:
    """Runs of both sides on the table of `of.paths`; neither side may be empty."""
    reference = added(candidate).of("calls")
    sides = [
        [_with_operations(of, run, reference) for run in side] for side in (baseline, candidate)
    ]
    whole = [_with_operations(of, added(side), reference) for side in (baseline, candidate)]
    by_runs = min(len(baseline), len(candidate)) >= MIN_RUNS
    rows = []
    for measure in MEASURES:
        before, after = (measure.value(side) for side in whole)
        p = measure.chance(*whole)
        if measure.name not in OF_OPERATIONS:
            p[len(of.paths) :] = np.nan
        if by_runs:
            between = _between_runs(measure, *sides)
            p = np.where(np.isnan(p) | np.isnan(between), np.nan, np.maximum(p, between))
        is_both = (whole[0].of("requests") > 0) & (whole[1].of("requests") > 0)
        rows.append((before, after, np.where(is_both, p, np.nan)))
    before, after, p = (np.stack(part) for part in zip(*rows, strict=True))
    return Tested(before, after, p, by_runs)


def _with_operations(of: Subjects, run: Sums, reference: Floats) -> Sums:
    """Operations are their paths added up, each path having the calls it has in the candidate: an
    operation is not slower because other callers call it more."""
    scale = np.where(of.members, _divide(reference, run.of("calls")), 0.0)
    sums = np.zeros((len(of.operations), len(SUMS)))
    for name in ("calls", "failed", "critical_ms"):
        sums[:, COLUMN[name]] = scale @ run.of(name)
    sums[:, COLUMN["requests"]] = scale @ run.n_eff
    sums[:, COLUMN["requests_sq"]] = scale**2 @ run.n_eff
    own = np.arange(len(of.paths), len(of))
    return Sums(
        np.concatenate([run.sums, sums]),
        np.concatenate([run.parent, own]),
        np.concatenate([run.root, own]),
        np.concatenate([run.histogram, scale @ run.histogram]),
        run.bucket,
    )


def _between_runs(measure: Measure, baseline: list[Sums], candidate: list[Sums]) -> Floats:
    """p-values of the means of both sides' runs; NaN where a side has too few with a number."""
    freedom, squares, means, counts = 0.0, 0.0, [], []
    for side in (baseline, candidate):
        values = np.stack([measure.scaled(measure.value(run)) for run in side])
        is_some = np.isfinite(values)
        count = is_some.sum(axis=0).astype(np.float64)
        values = np.where(is_some, values, 0.0)
        mean = _divide(values.sum(axis=0), count)
        squares = squares + np.where(is_some, (values - mean) ** 2, 0.0).sum(axis=0)
        freedom = freedom + count - 1
        means.append(mean)
        counts.append(count)
    p = np.full(len(means[0]), np.nan)
    rows = np.flatnonzero(np.minimum(*counts) >= MIN_RUNS)
    if not len(rows):
        return p
    own = np.asarray(freedom)[rows]
    variance = np.maximum(np.asarray(squares)[rows] / own, _LEAST_SCATTER**2)
    shrunk, df = moderated(variance, own)
    error = np.sqrt(shrunk * (1 / counts[0][rows] + 1 / counts[1][rows]))
    p[rows] = student_p((means[1][rows] - means[0][rows]) / error, df)
    return p
