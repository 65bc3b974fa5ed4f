"""The beta distribution: order statistics, Harrell-Davis weights and Student's t rest on it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PRECISION: Final = 1e-14
_TINY: Final = 1e-300
_MOST_TERMS: Final = 100_000  # some times the square root of the larger parameter are used
_lgamma = np.vectorize(math.lgamma, otypes=[np.float64])


def incomplete_beta(x: Floats, a: float | Floats, b: float | Floats) -> Floats:
    """Regularised incomplete beta function I_x(a, b); `x` in [0, 1], `a` and `b` positive.

    The continued fraction of DLMF 8.17.22, on the side of the mean where it converges fast.
    """
    x = np.asarray(x, np.float64)
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    log_beta = _lgamma(a) + _lgamma(b) - _lgamma(a + b)
    swapped = x > (a + 1) / (a + b + 2)
    at = np.where(swapped, 1 - x, x)
    left, right = np.where(swapped, b, a), np.where(swapped, a, b)
    inside = np.clip(at, _TINY, 1.0)
    log_front = left * np.log(inside) + right * np.log1p(-np.minimum(at, 1 - 1e-16)) - log_beta
    part = np.exp(log_front) / left * _fraction(inside, left, right)
    part = np.where(at <= 0, 0.0, np.minimum(part, 1.0))
    whole: Floats = np.where(swapped, 1 - part, part)
    return whole


def _fraction(x: Floats, a: Floats, b: Floats) -> Floats:
    """1 / (1 + d1 / (1 + d2 / (1 + ...))) by the modified method of Lentz."""
    value = np.ones(np.broadcast(x, a, b).shape)
    above, below = value.copy(), np.zeros_like(value)
    for term in range(1, _MOST_TERMS):
        m = term // 2
        if term % 2:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        below = 1 + d * below
        below = 1 / np.where(np.abs(below) < _TINY, _TINY, below)
        above = 1 + d / above
        above = np.where(np.abs(above) < _TINY, _TINY, above)
        step = above * below
        value = value * step
        if np.all(np.abs(step - 1) < _PRECISION):
            break
    return 1 / value


def beta_density(x: Floats, a: float, b: float) -> Floats:
    """Density of the beta distribution inside (0, 1); 0 at its ends."""
    inner = (x > 0) & (x < 1)
    at = np.where(inner, x, 0.5)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    density = np.exp((a - 1) * np.log(at) + (b - 1) * np.log1p(-at) - log_beta)
    return np.where(inner, density, 0.0)


def student_p(t: Floats, df: Floats) -> Floats:
    """Two-sided probability of at least |t| with `df` degrees of freedom."""
    with np.errstate(over="ignore"):
        return incomplete_beta(df / (df + t * t), df / 2, 0.5)


def student_quantile(df: float, confidence: float) -> float:
    """The |t| that a share of `confidence` stays below, to six digits."""
    low, high = 0.0, 1e3
    for _ in range(6):  # each looks at 32 intervals at once
        at = np.linspace(low, high, 33)
        inside = int(np.count_nonzero(student_p(at, np.full(33, df)) > 1 - confidence))
        low, high = float(at[inside - 1]), float(at[min(inside, 32)])
    return (low + high) / 2
