"""What traffic alone does: requests of two kinds, and weights that turn one mix into the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.simulated import MS, World, population_of
from tracer.analysis.budget import budget
from tracer.analysis.l_statistics import P50, P95, SLOWEST, STATISTICS, Statistic
from tracer.analysis.mix import Mix, mix, mix_by_stratum, served_before
from tracer.analysis.population import Population, Strata


def traffic(counts: tuple[int, ...], *, seed: int, slower_ms: float = 0.0) -> Population:
    """Requests of several kinds; kind number k takes k x 100 ms more than the first."""
    random = np.random.default_rng(seed)
    world = World("lognormal", paths=5, slow=1, extra_ms=slower_ms)
    kinds = np.repeat(np.arange(len(counts)), counts)
    parts, calls = world.draw(len(kinds), random)
    parts[:, 0] += 100.0 * kinds
    drawn = population_of(parts, calls)
    order = np.argsort(np.round(parts * MS).astype(np.int64).sum(axis=1), kind="stable")
    strata = Strata(np.arange(len(counts)), np.zeros(len(counts), np.bool_))
    return replace(drawn, stratum=kinds[order], strata=strata)


def moved(baseline: Population, candidate: Population, of: Statistic) -> tuple[Mix, float]:
    found = mix(baseline, candidate)
    return found, budget(served_before(found), of).value_ns - budget(baseline, of).value_ns


@pytest.mark.parametrize("of", STATISTICS, ids=lambda one: one.name)
def test_more_of_the_slow_kind_is_mix(of: Statistic) -> None:
    before, after = traffic((900, 100), seed=1), traffic((700, 300), seed=2)
    found, total = moved(before, after, of)
    change = budget(after, of).value_ns - budget(before, of).value_ns
    assert total == pytest.approx(change, abs=15 * MS)
    by_stratum = mix_by_stratum(found, of, total)
    assert by_stratum.sum() == pytest.approx(total, abs=1)
    assert (by_stratum >= -2 * MS).all()  # both pull the same way: fewer fast, more slow ones


def test_the_same_traffic_is_no_mix_however_slow_it_got() -> None:
    before, after = traffic((800, 200), seed=1), traffic((400, 100), seed=2, slower_ms=50)
    found, total = moved(before, after, P95)
    assert total == pytest.approx(0, abs=1)
    assert mix_by_stratum(found, P95, total) == pytest.approx([0, 0], abs=1)
    assert served_before(found).duration_ns.tolist() == before.duration_ns.tolist()


@pytest.mark.parametrize(
    ("counts", "comparable"),
    [((900, 0), [True, False]), ((900, 9), [True, False]), ((900, 10), [True, True])],
    ids=["new", "too rare", "enough"],
)
def test_a_kind_that_is_new_or_rare_is_mix_as_a_whole(
    counts: tuple[int, int], comparable: list[bool]
) -> None:
    before, after = traffic(counts, seed=1), traffic((900, 200), seed=2)
    found, total = moved(before, after, P95)
    assert found.is_comparable.tolist() == comparable
    by_stratum = mix_by_stratum(found, P95, total)
    assert by_stratum.sum() == pytest.approx(total, abs=1)
    assert by_stratum[1] > 0.5 * total > 0


def test_a_kind_that_is_gone_is_mix() -> None:
    before, after = traffic((800, 200), seed=1), traffic((800, 0), seed=2)
    found, total = moved(before, after, P95)
    assert total < -50 * MS
    assert len(served_before(found)) == 800
    assert mix_by_stratum(found, P95, total)[1] < 0


@pytest.mark.parametrize("of", [P50, SLOWEST], ids=lambda one: one.name)
def test_nothing_in_common_is_all_mix(of: Statistic) -> None:
    before, after = traffic((300, 0), seed=1), traffic((0, 300), seed=2)
    _, total = moved(before, after, of)
    change = budget(after, of).value_ns - budget(before, of).value_ns
    assert total == pytest.approx(change, abs=1)
