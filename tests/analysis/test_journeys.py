"""The way of a request through queues, as drawn: '#' spans' own time; waits are named beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.support.picture import Line, columns, read
from tests.support.strategies import batches
from tracer.analysis.critical_path import critical_path
from tracer.analysis.forest import Forest
from tracer.analysis.journeys import MOST_QUEUES, Leg, causes, journey, last_caused
from tracer.analysis.tree import build
from tracer.columns.links import SpanLinks
from tracer.columns.spans import SpanColumns

PICTURES = {
    "producer, queue, consumer": (
        """
        web/handle server         |##---      |
          web/send producer       |  ##       |
            mail/take consumer    |      #--##|
              mail/smtp client    |       ##  |
        """,
        [(3, 4, 6)],
    ),
    "a consumer that begins before the producer ends waits for nothing": (
        """
        web/handle server         |##-----    |
          web/send producer       |  ###--    |
            mail/take consumer    |     ######|
        """,
        [],
    ),
    "what came before the hand-over counts, what runs beside it does not": (
        """
        web/handle server         |##--##----- |
          web/load client         |  ##        |
          web/log                 |    -----   |
          web/send producer       |      #     |
            mail/take consumer    |         ###|
        """,
        [(5, 7, 9)],
    ),
    "of two consumers the one that is done last": (
        """
        web/handle server         |#---       |
          web/send producer       | -         |
            mail/take consumer    |  ---      |
          web/send producer       | ##        |
            audit/take consumer   |     ######|
        """,
        [(5, 3, 5)],
    ),
    "through two queues": (
        """
        web/send producer           |##        |
          mail/take consumer        |  #--     |
            mail/send producer      |   #      |
              audit/take consumer   |      ####|
        """,
        [(4, 4, 6)],
    ),
    "consumers that are done before their sender is are no way on": (
        """
        web/handle server         |-----------|
          web/send producer       |  --       |
            mail/take consumer    |     ---   |
        """,
        [],
    ),
}


def journey_of(forest: Forest, root: int) -> list[Leg]:
    cause = causes(forest)
    return journey(
        forest,
        critical_path(forest, tolerance_ns=0),
        root,
        cause=cause,
        following=last_caused(forest, cause),
        tolerance_ns=0,
    )


@pytest.mark.parametrize(("picture", "waits"), PICTURES.values(), ids=PICTURES.keys())
def test_journeys_are_as_drawn(picture: str, waits: list[tuple[int, int, int]]) -> None:
    drawing = read(picture)
    forest = build(drawing.spans)
    legs = journey_of(forest, int(forest.main_root[0]))
    ids = forest.spans.span_id
    own = {(int(ids[one.span_row]), one.start_ns, one.end_ns) for one in legs if not one.is_wait}
    assert own == {(one.span_id, one.start_ns, one.end_ns) for one in drawing.claimed}
    waited = [(int(ids[one.span_row]), one.start_ns, one.end_ns) for one in legs if one.is_wait]
    assert waited == waits


def test_a_journey_passes_so_many_queues() -> None:
    lines = []
    for hop in range(MOST_QUEUES + 5):
        lines += [
            Line(1, 2 * hop + 1, 2 * hop, 10 * hop, 10 * hop + 5, kind=5 if hop else 1),
            Line(1, 2 * hop + 2, 2 * hop + 1, 10 * hop, 10 * hop + 5, kind=4),
        ]
    legs = journey_of(build(columns(lines)), 0)
    assert sum(one.is_wait for one in legs) == MOST_QUEUES
    assert legs[-1].end_ns == 10 * MOST_QUEUES + 5


def linked(*lines: Line, links: list[tuple[tuple[int, int], tuple[int, int]]]) -> list[Leg]:
    """The journey of trace 1; links lead from (trace, span) to (trace, span)."""
    forest = build(columns(list(lines)))
    ends = np.array(links, np.uint64).reshape(-1, 4)
    none = np.zeros(len(ends), np.uint64)
    cause = causes(forest, SpanLinks(none, ends[:, 0], ends[:, 1], none, ends[:, 2], ends[:, 3]))
    return journey(
        forest,
        critical_path(forest, tolerance_ns=0),
        0,
        cause=cause,
        following=last_caused(forest, cause),
        tolerance_ns=0,
    )


SENT = Line(1, 1, 0, 10, 20, kind=4)
SENT_LATER = Line(3, 1, 0, 22, 24, kind=4)
TAKEN = Line(2, 1, 0, 30, 50, kind=5)


def test_a_link_leads_into_another_trace() -> None:
    legs = linked(SENT, TAKEN, links=[((2, 1), (1, 1))])
    assert legs == [Leg(0, 10, 20, False), Leg(1, 20, 30, True), Leg(1, 30, 50, False)]


def test_a_batch_began_with_what_was_sent_last() -> None:
    both = [((2, 1), (1, 1)), ((2, 1), (3, 1))]
    assert linked(SENT, SENT_LATER, TAKEN, links=both) == []
    assert linked(SENT, SENT_LATER, TAKEN, links=both[:1])


def test_links_that_lead_nowhere_or_back_in_time_are_no_cause() -> None:
    assert linked(SENT, TAKEN, links=[((2, 1), (9, 9)), ((9, 9), (1, 1))]) == []
    assert linked(SENT, TAKEN, links=[((1, 1), (2, 1))]) == []
    assert linked(SENT, TAKEN, links=[((2, 1), (1, 1)), ((1, 1), (2, 1))]) != []


def test_a_link_between_other_kinds_says_nothing_of_a_queue() -> None:
    again = [line._replace(kind=2) for line in (SENT, TAKEN)]
    assert linked(*again, links=[((2, 1), (1, 1))]) == []


@settings(max_examples=200, deadline=None)
@given(spans=batches(most=16))
def test_a_journey_has_no_gap_and_outlasts_its_root(spans: SpanColumns) -> None:
    forest = build(spans)
    for root in forest.roots.tolist():
        legs = journey_of(forest, root)
        if legs:
            assert legs[0].start_ns == forest.spans.start_ns[root]
            assert [one.end_ns for one in legs[:-1]] == [one.start_ns for one in legs[1:]]
            assert legs[-1].end_ns > forest.spans.end_ns[root]
