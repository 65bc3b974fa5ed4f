"""Variances of many things, each seen a few times: every one is told by all the others too.

Three runs say little about how much a number scatters between runs, and a hundred call paths say a
lot about how much such numbers scatter. Empirical Bayes (Smyth, "Linear models and empirical Bayes
methods", 2004): the true variances follow a scaled inverse chi square of `freedom` degrees around
`variance`, both taken from the spread of the observed ones; each is shrunk towards it. Where they
differ much among themselves there is little to learn, `freedom` is small, and each counts alone.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST: Final = 5  # variances to learn from
_MOST_FREEDOM: Final = 50.0  # what is learned is a guess, too


def moderated(variance: Floats, freedom: Floats) -> tuple[Floats, Floats]:
    """Shrunk variances and their degrees of freedom; `variance` MUST be positive."""
    if len(variance) < _LEAST:
        return variance, freedom
    half = freedom / 2
    told = np.log(variance) - np.array([_digamma(one) - math.log(one) for one in half.tolist()])
    centre = float(told.mean())
    spread = float(((told - centre) ** 2).sum() / (len(told) - 1))
    spread -= float(np.mean([_trigamma(one) for one in half.tolist()]))
    prior = min(2 * _inverse_trigamma(spread), _MOST_FREEDOM) if spread > 0 else _MOST_FREEDOM
    around = math.exp(centre + _digamma(prior / 2) - math.log(prior / 2))
    shrunk: Floats = (prior * around + freedom * variance) / (prior + freedom)
    return shrunk, freedom + prior


def _digamma(x: float) -> float:
    """Abramowitz, Stegun 6.3.5 and 6.3.18."""
    below = 0.0
    while x < 8:
        below -= 1 / x
        x += 1
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square / 252))
    return below + math.log(x) - 1 / (2 * x) - series


def _trigamma(x: float) -> float:
    """Abramowitz, Stegun 6.4.6 and 6.4.12."""
    above = 0.0
    while x < 8:
        above += 1 / (x * x)
        x += 1
    square = 1 / (x * x)
    return above + 1 / x + square / 2 + square / x * (1 / 6 - square * (1 / 30 - square / 42))


def _inverse_trigamma(value: float) -> float:
    """By halving: trigamma falls all the way."""
    low, high = 1e-6, 1e6
    for _ in range(80):
        middle = math.sqrt(low * high)
        if _trigamma(middle) > value:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)
