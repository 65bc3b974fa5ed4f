"""Calls between services: drawn, and held against the oracle that looks at one span at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.oracle_calls import Key, Traffic
from tests.support.picture import read
from tests.support.strategies import batches, wide_trees
from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows
from tracer.analysis.services import calls, inclusive_ns, stretches
from tracer.analysis.tree import build
from tracer.columns.spans import SpanColumns

PICTURES = {
    "a client and its server": ("""
        web/buy server       |------|
          web/pay client     | ---- |
            bank/pay server  |  --  |
    """, [("web/pay", "bank/pay", False)]),
    "a server without a client span": ("""
        web/buy server    |------|
          bank/pay server |  --  |
    """, [("web/buy", "bank/pay", False)]),
    "a client without an answer": ("""
        web/buy server    |------|
          web/sql client  |  --  |
    """, [("web/sql", None, True)]),
    "of nested clients the inner one calls": ("""
        web/buy server     |------|
          web/s3 client    | ---- |
            web/get client |  --  |
    """, [("web/get", None, True)]),
    "a message goes to whom the producer names, and comes from whom the consumer names": ("""
        web/buy server           |---   |
          web/send producer      | -    |
            mail/take consumer   |   -- |
    """, [("web/send", None, True), (None, "mail/take", True)]),
    "who called a server whose parent is missing is not known": ("""
        bank/pay server orphan  |------|
          bank/sql client       | ---- |
    """, [("bank/sql", None, True)]),
    "what happens within a service is no call": ("""
        web/buy server       |------|
          web/step internal  | ---- |
    """, []),
}  # fmt: skip


@pytest.mark.parametrize(("picture", "expected"), PICTURES.values(), ids=PICTURES.keys())
def test_calls_of(picture: str, expected: list[tuple[str | None, str | None, bool]]) -> None:
    forest = build(read(picture).spans)
    made = calls(forest, np.arange(len(forest)))
    found = zip(made.caller.tolist(), made.callee.tolist(), made.target.tolist(), strict=True)
    assert [
        (_name(forest, caller), _name(forest, callee), target >= 0)
        for caller, callee, target in found
    ] == expected


def _name(forest: Forest, row: int) -> str | None:
    spans = forest.spans
    if row < 0:
        return None
    return f"{spans.services[spans.service[row]].name}/{spans.operations[spans.operation[row]]}"


def keys_of(forest: Forest) -> list[Key]:
    spans = forest.spans
    return list(zip(spans.trace_lo.tolist(), spans.span_id.tolist(), strict=True))


def numbers(forest: Forest, seed: list[int]) -> Rows:
    """A number for each span that does not depend on the order of rows."""
    return np.array([seed[span_id % len(seed)] for _, span_id in keys_of(forest)], np.intp)


@settings(max_examples=200, deadline=None)
@given(spans=batches(most=14), seed=st.lists(st.integers(-1, 3), min_size=14, max_size=14))
def test_calls_and_stretches_agree_with_slow(spans: SpanColumns, seed: list[int]) -> None:
    forest = build(spans)
    keys, target = keys_of(forest), numbers(forest, seed)
    slow = Traffic(spans)
    made = calls(forest, target)
    fast = {
        (keys[caller] if caller >= 0 else None, keys[callee] if callee >= 0 else None, to)
        for caller, callee, to in zip(
            made.caller.tolist(), made.callee.tolist(), made.target.tolist(), strict=True
        )
    }
    assert fast == slow.calls(dict(zip(keys, target.tolist(), strict=True)))
    assert len(fast) == len(made)
    head = stretches(forest).tolist()
    assert {keys[row]: keys[above] for row, above in enumerate(head)} == {
        key: slow.stretch(key) for key in slow.keys
    }


@settings(max_examples=100, deadline=None)
@given(spans=batches(most=14) | wide_trees(), seed=st.lists(st.integers(0, 9), min_size=9))
def test_inclusive_sums_agree_with_slow(spans: SpanColumns, seed: list[int]) -> None:
    forest = build(spans)
    keys, own = keys_of(forest), numbers(forest, seed).astype(np.int64)
    slow = Traffic(spans).inclusive(dict(zip(keys, own.tolist(), strict=True)))
    assert dict(zip(keys, inclusive_ns(forest, own).tolist(), strict=True)) == slow
