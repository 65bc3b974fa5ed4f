"""Two sets of requests: by how much a p95 changed, and which call path did it.

    change = traffic mix + sum over named paths of (calls + self time + critical share) + selection

First the mix (`mix`), then every path's contribution by factor (`factors`). A path *changed* when
one of its own marginals did, significantly (`significance`) and by enough. It is *named* for a
number when its contribution to that number changed by enough too, in absolute terms and against
what it was, and by more than chance. What the other contributions changed by is *selection*: other
requests sit at the quantile now, for want of proof that the paths themselves are to blame. The
parts sum to the change exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.beta import student_quantile
from tracer.analysis.budget import Budget, budget, errors
from tracer.analysis.factors import Factors, factors
from tracer.analysis.l_statistics import STATISTICS, Statistic
from tracer.analysis.mix import Mix, mix, mix_by_stratum, served_before
from tracer.analysis.packing import Rows
from tracer.analysis.population import Population, align
from tracer.analysis.quantiles import CONFIDENCE
from tracer.analysis.significance import LEVEL, Marginals, marginals

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Interval = tuple[float | None, float | None]

MIN_EXCESS_NS: Final = 1_000_000  # a smaller change of a contribution is not worth a name
MIN_EXCESS_RATIO: Final = 0.05  # nor one below this share of what the path contributed
MOST_INTERVALS: Final = 200  # paths whose change gets an interval, largest change first


@dataclass(frozen=True)
class Change:
    """One number, before and after; arrays by row of the path table, `mix_ns` by stratum.

    `before` is of the baseline, `between` of the candidate's traffic served as before.
    """

    statistic: Statistic
    before: Budget
    between: Budget
    after: Budget
    interval: Interval  # of the change
    mix_ns: Floats
    factors: Factors
    reach_ns: Floats  # half the interval of each path's change; NaN where there is none
    is_named: Mask
    is_stratum_named: Mask

    @property
    def change_ns(self) -> float:
        """After minus before."""
        return self.after.value_ns - self.before.value_ns

    @property
    def selection_ns(self) -> float:
        """What contributions changed by without a path that can be named."""
        return float(self.factors.total()[~self.is_named].sum())

    def named(self) -> Rows:
        """Rows of the named paths, largest change first."""
        rows = np.flatnonzero(self.is_named)
        return rows[np.argsort(-np.abs(self.factors.total()[rows]), kind="stable")]


@dataclass(frozen=True)
class Comparison:
    """Two aligned populations and every number of both."""

    baseline: Population
    candidate: Population
    mix: Mix
    marginals: Marginals
    has_changed: Mask  # (3, paths): a factor of a path, significantly and by enough
    changes: tuple[Change, ...]  # in the order of STATISTICS


def compare(
    baseline: Population,
    candidate: Population,
    *,
    min_excess_ns: int = MIN_EXCESS_NS,
    min_excess_ratio: float = MIN_EXCESS_RATIO,
) -> Comparison:
    """Neither population may be empty. Nothing here is random: same sets, same answer."""
    baseline, candidate = align(baseline, candidate)
    traffic = mix(baseline, candidate)
    between = served_before(traffic)
    tested = marginals(baseline, candidate, traffic)
    limits = (float(min_excess_ns), min_excess_ratio)
    has_changed = _changed(tested, min_excess_ratio)
    edges: dict[float, tuple[Budget, Budget]] = {}
    changes = []
    for statistic in STATISTICS:
        before, middle, after = (budget(one, statistic) for one in (baseline, between, candidate))
        edge = edges.setdefault(statistic.share, (middle, after))
        parts = factors(middle, after)
        change_ns = parts.total()
        reach_ns = _reaches(between, candidate, (middle, after), edge, change_ns)
        least_ns = np.maximum(limits[0], limits[1] * middle.critical_ns)
        shifted = mix_by_stratum(traffic, statistic, middle.value_ns - before.value_ns)
        changes.append(
            Change(
                statistic=statistic,
                before=before,
                between=middle,
                after=after,
                interval=_difference(before, after),
                mix_ns=shifted,
                factors=parts,
                reach_ns=reach_ns,
                is_named=_named(has_changed, change_ns, least_ns, reach_ns),
                is_stratum_named=(tested.stratum_p <= LEVEL)
                & (np.abs(shifted) >= max(limits[0], limits[1] * before.value_ns)),
            )
        )
    return Comparison(baseline, candidate, traffic, tested, has_changed, tuple(changes))


def _changed(tested: Marginals, ratio: float) -> Mask:
    """Which factors of which paths changed, significantly and by enough: (3, paths)."""
    grown = np.abs(tested.after - tested.before)
    is_changed: Mask = (tested.p <= LEVEL) & (grown >= ratio * np.abs(tested.before))
    return is_changed


def _named(has_changed: Mask, change_ns: Floats, least_ns: Floats, reach_ns: Floats) -> Mask:
    """Where there is no interval of the change, the proof by the marginals is all there is."""
    is_large = np.abs(change_ns) >= np.fmax(least_ns, reach_ns)
    is_named: Mask = has_changed.any(axis=0) & is_large
    return is_named


def _difference(before: Budget, after: Budget) -> Interval:
    """Of the change of a number, from the intervals of both (Zou, Donner 2008); or of none."""
    change = after.value_ns - before.value_ns
    if any(one.low_ns is None or one.high_ns is None for one in (before, after)):
        return None, None
    down_before, up_before = _arms(before)
    down_after, up_after = _arms(after)
    return (
        change - math.hypot(down_after, up_before),
        change + math.hypot(up_after, down_before),
    )


def _arms(of: Budget) -> tuple[float, float]:
    """How far the interval reaches below and above the number."""
    low, high = of.low_ns or 0.0, of.high_ns or 0.0
    return max(0.0, of.value_ns - low), max(0.0, high - of.value_ns)


def _reaches(
    between: Population,
    candidate: Population,
    both: tuple[Budget, Budget],
    edge: tuple[Budget, Budget],
    change_ns: Floats,
) -> Floats:
    """Half the interval of each path's change, where the number itself has an interval."""
    reach = np.full(len(change_ns), np.nan)
    if any(bound is None for one in both for bound in (one.low_ns, one.high_ns)):
        return reach
    rows = np.argsort(-np.abs(change_ns), kind="stable")[:MOST_INTERVALS]
    rows = rows[change_ns[rows] != 0]
    variance = np.zeros(len(rows))
    for requests, of, at in zip((between, candidate), both, edge, strict=True):
        variance += errors(requests, of, rows, at) ** 2
    df = max(sum(one.band.n_eff for one in both) - 2, 1.0)
    reach[rows] = np.sqrt(variance) * student_quantile(df, CONFIDENCE)
    return reach
