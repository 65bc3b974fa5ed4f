"""The merged tree: inclusive times against the obvious way, its laws, and what is shown of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.analysis.test_path_bands import bands_of, sums_of
from tests.support.path_oracle import Sums, band_sums, inclusive, roots_of, traffic
from tracer.analysis.analyse import analyse
from tracer.analysis.merged_tree import NO_PARENT, MergedTree, merged_tree, widest
from tracer.columns.facts import TraceFacts
from tracer.columns.path_bands import BANDS, PathBands
from tracer.columns.spans import SpanColumns


def tree_of(facts: TraceFacts) -> MergedTree:
    sums = sums_of(facts)
    at = np.searchsorted(facts.paths.path_id, sums.path_id)
    return merged_tree(sums, facts.paths.parent_path_id[at])


@settings(max_examples=30, deadline=None)
@given(spans=traffic())
def test_inclusive_times_are_those_of_the_oracle(spans: SpanColumns) -> None:
    facts = analyse(spans).facts
    tree, roots = tree_of(facts), roots_of(facts)
    parents = dict(
        zip(facts.paths.path_id.tolist(), facts.paths.parent_path_id.tolist(), strict=True)
    )
    for band in range(len(BANDS)):
        sums = band_sums(roots, band)
        for row, path in enumerate(tree.sums.path_id.tolist()):
            for name, found in (
                ("self", tree.inclusive_self_ns),
                ("critical", tree.inclusive_critical_ns),
            ):
                assert found[band, row] == inclusive(sums, parents, path, name)


@settings(max_examples=30, deadline=None)
@given(spans=traffic())
def test_the_laws(spans: SpanColumns) -> None:
    facts = analyse(spans).facts
    tree, band = tree_of(facts), bands_of(facts)
    weight = np.where(facts.weight > 0, facts.weight, 1)
    tops = tree.parent == NO_PARENT
    for number in range(len(BANDS)):
        spent = (facts.duration_ns * weight)[band == number].sum()
        assert tree.inclusive_critical_ns[number, tops].sum() == spent
        assert tree.sums.critical_ns[number].sum() == spent
    children = np.flatnonzero(~tops)
    for own in (tree.inclusive_self_ns, tree.inclusive_critical_ns):
        below = np.zeros_like(own)
        np.add.at(below.T, tree.parent[children], own[:, children].T)
        exclusive = tree.sums.self_ns if own is tree.inclusive_self_ns else tree.sums.critical_ns
        np.testing.assert_array_equal(own, exclusive + below)
    assert (tree.depth[children] == tree.depth[tree.parent[children]] + 1).all()
    assert tree.size[tops].sum() == len(tree.sums)


@settings(max_examples=20, deadline=None)
@given(spans=traffic())
def test_what_is_shown_is_connected_and_the_widest(spans: SpanColumns) -> None:
    tree = tree_of(analyse(spans).facts)
    width = tree.inclusive_critical_ns.sum(axis=0)
    for limit in (1, 3, 1000):
        shown = widest(tree, width, limit)
        assert len(shown) == len(set(shown)) == min(limit, len(tree.sums))
        seen = {NO_PARENT}
        for row in shown:
            assert int(tree.parent[row]) in seen, "a parent stands before its children"
            seen.add(row)
        hidden = set(range(len(tree.sums))) - set(shown)
        if hidden and shown:
            assert max(width[list(hidden)]) <= min(width[shown])


@pytest.mark.parametrize("order", ["down", "up"])
def test_a_chain_of_a_hundred_thousand(order: str) -> None:
    count = 100_000
    path_id = np.arange(1, count + 1, dtype=np.uint64)
    parent = path_id - np.uint64(1)
    if order == "up":
        parent = np.where(path_id < count, path_id + np.uint64(1), np.uint64(0))
    ones = np.ones((len(BANDS), count))
    tree = merged_tree(PathBands(path_id, ones.astype(np.int64), *[ones] * 6), parent)
    expected = np.arange(count, 0, -1) if order == "down" else np.arange(1, count + 1)
    np.testing.assert_array_equal(tree.inclusive_critical_ns[0], expected)
    np.testing.assert_array_equal(tree.size, expected)
    np.testing.assert_array_equal(tree.depth, count - expected)
    assert len(widest(tree, tree.inclusive_self_ns[0], 10)) == 10


def test_the_oracle_adds_up() -> None:
    sums = {1: Sums({"self": 2}), 2: Sums({"self": 3}), 3: Sums({"self": 4})}
    assert inclusive(sums, {1: 0, 2: 1, 3: 2}, 1, "self") == 9
