"""Small traces of every shape hypothesis can think of: skewed, cyclic, orphaned, backwards."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.picture import Line, columns
from tracer.columns.spans import SpanColumns


@st.composite
def lines(draw: st.DrawFn, *, most: int = 12, longest_ns: int = 40) -> list[Line]:
    """Spans of up to three traces with distinct ids; parents may be missing, wrong or circular."""
    count = draw(st.integers(1, most))
    drawn = []
    for span_id in range(1, count + 1):
        start_ns = draw(st.integers(0, longest_ns))
        drawn.append(
            Line(
                trace=draw(st.sampled_from((1, 1, 1, 2, 3))),
                span_id=span_id,
                parent_id=draw(st.integers(0, count + 1)),
                start_ns=start_ns,
                end_ns=start_ns + draw(st.integers(-3, longest_ns)),
                service=draw(st.sampled_from(("a", "b"))),
                operation=draw(st.sampled_from(("x", "y"))),
                kind=draw(st.integers(0, 5)),
                failed=draw(st.booleans()),
                sends=draw(st.booleans()),
            )
        )
    return drawn


@st.composite
def calls_between_hosts(draw: st.DrawFn, *, most: int = 12) -> SpanColumns:
    """Up to two traces of calls between a few hosts with clocks of their own; some not known."""
    count = draw(st.integers(2, most))
    drawn = []
    for span_id in range(1, count + 1):
        start_ns = draw(st.integers(500, 700))
        drawn.append(
            Line(
                trace=draw(st.sampled_from((1, 1, 1, 2))),
                span_id=span_id,
                parent_id=draw(st.integers(max(0, span_id - 3), span_id - 1)),
                start_ns=start_ns,
                end_ns=start_ns + draw(st.integers(0, 99)),  # so short that nothing is forgiven
                kind=draw(st.sampled_from((2, 3, 2, 3, 2, 3, 0, 1, 4, 5))),
                failed=draw(st.sampled_from((False, False, False, True))),
                host=draw(st.sampled_from(("a", "b", "c", ""))),
            )
        )
    return columns(drawn)


def batches(*, most: int = 12, longest_ns: int = 40) -> st.SearchStrategy[SpanColumns]:
    """The same as columns."""
    return lines(most=most, longest_ns=longest_ns).map(columns)


@st.composite
def wide_trees(draw: st.DrawFn) -> SpanColumns:
    """One trace with enough spans to leave the narrow code paths; parents come before children."""
    count = draw(st.integers(30, 90))
    seeds = draw(st.lists(st.integers(0, 2**31), min_size=count, max_size=count))
    fan = draw(st.sampled_from((1, 2, 6, 1000)))
    made = []
    for number, seed in enumerate(seeds):
        start_ns = seed % 97
        made.append(
            Line(
                trace=1,
                span_id=number + 1,
                parent_id=0 if not number else 1 + (number - 1) // fan,
                start_ns=start_ns if number else 0,
                end_ns=(start_ns + seed // 97 % 60) if number else 100,
            )
        )
    return columns(made)


@st.composite
def knots(draw: st.DrawFn) -> SpanColumns:
    """One trace of touching, equal, overrunning and empty spans; no two ids alike.

    Times come from a handful of moments, so nearly every edge meets another. Shapes: whatever, a
    chain, a fan, and a fan at the end of a chain.
    """
    count = draw(st.integers(1, 24))
    moments = sorted(draw(st.sets(st.integers(0, 60), min_size=2, max_size=7)))
    shape = draw(st.sampled_from(("tree", "chain", "fan", "broom")))
    lines_drawn = []
    for span_id in range(1, count + 1):
        if shape == "chain" or (shape == "broom" and span_id <= count // 2):
            parent_id = span_id - 1
        elif shape == "tree":
            parent_id = draw(st.integers(0 if span_id > 3 else min(1, span_id - 1), span_id - 1))
        else:
            parent_id = max(1, count // 2) if shape == "broom" else min(1, span_id - 1)
        ends = draw(st.tuples(st.sampled_from(moments), st.sampled_from(moments)))
        start_ns, end_ns = (moments[0], moments[-1]) if span_id == 1 else sorted(ends)
        lines_drawn.append(
            Line(
                trace=1,
                span_id=span_id,
                parent_id=parent_id,
                start_ns=start_ns,
                end_ns=end_ns,
                kind=draw(st.sampled_from((0, 0, 0, 4, 5))),
            )
        )
    return columns(lines_drawn)
