"""Trace ids of 64 and 128 bits: one trace when there is only one it can be."""

from __future__ import annotations

import numpy as np

from tests.support.picture import Line, columns
from tracer.analysis.forest import SpanFlag
from tracer.analysis.tree import build
from tracer.columns.spans import SpanColumns


def trace(*high: int, low: int = 5) -> SpanColumns:
    """Spans 1, 2, 3, ... of trace `low`, each below the one before, with these upper halves."""
    spans = columns([Line(low, at, at - 1, at, 20 - at) for at in range(1, len(high) + 1)])
    spans.trace_hi[:] = high
    return spans


def test_half_an_id_joins_the_whole_one() -> None:
    forest = build(trace(9, 0, 9), short_ids=True)
    assert forest.parent_row.tolist() == [-1, 0, 1]
    assert forest.spans.trace_hi.tolist() == [9, 9, 9]
    assert forest.has(SpanFlag.SHORT_TRACE_ID).tolist() == [False, True, False]


def test_of_two_whole_ids_nobody_knows_which() -> None:
    forest = build(trace(9, 0, 8), short_ids=True)
    assert sorted(forest.spans.trace_hi.tolist()) == [0, 8, 9]
    assert not forest.has(SpanFlag.SHORT_TRACE_ID).any()


def test_ids_that_are_all_short_stay() -> None:
    assert build(trace(0, 0), short_ids=True).spans.trace_hi.tolist() == [0, 0]


def test_unless_asked_they_are_different_traces() -> None:
    """What is read by its trace id must not depend on what else is read with it."""
    assert build(trace(9, 0)).parent_row.tolist() == [-1, -1]


def test_order_of_spans_changes_nothing() -> None:
    spans = trace(9, 0, 9, 0)
    backwards = spans.take(np.arange(3, -1, -1))
    first, second = (build(one, short_ids=True) for one in (spans, backwards))
    np.testing.assert_array_equal(first.flags, second.flags)
    np.testing.assert_array_equal(first.parent_row, second.parent_row)
