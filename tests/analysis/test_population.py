"""Populations: what facts become, and that two of them can be put side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from tests.support.picture import columns, read
from tests.support.requests import basket
from tests.support.strategies import batches
from tracer.analysis.analyse import analyse
from tracer.analysis.population import Population, align, join, population
from tracer.columns.spans import SpanColumns

TWO = """
    web/page server    |##----###|
      web/call client  |  ####   |

    web/page server !  |####|

    web/cart server    |##|
      web/lost orphan  |# |
"""


def names(requests: Population) -> list[tuple[str, bool]]:
    paths = [requests.paths.operation[row] for row in requests.strata.path]
    return list(zip(paths, requests.strata.failed.tolist(), strict=True))


def by_path(requests: Population) -> list[dict[str, int]]:
    """Critical time of each request by operation."""
    return [
        {
            requests.paths.operation[path]: int(critical)
            for path, critical in zip(
                requests.path[begin:stop], requests.critical_ns[begin:stop], strict=True
            )
        }
        for begin, stop in zip(requests.offset[:-1], requests.offset[1:], strict=True)
    ]


def test_requests_come_by_duration_in_strata_of_operation_and_outcome() -> None:
    found = population(analyse(read(TWO).spans, tolerance_ns=0).facts)
    assert found.duration_ns.tolist() == [2, 4, 9]
    strata = names(found)
    assert sorted(strata) == [("cart", False), ("page", False), ("page", True)]
    assert [strata[at] for at in found.stratum] == [
        ("cart", False),
        ("page", True),
        ("page", False),
    ]
    assert by_path(found) == [{"cart": 2}, {"page": 4}, {"page": 5, "call": 4}]


def test_a_weight_that_is_not_known_counts_once() -> None:
    facts = analyse(read(TWO).spans).facts
    facts = replace(facts, weight=np.where(facts.is_main, 5.0, 5.0) * (facts.duration_ns > 3))
    found = population(facts)
    assert found.weight.tolist() == [1, 5, 5]
    assert found.is_weighted.tolist() == [False, True, True]


@settings(max_examples=100, deadline=None)
@given(spans=batches(most=20))
def test_the_parts_of_a_request_are_its_duration_in_any_order_of_spans(spans: SpanColumns) -> None:
    facts = analyse(spans).facts
    found = population(facts)
    assert len(found) == facts.is_main.sum()
    sums = np.add.reduceat(found.critical_ns, found.offset[:-1]) if len(found) else np.zeros(0)
    assert sums.tolist() == found.duration_ns.tolist()
    again = population(analyse(spans.take(np.arange(len(spans))[::-1])).facts)
    for name in ("duration_ns", "stratum", "path", "calls", "critical_ns"):
        assert getattr(found, name).tolist() == getattr(again, name).tolist()


def test_aligned_sets_share_paths_and_strata() -> None:
    one = population(analyse(read(TWO).spans, tolerance_ns=0).facts)
    other = population(analyse(columns(basket(1))).facts)
    left, right = align(one, other)
    assert left.paths is right.paths
    assert left.strata is right.strata
    assert by_path(left) == by_path(one)
    assert by_path(right) == by_path(other)
    assert [names(left)[at] for at in left.stratum] == [names(one)[at] for at in one.stratum]
    both, order = join(left, right)
    assert both.duration_ns.tolist() == sorted([*one.duration_ns, *other.duration_ns])
    assert by_path(both) == [(by_path(left) + by_path(right))[at] for at in order]


def test_some_rows_of_a_population() -> None:
    found = population(analyse(read(TWO).spans, tolerance_ns=0).facts)
    assert by_path(found.take(np.array([0, 2]))) == [by_path(found)[0], by_path(found)[2]]
