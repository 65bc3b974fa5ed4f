"""Numbers that are weighted sums over requests sorted by duration: quantiles and the slow mean.

A quantile is the Harrell-Davis estimator (Harrell, Davis 1982): the weight of a request is what the
beta distribution with a = (n + 1) p, b = (n + 1) (1 - p) puts on its share of all requests. With
sampling weights v the shares are those of v, and n is Kish's effective sample size (Akinshin,
"Weighted quantile estimators", 2023):

    weight_j = I(t_j) - I(t_(j-1)),   t_j = (v_1 + ... + v_j) / sum of v

The mean of the slowest 5 % replaces I by a straight line from 0 at t = 0.95 to 1 at t = 1. As every
such number is a sum over requests, it is the sum of what the parts of the requests contribute.

How sure they are: intervals of quantiles come from order statistics; those of what a part
contributes from the regression of the part on the duration near the quantile (`part_errors`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.beta import beta_density, incomplete_beta, student_quantile
from tracer.analysis.population import effective_count
from tracer.analysis.quantiles import CONFIDENCE

Floats = NDArray[np.float64]

_REACH: Final = 10.0  # standard deviations of the beta distribution; further out nothing counts
_EXACT_UP_TO: Final = 3_000  # effective samples; above, the normal approximation is as good
_NORMAL: Final = 1.959963984540054
_LEAST_IN_TAIL: Final = 40.0  # effective requests in a tail whose mean gets an interval


@dataclass(frozen=True)
class Statistic:
    """The quantile `share`, or the mean of all that is above it."""

    name: str
    share: float
    is_tail_mean: bool = False


P50: Final = Statistic("p50", 0.50)
P95: Final = Statistic("p95", 0.95)
P99: Final = Statistic("p99", 0.99)
SLOWEST: Final = Statistic("slowest_5_percent", 0.95, is_tail_mean=True)
STATISTICS: Final = (P50, P95, P99, SLOWEST)


@dataclass(frozen=True)
class Band:
    """The rows `[first, stop)` of a sorted set that a statistic is made of."""

    first: int
    stop: int
    weight: Floats  # of each of these rows; sums to 1
    edge: Floats  # t_j, the share of the whole up to and with each of these rows
    slope: Floats  # derivative of I at `edge`, 0 behind the last row of the set
    total: float  # sum of sampling weights of the whole set
    squares: float  # sum of their squares

    @property
    def n_eff(self) -> float:
        """How many requests the statistic rests on: 1 / (sum of squared weights)."""
        return 1.0 / float((self.weight**2).sum())


def band(statistic: Statistic, weight: Floats) -> Band:
    """Of a set whose sampling weights, in order of duration, are `weight`; it MUST NOT be empty."""
    running = np.cumsum(weight)
    total = float(running[-1])
    n_eff = effective_count(weight)
    p = statistic.share
    a, b = (n_eff + 1) * p, (n_eff + 1) * (1 - p)
    low, high = (p, 1.0) if statistic.is_tail_mean else _reach(a, b)
    first = min(int(np.searchsorted(running, low * total, side="right")), len(weight) - 1)
    stop = min(int(np.searchsorted(running, high * total, side="right")) + 1, len(weight))
    edge = running[first:stop] / total
    before = float(running[first - 1]) / total if first else 0.0
    if statistic.is_tail_mean:
        mass = np.clip((np.append(before, edge) - p) / (1 - p), 0.0, 1.0)
        slope = np.where(edge > p, 1 / (1 - p), 0.0)
    else:
        mass = incomplete_beta(np.clip(np.append(before, edge), 0.0, 1.0), a, b)
        slope = beta_density(edge, a, b)
    share = np.maximum(np.diff(mass), 0.0)
    if stop == len(weight):
        slope[-1] = 0.0
    return Band(
        first=first,
        stop=stop,
        weight=share / share.sum(),
        edge=edge,
        slope=slope,
        total=total,
        squares=float((weight**2).sum()),
    )


def _reach(a: float, b: float) -> tuple[float, float]:
    mean = a / (a + b)
    spread = math.sqrt(mean * (1 - mean) / (a + b + 1))
    far = _REACH * spread + 4 * _REACH / (a + b)  # the tail of a small parameter is exponential
    return max(0.0, mean - far), min(1.0, mean + far)


def slopes(part: Band, values: Floats) -> Floats:
    """Derivative of the statistic of `values` by each sampling weight of the set (Jaeckel 1972).

    `values` are those of the band's rows. Returns one slope a row of the band, between the one that
    all rows before the band have and the one of all rows behind it.
    """
    steps = np.zeros(len(values))
    steps[:-1] = np.diff(values) * part.slope[:-1]
    beyond = np.cumsum(steps[::-1])[::-1]
    centre = float((part.edge * steps).sum())
    ends = (beyond[0], 0.0)
    slope: Floats = (centre - np.concatenate((ends[:1], beyond, ends[1:]))) / part.total
    return slope


def part_errors(part: Band, duration_ns: Floats, values: Floats) -> Floats:
    """Standard error of what each part contributes to a quantile; rows of the band, parts across.

    Near the quantile a part follows the duration in a line, and there is the rest:

        variance = slope^2 x (variance of the quantile) + sum of weight^2 x rest^2

    The variance of the quantile is that of duration under the weights (Maritz, Jarrett 1978). The
    line is found with an error of its own, by which slope^2 is too large; that is taken off.
    """
    weight = part.weight
    centred = duration_ns - float(weight @ duration_ns)
    variance = float(weight @ (centred * centred))
    if variance <= 0:
        centred, variance = np.zeros_like(centred), 1.0
    slope = (weight * centred) @ values / variance
    rest = values - weight @ values - np.outer(centred, slope)
    grown = part.n_eff / max(part.n_eff - 2, 1.0)  # two numbers of the line are taken from it
    own = grown * (weight**2) @ rest**2
    of_slope = grown * ((weight * centred) ** 2) @ rest**2 / variance
    error: Floats = np.sqrt(np.maximum(slope**2 * variance - of_slope, 0.0) + own)
    return error


def tail_errors(part: Band, values: Floats, at_edge: Floats) -> Floats:
    """The same for the mean of a tail; `at_edge` is what each part contributes to its quantile.

    A request in the tail moves the mean by what it has beyond the edge, as another leaves for it.
    """
    beyond = values - at_edge
    n_eff = part.total * part.total / part.squares
    mean = part.weight @ values - at_edge
    error: Floats = np.sqrt(np.maximum((part.weight**2) @ beyond**2 - mean**2 / n_eff, 0.0))
    return error


def interval(
    statistic: Statistic, duration_ns: NDArray[np.int64], weight: Floats
) -> tuple[float | None, float | None]:
    """Where the statistic lies with a probability of 95 %; None where no bound can be had.

    A quantile is bounded by order statistics, whatever the distribution, at fractional ranks
    (Hutson 1999) so that the probability is met and not only reached. A mean of a tail needs forty
    effective requests in it.
    """
    n_eff = effective_count(weight)
    if statistic.is_tail_mean:
        return _tail_interval(statistic, duration_ns, weight, n_eff)
    low, high = _fractional_ranks(n_eff, statistic.share)
    running = np.cumsum(weight)
    rank = (running - weight / 2) / running[-1] * n_eff + 0.5
    bounds = [
        None if at is None or not 1 <= at <= n_eff else float(np.interp(at, rank, duration_ns))
        for at in (low, high)
    ]
    return bounds[0], bounds[1]


def _tail_interval(
    statistic: Statistic, duration_ns: NDArray[np.int64], weight: Floats, n_eff: float
) -> tuple[float | None, float | None]:
    in_tail = n_eff * (1 - statistic.share)
    if in_tail < _LEAST_IN_TAIL:
        return None, None
    part = band(statistic, weight)
    values = duration_ns[part.first : part.stop].astype(np.float64)
    edge = band(Statistic("", statistic.share), weight)
    at_edge = edge.weight @ duration_ns[edge.first : edge.stop]
    error = tail_errors(part, values[:, None], np.array([at_edge]))
    mean, reach = float(part.weight @ values), float(error[0]) * _student(in_tail - 1)
    return mean - reach, mean + reach


@lru_cache(maxsize=4096)
def _student(df: float) -> float:
    return student_quantile(df, CONFIDENCE)


@lru_cache(maxsize=4096)
def _fractional_ranks(n: float, share: float) -> tuple[float | None, float | None]:
    """Ranks r, not whole, with P(order statistic r <= quantile) = 0.975 and 0.025."""
    if n > _EXACT_UP_TO:
        spread = _NORMAL * math.sqrt(n * share * (1 - share))
        return n * share + 0.5 - spread, n * share + 0.5 + spread
    tail = (1 - CONFIDENCE) / 2
    return _rank(n, share, 1 - tail), _rank(n, share, tail)


def _rank(n: float, share: float, chance: float) -> float | None:
    """The r at which I_share(r, n + 1 - r), which falls as r grows, is `chance`."""
    low, high = 1e-6, n + 1 - 1e-6
    for _ in range(5):
        at = np.linspace(low, high, 33)
        reached = incomplete_beta(np.full(33, share), at, n + 1 - at) >= chance
        place = int(np.count_nonzero(reached))
        if place in (0, 33):
            return None
        low, high = float(at[place - 1]), float(at[place])
    return (low + high) / 2
