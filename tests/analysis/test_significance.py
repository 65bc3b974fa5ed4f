"""Marginals: no false names where data are at their worst, and real changes all the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.simulated import World, population_of
from tracer.analysis.compare import compare
from tracer.analysis.mix import mix
from tracer.analysis.population import Population
from tracer.analysis.significance import CALLS, LEVEL, SELF_TIME, SHARE, marginals

PATHS = 300


def sparse(seed: int, count: int = 2_000, waited: float = 0.7) -> Population:
    """Each path in one request of thirty, times with a tail so heavy that they have no variance,
    on the critical path or not at all."""
    random = np.random.default_rng(seed)
    whole = population_of(*World("lognormal", paths=PATHS).draw(count, random))
    kept = random.random(count * PATHS) < 1 / 30
    sizes = kept.reshape(count, PATHS).sum(axis=1)
    self_ns = (1e5 * (1 + random.pareto(1.1, count * PATHS))).astype(np.int64)
    critical_ns = np.where(random.random(count * PATHS) < waited, self_ns, 0)
    return replace(
        whole,
        offset=np.concatenate(([0], np.cumsum(sizes))),
        path=whole.path[kept],
        calls=whole.calls[kept],
        self_ns=self_ns[kept],
        critical_ns=critical_ns[kept],
    )


@pytest.mark.parametrize("seed", range(1, 9, 2))
def test_a_ratio_that_rests_on_a_few_requests_proves_nothing(seed: int) -> None:
    before, after = sparse(seed), sparse(seed + 1)
    found = marginals(before, after, mix(before, after))
    assert float(found.p.min()) > LEVEL


def test_a_share_that_changed_in_many_requests_is_seen() -> None:
    before, after = sparse(1, 30_000), sparse(2, 30_000, waited=0.05)
    found = marginals(before, after, mix(before, after))
    assert (found.p[SHARE] <= LEVEL).sum() > 0
    assert (found.p[[CALLS, SELF_TIME]] > LEVEL).all()


def test_ten_equal_values_do_not_prove_that_there_is_no_variance() -> None:
    """Calls: always one in few requests, seldom two in many."""
    few = World("lognormal", paths=3, slow=1)
    many = replace(few, extra_calls=1, share=0.03)
    before = population_of(*few.draw(12, np.random.default_rng(1)))
    parts, calls = many.draw(5_000, np.random.default_rng(2))
    found = compare(before, population_of(parts, calls))
    assert not found.has_changed[CALLS].any()


def test_a_path_in_too_few_requests_is_not_tested() -> None:
    before = population_of(*World("lognormal").draw(9, np.random.default_rng(1)))
    after = population_of(*World("lognormal", extra_ms=500.0).draw(900, np.random.default_rng(2)))
    found = marginals(before, after, mix(before, after))
    assert (found.p == 1).all()
