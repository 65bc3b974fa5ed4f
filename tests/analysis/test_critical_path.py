"""The critical path, as drawn, against the recursive oracle, and by its laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import oracle
from tests.support.picture import Claim, Line, columns, read
from tests.support.strategies import batches, wide_trees
from tracer.analysis.critical_path import Sections, critical_ns, critical_path
from tracer.analysis.forest import Forest
from tracer.analysis.tree import build
from tracer.columns.spans import SpanColumns

PICTURES = {
    "serial children hand over at once": """
        checkout |##--------######|
          auth   |  ###           |
          pay    |     ##--#      |
            card |       ##       |
    """,
    "touching siblings are both on the path": """
        a   |-----|
          b |##   |
          c |  ###|
    """,
    "of two parallel children the one that ends last counts": """
        search   |#-----##|
          index  | ---    |
          ranker | #####  |
    """,
    "a child that overlaps the one that took over waits for nobody": """
        a   |##-----#|
          b | ---    |
          c |  ##### |
    """,
    "equal ends: the earlier start takes over": """
        a   |#-----#|
          b |  ---- |
          c | ##### |
    """,
    "equal ends and starts: the lower span id takes over": """
        a   |#----#|
          b | #### |
          c | ---- |
    """,
    "a child that outlives its parent is clipped to it": """
        order    |###---    |
          audit  |   ###----|
    """,
    "a child that starts before its parent is clipped to it": """
        order    |   ---##|
          audit  |---###  |
    """,
    "a child around its parent takes all of it": """
        a   |  ---  |
          b |--###--|
    """,
    "three levels are cut one after the other": """
        a     |####----   |
          b   |    --##-- |
            c |   -##     |
    """,
    "the child of a dropped span does not survive on its own": """
        a     |####     |
          b   |     --- |
            c | --      |
    """,
    "a cut child cuts its own children": """
        a     |##------|
          c   |  --####----|
            d |  ##        |
    """,
    "a leaf owns all its time": """
        ping     |#####|
    """,
    "instants own nothing": """
        a   |####|
          b | o  |
          c |o   |
          d |   o|
    """,
    "a root of zero duration has no path": """
        a   | o |
          b |---|
    """,
    "a span that ends before it starts is an instant": """
        a          |#####|
          b ends:1 |   - |
    """,
    "what a producer sent is not waited for": """
        web/handle server         |##--##    |
          web/send producer       |  ##      |
            mail/take consumer    |     #--##|
              mail/smtp client    |      ##  |
    """,
    "a consumer after the end of its producer's parent": """
        web/handle server         |#-#        |
          web/send client sends   | #         |
            mail/take consumer    |       ####|
    """,
    "a consumer below a client that sends nothing is waited for": """
        web/handle client         |##---#|
          mail/take consumer      |  ### |
    """,
    "every fragment has a path of its own": """
        a               |#--#      |
          b             | ##       |
        lost orphan     |    #--## |
          below         |     ##   |
    """,
    "two roots": """
        a   |#-# |
          b | #  |
        c   |  ##|
    """,
    "two traces with the same span ids": """
        a   |#-#|
          b | # |

        a   |#--#|
          b | ## |
    """,
}


def claims(forest: Forest, sections: Sections) -> set[Claim]:
    spans = forest.spans
    row = sections.span_row
    names = [spans.services[code].name for code in spans.service[row].tolist()]
    return {
        Claim(*claim)
        for claim in zip(
            spans.trace_lo[row].tolist(),
            spans.span_id[row].tolist(),
            names,
            sections.start_ns.tolist(),
            sections.end_ns.tolist(),
            strict=True,
        )
    }


def as_sections(spans: SpanColumns, tolerance_ns: int | None) -> set[oracle.Section]:
    forest = build(spans)
    found = claims(forest, critical_path(forest, tolerance_ns=tolerance_ns))
    return {(c.trace, c.span_id, c.start_ns, c.end_ns) for c in found}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_critical_path_is_as_drawn(picture: str) -> None:
    drawing = read(picture)
    forest = build(drawing.spans)
    assert claims(forest, critical_path(forest, tolerance_ns=0)) == drawing.claimed


@pytest.mark.parametrize(
    ("overlap_ns", "tolerance_ns", "on_path"),
    [(10, 10, True), (11, 10, False), (0, 0, True), (1, 0, False), (10, None, True)],
)
def test_neighbours_may_overlap_by_the_tolerance(
    overlap_ns: int, tolerance_ns: int | None, on_path: bool
) -> None:
    """The parent lasts 1,000 ns, so that 10 ns is the default."""
    spans = columns(
        [
            Line(1, 1, 0, 0, 1_000),
            Line(1, 2, 1, 100, 500 + overlap_ns),
            Line(1, 3, 1, 500, 900),
        ]
    )
    assert ((1, 2, 100, 500) in as_sections(spans, tolerance_ns)) == on_path


def test_the_default_tolerance_is_at_most_one_millisecond() -> None:
    second = 1_000_000_000
    over = 500_000_000 + 1_000_001
    spans = columns(
        [
            Line(1, 1, 0, 0, second),
            Line(1, 2, 1, 0, over),
            Line(1, 3, 1, 500_000_000, second),
        ]
    )
    assert as_sections(spans, None) == {(1, 1, 0, 500_000_000), (1, 3, 500_000_000, second)}


@settings(max_examples=300, deadline=None)
@given(spans=batches(), tolerance_ns=st.sampled_from((None, 0, 1, 3, 100)))
def test_fast_agrees_with_slow(spans: SpanColumns, tolerance_ns: int | None) -> None:
    assert as_sections(spans, tolerance_ns) == oracle.critical_path(spans, tolerance_ns)


@settings(max_examples=100, deadline=None)
@given(spans=wide_trees(), tolerance_ns=st.sampled_from((None, 0, 2, 7)))
def test_wide_levels_agree_with_slow(spans: SpanColumns, tolerance_ns: int | None) -> None:
    assert as_sections(spans, tolerance_ns) == oracle.critical_path(spans, tolerance_ns)


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(batches(most=8), min_size=8, max_size=12))
def test_many_traces_at_once_agree_with_each_alone(parts: list[SpanColumns]) -> None:
    every, alone = [], set()
    for number, part in enumerate(parts):
        moved = part.trace_lo + np.uint64(10 * number)
        rows = zip(
            moved.tolist(),
            part.span_id.tolist(),
            part.parent_span_id.tolist(),
            part.start_ns.tolist(),
            part.end_ns.tolist(),
            strict=True,
        )
        lines = [Line(*row) for row in rows]
        every += lines
        alone |= oracle.critical_path(columns(lines), 1)
    assert as_sections(columns(every), 1) == alone


@settings(max_examples=200, deadline=None)
@given(spans=batches(most=20))
def test_sections_tile_every_root_exactly_once(spans: SpanColumns) -> None:
    forest = build(spans)
    sections = critical_path(forest)
    assert (sections.duration_ns > 0).all()
    for rank, root in enumerate(forest.roots.tolist()):
        part = slice(sections.offset[rank], sections.offset[rank + 1])
        edges = [forest.spans.start_ns[root], *sections.end_ns[part].tolist()]
        assert edges[:-1] == sections.start_ns[part].tolist() or not sections.span_row[part].size
        assert edges[-1] == forest.spans.end_ns[root]
        owners = sections.span_row[part]
        assert (owners[1:] != owners[:-1]).all(), "adjacent sections of one span are one section"
        assert (forest.root_row[owners] == root).all()


@settings(max_examples=100, deadline=None)
@given(spans=batches(most=20), seed=st.integers(0, 2**32 - 1))
def test_order_of_spans_changes_nothing(spans: SpanColumns, seed: int) -> None:
    shuffled = spans.take(np.random.default_rng(seed).permutation(len(spans)))
    first, second = (critical_path(build(batch)) for batch in (spans, shuffled))
    for name in ("span_row", "start_ns", "end_ns", "offset"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@settings(max_examples=100, deadline=None)
@given(spans=batches(most=20))
def test_critical_time_of_a_fragment_is_its_duration(spans: SpanColumns) -> None:
    forest = build(spans)
    total = np.zeros(len(forest), np.int64)
    np.add.at(total, forest.root_row, critical_ns(critical_path(forest), len(forest)))
    duration_ns = forest.spans.end_ns - forest.spans.start_ns
    np.testing.assert_array_equal(total[forest.roots], duration_ns[forest.roots])


def test_no_spans_no_sections() -> None:
    assert len(critical_path(build(columns([])))) == 0


def test_times_far_apart_do_not_overflow() -> None:
    last = 2**63 - 1
    spans = columns([Line(1, 1, 0, 0, last), Line(1, 2, 1, 5, last - 5), Line(2, 1, 0, 0, 3)])
    assert as_sections(spans, 0) == {(1, 1, 0, 5), (1, 2, 5, last - 5), (1, 1, last - 5, last)} | {
        (2, 1, 0, 3)
    }
