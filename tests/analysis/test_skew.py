"""Clocks put right, as drawn before and after, and by law: spans move by host, whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import oracle
from tests.support.picture import Line, columns, read
from tests.support.strategies import calls_between_hosts
from tracer.analysis.analyse import Analysis, analyse
from tracer.analysis.forest import SpanFlag
from tracer.analysis.skew import SkewReason
from tracer.columns.spans import SpanColumns

BEFORE_AND_AFTER = {
    "a clock behind: the middle of its client": (
        """
        web/page server @a         |      ------------|
          web/call client @a       |       ---------- |
            shop/serve server @b   |  ----            |
              shop/work @b         |   -              |
        """,
        """
        web/page server @a         |      ------------|
          web/call client @a       |       ---------- |
            shop/serve server @b   |          ----    |
              shop/work @b         |           -      |
        """,
    ),
    "a clock ahead: a server does not end after its client": (
        """
        web/call client @a       |----------      |
          shop/serve server @b   |            ----|
        """,
        """
        web/call client @a       |----------      |
          shop/serve server @b   |   ----         |
        """,
    ),
    "within its client a call proves nothing": (
        """
        web/call client @a       |----------|
          shop/serve server @b   | ----     |
        """,
        None,
    ),
    "one host has one clock": (
        """
        web/call client @a       |   ------ |
          shop/serve server @a   |----      |
        """,
        None,
    ),
    "of an unknown host nothing is known": (
        """
        web/call client @a       |   ------ |
          shop/serve server      |----      |
        """,
        None,
    ),
    "only a client and a server prove it": (
        """
        web/page server @a         |   ---------|
          web/work internal @a     |    ------- |
            shop/serve server @b   |----        |
        """,
        None,
    ),
    "a consumer is not pulled back to its producer": (
        """
        web/send producer @a       |---         |
          mail/take consumer @b    |      ----- |
        """,
        None,
    ),
    "a consumer may even seem to come first": (
        """
        web/send producer @a       |   ---      |
          mail/take consumer @b    |-----       |
        """,
        None,
    ),
    "a server that outlasts its client is only moved to start with it": (
        """
        web/call client @a       |  ----      |
          shop/serve server @b   |--------    |
        """,
        """
        web/call client @a       |  ----      |
          shop/serve server @b   |  --------  |
        """,
    ),
    "a client that failed may have given up": (
        """
        web/call client ! @a     |------      |
          shop/serve server @b   |    ----    |
        """,
        None,
    ),
    "siblings of one host move together": (
        """
        web/page server @a         |    ------------------|
          web/call client @a       |    ------            |
            shop/one server @b     |  --                  |
          web/call client @a       |            ------    |
            shop/two server @b     |           --         |
        """,
        """
        web/page server @a         |    ------------------|
          web/call client @a       |    ------            |
            shop/one server @b     |     --               |
          web/call client @a       |            ------    |
            shop/two server @b     |              --      |
        """,
    ),
    "calls both ways bound one clock": (
        """
        web/call client @a         |    ----------------|
          shop/serve server @b     | ----------         |
            shop/back client @b    |   -----            |
              web/answer server @a |        --          |
        """,
        """
        web/call client @a         |    ----------------|
          shop/serve server @b     |     ----------     |
            shop/back client @b    |       -----        |
              web/answer server @a |        --          |
        """,
    ),
    "what a shifted server calls without proof goes with it": (
        """
        web/call client @a         |    --------|
          shop/serve server @b     |----        |
            shop/query client @b   | --         |
              db/select server @c  | --         |
        """,
        """
        web/call client @a         |    --------|
          shop/serve server @b     |      ----  |
            shop/query client @b   |       --   |
              db/select server @c  |       --   |
        """,
    ),
    "so does a process of which the host is not known": (
        """
        web/call client @a         |    --------|
          shop/serve server @b     |----        |
            lib/work internal      | --         |
        """,
        """
        web/call client @a         |    --------|
          shop/serve server @b     |      ----  |
            lib/work internal      |       --   |
        """,
    ),
    "but no consumer of what it sent": (
        """
        web/call client @a          |    --------|
          shop/serve server @b      |----        |
            shop/send producer @b   | -          |
              mail/take consumer @c |  ---       |
        """,
        """
        web/call client @a          |    --------|
          shop/serve server @b      |      ----  |
            shop/send producer @b   |       -    |
              mail/take consumer @c |  ---       |
        """,
    ),
    "only the clock that is off is moved": (
        """
        web/call client @a          |    ------------|
          gate/serve server @b      |----------      |
            gate/call client @b     | --------       |
              shop/serve server @c  |      ------    |
        """,
        """
        web/call client @a          |    ------------|
          gate/serve server @b      |     ---------- |
            gate/call client @b     |      --------  |
              shop/serve server @c  |      ------    |
        """,
    ),
    "a trace with a cycle stays as it is": (
        """
        web/call client @a          |    --------|
          shop/serve server @b      |----        |
        shop/a under:4 @b           | --         |
        shop/b under:3 @b           |  -         |
        """,
        None,
    ),
}


@pytest.mark.parametrize(
    ("before", "after"), BEFORE_AND_AFTER.values(), ids=BEFORE_AND_AFTER.keys()
)
def test_clocks_are_put_right_as_drawn(before: str, after: str | None) -> None:
    spans, wanted = read(before).spans, read(after or before).spans
    assert _times(analyse(spans).forest.spans) == _times(wanted)
    assert _times(analyse(spans, max_skew_ns=None).forest.spans) == _times(spans)


def _times(spans: SpanColumns) -> list[tuple[int, int, int]]:
    return sorted(
        zip(spans.span_id.tolist(), spans.start_ns.tolist(), spans.end_ns.tolist(), strict=True)
    )


SECOND = 1_000_000_000
BROWSER = [
    Line(1, 1, 0, 0, 100, "page", "load", 3, host="browser"),
    Line(1, 2, 1, 2 * SECOND, 2 * SECOND + 60, "web", "GET", 2, host="n1"),
    Line(1, 3, 2, 2 * SECOND + 10, 2 * SECOND + 50, "web", "call", 3, host="n1"),
    Line(1, 4, 3, 2 * SECOND + 20, 2 * SECOND + 40, "shop", "GET", 2, host="n2"),
]


def shifts(analysis: Analysis) -> list[tuple[str, str, int, int, int, str, bool]]:
    skew, spans = analysis.skew, analysis.forest.spans
    return [
        (
            spans.hosts[skew.host[row]],
            spans.hosts[skew.against[row]],
            int(skew.shift_ns[row]),
            int(skew.error_ns[row]),
            int(skew.calls[row]),
            SkewReason(skew.reason[row]).name,
            bool(skew.applied[row]),
        )
        for row in range(len(skew))
    ]


def test_a_browser_two_seconds_off_moves_all_that_agree_with_each_other() -> None:
    analysis = analyse(columns(BROWSER))
    by = -2 * SECOND + 20
    assert shifts(analysis) == [
        ("n1", "browser", by, 20, 1, "CALLS", True),
        ("n2", "n1", by, -1, 1, "CALLER", True),
    ]
    flagged = analysis.forest.has(SpanFlag.SKEW_CORRECTED)
    assert flagged.tolist() == [False, True, True, True]
    assert int(analysis.sections.duration_ns.sum()) == 100


def test_what_is_beyond_the_limit_is_told_and_left() -> None:
    analysis = analyse(columns(BROWSER), max_skew_ns=SECOND)
    assert shifts(analysis) == [("n1", "browser", -2 * SECOND + 20, 20, 1, "CALLS", False)]
    assert _times(analysis.forest.spans) == _times(columns(BROWSER))


def test_calls_that_contradict_each_other_meet_in_the_middle() -> None:
    """One call says that b is 10 to 14 behind, another that it is 0 to 4 ahead."""
    analysis = analyse(
        columns(
            [
                Line(1, 1, 0, 100, 200, host="a", kind=2),
                Line(1, 2, 1, 110, 120, host="a", kind=3),
                Line(1, 3, 2, 100, 106, host="b", kind=2),
                Line(1, 4, 1, 140, 150, host="a", kind=3),
                Line(1, 5, 4, 144, 150, host="b", kind=2),
                Line(1, 6, 1, 160, 170, host="a", kind=3),
                Line(1, 7, 6, 160, 166, host="b", kind=2),
            ]
        )
    )
    assert shifts(analysis) == [("b", "a", 5, -1, 3, "CONFLICT", True)]


@pytest.mark.parametrize("over_ns", [0, 1, 1_000_000, 1_000_001])
def test_what_the_tolerance_of_the_path_forgives_is_no_skew(over_ns: int) -> None:
    client = Line(1, 1, 0, SECOND, 2 * SECOND, kind=3, host="a")
    server = Line(1, 2, 1, SECOND - over_ns, SECOND + 500, kind=2, host="b")
    assert bool(len(analyse(columns([client, server])).skew)) == (over_ns > 1_000_000)


LIMITS = st.sampled_from((0, 30, 10**9))


@settings(max_examples=300, deadline=None)
@given(spans=calls_between_hosts(), limit_ns=LIMITS)
def test_fast_agrees_with_slow(spans: SpanColumns, limit_ns: int) -> None:
    forest = analyse(spans, max_skew_ns=limit_ns).forest
    added = oracle.skew(spans, limit_ns)
    keys = zip(spans.trace_lo.tolist(), spans.span_id.tolist(), strict=True)
    raw = dict(zip(keys, spans.start_ns.tolist(), strict=True))
    found = zip(forest.spans.trace_lo.tolist(), forest.spans.span_id.tolist(), strict=True)
    got = {
        key: start - raw[key]
        for key, start in zip(found, forest.spans.start_ns.tolist(), strict=True)
    }
    assert got == added


@settings(max_examples=300, deadline=None)
@given(spans=calls_between_hosts(), limit_ns=LIMITS, seed=st.integers(0, 2**32 - 1))
def test_lengths_stay_order_changes_nothing_and_once_is_enough(
    spans: SpanColumns, limit_ns: int, seed: int
) -> None:
    once = analyse(spans, max_skew_ns=limit_ns)
    after = {one: end - start for one, start, end in _lengths(once.forest.spans)}
    assert after == {one: end - start for one, start, end in _lengths(spans)}

    shuffled = spans.take(np.random.default_rng(seed).permutation(len(spans)))
    other = analyse(shuffled, max_skew_ns=limit_ns)
    assert _sections(once) == _sections(other)
    assert shifts(once) == shifts(other)

    again = analyse(once.forest.spans, max_skew_ns=limit_ns)
    assert _sections(again) == _sections(once)
    assert [shift for shift in shifts(again) if shift[-1]] == []


def _lengths(spans: SpanColumns) -> list[tuple[tuple[int, int], int, int]]:
    keys = zip(spans.trace_lo.tolist(), spans.span_id.tolist(), strict=True)
    return list(zip(keys, spans.start_ns.tolist(), spans.end_ns.tolist(), strict=True))


def _sections(analysis: Analysis) -> list[tuple[int, int, int]]:
    found = analysis.sections
    return list(
        zip(found.span_row.tolist(), found.start_ns.tolist(), found.end_ns.tolist(), strict=True)
    )


def test_hosts_in_a_chain_of_ten_thousand() -> None:
    """Each calls the next, whose clock is a little later: every one is put right."""
    lines = []
    for hop in range(10_000):
        client = Line(1, 2 * hop + 1, 2 * hop, 500, 600, kind=3, host=f"h{hop}")
        server = Line(
            1,
            2 * hop + 2,
            2 * hop + 1,
            501 + hop % 2 * 300,
            599 + hop % 2 * 300,
            kind=2,
            host=f"h{hop + 1}",
        )
        lines += [client, server]
    analysis = analyse(columns(lines))
    assert len(analysis.skew) > 0
    again = analyse(analysis.forest.spans)
    assert len(again.skew) == 0
