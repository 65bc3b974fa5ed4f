"""Comparisons: parts sum to the change, faults are named, and nothing is without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.picture import columns
from tests.support.requests import MS, basket, usual
from tests.support.simulated import SHAPES, World, population_of
from tracer.analysis.analyse import analyse
from tracer.analysis.compare import Change, Comparison, compare
from tracer.analysis.population import Population, population
from tracer.analysis.significance import CALLS, SELF_TIME, holm

P50, P95, P99, SLOWEST = range(4)


def drawn(world: World, count: int = 1_000, seed: int = 1) -> Population:
    return population_of(*world.draw(count, np.random.default_rng(seed)))


def shop(first: int, count: int, **how: int) -> Population:
    """Baskets as in `usual`, all of them changed in one way."""
    if not how:
        return population(analyse(columns(usual(count, first))).facts)
    lines = [
        line
        for trace in range(first, first + count)
        for line in basket(
            trace, **{"query_ns": round(20 * MS * (1 + (trace % 7 - 3) / 100)), **how}
        )  # type: ignore[arg-type]
    ]
    return population(analyse(columns(lines)).facts)


def named(found: Comparison, at: int) -> set[str]:
    change = found.changes[at]
    return {found.baseline.paths.operation[row] for row in change.named()}


def adds_up(change: Change) -> bool:
    parts = change.mix_ns.sum() + change.factors.total().sum()
    named_parts = change.factors.total()[change.named()].sum()
    listed = change.mix_ns.sum() + named_parts + change.selection_ns
    return bool(abs(parts - change.change_ns) < 0.1 and abs(listed - change.change_ns) < 0.1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("paths", [9, 50])
def test_five_milliseconds_on_one_path_are_named(shape: str, paths: int) -> None:
    world = World(shape, paths=paths)
    found = compare(drawn(world), drawn(replace(world, extra_ms=5.0), seed=2))
    assert all(adds_up(change) for change in found.changes)
    assert np.flatnonzero(found.has_changed.any(axis=0)).tolist() == [3]
    assert all(named(found, at) <= {"part 3"} for at in range(4))
    change = found.changes[P50]
    assert change.factors.self_ns[3] == pytest.approx(5 * MS, abs=change.reach_ns[3])
    assert change.factors.calls_ns[3] == 0
    assert change.reach_ns[3] < 5 * MS
    low, high = change.interval
    assert low is not None and high is not None
    assert low < change.change_ns < high


@pytest.mark.parametrize("shape", SHAPES)
def test_a_fault_in_two_percent_is_seen_in_the_tail(shape: str) -> None:
    found = compare(
        drawn(World(shape), 3_000), drawn(World(shape, extra_ms=300.0, share=0.02), 3_000, seed=2)
    )
    assert named(found, SLOWEST) == named(found, P99) == {"part 3"}
    assert named(found, P50) == set()
    assert all(adds_up(change) for change in found.changes)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [30, 100, 1_000])
def test_nothing_is_named_where_nothing_changed(shape: str, count: int) -> None:
    found = compare(drawn(World(shape), count), drawn(World(shape), count, seed=3))
    assert [change.named().tolist() for change in found.changes] == [[]] * 4
    assert all(adds_up(change) for change in found.changes)
    for change in found.changes:
        assert change.selection_ns == pytest.approx(change.change_ns, abs=0.1)


def test_repeated_calls_are_named_as_calls() -> None:
    found = compare(shop(1, 60), shop(100, 60, queries=11))
    change = found.changes[P95]
    assert adds_up(change)
    assert "SELECT" in named(found, P95)
    select = found.baseline.paths.operation.index("SELECT")
    assert change.factors.calls_ns[select] == pytest.approx(200 * MS, rel=0.1)
    assert found.marginals.after[CALLS, select] == pytest.approx(11)
    assert found.marginals.p[CALLS, select] < 0.001
    assert found.marginals.p[SELF_TIME, select] > 0.05
    assert change.named()[0] == select


def test_a_path_that_is_new_and_one_that_vanished() -> None:
    without, with_query = shop(1, 60, queries=0), shop(100, 60)
    for before, after, sign in ((without, with_query, 1), (with_query, without, -1)):
        found = compare(before, after)
        change = found.changes[P95]
        select = found.baseline.paths.operation.index("SELECT")
        assert change.factors.presence_ns[select] == pytest.approx(sign * 20 * MS, rel=0.1)
        assert change.factors.calls_ns[select] == 0
        assert "SELECT" in named(found, P95)
        assert adds_up(change)


def test_too_few_requests_have_numbers_but_neither_intervals_nor_names() -> None:
    found = compare(shop(1, 5), shop(100, 5, queries=11))
    for change in found.changes:
        assert change.interval == (None, None)
        assert np.isnan(change.reach_ns).all()
        assert not change.is_named.any()
        assert adds_up(change)


def test_the_order_of_sets_turns_the_sign() -> None:
    one, other = drawn(World("lognormal")), drawn(World("lognormal", extra_ms=20.0), seed=2)
    there, back = compare(one, other), compare(other, one)
    for change, reverse in zip(there.changes, back.changes, strict=True):
        assert change.change_ns == pytest.approx(-reverse.change_ns)
        assert change.factors.self_ns == pytest.approx(-reverse.factors.self_ns, abs=1)
        assert change.named().tolist() == reverse.named().tolist()


def test_weights_of_a_sampled_set_compare_with_those_of_all() -> None:
    """One in ten of the requests below 150 ms, each standing for ten."""
    every = drawn(World("lognormal"), 20_000)
    is_slow = every.duration_ns > 150 * MS
    kept = np.flatnonzero(is_slow | (np.random.default_rng(1).random(20_000) < 0.1))
    sampled = every.take(kept)
    weighted = replace(sampled, weight=np.where(is_slow[kept], 1.0, 10.0))
    found = compare(weighted, drawn(World("lognormal"), 5_000, seed=5))
    assert all(not change.is_named.any() for change in found.changes)
    assert abs(found.changes[P95].change_ns) < 3 * MS


@given(p=st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_its_definition(p: list[float]) -> None:
    ascending = sorted(p)
    steps = [
        min(1.0, max((len(p) - i) * ascending[i] for i in range(k + 1))) for k in range(len(p))
    ]
    expected = [steps[ascending.index(one)] for one in p]
    found = holm(np.array([*p, np.nan]))
    assert found[:-1] == pytest.approx(expected)
    assert np.isnan(found[-1])
