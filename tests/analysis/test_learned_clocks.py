"""Many traces know better than one how two clocks differ; one trace still bounds them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.picture import Line, columns
from tracer.analysis.analyse import analyse
from tracer.analysis.host_calls import find_calls
from tracer.analysis.learned_clocks import MIN_TRACES, Learned, Offset, between, learn
from tracer.analysis.parents import join
from tracer.analysis.skew import SkewReason
from tracer.columns.spans import SpanColumns

OFF = 10_000  # how far the clock of b is behind


def call(trace: int, there_ns: int, back_ns: int, *, took_ns: int = 1_000) -> list[Line]:
    """A call from a to b: the way there, the server's time and the way back."""
    total = there_ns + took_ns + back_ns
    start = 50_000 + there_ns - OFF
    return [
        Line(trace, 1, 0, 50_000, 50_000 + total, "web", "call", 3, host="a"),
        Line(trace, 2, 1, start, start + took_ns, "shop", "serve", 2, host="b"),
    ]


def told(spans: SpanColumns) -> Learned:
    parents = join(spans)
    return learn(parents, find_calls(parents))


def traces(count: int) -> list[Line]:
    """Ways that differ by a few hundred ns, now there, now back; the median difference is none."""
    lines = []
    for trace in range(1, count + 1):
        longer = 40 * (trace - (count + 1) // 2)
        lines += call(trace, 600 + longer, 600 - longer)
    return lines


def test_the_median_of_all_traces() -> None:
    learned = told(columns(traces(9)))
    assert learned == {("a", "b"): Offset(OFF, 80, 9)}
    assert between(learned, "a", "b") == Offset(OFF, 80, 9)
    assert between(learned, "b", "a") == Offset(-OFF, 80, 9)
    assert between(learned, "a", "c") is None


def test_few_traces_are_no_experience() -> None:
    assert told(columns(traces(MIN_TRACES - 1))) == {}


def test_traces_that_bound_one_side_say_nothing() -> None:
    lines = traces(9)
    gave_up = [Line(*line[:8], failed=line.kind == 3, host=line.host) for line in lines]
    assert told(columns(gave_up)) == {}


def test_a_trace_with_much_room_is_told_by_the_others() -> None:
    """In the tenth trace the request waited 8 µs on its way: the middle would be 4 µs off."""
    spans = columns([*traces(9), *call(10, 8_600, 600)])
    alone, together = analyse(spans), analyse(spans, learn_clocks=True)
    at = int(np.flatnonzero(alone.skew.trace == 9)[0])
    assert alone.skew.shift_ns[at] == OFF - 4_000
    assert abs(together.skew.shift_ns[at] - OFF) <= 40
    assert together.skew.reason[at] == SkewReason.LEARNED


def test_what_is_learned_stays_within_what_the_trace_allows() -> None:
    """The tenth trace was timed after b's clock was set: it is 40 µs behind."""
    other = [
        line._replace(start_ns=line.start_ns - 30_000, end_ns=line.end_ns - 30_000)
        for line in call(10, 600, 600)[1:]
    ]
    spans = columns([*traces(9), call(10, 600, 600)[0], *other])
    analysis = analyse(spans, learn_clocks=True)
    at = int(np.flatnonzero(analysis.skew.trace == 9)[0])
    assert analysis.skew.shift_ns[at] == OFF + 30_000 - 600


def test_a_trace_with_little_room_knows_better() -> None:
    spans = columns([*traces(9), *call(10, 30, 50)])
    analysis = analyse(spans, learn_clocks=True)
    at = int(np.flatnonzero(analysis.skew.trace == 9)[0])
    assert analysis.skew.reason[at] == SkewReason.CALLS
    assert analysis.skew.shift_ns[at] == OFF + 10


@pytest.mark.parametrize("seed", range(3))
def test_order_changes_nothing_and_once_is_enough(seed: int) -> None:
    spans = columns([*traces(9), *call(10, 8_600, 600)])
    shuffled = spans.take(np.random.default_rng(seed).permutation(len(spans)))
    once = analyse(shuffled, learn_clocks=True)
    np.testing.assert_array_equal(
        once.forest.spans.start_ns, analyse(spans, learn_clocks=True).forest.spans.start_ns
    )
    assert len(analyse(once.forest.spans, learn_clocks=True).skew) == 0


def test_nothing_to_learn_from() -> None:
    assert told(columns([])) == {}
