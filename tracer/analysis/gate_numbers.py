"""Numbers of call paths and operations in sums of runs, and whether two of them differ by chance.

Every number has a scale on which its scatter is about the same for all paths: times and calls are
compared as logarithms, shares of failures as angles (arcsine of the root).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.beta import student_p
from tracer.analysis.packing import Rows
from tracer.columns.buckets import PER_OCTAVE, ZERO_BUCKET
from tracer.columns.runs import COLUMN, SUMS, Run, Step, depths

Floats = NDArray[np.float64]

MOST_JUDGED: Final = 4_000  # call paths
MIN_REQUESTS: Final = 10.0  # effective ones, on either side
_NS: Final = 1e-9


@dataclass(frozen=True)
class Sums:
    """Of one run or of several added up; rows of one common table of subjects."""

    sums: Floats  # (subjects, SUMS)
    parent: Rows  # row of the caller, the row itself for roots
    root: Rows  # row of the root
    histogram: Floats  # (subjects, buckets)
    bucket: NDArray[np.int32]  # of the histograms' columns

    def of(self, name: str) -> Floats:
        """One column."""
        return self.sums[:, COLUMN[name]]

    @property
    def n_eff(self) -> Floats:
        """How many equal requests with the path these are worth."""
        return divide(self.of("requests") ** 2, self.of("requests_sq"))


@dataclass(frozen=True)
class Paths:
    """All call paths of several runs, sorted by id."""

    path_id: NDArray[np.uint64]
    parent: Rows
    root: Rows
    is_root: NDArray[np.bool_]
    steps: tuple[Step, ...]
    bucket: NDArray[np.int32]  # all that occur, ascending
    left_out: int = 0  # further ones, in the fewest requests

    def __len__(self) -> int:
        return len(self.path_id)


def all_paths(runs: list[Run], *, most: int = MOST_JUDGED) -> Paths:
    """The union of the paths of runs, there MUST be one; of very many those in most requests.

    What is below a path is in as few requests or fewer: with a path its caller stays.
    """
    path_id, first, place = np.unique(
        np.concatenate([run.path_id for run in runs]), return_index=True, return_inverse=True
    )
    requests = np.bincount(place, np.concatenate([run.sums[:, 0] for run in runs]))
    parent_id = np.concatenate([run.parent_path_id for run in runs])[first]
    left_out = max(0, len(path_id) - most)
    if left_out:
        depth = depths(path_id, parent_id)
        kept = np.sort(np.lexsort((path_id, depth, -requests))[:most])
        path_id, first, parent_id = path_id[kept], first[kept], parent_id[kept]
    steps = [step for run in runs for step in run.steps]
    parent = np.where(parent_id == 0, np.arange(len(path_id)), np.searchsorted(path_id, parent_id))
    root = parent
    while (root != root[root]).any():
        root = root[root]
    return Paths(
        path_id,
        parent,
        root,
        parent_id == 0,
        tuple(steps[at] for at in first.tolist()),
        np.unique(np.concatenate([run.bucket for run in runs])),
        left_out,
    )


def sums_of(run: Run, paths: Paths) -> Sums:
    """A run on the common table."""
    is_there = np.isin(run.path_id, paths.path_id)
    place = np.searchsorted(paths.path_id, run.path_id)
    sums = np.zeros((len(paths), len(SUMS)))
    sums[place[is_there]] = run.sums[is_there]
    sizes = np.diff(run.offset)
    row, is_inside = np.repeat(place, sizes), np.repeat(is_there, sizes)
    width = len(paths.bucket)
    key = (row * width + np.searchsorted(paths.bucket, run.bucket))[is_inside]
    histogram = np.bincount(key, run.count[is_inside], minlength=len(paths) * width)
    by_path = histogram.astype(np.float64).reshape(-1, width)
    return Sums(sums, paths.parent, paths.root, by_path, paths.bucket)


def added(parts: list[Sums]) -> Sums:
    """Several runs as one; there MUST be one."""
    return Sums(
        np.sum([part.sums for part in parts], axis=0),
        parts[0].parent,
        parts[0].root,
        np.sum([part.histogram for part in parts], axis=0),
        parts[0].bucket,
    )


Value = Callable[[Sums], Floats]
Test = Callable[[Sums, Sums], Floats]


@dataclass(frozen=True)
class Measure:
    """A number of every subject: `unit` is ns, calls or share.

    `value` is NaN where there is none; `chance` gives p-values by requests, NaN where too few.
    """

    name: str
    unit: str
    value: Value
    scaled: Callable[[Floats], Floats]  # to the scale on which runs are compared
    chance: Test
    is_own: bool  # of the path itself; others take in what it waits for


def quantile(share: float) -> Value:
    """Of span durations in ns, interpolated inside the bucket."""

    def value(of: Sums) -> Floats:
        running = np.cumsum(of.histogram, axis=1)
        total = running[:, -1]
        wanted = share * total
        rows = np.arange(len(total))
        at = np.argmax(running >= wanted[:, None] * (1 - 1e-12), axis=1)
        count = of.histogram[rows, at]
        inside = divide(wanted - (running[rows, at] - count), count, otherwise=0.5)
        edge = (of.bucket[at] + np.clip(inside, 0.0, 1.0)) / PER_OCTAVE
        found = np.where(of.bucket[at] == ZERO_BUCKET, 0.0, np.exp2(edge) / _NS)
        return np.where(total > 0, found, np.nan)

    return value


def quantile_chance(share: float, least: float) -> Test:
    """Of both sets together the quantile is taken; as many lie above it in either, by chance.

    Both "above" and "not below" its bucket are looked at, since all may lie in it; the better of
    the two counts, twice. Spans of one request count as one: they are not independent.
    """

    def chance(one: Sums, other: Sums) -> Floats:
        both = np.cumsum(one.histogram + other.histogram, axis=1)
        at = np.argmax(both >= share * both[:, -1:] * (1 - 1e-12), axis=1)
        rows = np.arange(len(at))
        found = []
        for edge in (0, 1):
            shares = []
            for side in (one, other):
                running = np.cumsum(side.histogram, axis=1)
                below = np.where(at - edge < 0, 0.0, running[rows, at - edge])
                shares.append(1 - divide(below, running[:, -1], otherwise=1.0))
            found.append(_angles(shares[0], shares[1], one.n_eff, other.n_eff))
        p = np.minimum(1.0, 2 * np.minimum(*found))
        return np.where(_fewest(one, other) >= least, p, np.nan)

    return chance


def calls_per_parent(of: Sums) -> Floats:
    """Calls per call of the path above; of roots NaN."""
    value = divide(of.of("calls"), of.of("calls")[of.parent], otherwise=np.nan)
    return np.where(of.parent == np.arange(len(value)), np.nan, value)


def calls_chance(one: Sums, other: Sums) -> Floats:
    """A ratio of sums over all requests with the path above, by its residuals (Cochran 1977)."""
    values, variances, counts = [], [], []
    for side in (one, other):
        parent = side.parent
        ratio = np.nan_to_num(calls_per_parent(side))
        squares = (
            side.of("calls_sq")
            - 2 * ratio * side.of("calls_parent")
            + ratio**2 * side.of("calls_sq")[parent]
        )
        requests, n = side.of("requests")[parent], side.n_eff[parent]
        unit = divide(side.of("calls")[parent], requests)
        values.append(ratio)
        variances.append(
            divide(np.maximum(divide(squares, requests), 0.0), np.maximum(n - 1, 0) * unit**2)
        )
        counts.append(n)
    p = _means(values, variances, counts)
    some = np.maximum(one.n_eff, other.n_eff) >= MIN_REQUESTS / 2
    is_root = one.parent == np.arange(len(p))
    return np.where(is_root | ~some, np.nan, p)


def critical_per_request(of: Sums) -> Floats:
    """Critical ns per request of the root operation."""
    return divide(of.of("critical_ms"), of.of("requests")[of.root], otherwise=np.nan) * 1e6


def critical_chance(one: Sums, other: Sums) -> Floats:
    """Means over all requests of the root operation."""
    values, variances, counts = [], [], []
    for side in (one, other):
        requests, n = side.of("requests")[side.root], side.n_eff[side.root]
        mean = divide(side.of("critical_ms"), requests)
        spread = np.maximum(divide(side.of("critical_ms_sq"), requests) - mean**2, 0.0)
        values.append(mean)
        variances.append(divide(spread, np.maximum(n - 1, 0)))
        counts.append(n)
    p = _means(values, variances, counts)
    some = np.maximum(one.n_eff, other.n_eff) >= MIN_REQUESTS / 2
    return np.where(some, p, np.nan)


def self_per_call(of: Sums) -> Floats:
    """Geometric mean over requests with the path of ns of self time a call."""
    mean = divide(of.of("log_self"), of.of("requests"), otherwise=np.nan)
    return np.exp(mean) * 1e6


def self_chance(one: Sums, other: Sums) -> Floats:
    """Means of logarithms."""
    values, variances = [], []
    for side in (one, other):
        requests = side.of("requests")
        mean = divide(side.of("log_self"), requests)
        spread = np.maximum(divide(side.of("log_self_sq"), requests) - mean**2, 0.0)
        spread = np.where(spread < 1e-9 * mean**2, 0.0, spread)
        values.append(mean)
        variances.append(divide(spread, np.maximum(side.n_eff - 1, 0)))
    return _means(values, variances, [one.n_eff, other.n_eff])


def failed_share(of: Sums) -> Floats:
    """Of the calls."""
    return divide(of.of("failed"), of.of("calls"), otherwise=np.nan)


def failed_chance(one: Sums, other: Sums) -> Floats:
    """Two shares; calls of one request count as one."""
    p = _angles(
        np.nan_to_num(failed_share(one)), np.nan_to_num(failed_share(other)), one.n_eff, other.n_eff
    )
    return np.where(_fewest(one, other) >= MIN_REQUESTS, p, np.nan)


def _log(values: Floats) -> Floats:
    return np.log(np.where(values > 0, values, np.nan))


def _angle(values: Floats) -> Floats:
    return np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))


# A p95 needs 72 effective requests to have an upper bound at all, a p99 368.
MEASURES: Final = (
    Measure("calls", "calls", calls_per_parent, _log, calls_chance, True),
    Measure("error_share", "share", failed_share, _angle, failed_chance, False),
    Measure("critical_time", "ns", critical_per_request, _log, critical_chance, False),
    Measure("self_time", "ns", self_per_call, _log, self_chance, True),
    Measure("p50", "ns", quantile(0.50), _log, quantile_chance(0.50, MIN_REQUESTS), False),
    Measure("p95", "ns", quantile(0.95), _log, quantile_chance(0.95, 72), False),
    Measure("p99", "ns", quantile(0.99), _log, quantile_chance(0.99, 368), False),
)
NAMED: Final = {measure.name: measure for measure in MEASURES}
OF_OPERATIONS: Final = ("error_share", "p50", "p95", "p99")


def divide(above: Floats, below: Floats, *, otherwise: float = 0.0) -> Floats:
    """`above / below`, and `otherwise` where there is nothing to divide by."""
    is_some = below > 0
    quotient: Floats = np.where(is_some, above / np.where(is_some, below, 1.0), otherwise)
    return quotient


def _fewest(one: Sums, other: Sums) -> Floats:
    return np.minimum(one.n_eff, other.n_eff) * (1 + 1e-9)


def _angles(share0: Floats, share1: Floats, n0: Floats, n1: Floats) -> Floats:
    """p-values of two shares, by their angles (variance 1/4n whatever the share)."""
    variance = divide(np.ones(len(n0)), 4 * n0) + divide(np.ones(len(n1)), 4 * n1)
    t = divide(_angle(share1) - _angle(share0), np.sqrt(variance))
    return student_p(t, np.maximum(n0 + n1 - 2, 1.0))


def _means(values: list[Floats], variances: list[Floats], counts: list[Floats]) -> Floats:
    """p-values of two means (Welch); `variances` of the means.

    The larger of the variances of the two apart and of both pooled is used: ten equal values do
    not prove that there is no variance.
    """
    n0, n1 = (np.maximum(one, 1.0) for one in counts)
    apart = variances[0] + variances[1]
    pooled = (variances[0] * n0**2 + variances[1] * n1**2) / (n0 + n1) * (1 / n0 + 1 / n1)
    variance = np.maximum(apart, pooled)
    by_freedom = divide(variances[0] ** 2, n0 - 1) + divide(variances[1] ** 2, n1 - 1)
    most = np.maximum(n0 + n1 - 2, 1.0)
    df = np.clip(np.where(by_freedom > 0, divide(apart**2, by_freedom), most), 1.0, most)
    difference = values[1] - values[0]
    is_other = np.abs(difference) > 1e-6 * np.abs(values[0])
    t = divide(difference, np.sqrt(variance))
    p = np.where((variance > 0) | ~is_other, student_p(np.where(is_other, t, 0.0), df), 0.0)
    enough = np.minimum(*counts) * (1 + 1e-9) >= MIN_REQUESTS
    return np.where(enough, p, np.nan)
