"""Shrunk variances."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tracer.analysis.moderated import _digamma, _inverse_trigamma, _trigamma, moderated


@pytest.mark.parametrize("x", [0.5, 1.0, 2.0, 7.5, 40.0])
def test_derivatives_of_log_gamma(x: float) -> None:
    step = 1e-4
    slope = (math.lgamma(x + step) - math.lgamma(x - step)) / (2 * step)
    assert _digamma(x) == pytest.approx(slope, rel=1e-6, abs=1e-6)
    bend = (math.lgamma(x + 2e-3) - 2 * math.lgamma(x) + math.lgamma(x - 2e-3)) / 4e-6
    assert _trigamma(x) == pytest.approx(bend, rel=1e-4)
    assert _inverse_trigamma(_trigamma(x)) == pytest.approx(x)


def test_equal_variances_tell_each_other() -> None:
    """Of two hundred things that scatter alike, each seen with four degrees of freedom."""
    random = np.random.default_rng(1)
    observed = 0.04 * random.chisquare(4, 200) / 4
    shrunk, freedom = moderated(observed, np.full(200, 4.0))
    assert freedom[0] > 20
    assert shrunk.std() < observed.std() / 4
    assert shrunk.mean() == pytest.approx(0.04, rel=0.15)


def test_things_that_differ_keep_their_own() -> None:
    random = np.random.default_rng(1)
    observed = np.exp(random.normal(0, 4, 200))
    shrunk, freedom = moderated(observed, np.full(200, 4.0))
    assert freedom[0] < 5
    assert np.log(shrunk[observed > 1]) == pytest.approx(np.log(observed[observed > 1]), abs=0.2)


def test_few_variances_are_left_alone() -> None:
    observed, freedom = np.array([1.0, 2.0]), np.array([4.0, 4.0])
    assert moderated(observed, freedom) == (observed, freedom)
