"""Quantiles of histograms: against sorted samples, and the honesty of their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.analysis.quantiles import (
    NO_BUCKET,
    effective,
    estimate,
    from_samples,
    merge,
    quantile,
    quantile_without,
    select,
    subtract,
)
from tracer.columns.baselines import Histograms

SAMPLES = st.lists(st.lists(st.integers(-40, 40), max_size=25), min_size=1, max_size=5)


def histograms_of(groups: list[list[int]], weight: float = 1.0) -> Histograms:
    values = np.array([value for group in groups for value in group], np.int32)
    number = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return from_samples(number, len(groups), values, np.full(len(values), weight))


def slow_quantile(values: list[int], share: float) -> int:
    """The smallest value with at least `share` of all values at or below it."""
    for value in sorted(values):
        if sum(other <= value for other in values) >= share * len(values) - 1e-6:
            return value
    return NO_BUCKET


@settings(max_examples=150, deadline=None)
@given(groups=SAMPLES, share=st.sampled_from((0.05, 0.25, 0.5, 0.95, 0.99)))
def test_quantiles_agree_with_sorting(groups: list[list[int]], share: float) -> None:
    expected = [slow_quantile(group, share) for group in groups]
    assert quantile(histograms_of(groups), share).tolist() == expected


@settings(max_examples=100, deadline=None)
@given(groups=SAMPLES, zeros=st.integers(0, 30))
def test_zeros_count_as_samples_below_all_others(groups: list[list[int]], zeros: int) -> None:
    below = np.full(len(groups), float(zeros))
    found = quantile(histograms_of(groups), 0.5, zeros=below).tolist()
    low = np.iinfo(np.int32).min
    assert found == [slow_quantile([low] * zeros + group, 0.5) for group in groups]


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(SAMPLES, min_size=1, max_size=4))
def test_merging_is_like_counting_everything_at_once(parts: list[list[list[int]]]) -> None:
    keyed = [(np.arange(len(groups), dtype=np.uint64), histograms_of(groups)) for groups in parts]
    most = max(len(groups) for groups in parts)
    together = [[value for g in parts if i < len(g) for value in g[i]] for i in range(most)]
    keys, merged = merge(keyed)
    expected = histograms_of(together)
    assert keys.tolist() == list(range(most))
    for name in ("offset", "bucket", "count", "weight2"):
        np.testing.assert_allclose(getattr(merged, name), getattr(expected, name))


@settings(max_examples=100, deadline=None)
@given(groups=SAMPLES.filter(all))
def test_leaving_one_out_is_like_never_having_had_it(groups: list[list[int]]) -> None:
    without = subtract(histograms_of(groups), histograms_of([group[:1] for group in groups]))
    expected = [slow_quantile(group[1:], 0.5) for group in groups]
    assert quantile(without, 0.5).tolist() == expected
    own = histograms_of([group[:1] for group in groups])
    rows = np.arange(len(groups))
    found = quantile_without(histograms_of(groups), rows, 0.5, own=own)
    assert found.tolist() == expected


def test_select_gives_an_empty_histogram_for_what_is_not_there() -> None:
    picked = select(histograms_of([[1, 2], [3]]), np.array([1, -1, 0]))
    assert quantile(picked, 0.5).tolist() == [3, NO_BUCKET, 1]
    none = select(histograms_of([]), np.array([-1]))
    assert quantile(none, 0.5).tolist() == [NO_BUCKET]


@pytest.mark.parametrize(("n", "exists"), [(0, False), (1, False), (71, False), (72, True)])
def test_a_p95_has_an_upper_bound_from_72_samples_on(n: int, exists: bool) -> None:
    answer = estimate(histograms_of([list(range(n))]), 0.95)
    assert (answer.high[0] != NO_BUCKET) == exists


@pytest.mark.parametrize(("n", "exists"), [(5, False), (6, True)])
def test_a_median_has_both_bounds_from_6_samples_on(n: int, exists: bool) -> None:
    answer = estimate(histograms_of([list(range(n))]), 0.5)
    assert (answer.low[0] != NO_BUCKET) == (answer.high[0] != NO_BUCKET) == exists


@pytest.mark.parametrize(("n", "low", "high"), [(100, 90, 99), (1_000, 936, 964)])
def test_bounds_are_order_statistics(n: int, low: int, high: int) -> None:
    """Samples 1 to n; ranks as in tables of distribution-free intervals for a p95."""
    answer = estimate(histograms_of([list(range(1, n + 1))]), 0.95)
    assert (answer.low[0], answer.high[0]) == (
        pytest.approx(low, abs=1),
        pytest.approx(high, abs=1),
    )


def test_exact_and_approximate_ranks_meet() -> None:
    below = estimate(histograms_of([list(range(2_999))]), 0.95)
    above = estimate(histograms_of([list(range(3_001))]), 0.95)
    assert abs(int(above.low[0]) - int(below.low[0])) <= 4
    assert abs(int(above.high[0]) - int(below.high[0])) <= 4


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    truth, hits, rounds = 950, 0, 400
    draw = np.random.default_rng(11).integers(1, 1_001, (rounds, 200))
    answer = estimate(histograms_of(draw.tolist()), 0.95)
    hits = int(((answer.low <= truth) & (truth <= answer.high)).sum())
    assert hits / rounds >= 0.93


def test_weights_scale_counts_but_not_what_they_are_worth() -> None:
    one, ten = histograms_of([list(range(80))]), histograms_of([list(range(80))], weight=10.0)
    assert effective(ten)[0] == pytest.approx(effective(one)[0])
    assert ten.total[0] == pytest.approx(10 * one.total[0])
    assert estimate(one, 0.95).high.tolist() == estimate(ten, 0.95).high.tolist()
