"""Trees: parents, orphans, cycles, copies, shared ids and roots, drawn and against the oracle."""

from __future__ import annotations

from dataclasses import fields

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import oracle
from tests.support.picture import Line, columns, read
from tests.support.strategies import batches
from tracer.analysis.forest import Forest, SpanFlag
from tracer.analysis.tree import build
from tracer.columns.spans import SpanColumns


def parents(forest: Forest) -> dict[str, str | None]:
    """Operation of each span to the operation of its parent."""
    names = [forest.spans.operations[code] for code in forest.spans.operation.tolist()]
    return {
        name: names[parent] if parent >= 0 else None
        for name, parent in zip(names, forest.parent_row.tolist(), strict=True)
    }


def flagged(forest: Forest, flag: SpanFlag) -> set[str]:
    rows = np.flatnonzero(forest.has(flag))
    return {forest.spans.operations[code] for code in forest.spans.operation[rows].tolist()}


def test_parents_are_as_indented() -> None:
    forest = build(
        read("""
            a     |------|
              b   | --   |
                c | -    |
              d   |   -- |
        """).spans
    )
    assert parents(forest) == {"a": None, "b": "a", "c": "b", "d": "a"}
    assert forest.depth.tolist() == [0, 1, 2, 1]
    assert not forest.flags.any()


def test_children_come_latest_end_first_then_earliest_start() -> None:
    forest = build(
        read("""
            a   |--------|
              b | --     |
              c |   ---  |
              d |  ----  |
              e |      --|
        """).spans
    )
    spans = forest.spans
    names = [spans.operations[code] for code in spans.operation[forest.children].tolist()]
    assert names == ["e", "d", "c", "b"]


def test_an_orphan_roots_a_fragment_of_its_own() -> None:
    forest = build(
        read("""
            a         |------|
            b orphan  | --   |
              c       | -    |
        """).spans
    )
    assert parents(forest) == {"a": None, "b": None, "c": "b"}
    assert flagged(forest, SpanFlag.ORPHAN) == {"b"}
    assert forest.root_row.tolist() == [0, 1, 1]


def test_cycles_are_cut_at_their_earliest_span() -> None:
    forest = build(
        read("""
            root         |---------|
            a under:4    |   ---   |
            b under:2    |  ---    |
            c under:3    |    ---  |
              below      |    -    |
            self under:6 |--       |
        """).spans
    )
    expected = {"root": None, "b": None, "c": "b", "a": "c", "below": "c", "self": None}
    assert parents(forest) == expected
    assert flagged(forest, SpanFlag.CYCLE) == {"b", "self"}
    assert flagged(forest, SpanFlag.SELF_PARENT) == {"self"}


def test_a_cycle_of_equal_starts_is_cut_at_the_lowest_id() -> None:
    forest = build(columns([Line(1, 7, 8, 0, 5), Line(1, 8, 7, 0, 5)]))
    assert forest.parent_row.tolist() == [-1, 0]


MAIN_ROOTS = {
    "the parentless span that starts first": (
        """
        late        |  -----|
        early       | --    |
        lost orphan |-      |
        """,
        "early",
    ),
    "of equal starts the longest": (
        """
        short | --    |
        long  | ----  |
        """,
        "long",
    ),
    "of equal spans the lowest id": (
        """
        second id:9 | --    |
        first  id:4 | --    |
        """,
        "first",
    ),
    "without a root the earliest orphan": (
        """
        second orphan |  -----|
        first orphan  | -     |
        """,
        "first",
    ),
    "an orphan before the cut of a cycle": (
        """
        round under:1 |-----|
        lost orphan   |   --|
        """,
        "lost",
    ),
    "in a cycle where it was cut": (
        """
        a under:2 |  --- |
        b under:1 | ---- |
        """,
        "b",
    ),
}


@pytest.mark.parametrize(("picture", "main"), MAIN_ROOTS.values(), ids=MAIN_ROOTS.keys())
def test_the_main_root_is(picture: str, main: str) -> None:
    forest = build(read(picture).spans)
    spans = forest.spans
    assert [spans.operations[spans.operation[row]] for row in forest.main_root] == [main]
    assert forest.roots[0] == forest.main_root[0]


def test_what_is_not_waited_for_keeps_its_caller() -> None:
    forest = build(
        read("""
            web/send producer    |--    |
              mail/take consumer |   ---|
                mail/write       |   -- |
        """).spans
    )
    assert parents(forest) == {"send": None, "take": None, "write": "take"}
    assert forest.caller_row.tolist() == [-1, 0, 1]
    assert flagged(forest, SpanFlag.ASYNC_ROOT) == {"take"}
    assert forest.spans.operations[forest.spans.operation[forest.main_root[0]]] == "send"


def test_spans_are_held_against_their_parent() -> None:
    forest = build(
        read("""
            a       |   ----   |
              over  |     ---  |
              early | ---      |
              away  |--        |
              back ends:0 |    -  |
        """).spans
    )
    assert flagged(forest, SpanFlag.OVERRUNS_PARENT) == {"over"}
    assert flagged(forest, SpanFlag.STARTS_BEFORE_PARENT) == {"early", "away"}
    assert flagged(forest, SpanFlag.OFF_PATH) == {"away"}
    assert flagged(forest, SpanFlag.ENDS_BEFORE_START) == {"back"}
    assert flagged(forest, SpanFlag.INSTANT) == {"back"}


def test_copies_become_one_that_ends_last() -> None:
    forest = build(
        columns(
            [
                Line(1, 1, 0, 0, 9),
                Line(1, 2, 1, 1, 3, operation="first"),
                Line(1, 2, 1, 1, 5, operation="again"),
                Line(1, 2, 1, 1, 4, operation="third"),
            ]
        )
    )
    assert parents(forest) == {"op": None, "again": "op"}
    assert flagged(forest, SpanFlag.DUPLICATE) == {"again"}
    assert forest.duplicate_count.tolist() == [2]


def test_copies_that_differ_only_inside_are_chosen_by_content_not_by_order() -> None:
    one, two = Line(1, 1, 0, 0, 9, operation="x"), Line(1, 1, 0, 0, 9, operation="y")
    kept = {str(parents(build(columns(lines)))) for lines in ([one, two], [two, one])}
    assert len(kept) == 1


SHARED = {
    "the server's half hangs below the client's": (
        """
        web/page server            |--------|
          web/call client id:7     | ------ |
          db/query server id:7 under:1 |  ----  |
            db/disk under:7        |   --   |
        """,
        {"page": None, "call": "page", "query": "call", "disk": "query"},
    ),
    "a child goes to the half of its own service": (
        """
        web/page server            |--------|
          web/call client id:7     | ------ |
          db/query server id:7 under:1 |  ----  |
            web/dns under:7        | -      |
        """,
        {"page": None, "call": "page", "query": "call", "dns": "call"},
    ),
    "a service that calls itself": (
        """
        web/page server            |--------|
          web/call client id:7     | ------ |
          web/answer server id:7 under:1 |  ----  |
        """,
        {"page": None, "call": "page", "answer": "call"},
    ),
    "two that are no call keep their own parents": (
        """
        web/page server            |--------|
          web/a internal id:7      | ------ |
          db/b internal id:7 under:1 |  ----  |
        """,
        {"page": None, "a": "page", "b": "page"},
    ),
}


@pytest.mark.parametrize(("picture", "expected"), SHARED.values(), ids=SHARED.keys())
def test_of_a_shared_id(picture: str, expected: dict[str, str | None]) -> None:
    forest = build(read(picture).spans)
    assert parents(forest) == expected
    assert len(flagged(forest, SpanFlag.SHARED_ID)) == 2
    assert not flagged(forest, SpanFlag.DUPLICATE)


def test_one_id_in_two_traces_is_two_spans() -> None:
    forest = build(columns([Line(1, 7, 0, 0, 5), Line(2, 7, 0, 0, 5), Line(2, 8, 7, 0, 5)]))
    assert forest.parent_row.tolist() == [-1, -1, 1]
    assert forest.trace_offset.tolist() == [0, 1, 3]


def test_ids_that_differ_only_in_low_bits_are_told_apart() -> None:
    """With many traces, long ids do not fit into the sort key beside the trace number."""
    base = 1 << 63
    lines = [Line(trace, base + 1 + trace % 2, 0, 0, 5) for trace in range(1, 300)]
    lines += [Line(7, base + number, base + number - 1, 0, 5) for number in range(3, 40)]
    forest = build(columns(lines))
    chain = np.flatnonzero(forest.spans.trace_lo == 7)
    assert forest.depth[chain].tolist() == list(range(38))
    assert (forest.parent_row[chain][1:] == chain[:-1]).all()


def test_trace_ids_of_64_and_128_bits_are_different_traces() -> None:
    spans = columns([Line(5, 1, 0, 0, 5), Line(5, 2, 1, 0, 5)])
    spans.trace_hi[1] = 9
    forest = build(spans)
    assert forest.parent_row.tolist() == [-1, -1]
    assert forest.trace_row.tolist() == [0, 1]


@settings(max_examples=300, deadline=None)
@given(spans=batches(most=14))
def test_fast_agrees_with_slow(spans: SpanColumns) -> None:
    trees, forest = oracle.Trees(spans), build(spans)
    keys = list(zip(forest.spans.trace_lo.tolist(), forest.spans.span_id.tolist(), strict=True))

    def key(row: int) -> oracle.Key | None:
        return keys[row] if row >= 0 else None

    for row, own in enumerate(keys):
        assert key(int(forest.caller_row[row])) == trees.caller[own]
        assert key(int(forest.parent_row[row])) == trees.parent[own]
        assert key(int(forest.root_row[row])) == trees.root(own)
        assert forest.depth[row] == trees.depth(own)
    assert {keys[row] for row in np.flatnonzero(forest.has(SpanFlag.CYCLE))} == trees.cut
    assert {keys[row] for row in np.flatnonzero(forest.has(SpanFlag.ORPHAN))} == trees.orphans


@settings(max_examples=100, deadline=None)
@given(spans=batches(most=14))
def test_a_forest_is_a_forest(spans: SpanColumns) -> None:
    forest = build(spans)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(forest)))
    inner = np.flatnonzero(forest.parent_row >= 0)
    graph.add_edges_from(zip(forest.parent_row[inner].tolist(), inner.tolist(), strict=True))
    assert nx.is_forest(graph)
    for component in nx.weakly_connected_components(graph):
        assert len({int(forest.root_row[row]) for row in component}) == 1


@settings(max_examples=100, deadline=None)
@given(spans=batches(most=20), seed=st.integers(0, 2**32 - 1))
def test_order_and_repetition_change_only_the_count_of_copies(
    spans: SpanColumns, seed: int
) -> None:
    rows = np.concatenate((np.arange(len(spans)), np.arange(len(spans) // 2)))
    again = spans.take(np.random.default_rng(seed).permutation(rows))
    first, second = build(spans), build(again)
    assert int(second.duplicate_count.sum()) == len(spans) // 2
    for field in fields(Forest):
        if field.name not in ("spans", "flags", "duplicate_count"):
            np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))
    np.testing.assert_array_equal(first.flags, second.flags & ~np.uint16(SpanFlag.DUPLICATE))
    for field in fields(SpanColumns):
        np.testing.assert_array_equal(
            getattr(first.spans, field.name), getattr(second.spans, field.name)
        )


@settings(max_examples=50, deadline=None)
@given(spans=batches(most=14))
def test_building_again_changes_nothing(spans: SpanColumns) -> None:
    once = build(spans)
    twice = build(once.spans)
    for field in fields(Forest):
        if field.name not in ("spans", "flags", "duplicate_count"):
            np.testing.assert_array_equal(getattr(once, field.name), getattr(twice, field.name))
    repaired = np.uint16(SpanFlag.ENDS_BEFORE_START | SpanFlag.DUPLICATE)
    np.testing.assert_array_equal(once.flags & ~repaired, twice.flags)


def test_no_spans_no_trees() -> None:
    forest = build(columns([]))
    assert len(forest) == len(forest.roots) == len(forest.main_root) == 0
    assert forest.trace_offset.tolist() == [0]


def chain(length: int, **changed: int) -> SpanColumns:
    parent = changed.get("first_parent", 0)
    return columns(
        [
            Line(1, number, number - 1 or parent, number, 4 * length - number)
            for number in range(1, length + 1)
        ]
    )


def test_a_chain_of_a_hundred_thousand() -> None:
    forest = build(chain(100_000))
    assert forest.depth[-1] == 99_999
    assert (forest.root_row == 0).all()


def test_a_cycle_of_a_hundred_thousand() -> None:
    forest = build(chain(100_000, first_parent=100_000))
    assert np.flatnonzero(forest.has(SpanFlag.CYCLE)).tolist() == [0]
    assert forest.depth[-1] == 99_999
