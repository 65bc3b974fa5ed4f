"""Where failures begin and how far they reach: drawn traces, and the oracle that walks them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import oracle_errors
from tests.support.picture import columns, read
from tests.support.strategies import batches
from tracer.analysis.errors import FATES, Propagation, propagate
from tracer.analysis.forest import Forest, Rows
from tracer.analysis.packing import Rows as Numbers
from tracer.analysis.tree import build
from tracer.columns.spans import STATUS_ERROR, SpanColumns

# Each origin, the chain it took and what became of it there. `@` marks the reason of a failure.
TRACES = {
    "the deepest failing span is the origin": ("""
        web/buy server !       |--------|
          web/pay client !     | ------ |
            pay/pay server !   |  ----  |
              pay/log internal |   -    |
    """, [("pay/pay", "web/pay", "web/buy", "unhandled")]),
    "a caller that does not fail has handled it": ("""
        web/buy server     |--------|
          web/pay client ! | ------ |
    """, [("web/pay", "handled")]),
    "an attempt that is made again is retried": ("""
        web/buy server     |--------|
          web/pay client ! | --     |
          web/pay client   |    --  |
    """, [("web/pay", "retried")]),
    "of attempts that all fail the last one reaches the caller": ("""
        web/buy server !   |--------|
          web/pay client ! | --     |
          web/pay client ! |    --  |
    """, [("web/pay", "retried"), ("web/pay", "web/buy", "unhandled")]),
    "calls made at once are not attempts": ("""
        web/buy server !   |--------|
          web/pay client ! | ----   |
          web/pay client   |  ----  |
    """, [("web/pay", "web/buy", "unhandled")]),
    "two independent origins below one caller": ("""
        web/buy server !   |--------|
          web/pay client ! | ----   |
          web/get client ! |  ----  |
    """, [("web/pay", "web/buy", "unhandled"), ("web/get", "web/buy", "unhandled")]),
    "a rollback is not going on": ("""
        web/buy server !      |--------|
          web/insert client ! | ---    |
          web/rollback client |     -- |
    """, [("web/insert", "web/buy", "unhandled")]),
    "internal spans that say nothing are looked through": ("""
        web/buy server !         |--------|
          web/step internal      | ------ |
            web/step internal    | -----  |
              web/pay client !   |  ---   |
    """, [("web/pay", "web/buy", "unhandled")]),
    "a server that says nothing has answered": ("""
        web/buy server !     |--------|
          pay/pay server     | ------ |
            pay/get client ! |  ---   |
    """, [("web/buy", "unhandled"), ("pay/get", "handled")]),
    "a caller that gave up did not fail because of what failed afterwards": ("""
        web/buy server !     |--------- |
          web/pay client !   | ----     |
            pay/pay server ! |  --------|
    """, [("web/pay", "web/buy", "unhandled"), ("pay/pay", "outlived")]),
    "a server whose clock is ahead": ("""
        web/pay client !   | ----     |
          pay/pay server ! |   ---    |
    """, [("pay/pay", "web/pay", "unhandled")]),
    "nobody waits for a consumer": ("""
        web/buy server               |-----      |
          web/send producer          | --        |
            mail/take consumer !     |   ------  |
              mail/insert client !   |     ---   |
    """, [("mail/insert", "mail/take", "unhandled")]),
    "a root that fails by itself": ("""
        web/buy server ! |--|
          web/get client | -|
    """, [("web/buy", "unhandled")]),
}  # fmt: skip


@pytest.mark.parametrize(("picture", "expected"), TRACES.values(), ids=TRACES.keys())
def test_origins_and_how_far_they_reach(picture: str, expected: list[tuple[str, ...]]) -> None:
    forest = build(read(picture).spans)
    found = spread(forest, np.full(len(forest), -1))
    assert sorted(_chains(forest, found)) == sorted(expected)


REASONS = [
    (
        "a reason of its own, after going on",
        [2, 1, 0],
        [("web/a", "superseded"), ("web/x", "unhandled")],
    ),
    ("the same reason, after going on", [1, 1, 0], [("web/a", "web/x", "unhandled")]),
    ("no reason, after going on", [-1, 1, 0], [("web/a", "web/x", "unhandled")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "reason", "expected"), REASONS, ids=[r[0] for r in REASONS])
def test_reasons_tell_whether_a_caller_failed_for_itself(
    name: str, reason: list[int], expected: list[tuple[str, ...]]
) -> None:
    forest = build(
        read("""
            web/x server !    |---------|
              web/a client !  | --      |
              web/b client    |    ---  |
        """).spans
    )
    assert sorted(_chains(forest, spread(forest, np.array(reason)))) == sorted(expected)


def spread(forest: Forest, reason: Numbers) -> Propagation:
    row = np.flatnonzero(forest.spans.status == STATUS_ERROR)
    return propagate(forest, row, reason[row], _repeats)


def _repeats(below: Rows, above: Rows) -> np.ndarray:
    """Stands for one message that contains another."""
    return above == below + 3


def _chains(forest: Forest, found: Propagation) -> list[tuple[str, ...]]:
    chains = []
    for origin in np.flatnonzero(found.is_origin).tolist():
        chain, at = [], origin
        while at >= 0:
            row = found.row[at]
            spans = forest.spans
            service = spans.services[spans.service[row]].name
            chain.append(f"{service}/{spans.operations[spans.operation[row]]}")
            at = int(found.up[at])
        chains.append((*chain, FATES[int(found.fate[origin])]))
    return chains


@settings(max_examples=400, deadline=None)
@given(spans=batches(most=14), seed=st.lists(st.integers(-1, 5), min_size=14, max_size=14))
def test_fast_agrees_with_slow(spans: SpanColumns, seed: list[int]) -> None:
    forest = build(spans)
    keys = list(zip(forest.spans.trace_lo.tolist(), forest.spans.span_id.tolist(), strict=True))
    reason = np.array([seed[int(span_id) % 14] for _, span_id in keys])
    found = spread(forest, reason)
    slow = oracle_errors.spread(
        spans,
        {keys[row]: int(reason[row]) for row in found.row.tolist()},
        lambda below, above: above == below + 3,
    )
    fast = {
        keys[row]: oracle_errors.Spread(
            None if up < 0 else keys[found.row[up]], keys[found.row[top]], FATES[fate], is_origin
        )
        for row, up, top, fate, is_origin in zip(
            found.row.tolist(),
            found.up.tolist(),
            found.top.tolist(),
            found.fate.tolist(),
            found.is_origin.tolist(),
            strict=True,
        )
    }
    assert fast == slow


def test_no_failures() -> None:
    assert len(spread(build(columns([])), np.zeros(0, np.intp))) == 0
