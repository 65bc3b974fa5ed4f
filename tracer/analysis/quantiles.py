"""Quantiles of histograms, with how sure they are.

The interval of a quantile is distribution-free: order statistics, ranks from the binomial
distribution. Where no observation is large (or small) enough to bound it, there is no bound: the
upper bound of a p95 exists from 72 effective samples on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.packing import Rows, ranges, run_starts
from tracer.columns.baselines import Histograms

Buckets = NDArray[np.int32]
Floats = NDArray[np.float64]

NO_BUCKET: Final = np.iinfo(np.int32).max  # where a quantile or bound does not exist
CONFIDENCE: Final = 0.95
_EXACT_UP_TO: Final = 3_000  # effective samples; above, the normal approximation is as good
_ROUNDING: Final = 1e-9  # of sums of weights, relative
_AT_ONCE: Final = 20_000  # questions; each copies one histogram


@dataclass(frozen=True)
class Estimates:
    """A quantile of each histogram as buckets; NO_BUCKET where it does not exist."""

    value: Buckets
    low: Buckets
    high: Buckets
    n_eff: Floats


def from_samples(
    group: Rows, groups: int, bucket: Buckets, weight: Floats, times: Floats | None = None
) -> Histograms:
    """`groups` histograms of weighted samples; `group` numbers the histogram of each sample.

    `times`: how often each sample occurred, 1 if not given.
    """
    if times is None:
        times = np.ones(len(weight))
    order = np.lexsort((bucket, group))
    first = run_starts(group[order], bucket[order])
    count = np.add.reduceat((weight * times)[order], first) if len(first) else np.zeros(0)
    sizes = np.bincount(group[order[first]], minlength=groups)
    return Histograms(
        offset=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        bucket=bucket[order[first]].astype(np.int32),
        count=count,
        weight2=_sums(group, weight * weight * times, groups),
    )


def _sums(group: Rows, values: Floats, groups: int) -> Floats:
    return np.bincount(group, values, minlength=groups).astype(np.float64)


def merge(
    parts: Sequence[tuple[NDArray[np.uint64], Histograms]],
) -> tuple[NDArray[np.uint64], Histograms]:
    """The sum of keyed histograms: the distinct keys, ascending, and one histogram for each."""
    if not parts:
        return np.zeros(0, np.uint64), from_samples(
            np.zeros(0, np.intp), 0, np.zeros(0, np.int32), np.zeros(0)
        )
    every = np.concatenate([key for key, _ in parts])
    keys, number = np.unique(every, return_inverse=True)
    sizes = np.concatenate([np.diff(part.offset) for _, part in parts])
    summed = from_samples(
        np.repeat(number, sizes),
        len(keys),
        np.concatenate([part.bucket for _, part in parts]),
        np.concatenate([part.count for _, part in parts]),
    )
    weight2 = _sums(number, np.concatenate([part.weight2 for _, part in parts]), len(keys))
    return keys, Histograms(summed.offset, summed.bucket, summed.count, weight2)


def select(histograms: Histograms, rows: Rows) -> Histograms:
    """The histograms of these rows, in this order; a row of -1 gives an empty one."""
    known = rows >= 0
    at = np.where(known, rows, 0)
    if not len(histograms):
        return Histograms(
            np.zeros(len(rows) + 1, np.int64),
            histograms.bucket,
            histograms.count,
            np.zeros(len(rows)),
        )
    sizes = np.where(known, histograms.offset[at + 1] - histograms.offset[at], 0)
    inside = ranges(histograms.offset[at], sizes)
    return Histograms(
        offset=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        bucket=histograms.bucket[inside],
        count=histograms.count[inside],
        weight2=np.where(known, histograms.weight2[at], 0.0),
    )


def subtract(histograms: Histograms, own: Histograms) -> Histograms:
    """`histograms` without `own`, pairwise; what `own` holds MUST be in the histogram it leaves."""
    number = np.repeat(np.arange(len(own)), np.diff(own.offset))
    within = np.repeat(np.arange(len(histograms)), np.diff(histograms.offset))
    base, span = int(histograms.bucket.min(initial=0)), 1 << 33
    place = np.searchsorted(
        within * span + (histograms.bucket.astype(np.int64) - base),
        number * span + (own.bucket.astype(np.int64) - base),
    )
    count = histograms.count.copy()
    count[place] -= own.count
    count[np.abs(count) < _ROUNDING] = 0.0
    weight2 = np.maximum(histograms.weight2 - own.weight2, 0.0)
    return Histograms(histograms.offset, histograms.bucket, count, weight2)


def quantile(histograms: Histograms, share: float, *, zeros: Floats | None = None) -> Buckets:
    """The bucket that holds each histogram's quantile, of the whole count at or below it.

    `zeros`: for each histogram, a count of samples below all buckets; a quantile that falls among
    them is the smallest int32.
    """
    below = np.zeros(len(histograms)) if zeros is None else zeros
    total = histograms.total
    target = share * (total + below) - below
    found = _at_rank(histograms, target)
    found[total + below <= 0] = NO_BUCKET
    found[(target <= 0) & (below > 0)] = np.iinfo(np.int32).min
    return found


def quantile_without(
    histograms: Histograms,
    rows: Rows,
    share: float,
    *,
    own: Histograms | None,
    zeros: Floats | None = None,
) -> Buckets:
    """`quantile` of the histogram at each row (-1: an empty one), without `own`, pairwise."""
    answer = np.full(len(rows), NO_BUCKET, np.int32)
    for begin in range(0, len(rows), _AT_ONCE):
        part = np.arange(begin, min(begin + _AT_ONCE, len(rows)))
        asked = select(histograms, rows[part])
        if own is not None:
            # what no histogram holds cannot be taken out of one
            asked = subtract(asked, select(own, np.where(rows[part] >= 0, part, -1)))
        below = None if zeros is None else zeros[part]
        answer[part] = quantile(asked, share, zeros=below)
    return answer


def estimate(histograms: Histograms, share: float) -> Estimates:
    """The quantile of each histogram with its order-statistic interval."""
    total = histograms.total
    n_eff = effective(histograms)
    bounds = [_ranks(math.floor(n + _ROUNDING), share) for n in n_eff.tolist()]
    scale = np.divide(total, n_eff, out=np.zeros(len(total)), where=n_eff > 0)
    low_rank = np.array([low for low, _ in bounds], np.float64)
    high_rank = np.array([high for _, high in bounds], np.float64)
    low = _at_rank(histograms, low_rank * scale)
    high = _at_rank(histograms, high_rank * scale)
    low[low_rank == 0] = NO_BUCKET
    high[high_rank == 0] = NO_BUCKET
    return Estimates(quantile(histograms, share), low, high, n_eff)


def effective(histograms: Histograms) -> Floats:
    """How many equal samples each histogram is worth; 0 for an empty one."""
    total, weight2 = histograms.total, histograms.weight2
    return np.divide(total**2, weight2, out=np.zeros(len(total)), where=weight2 > 0)


def _at_rank(histograms: Histograms, rank: Floats) -> Buckets:
    """The first bucket at which the running count reaches `rank`; the last one above the total."""
    found = np.full(len(histograms), NO_BUCKET, np.int32)
    if not len(histograms.count):
        return found
    running = np.cumsum(histograms.count)
    before = np.concatenate(([0.0], running))[histograms.offset[:-1]]
    wanted = before + np.maximum(rank, 0.0)
    wanted -= _ROUNDING * np.maximum(1.0, wanted)
    filled = np.diff(histograms.offset) > 0
    at = np.searchsorted(running, wanted, side="left")
    at = np.clip(at, histograms.offset[:-1], histograms.offset[1:] - 1)
    found[filled] = histograms.bucket[at[filled]]
    return found


@lru_cache(maxsize=8192)
def _ranks(n: int, share: float) -> tuple[int, int]:
    """Ranks (from 1) of the observations that bound a quantile; 0 where none does."""
    tail = (1 - CONFIDENCE) / 2
    if n <= 0:
        return 0, 0
    if n > _EXACT_UP_TO:
        spread = 1.959963984540054 * math.sqrt(n * share * (1 - share))
        low, high = math.floor(n * share - spread), math.ceil(n * share + spread) + 1
        return max(low, 0), high if high <= n else 0
    below = np.cumsum(_binomial(n, share))  # P(at most k of n observations are below the quantile)
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return low, high if high <= n else 0


def _binomial(n: int, share: float) -> Floats:
    k = np.arange(n + 1)
    steps = np.log(np.arange(1, n + 1))
    factorial = np.concatenate(([0.0], np.cumsum(steps)))
    choose = factorial[n] - factorial - factorial[::-1]
    chance: Floats = np.exp(choose + k * math.log(share) + (n - k) * math.log1p(-share))
    return chance
