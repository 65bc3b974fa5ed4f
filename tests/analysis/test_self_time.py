"""Self time: tables, and the oracle that counts every nanosecond."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.support import oracle
from tests.support.picture import Line, columns, read
from tests.support.strategies import batches, wide_trees
from tracer.analysis.self_time import self_time
from tracer.analysis.tree import build
from tracer.columns.spans import SpanColumns

PICTURES = {
    "children one after the other": ("""
        a   |------|
          b | --   |
          c |   -- |
    """, [2, 2, 2]),
    "overlapping children count once": ("""
        a   |------|
          b | ---  |
          c |  --- |
    """, [2, 3, 3]),
    "a child within a child's time": ("""
        a   |------|
          b | ---- |
          c |  --  |
    """, [2, 4, 2]),
    "only what lies inside the parent counts": ("""
        a   |  ----   |
          b | --      |
          c |     --- |
          d |       --|
    """, [2, 2, 3, 2]),
    "a parent that only waits": ("""
        a   | ---- |
          b |------|
    """, [0, 6]),
    "grandchildren take nothing from their grandparent": ("""
        a     |------|
          b   | --   |
            c | ---- |
    """, [4, 0, 4]),
    "what is not waited for takes nothing": ("""
        web/send producer    |-----|
          mail/take consumer | --- |
    """, [5, 3]),
    "instants": ("""
        a   |---|
          b | o |
    """, [3, 0]),
}  # fmt: skip


@pytest.mark.parametrize(("picture", "expected"), PICTURES.values(), ids=PICTURES.keys())
def test_self_time_of(picture: str, expected: list[int]) -> None:
    assert self_time(build(read(picture).spans)).tolist() == expected


def by_key(spans: SpanColumns) -> dict[oracle.Key, int]:
    forest = build(spans)
    keys = zip(forest.spans.trace_lo.tolist(), forest.spans.span_id.tolist(), strict=True)
    return dict(zip(keys, self_time(forest).tolist(), strict=True))


@settings(max_examples=300, deadline=None)
@given(spans=batches(most=14))
def test_fast_agrees_with_slow(spans: SpanColumns) -> None:
    assert by_key(spans) == oracle.self_time(spans)


@settings(max_examples=60, deadline=None)
@given(spans=wide_trees())
def test_wide_families_agree_with_slow(spans: SpanColumns) -> None:
    assert by_key(spans) == oracle.self_time(spans)


def test_sums_of_durations_beyond_64_bits_do_not_overflow() -> None:
    last = 2**63 - 1
    lines = []
    for trace in range(1, 9):
        lines += [Line(trace, 1, 0, 0, last), Line(trace, 2, 1, 10, last - 10)]
    expected = [20, last - 20] * 8
    assert self_time(build(columns(lines))).tolist() == expected


def test_no_spans() -> None:
    assert self_time(build(columns([]))).tolist() == []
