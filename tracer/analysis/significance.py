"""Whether a call path itself behaves differently in two sets, whatever sits at a quantile.

Three marginals of every path are tested: calls per request, self time per call, and the share of
self time that is on the critical path. Each is a ratio of weighted sums, compared by a t test on
its linearised residuals (Welch; Cochran 1977, section 6), with the strata of the baseline weighted
to the candidate's traffic and variances taken within strata. Self time is tested as a mean, which
sees a few requests that are very slow, and as a mean of logarithms, which sees many that are a
little slower; the better of the two counts, twice. The larger of the variances of the two sets
apart and of both pooled is used: ten equal values do not prove that there is no variance. And a
ratio that rests on a few large requests has the degrees of freedom of so few.

A name is only worth something if no false one is given: Holm's method (1979) bounds the probability
of even one false name by 5 %, however the tests depend on each other (calls and times of the paths
of one request do).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.beta import student_p
from tracer.analysis.mix import MIN_REQUESTS, ROUNDING, Mix
from tracer.analysis.packing import Rows
from tracer.analysis.population import Population

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVEL: Final = 0.05  # of even one false name in a comparison
CALLS, SELF_TIME, SHARE = range(3)
_LEAST_EXPECTED: Final = 5.0  # requests with the path on either side, were both sides alike
_INSTANT_NS: Final = 1_000.0  # added before taking logarithms: clocks are not finer


@dataclass(frozen=True)
class Marginals:
    """By row of the path table; NaN where a side has none; p-values are corrected (Holm)."""

    before: Floats  # (3, paths): calls per request, self ns per call, critical share
    after: Floats
    p: Floats  # (3, paths), 1 where there is too little to test
    stratum_p: Floats  # by stratum: of its share of the traffic


def marginals(baseline: Population, candidate: Population, of: Mix) -> Marginals:
    """Tests every path of two aligned populations, and every stratum."""
    groups, sides = _sides(baseline, candidate, of)
    calls, self_mean, self_log, share = (
        _test(groups, sides, above, below)
        for above, below in (
            ("calls", "all"),
            ("self", "calls"),
            ("log", "present"),
            ("critical", "self"),
        )
    )
    either = np.minimum(1.0, 2 * np.minimum(self_mean.p, self_log.p))
    corrected = holm(np.concatenate([calls.p, either, share.p, _share_tests(of)]))
    paths = len(calls.p)
    return Marginals(
        before=np.stack([calls.before, self_mean.before, share.before]),
        after=np.stack([calls.after, self_mean.after, share.after]),
        p=np.nan_to_num(corrected[: 3 * paths].reshape(3, paths), nan=1.0),
        stratum_p=np.nan_to_num(corrected[3 * paths :], nan=1.0),
    )


def holm(p: Floats) -> Floats:
    """Corrected p-values (Holm 1979); NaN are no tests and stay."""
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    corrected = np.full(len(p), np.nan)
    scaled = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(scaled)) if len(order) else 0
    return corrected


@dataclass(frozen=True)
class _Groups:
    """A group is a path within a stratum; a path has one root operation: it is in two at most."""

    path: Rows
    stratum: Rows
    paths: int

    def by_path(self, values: Floats) -> Floats:
        """Summed over the strata of each path."""
        return np.bincount(self.path, values, minlength=self.paths).astype(np.float64)


@dataclass(frozen=True)
class _Side:
    """One set: entries are the paths of single requests; requests without a path have none.

    Weights sum to the stratum's share of the candidate's comparable traffic, so that both sets have
    the traffic of the candidate.
    """

    group: Rows  # by entry
    weight: Floats
    value: dict[str, Floats]
    sums: dict[int, Floats]  # by group: powers of the weights of all requests of its stratum

    def total(self, values: Floats) -> Floats:
        """Summed by group."""
        return np.bincount(self.group, values, minlength=len(self.sums[1])).astype(np.float64)


def _sides(baseline: Population, candidate: Population, of: Mix) -> tuple[_Groups, list[_Side]]:
    strata = len(of.after)
    share = np.where(of.is_comparable, of.after, 0.0)
    share = share / max(float(share.sum()), 1e-300)
    keys, wanted = [], []
    for one in (baseline, candidate):
        stratum = np.repeat(one.stratum, np.diff(one.offset))
        wanted.append(of.is_comparable[stratum])
        keys.append((one.path * strata + stratum)[wanted[-1]])
    every = np.unique(np.concatenate(keys))
    groups = _Groups(every // strata, every % strata, len(baseline.paths))
    sides = []
    for one, key, on in zip((baseline, candidate), keys, wanted, strict=True):
        total = np.bincount(one.stratum, one.weight, minlength=strata)
        scale = np.divide(share, total, out=np.zeros(strata), where=total > 0)
        by_row = one.weight * scale[one.stratum]
        value = {
            "present": np.ones(len(key)),
            "calls": one.calls[on].astype(np.float64),
            "self": one.self_ns[on].astype(np.float64),
            "critical": one.critical_ns[on].astype(np.float64),
        }
        value["log"] = np.log(value["self"] / np.maximum(value["calls"], 1) + _INSTANT_NS)
        sums = {
            power: np.bincount(one.stratum, by_row**power, strata).astype(np.float64)[
                groups.stratum
            ]
            for power in (1, 2, 4)
        }
        weight = np.repeat(by_row, np.diff(one.offset))[on]
        sides.append(_Side(np.searchsorted(every, key), weight, value, sums))
    return groups, sides


@dataclass(frozen=True)
class _Test:
    before: Floats
    after: Floats
    p: Floats  # NaN: not tested


def _test(groups: _Groups, sides: list[_Side], above: str, below: str) -> _Test:
    """Whether the ratio of two sums differs, by path."""
    one, other = (_ratio(groups, side, above, below) for side in sides)
    # residuals of both sides put together, each request weighing the same
    freedom = np.maximum(one.n - 1, 0) + np.maximum(other.n - 1, 0)
    spread = _divide(one.squares + other.squares, freedom)
    pooled = groups.by_path(spread * (one.per_variance + other.per_variance))
    apart = groups.by_path(one.variance + other.variance)
    variance = np.maximum(apart, pooled)
    by_freedom = _divide(one.variance**2, one.freedom) + _divide(other.variance**2, other.freedom)
    counts = groups.by_path(one.n), groups.by_path(other.n)
    most = np.maximum(counts[0] + counts[1] - 2, 1.0)
    df = np.clip(_divide(apart**2, groups.by_path(by_freedom), otherwise=most), 1.0, most)
    difference = other.value - one.value
    is_other = np.abs(difference) > ROUNDING * np.abs(one.value)
    t = _divide(difference, np.sqrt(variance), otherwise=0.0)
    p = np.where((variance > 0) | ~is_other, student_p(np.nan_to_num(t), df), 0.0)
    fewest, present = np.minimum(*counts), sum(_present(groups, side) for side in sides)
    expected = present * _divide(fewest, counts[0] + counts[1])
    enough = (fewest >= MIN_REQUESTS * (1 - ROUNDING)) & (expected >= _LEAST_EXPECTED)
    return _Test(one.value, other.value, np.where(enough, p, np.nan))


def _present(groups: _Groups, side: _Side) -> Floats:
    """Effective requests that have the path."""
    return groups.by_path(_divide(side.total(side.weight) ** 2, side.total(side.weight**2)))


@dataclass(frozen=True)
class _Ratio:
    """A ratio by path, and of its residuals by group."""

    value: Floats
    variance: Floats
    squares: Floats  # squared residuals of all requests, in units of what is summed
    per_variance: Floats  # what a variance of one request adds to that of the ratio
    n: Floats  # effective requests
    freedom: Floats  # degrees of freedom of the variance


def _ratio(groups: _Groups, side: _Side, above: str, below: str) -> _Ratio:
    top, weight = side.value[above], side.weight
    is_mean = below == "all"  # over all requests, those without the path count as zeros
    bottom = np.zeros(len(top)) if is_mean else side.value[below]
    base = side.sums[1] if is_mean else side.total(weight * bottom)
    unit = groups.by_path(base)
    value = _divide(groups.by_path(side.total(weight * top)), unit, otherwise=np.nan)
    powers = side.sums if is_mean else {k: side.total(weight**k) for k in (1, 2, 4)}
    n = _divide(powers[1] ** 2, powers[2])

    residual = top - np.nan_to_num(value)[groups.path][side.group] * bottom
    centre = _divide(side.total(weight * residual), powers[1])
    moved = weight * (residual - centre[side.group])
    scatter, fourth = side.total(moved**2), side.total(moved**4)
    if is_mean:
        absent = {k: np.maximum(powers[k] - side.total(weight**k), 0.0) for k in (2, 4)}
        scatter += absent[2] * centre**2
        fourth += absent[4] * centre**4
    scale = np.where(unit > 0, unit, 1.0)[groups.path]
    per_request = _divide(powers[1], n)
    # a variance that rests on a few large values is not known well: of normal ones it is n - 1
    freedom = np.minimum(n - 1, 3 * _divide(scatter**2, fourth, otherwise=n))
    if not is_mean:
        freedom = np.minimum(freedom, _divide(base**2, side.total((weight * bottom) ** 2)) - 1)
    return _Ratio(
        value=value,
        variance=scatter * _divide(n, n - 1, otherwise=1.0) / scale**2,
        squares=_divide(scatter, per_request**2),
        per_variance=n * per_request**2 / scale**2,
        n=n,
        freedom=np.maximum(freedom, 1.0),
    )


def _divide(above: Floats, below: Floats, *, otherwise: float | Floats = 0.0) -> Floats:
    """`above / below`, and `otherwise` where there is nothing to divide by."""
    is_some = below > 0
    quotient: Floats = np.where(is_some, above / np.where(is_some, below, 1.0), otherwise)
    return quotient


def _share_tests(of: Mix) -> Floats:
    """p-value of each stratum's share of the traffic: two proportions."""
    n0, n1 = float(of.count_before.sum()), float(of.count_after.sum())
    share = (of.before * n0 + of.after * n1) / max(n0 + n1, 1.0)
    variance = share * (1 - share) * (1 / max(n0, 1.0) + 1 / max(n1, 1.0))
    t = np.divide(
        of.after - of.before, np.sqrt(variance), out=np.zeros(len(share)), where=variance > 0
    )
    p = student_p(t, np.full(len(t), max(n0 + n1 - 2, 1.0)))
    rare = (of.before * n0 < MIN_REQUESTS) & (of.after * n1 < MIN_REQUESTS)
    return np.where(rare | (len(share) < 2), np.nan, p)
