"""The beta distribution against exact sums, Student's t against its tables."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tracer.analysis.beta import beta_density, incomplete_beta, student_p, student_quantile


def exactly(x: Fraction, a: int, b: int) -> float:
    """For whole a and b: at least a of a + b - 1 coins of chance x."""
    n = a + b - 1
    return float(sum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1)))


@pytest.mark.parametrize(("a", "b"), [(1, 1), (19, 1), (1, 30), (38, 2), (10, 10), (190, 10)])
def test_it_is_the_sum_of_binomials(a: int, b: int) -> None:
    tenths = [Fraction(k, 20) for k in range(21)]
    found = incomplete_beta(np.array([float(x) for x in tenths]), a, b)
    assert found == pytest.approx([exactly(x, a, b) for x in tenths], abs=1e-13)


@pytest.mark.parametrize(("a", "b"), [(0.11, 9.9), (95.95, 5.05), (133_000.95, 7_000.05)])
def test_the_density_is_its_derivative(a: float, b: float) -> None:
    mean = a / (a + b)
    spread = math.sqrt(mean * (1 - mean) / (a + b + 1))
    x = np.array([mean - spread / 2, mean, mean + spread / 2])
    step = spread * 1e-4
    rise = (incomplete_beta(x + step, a, b) - incomplete_beta(x - step, a, b)) / (2 * step)
    assert beta_density(x, a, b) == pytest.approx(rise, rel=1e-4)


@pytest.mark.parametrize(("df", "t"), [(1, 12.7062), (5, 2.57058), (30, 2.04227), (1e7, 1.95996)])
def test_student_is_as_in_the_tables(df: float, t: float) -> None:
    assert student_quantile(df, 0.95) == pytest.approx(t, rel=1e-5)
    assert student_p(np.array([t, -t]), np.array([df, df])) == pytest.approx(0.05, rel=1e-3)
