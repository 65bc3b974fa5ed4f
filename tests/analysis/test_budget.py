"""Budgets: weights against exact ones, parts that sum to the number, and what weights mean."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from tests.support.simulated import MS, SHAPES, World, population_of
from tracer.analysis.budget import Budget, budget, errors
from tracer.analysis.l_statistics import P50, P95, P99, SLOWEST, STATISTICS, Statistic, band, slopes
from tracer.analysis.population import Population


def requests(count: int, shape: str = "lognormal", seed: int = 7) -> Population:
    return population_of(*World(shape).draw(count, np.random.default_rng(seed)))


def exact_weights(n: int, a: int, b: int) -> list[Fraction]:
    """Harrell-Davis weights where a and b are whole: differences of binomial sums."""

    def mass(x: Fraction) -> Fraction:
        trials = a + b - 1
        return sum(
            (comb(trials, k) * x**k * (1 - x) ** (trials - k) for k in range(a, trials + 1)),
            Fraction(0),
        )

    return [mass(Fraction(j + 1, n)) - mass(Fraction(j, n)) for j in range(n)]


@pytest.mark.parametrize(
    ("n", "of", "a"), [(19, P95, 19), (39, P95, 38), (99, P99, 99), (9, P50, 5)]
)
def test_the_weights_are_those_of_harrell_and_davis(n: int, of: Statistic, a: int) -> None:
    found = band(of, np.ones(n))
    expected = exact_weights(n, a, n + 1 - a)
    weight = np.zeros(n)
    weight[found.first : found.stop] = found.weight
    assert weight == pytest.approx([float(one) for one in expected], abs=1e-12)


@pytest.mark.parametrize("n", [19, 39])
def test_contributions_are_exact_sums_of_parts(n: int) -> None:
    """In fractions of whole nanoseconds, to a thousandth of one."""
    drawn = requests(n)
    weights = exact_weights(n, n - n // 20, n // 20 + 1) if n == 39 else exact_weights(n, 19, 1)
    found = budget(drawn, P95)
    part_ns = drawn.critical_ns.reshape(n, -1)
    exactly = [
        sum((w * int(v) for w, v in zip(weights, column, strict=True)), Fraction(0))
        for column in part_ns.T
    ]
    value = sum((w * int(d) for w, d in zip(weights, drawn.duration_ns, strict=True)), Fraction(0))
    assert sum(exactly) == value
    assert found.critical_ns == pytest.approx([float(one) for one in exactly], abs=1e-3)
    assert found.value_ns == pytest.approx(float(value), abs=1e-3)


@pytest.mark.parametrize("of", STATISTICS, ids=lambda one: one.name)
@pytest.mark.parametrize("n", [1, 2, 30, 1_000, 40_000])
def test_parts_sum_to_the_number(n: int, of: Statistic) -> None:
    found = budget(requests(n), of)
    assert found.critical_ns.sum() == pytest.approx(found.value_ns, abs=0.01)
    assert found.band.weight.sum() == pytest.approx(1)


def test_what_is_left_out_of_the_band_is_nothing() -> None:
    """Against weights of every row, by the density of many narrow strips."""
    n = 5_000
    edges = np.linspace(0, 1, n * 20 + 1)
    a, b = (n + 1) * 0.95, (n + 1) * 0.05
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (edges[1:] + edges[:-1]) / 2
        log_density = (a - 1) * np.log(middle) + (b - 1) * np.log1p(-middle)
    strips = np.exp(log_density - log_density.max()).reshape(n, 20).sum(axis=1)
    drawn = requests(n)
    expected = float(strips @ drawn.duration_ns / strips.sum())
    assert budget(drawn, P95).value_ns == pytest.approx(expected, rel=1e-7)


def test_the_slowest_are_cut_where_five_percent_end() -> None:
    drawn = requests(50)
    expected = (2 * drawn.duration_ns[-2:].sum() + drawn.duration_ns[-3]) / 5
    assert budget(drawn, SLOWEST).value_ns == pytest.approx(expected)


@pytest.mark.parametrize("of", STATISTICS, ids=lambda one: one.name)
def test_weights_that_are_all_equal_change_nothing(of: Statistic) -> None:
    drawn = requests(400)
    heavy = replace(drawn, weight=np.full(400, 20.0))
    plain, weighted = budget(drawn, of), budget(heavy, of)
    assert weighted.value_ns == pytest.approx(plain.value_ns)
    assert weighted.n_eff == pytest.approx(400)
    assert weighted.high_ns == pytest.approx(plain.high_ns)


def test_weights_undo_a_sampling_that_prefers_the_slow() -> None:
    """All slow requests kept and one in ten of the others: the p95 is that of all."""
    every = requests(20_000)
    is_slow = every.duration_ns > 120 * MS
    kept = np.flatnonzero(is_slow | (np.random.default_rng(1).random(20_000) < 0.1))
    sampled = every.take(kept)
    weighted = replace(sampled, weight=np.where(is_slow[kept], 1.0, 10.0))
    expected = budget(every, P95).value_ns
    assert budget(weighted, P95).value_ns == pytest.approx(expected, rel=0.01)
    assert budget(sampled, P95).value_ns > 1.05 * expected


def bounds(of: Budget) -> tuple[bool, bool]:
    return of.low_ns is not None, of.high_ns is not None


@pytest.mark.parametrize(
    ("n", "of", "exist"),
    [
        (71, P95, (True, False)),
        (72, P95, (True, True)),
        (366, P99, (True, False)),
        (400, P99, (True, True)),
        (5, P50, (False, False)),
        (6, P50, (True, True)),
        (799, SLOWEST, (False, False)),
        (800, SLOWEST, (True, True)),
    ],
)
def test_a_bound_exists_from_enough_requests_on(
    n: int, of: Statistic, exist: tuple[bool, bool]
) -> None:
    assert bounds(budget(requests(n), of)) == exist


def test_bounds_of_few_and_of_many_meet() -> None:
    few, many = budget(requests(2_999), P95), budget(requests(3_001), P95)
    for one, other in ((few.low_ns, many.low_ns), (few.high_ns, many.high_ns)):
        assert one is not None and other is not None
        assert one == pytest.approx(other, rel=0.01)


def test_slopes_are_derivatives_by_weight() -> None:
    drawn = requests(200)
    part = band(P95, drawn.weight)
    slope = slopes(part, drawn.duration_ns[part.first : part.stop].astype(np.float64))
    for row in (part.stop - 3, part.stop - 40):
        weight = drawn.weight.copy()
        weight[row] += 1e-3
        moved = budget(replace(drawn, weight=weight), P95).value_ns
        expected = (moved - budget(drawn, P95).value_ns) / 1e-3
        assert slope[row - part.first + 1] == pytest.approx(expected, rel=0.05, abs=2e4)


@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_cover_about_as_often_as_they_say(shape: str) -> None:
    """A coarse look; `make simulate` has the table."""
    rng = np.random.default_rng(4)
    truth = budget(population_of(*World(shape).draw(200_000, rng)), P95)
    rounds, hits, part_hits = 80, 0, np.zeros(9)
    for _ in range(rounds):
        drawn = population_of(*World(shape).draw(300, rng))
        found = budget(drawn, P95)
        assert found.low_ns is not None and found.high_ns is not None
        hits += found.low_ns <= truth.value_ns <= found.high_ns
        reach = 2.2 * errors(drawn, found, np.arange(9), found)
        part_hits += np.abs(found.critical_ns - truth.critical_ns) <= reach
    assert 0.87 <= hits / rounds <= 0.995
    assert 0.90 <= part_hits.mean() / rounds <= 0.995
