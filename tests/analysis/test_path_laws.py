"""Laws of the critical path, on traces whose edges meet wherever they can."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import oracle
from tests.support.picture import Line, columns
from tests.support.strategies import batches, knots, wide_trees
from tracer.analysis.critical_path import Sections, critical_path
from tracer.analysis.forest import Forest
from tracer.analysis.self_time import self_time
from tracer.analysis.tree import build
from tracer.columns.spans import SpanColumns

TRACES = st.one_of(knots(), batches(most=16), wide_trees())
TOLERANCES = st.sampled_from((None, 0, 1, 5, 1000))


def sections_of(spans: SpanColumns, tolerance_ns: int | None) -> set[oracle.Section]:
    forest = build(spans)
    found = critical_path(forest, tolerance_ns=tolerance_ns)
    row = found.span_row
    return set(
        zip(
            forest.spans.trace_lo[row].tolist(),
            forest.spans.span_id[row].tolist(),
            found.start_ns.tolist(),
            found.end_ns.tolist(),
            strict=True,
        )
    )


@settings(max_examples=300, deadline=None)
@given(spans=knots(), tolerance_ns=TOLERANCES)
def test_fast_agrees_with_slow(spans: SpanColumns, tolerance_ns: int | None) -> None:
    assert sections_of(spans, tolerance_ns) == oracle.critical_path(spans, tolerance_ns)


@settings(max_examples=200, deadline=None)
@given(spans=knots())
def test_self_time_agrees_with_slow(spans: SpanColumns) -> None:
    forest = build(spans)
    keys = zip(forest.spans.trace_lo.tolist(), forest.spans.span_id.tolist(), strict=True)
    found = dict(zip(keys, self_time(forest).tolist(), strict=True))
    assert found == oracle.self_time(spans)


@settings(max_examples=300, deadline=None)
@given(spans=TRACES)
def test_without_tolerance_it_is_the_plain_inclusive_walk(spans: SpanColumns) -> None:
    assert sections_of(spans, 0) == oracle.inclusive_walk(spans)


@settings(max_examples=200, deadline=None)
@given(spans=TRACES, tolerance_ns=TOLERANCES)
def test_what_a_span_hands_down_is_one_stretch_inside_all_above_it(
    spans: SpanColumns, tolerance_ns: int | None
) -> None:
    """Cutting is transitive: a subtree never owns a moment outside of any of its ancestors, nor
    one that a later sibling of an ancestor took, and leaves no gap in what it was given."""
    forest = build(spans)
    sections = critical_path(forest, tolerance_ns=tolerance_ns)
    stretches = _stretches(forest, sections)
    for row, owned in stretches.items():
        start, stop = owned[0][0], owned[-1][1]
        assert [end for _, end in owned[:-1]] == [begin for begin, _ in owned[1:]], "no gap"
        assert forest.spans.start_ns[row] <= start and stop <= forest.spans.end_ns[row]


def _stretches(forest: Forest, sections: Sections) -> dict[int, list[tuple[int, int]]]:
    """The sections of each subtree on the path, in order of time."""
    stretches: dict[int, list[tuple[int, int]]] = {}
    for row, start, end in zip(
        sections.span_row.tolist(),
        sections.start_ns.tolist(),
        sections.end_ns.tolist(),
        strict=True,
    ):
        at = row
        while at >= 0:
            stretches.setdefault(at, []).append((start, end))
            at = int(forest.parent_row[at])
    return {row: sorted(owned) for row, owned in stretches.items()}


@settings(max_examples=200, deadline=None)
@given(spans=TRACES, tolerance_ns=TOLERANCES, seed=st.integers(0, 2**32 - 1))
def test_order_changes_nothing(spans: SpanColumns, tolerance_ns: int | None, seed: int) -> None:
    shuffled = spans.take(np.random.default_rng(seed).permutation(len(spans)))
    assert sections_of(spans, tolerance_ns) == sections_of(shuffled, tolerance_ns)


@settings(max_examples=100, deadline=None)
@given(spans=TRACES, tolerance_ns=TOLERANCES)
def test_what_was_analysed_is_analysed_alike(spans: SpanColumns, tolerance_ns: int | None) -> None:
    assert sections_of(build(spans).spans, tolerance_ns) == sections_of(spans, tolerance_ns)


@settings(max_examples=100, deadline=None)
@given(spans=TRACES, later_ns=st.integers(1, 2**40))
def test_time_moved_as_a_whole_moves_the_path(spans: SpanColumns, later_ns: int) -> None:
    before = sections_of(spans, None)
    spans.start_ns[:] += later_ns
    spans.end_ns[:] += later_ns
    assert sections_of(spans, None) == {
        (trace, span, start + later_ns, end + later_ns) for trace, span, start, end in before
    }


DEEP = 72_000
WIDE = 10_000


def test_a_chain_of_seventy_two_thousand_tiles_its_root() -> None:
    spans = columns([Line(1, at, at - 1, at, 4 * DEEP - at, "s", "o") for at in range(1, DEEP + 1)])
    forest = build(spans)
    sections = critical_path(forest, tolerance_ns=0)
    assert len(sections) == 2 * DEEP - 1
    assert int(sections.duration_ns.sum()) == 4 * DEEP - 2


@pytest.mark.parametrize("step", [0, 1, 2])
def test_ten_thousand_siblings_that_touch_overlap_or_are_apart(step: int) -> None:
    """Starts are `step` apart, each child runs for 1 ns: all at once, touching, with gaps."""
    children = [Line(1, at + 2, 1, step * at, step * at + 1) for at in range(WIDE)]
    spans = columns([Line(1, 1, 0, 0, max(1, step) * WIDE), *children])
    forest = build(spans)
    sections = critical_path(forest, tolerance_ns=0)
    assert int(sections.duration_ns.sum()) == max(1, step) * WIDE
    owners = {int(forest.spans.span_id[row]) for row in sections.span_row}
    assert len(owners - {1}) == (1 if step == 0 else WIDE)
