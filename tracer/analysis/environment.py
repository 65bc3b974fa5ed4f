"""A factor that all call paths have in common: another machine, another load, not the change.

Self time a call is looked at: it does not take in what a path waits for, so one slow path cannot
make its callers look slow too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.gate_tests import Tested

Floats = NDArray[np.float64]

MIN_FACTOR: Final = 1.1
_LEAST_SELF_NS: Final = 20_000.0  # shorter self times are mostly the price of measuring
_FEW: Final = 4  # below so many paths all must have the factor, else three in four
_SHARE: Final = 0.75
_LEVEL: Final = 0.05  # of a single path; half of them must be surer than that


@dataclass(frozen=True)
class Environment:
    """What was seen: the middle factor, and in how many of how many paths about that."""

    factor: float
    paths: int
    of: int


def environment(of: Tested, measure: int, paths: int) -> Environment | None:
    """`measure` is the row of self time; the first `paths` subjects are call paths.

    One path alone has nothing in common with others: of it nothing is said.
    """
    before, after, p = (part[measure, :paths] for part in (of.before, of.after, of.p))
    is_some = ~np.isnan(p) & (np.minimum(before, after) >= _LEAST_SELF_NS)
    shift, chance = np.log(after[is_some] / before[is_some]), p[is_some]
    count = len(shift)
    if count < 2:
        return None
    middle = float(np.median(shift))
    if abs(middle) < math.log(MIN_FACTOR):
        return None
    is_like = (shift / middle >= 0.5) & (shift / middle <= 2.0)
    needed = count if count < _FEW else math.ceil(_SHARE * count)
    is_sure = is_like & (chance <= _LEVEL)
    if int(is_like.sum()) < needed or int(is_sure.sum()) * 2 < count:
        return None
    return Environment(math.exp(middle), int(is_like.sum()), count)
