"""What a change of traffic alone does to a number: more of the slow kind of requests, or fewer.

The baseline's requests are weighted anew so that every stratum has the share it has in the
candidate: the candidate's traffic, served as the baseline serves it. From the baseline to that is
the mix; from that to the candidate is what got slower or faster. Strata that are new, gone, or too
rare in one set to say how it serves them take the candidate's requests: all they do is mix.

The mix is split by stratum as Aumann and Shapley split a cost (1974): shares move from old to new
in a straight line, and each stratum is charged its derivative on the way. A stratum whose requests
are like all others is charged nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.l_statistics import Statistic, band, slopes
from tracer.analysis.packing import Rows
from tracer.analysis.population import Population, join

Floats = NDArray[np.float64]

MIN_REQUESTS: Final = (
    10.0  # effective requests of a stratum in either set; fewer cannot be compared
)
ROUNDING: Final = 1e-9  # of effective counts, relative
_STEPS: Final = 8  # points of the Gauss-Legendre rule along the way


@dataclass(frozen=True)
class Mix:
    """Shares of the strata before and after, and the requests that stand between the two sets.

    `served_before`: traffic of the candidate, served as in the baseline; its row i was row
    `origin[i]` of the baseline, and of the candidate counted on from there.
    """

    before: Floats  # by stratum
    after: Floats
    count_before: Floats  # effective requests
    count_after: Floats
    is_comparable: NDArray[np.bool_]
    served_before: Population
    start: Floats  # the weights with which the same rows are the baseline


def mix(baseline: Population, candidate: Population) -> Mix:
    """Of two aligned populations, neither empty."""
    strata = len(baseline.strata)
    before, count_before = _shares(baseline, strata)
    after, count_after = _shares(candidate, strata)
    is_comparable = np.minimum(count_before, count_after) >= MIN_REQUESTS * (1 - ROUNDING)
    scale = np.divide(after, before, out=np.zeros(strata), where=is_comparable)
    lent = np.flatnonzero(~is_comparable[candidate.stratum])
    joined, order = join(baseline, candidate.take(lent))
    is_lent = order >= len(baseline)
    own_total, lent_total = float(baseline.weight.sum()), float(candidate.weight.sum())
    start = np.where(is_lent, 0.0, joined.weight / own_total)
    # per request of the whole: lent ones weigh what they do among the candidate's
    end = np.where(is_lent, joined.weight / lent_total, start * scale[joined.stratum])
    return Mix(
        before, after, count_before, count_after, is_comparable, replace(joined, weight=end), start
    )


def served_before(of: Mix) -> Population:
    """The requests between the two sets, without those that have no weight any more."""
    return of.served_before.take(np.flatnonzero(of.served_before.weight > 0))


def mix_by_stratum(of: Mix, statistic: Statistic, total_ns: float) -> Floats:
    """The part of each stratum in `total_ns`, which is what the mix did to the statistic."""
    requests, start, end = of.served_before, of.start, of.served_before.weight
    if np.allclose(start, end, rtol=1e-12, atol=0):
        return np.zeros(len(of.before))
    step = end - start
    points, shares = np.polynomial.legendre.leggauss(_STEPS)
    charged = np.zeros(len(of.before))
    for at, share in zip((points + 1) / 2, shares / 2, strict=True):
        weight = start + at * step
        part = band(statistic, weight)
        inner = slopes(part, requests.duration_ns[part.first : part.stop].astype(np.float64))
        slope = np.concatenate(
            (
                np.full(part.first, inner[0]),
                inner[1:-1],
                np.full(len(weight) - part.stop, inner[-1]),
            )
        )
        charged += share * np.bincount(requests.stratum, step * slope, minlength=len(charged))
    # what the rule misses goes where most is charged
    missed = total_ns - float(charged.sum())
    size = np.abs(charged)
    return charged + missed * (size / size.sum() if size.any() else of.after)


def _shares(requests: Population, strata: int) -> tuple[Floats, Floats]:
    """Share of each stratum by weight, and its effective requests."""
    weight = np.bincount(requests.stratum, requests.weight, minlength=strata)
    squares = np.bincount(requests.stratum, requests.weight**2, minlength=strata)
    count = np.divide(weight**2, squares, out=np.zeros(strata), where=squares > 0)
    return weight / weight.sum(), count


def rows_of(requests: Population, is_wanted: NDArray[np.bool_]) -> Rows:
    """Rows whose stratum is wanted."""
    return np.flatnonzero(is_wanted[requests.stratum])
