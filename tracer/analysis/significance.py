"""Whether a call path itself behaves differently in two sets, whatever sits at a quantile.

Three marginals of every path are tested: calls per request, self time per call, and the share of
self time that is on the critical path. Each is a ratio of weighted sums, compared by a t test on
its linearised residuals (Welch; Cochran 1977, section 6), with the strata of the baseline weighted
to the candidate's traffic and variances taken within strata. Self time is tested as a mean, which
sees a few requests that are very slow, and as a mean of logarithms, which sees many that are a
little slower; the better of the two counts, twice. The larger of the variances of the two sets
apart and of both pooled is used: ten equal values do not prove that there is no variance.

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
    groups = _Groups(baseline, candidate, of)
    one, other = groups.moments(baseline, 0), groups.moments(candidate, 1)
    calls, self_mean, self_log, share = (
        _test(groups, one, other, *ratio)
        for ratio in (
            ("calls", "all"),
            ("self", "calls"),
            ("log", "present"),
            ("critical", "self"),
        )
    )
    either = np.minimum(1.0, 2 * np.minimum(self_mean.p, self_log.p))
    raw = np.concatenate([calls.p, either, share.p, _share_tests(of)])
    corrected = holm(raw)
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


Sums = dict[str, Floats]  # by group: 'x' sums of weights times x, 'x*y' of squared weights times xy


class _Groups:
    """A group is a path within a stratum: paths know their root operation, so it has two at most.

    Weights within a group sum to the stratum's share of the candidate's comparable traffic.
    """

    def __init__(self, baseline: Population, candidate: Population, of: Mix) -> None:
        keys = [
            one.path.astype(np.int64) * len(one.strata)
            + np.repeat(one.stratum, np.diff(one.offset))
            for one in (baseline, candidate)
        ]
        wanted = [
            np.repeat(of.is_comparable[one.stratum], np.diff(one.offset))
            for one in (baseline, candidate)
        ]
        self._keys, self._wanted = keys, wanted
        self._key = np.unique(
            np.concatenate([key[on] for key, on in zip(keys, wanted, strict=True)])
        )
        self.path = self._key // len(baseline.strata)
        self.stratum = self._key % len(baseline.strata)
        self.paths = len(baseline.paths)
        share = np.where(of.is_comparable, of.after, 0.0)
        self._share = share / max(share.sum(), 1e-300)

    def moments(self, requests: Population, side: int) -> Sums:
        """Sums over the requests of one side by group, absent paths counting as zeros."""
        strata = len(requests.strata)
        total = np.bincount(requests.stratum, requests.weight, minlength=strata)
        scale = np.divide(self._share, total, out=np.zeros(strata), where=total > 0)
        by_row = requests.weight * scale[requests.stratum]
        on = self._wanted[side]
        group = np.searchsorted(self._key, self._keys[side][on])
        weight = np.repeat(by_row, np.diff(requests.offset))[on]
        value = {
            "present": np.ones(len(weight)),
            "calls": requests.calls[on].astype(np.float64),
            "self": requests.self_ns[on].astype(np.float64),
            "critical": requests.critical_ns[on].astype(np.float64),
        }
        value["log"] = np.log(value["self"] / np.maximum(value["calls"], 1) + _INSTANT_NS)

        def total_of(values: Floats) -> Floats:
            return np.bincount(group, values, minlength=len(self._key)).astype(np.float64)

        sums = {name: total_of(weight * one) for name, one in value.items()}
        squared = weight * weight
        for one, other in (
            *((name, name) for name in value),
            ("self", "calls"),
            ("critical", "self"),
            ("log", "present"),
            *((name, "present") for name in ("calls", "self", "critical")),
        ):
            sums[f"{one}*{other}"] = total_of(squared * value[one] * value[other])
        present = sums["present*present"]
        sums["present_n"] = np.divide(
            sums["present"] ** 2, present, out=np.zeros_like(present), where=present > 0
        )
        everything = np.bincount(requests.stratum, by_row, minlength=strata)
        squares = np.bincount(requests.stratum, by_row**2, minlength=strata)
        sums["all"] = everything[self.stratum]
        sums["all*all"] = squares[self.stratum]
        return sums

    def by_path(self, values: Floats) -> Floats:
        """Summed over the strata of each path."""
        return np.bincount(self.path, values, minlength=self.paths).astype(np.float64)


@dataclass(frozen=True)
class _Test:
    before: Floats
    after: Floats
    p: Floats  # NaN: not tested


def _test(groups: _Groups, one: Sums, other: Sums, above: str, below: str) -> _Test:
    """Whether the ratio of two sums differs, by path."""
    sides = [_ratio(groups, sums, above, below) for sums in (one, other)]
    # both sides' residuals put together, each side weighing as its requests do
    squares = sum(side.squares for side in sides)
    freedom = sum(np.maximum(side.n - 1, 0) for side in sides)
    spread = np.divide(squares, freedom, out=np.zeros_like(squares), where=freedom > 0)
    pooled = groups.by_path(spread * sum(side.per_variance for side in sides))
    apart = [groups.by_path(side.variance) for side in sides]
    variance = np.maximum(apart[0] + apart[1], pooled)
    df_below = sum(
        groups.by_path(
            np.divide(side.variance**2, side.n - 1, out=np.zeros_like(side.n), where=side.n > 1)
        )
        for side in sides
    )
    whole = sum(apart)
    counts = [groups.by_path(side.n) for side in sides]
    most = np.maximum(counts[0] + counts[1] - 2, 1.0)
    df = np.divide(whole**2, df_below, out=most.copy(), where=df_below > 0)
    df = np.clip(df, 1.0, most)
    difference = sides[1].value - sides[0].value
    t = np.divide(
        difference,
        np.sqrt(variance),
        out=np.where(np.abs(difference) > 1e-9 * np.abs(sides[0].value), np.inf, 0.0),
        where=variance > 0,
    )
    p = np.where(np.isinf(t), 0.0, student_p(np.where(np.isfinite(t), t, 0.0), df))
    fewest, all_of = np.minimum(counts[0], counts[1]), counts[0] + counts[1]
    present = sum(groups.by_path(sums["present_n"]) for sums in (one, other))
    expected = present * np.divide(fewest, all_of, out=np.zeros_like(fewest), where=all_of > 0)
    enough = (fewest >= MIN_REQUESTS * (1 - ROUNDING)) & (expected >= _LEAST_EXPECTED)
    return _Test(sides[0].value, sides[1].value, np.where(enough, p, np.nan))


@dataclass(frozen=True)
class _Side:
    """A ratio by path, and of its residuals by group."""

    value: Floats
    variance: Floats
    squares: Floats  # squared residuals of all requests, in units of the ratio
    per_variance: Floats  # what a variance of one request adds to that of the ratio
    n: Floats  # effective requests


def _ratio(groups: _Groups, sums: Sums, above: str, below: str) -> _Side:
    bottom = groups.by_path(sums[below])
    value = np.divide(
        groups.by_path(sums[above]), bottom, out=np.full(groups.paths, np.nan), where=bottom > 0
    )
    n = np.divide(
        sums["all"] ** 2, sums["all*all"], out=np.zeros(len(groups.path)), where=sums["all*all"] > 0
    )
    if below == "all":  # a mean over all requests: its residual is from the mean of the stratum
        mean = np.divide(sums[above], sums["all"], out=np.zeros_like(n), where=sums["all"] > 0)
        scatter = (
            sums[f"{above}*{above}"]
            - 2 * mean * sums[f"{above}*present"]
            + mean**2 * sums["all*all"]
        )
        weight = sums["all"]
    else:
        ratio = np.nan_to_num(value)[groups.path]
        squares, present = sums[f"{above}*{above}"], sums["present*present"]
        cross = sums[f"{above}*{below}"]
        middle = sums[above] - ratio * sums[below]
        n = sums["present_n"]
        mean = np.divide(middle, sums["present"], out=np.zeros_like(n), where=sums["present"] > 0)
        first = sums[f"{above}*present"] - ratio * sums[f"{below}*present"]
        scatter = (
            squares
            - 2 * ratio * cross
            + ratio**2 * sums[f"{below}*{below}"]
            - 2 * mean * first
            + mean**2 * present
        )
        weight = sums["present"]
    scatter = np.maximum(scatter, 0.0)
    unit = np.where(bottom > 0, bottom, 1.0)[groups.path]
    correction = np.divide(n, n - 1, out=np.ones_like(n), where=n > 1)
    per_request = np.divide(weight, n, out=np.zeros_like(n), where=n > 0)
    return _Side(
        value=value,
        variance=scatter * correction / unit**2,
        squares=np.divide(scatter, per_request**2, out=np.zeros_like(n), where=per_request > 0),
        per_variance=n * per_request**2 / unit**2,
        n=n,
    )


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
