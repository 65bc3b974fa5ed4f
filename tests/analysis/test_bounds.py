"""Least and most critical time: as drawn, against the slow version, and by their laws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import oracle_bounds
from tests.support.oracle import Key
from tests.support.picture import columns, read
from tests.support.strategies import batches, knots, wide_trees
from tracer.analysis.bounds import bounds
from tracer.analysis.critical_path import critical_path
from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows
from tracer.analysis.tree import build
from tracer.columns.spans import SpanColumns

TRACES = st.one_of(knots(), batches(most=16), wide_trees())
TOLERANCES = st.sampled_from((None, 0, 1, 5, 1000))
Found = dict[tuple[Key, int], tuple[int, int]]


def by_span(forest: Forest) -> Rows:
    return np.arange(len(forest))


def by_operation(forest: Forest) -> Rows:
    return forest.spans.operation.astype(np.intp)


def key_of(forest: Forest, row: int) -> Key:
    return int(forest.spans.trace_lo[row]), int(forest.spans.span_id[row])


def fast(forest: Forest, owner: Rows, tolerance_ns: int | None) -> Found:
    sections = critical_path(forest, tolerance_ns=tolerance_ns)
    found = bounds(forest, sections, owner, tolerance_ns=tolerance_ns)
    return {
        (key_of(forest, int(forest.roots[root])), whose): (least, most)
        for root, whose, least, most in zip(
            found.root.tolist(),
            found.owner.tolist(),
            found.least_ns.tolist(),
            found.most_ns.tolist(),
            strict=True,
        )
    }


PICTURES: dict[str, tuple[str, dict[str, tuple[int, int]]]] = {
    "of two at once either may have been waited for": (
        """
        search   |#-----##|
          index  | ---    |
          ranker | #####  |
        """,
        {"search": (3, 3), "ranker": (2, 5), "index": (0, 3)},
    ),
    "what the path says where it stays with the parent is a choice, too": (
        """
        a   |##-----#|
          b | ---    |
          c |  ##### |
        """,
        {"a": (2, 3), "b": (0, 3), "c": (3, 5)},
    ),
    "whom a hidden call calls may own what it owns": (
        """
        a     |------|
          b   |######|
          c   | ---- |
            d |  --  |
        """,
        {"b": (2, 6), "c": (0, 2), "d": (0, 2)},
    ),
    "calls of one operation at once leave no doubt about the operation": (
        """
        web/a    |#-----#|
          db/get | ----- |
          db/get | ###   |
          db/get | ##### |
        """,
        {"a": (2, 2), "get": (5, 5)},
    ),
}


@pytest.mark.parametrize(("picture", "expected"), PICTURES.values(), ids=PICTURES.keys())
def test_bounds_are_as_said(picture: str, expected: dict[str, tuple[int, int]]) -> None:
    forest = build(read(picture).spans)
    found = fast(forest, by_operation(forest), 0)
    names = forest.spans.operations
    assert {names[owner]: both for (_, owner), both in found.items()} == expected


def test_an_overlap_within_the_tolerance_is_no_doubt() -> None:
    forest = build(read("a|----------|\n  b| ####     |\n  c|    #####|").spans)
    assert fast(forest, by_span(forest), 1) == {}
    assert fast(forest, by_span(forest), 0) != {}


def test_no_spans_no_bounds() -> None:
    forest = build(columns([]))
    assert fast(forest, by_span(forest), None) == {}


@pytest.mark.parametrize("owner_of", [by_span, by_operation])
@settings(max_examples=200, deadline=None)
@given(spans=TRACES, tolerance_ns=TOLERANCES)
def test_fast_agrees_with_slow(
    owner_of: Callable[[Forest], Rows], spans: SpanColumns, tolerance_ns: int | None
) -> None:
    forest = build(spans)
    owner = owner_of(forest)
    named = {key_of(forest, row): int(owner[row]) for row in range(len(forest))}
    slow = oracle_bounds.bounds(spans, named, tolerance_ns)
    found = fast(forest, owner, tolerance_ns)
    in_doubt = {root for root, _ in found}
    assert found == {key: both for key, both in slow.items() if key[0] in in_doubt}
    certain = [both for (root, _), both in slow.items() if root not in in_doubt]
    assert all(least == most for least, most in certain), "no doubt where nothing was passed by"


@settings(max_examples=200, deadline=None)
@given(spans=TRACES, tolerance_ns=TOLERANCES)
def test_passed_by_is_what_ran_beside_the_path(
    spans: SpanColumns, tolerance_ns: int | None
) -> None:
    forest = build(spans)
    found = critical_path(forest, tolerance_ns=tolerance_ns).passed_by
    assert found.tolist() == sorted(set(found.tolist()))
    named = {key_of(forest, row) for row in found.tolist()}
    assert oracle_bounds.passed_by(spans, tolerance_ns) == named


@settings(max_examples=200, deadline=None)
@given(spans=TRACES, tolerance_ns=TOLERANCES)
def test_the_path_lies_within_its_bounds(spans: SpanColumns, tolerance_ns: int | None) -> None:
    forest = build(spans)
    sections = critical_path(forest, tolerance_ns=tolerance_ns)
    found = bounds(forest, sections, by_span(forest), tolerance_ns=tolerance_ns)
    critical = np.zeros(len(forest), np.int64)
    np.add.at(critical, sections.span_row, sections.duration_ns)
    assert (found.least_ns <= critical[found.owner]).all()
    assert (critical[found.owner] <= found.most_ns).all()
    duration_ns = (forest.spans.end_ns - forest.spans.start_ns)[forest.roots]
    least, most = np.zeros_like(duration_ns), np.zeros_like(duration_ns)
    np.add.at(least, found.root, found.least_ns)
    np.add.at(most, found.root, found.most_ns)
    some = np.unique(found.root)
    assert (least <= duration_ns).all()
    assert (most[some] >= duration_ns[some]).all()
    if tolerance_ns == 0:  # else a sibling that was passed by may be forgiven all of its time
        assert (most[some] > duration_ns[some]).all()
        assert (least[some] < duration_ns[some]).all()


@settings(max_examples=50, deadline=None)
@given(spans=batches(most=20), seed=st.integers(0, 2**32 - 1))
def test_order_of_spans_changes_nothing(spans: SpanColumns, seed: int) -> None:
    shuffled = spans.take(np.random.default_rng(seed).permutation(len(spans)))
    first, second = build(spans), build(shuffled)
    assert fast(first, by_span(first), None) == fast(second, by_span(second), None)
