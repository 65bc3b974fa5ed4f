"""The change of a product among its factors: against all six orders, in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.analysis.budget import Budget
from tracer.analysis.factors import factors
from tracer.analysis.l_statistics import P95, band

Side = tuple[int, int, int]  # calls, self ns, critical ns
SIDES = st.tuples(st.integers(1, 50), st.integers(1, 10**9), st.integers(0, 10**9))


def budget_of(*sides: Side) -> Budget:
    calls, self_ns, critical_ns = (
        np.array(column, np.float64) for column in zip(*sides, strict=True)
    )
    whole = band(P95, np.ones(3))
    return Budget(P95, critical_ns.sum(), None, None, 3.0, calls, self_ns, critical_ns, whole)


def by_orders(before: Side, after: Side) -> list[Fraction]:
    """What each factor adds when its turn comes, over all orders."""
    old, new = ([Fraction(n), Fraction(s, n), Fraction(c, s)] for n, s, c in (before, after))
    added = [Fraction(0)] * 3
    for order in permutations(range(3)):
        now = list(old)
        for factor in order:
            was = prod(now)
            now[factor] = new[factor]
            added[factor] += (prod(now) - was) / 6
    return added


@given(before=SIDES, after=SIDES)
def test_the_parts_are_shapley_values_and_sum_to_the_change(before: Side, after: Side) -> None:
    found = factors(budget_of(before), budget_of(after))
    expected = by_orders(before, after)
    assert sum(expected) == after[2] - before[2]
    near = 1e-6 + 1e-9 * float(max(map(abs, expected)))
    parts = [found.calls_ns[0], found.self_ns[0], found.share_ns[0]]
    assert parts == pytest.approx([float(part) for part in expected], abs=near)
    assert found.presence_ns[0] == 0
    assert found.total()[0] == pytest.approx(after[2] - before[2], abs=near)


def test_a_path_that_one_side_lacks_is_new_or_vanished() -> None:
    found = factors(budget_of((0, 0, 0), (2, 8, 6)), budget_of((3, 9, 9), (0, 0, 0)))
    assert found.presence_ns.tolist() == [9, -6]
    assert found.calls_ns.tolist() == found.self_ns.tolist() == found.share_ns.tolist() == [0, 0]


def test_without_self_time_calls_and_time_per_call_are_told_apart() -> None:
    found = factors(budget_of((1, 0, 10)), budget_of((2, 0, 20)))
    assert (found.calls_ns[0], found.self_ns[0], found.share_ns[0]) == (10, 0, 0)
