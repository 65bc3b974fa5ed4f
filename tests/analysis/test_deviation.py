"""Expected durations: the most specific baseline with enough samples answers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.picture import Line, columns
from tests.support.requests import MS, basket, usual
from tracer.analysis.analyse import analyse
from tracer.analysis.baseline import baselines_from_facts, path_sums
from tracer.analysis.deviation import DEPTHS, Expectations, deviation_percent, expectations
from tracer.columns.baselines import Baselines
from tracer.columns.facts import TraceFacts


def facts_of(lines: list[Line]) -> TraceFacts:
    return analyse(columns(lines)).facts


def of_query(facts: TraceFacts, baselines: Baselines, **how: bool) -> tuple[str, float, float]:
    """Depth, p95 in ms and samples behind it, for the query of the first trace."""
    sums = path_sums(facts)
    leave = how.get("leave_one_out", False)
    found: Expectations = expectations(facts, sums, baselines.operations, leave_one_out=leave)
    names = [facts.paths.operation[path] for path in sums.path.tolist()]
    row = names.index("SELECT")
    depth = DEPTHS[found.depth[row]] if found.depth[row] >= 0 else ""
    return depth, found.p95_ns[row] / MS, found.n_eff[row]


def below_another_root(lines: list[Line]) -> list[Line]:
    return [
        line._replace(operation="GET /other") if line.operation == "GET /basket" else line
        for line in lines
    ]


def from_elsewhere(lines: list[Line]) -> list[Line]:
    return [
        line._replace(operation="GET /thing") if line.operation == "GET /item" else line
        for line in lines
    ]


@pytest.mark.parametrize(
    ("lines", "depth"),
    [
        (usual(80), "path"),
        (below_another_root(usual(80)), "caller"),
        (from_elsewhere(usual(80)), "operation"),
        (usual(71), ""),
        (usual(40) + below_another_root(usual(40, first=41)), "caller"),
    ],
    ids=["path", "caller", "operation", "too few", "path too few, caller enough"],
)
def test_depth(lines: list[Line], depth: str) -> None:
    found, p95_ms, n_eff = of_query(facts_of(basket(900)), baselines_from_facts(facts_of(lines)))
    assert found == depth
    assert n_eff == pytest.approx(len(lines) / 4)
    if depth:
        assert p95_ms == pytest.approx(20.6, rel=0.02)
    else:
        assert np.isnan(p95_ms)


def test_a_trace_is_not_its_own_norm() -> None:
    """All of a trace's spans are left out, and of no other trace."""
    facts = facts_of(basket(1, calls=500, query_ns=300 * MS) + usual(80, first=2))
    with_own = of_query(facts, baselines_from_facts(facts))
    without = of_query(facts, baselines_from_facts(facts), leave_one_out=True)
    assert with_own[1] == pytest.approx(300, rel=0.02)
    assert without == ("path", pytest.approx(20.6, rel=0.02), pytest.approx(80))


def test_deviation_is_against_the_expected_p95() -> None:
    percent = deviation_percent(np.array([150, 50, 100, 7]), np.array([100.0, 100, np.nan, 0]))
    np.testing.assert_allclose(percent, [50, -50, np.nan, np.nan])
