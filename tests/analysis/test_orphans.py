"""Why a parent is missing: what the spans that are there can tell, and nothing more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.picture import Line, columns, read
from tests.support.strategies import batches
from tracer.analysis.orphans import OrphanReason, orphan_reasons
from tracer.analysis.tree import build
from tracer.columns.spans import SpanColumns

LONG = 0xABCD_EF01_2345_6789

PICTURES = {
    "a parent of the same process is late, unfinished or lost": (
        """
        web/page server              |--------|
          web/call internal orphan   |  ---   |
        """,
        OrphanReason.LATE,
    ),
    "a call that encloses a server: something between them reports nothing": (
        """
        web/page server              |--------|
          web/call client            | ------ |
        shop/serve server orphan     |  ----  |
        """,
        OrphanReason.NOT_INSTRUMENTED,
    ),
    "a call that has its server's half explains nothing": (
        """
        web/page server              |--------|
          web/call client            | ------ |
            db/query server          |  ----  |
        shop/serve server orphan     |  ----  |
        """,
        OrphanReason.UNKNOWN,
    ),
    "a call that is over too early explains nothing": (
        """
        web/page server              |--------|
          web/call client            | ---    |
        shop/serve server orphan     |  ----  |
        """,
        OrphanReason.UNKNOWN,
    ),
    "a broker between a producer and a consumer": (
        """
        web/page server              |---     |
          web/send producer          | -      |
        mail/take consumer orphan    |    ----|
        """,
        OrphanReason.NOT_INSTRUMENTED,
    ),
    "services that keep spans at different rates": (
        """
        web/page server weight:10            |--------|
        shop/serve server orphan weight:2    |  ----  |
        """,
        OrphanReason.SAMPLED_OUT,
    ),
    "an unknown rate is no other rate": (
        """
        web/page server weight:10            |--------|
        shop/serve server orphan weight:0    |  ----  |
        """,
        OrphanReason.UNKNOWN,
    ),
    "all that is there is one lost server": (
        """
        shop/serve server orphan     |  ----  |
        """,
        OrphanReason.UNKNOWN,
    ),
    "an id cut to its lower half": (
        f"""
        web/page server id:{LONG}                          |--------|
        shop/serve internal under:{LONG & 0xFFFF_FFFF}     |  ----  |
        """,
        OrphanReason.TRUNCATED_ID,
    ),
    "a span whose own id was cut": (
        f"""
        web/page server id:{LONG & 0xFFFF_FFFF}            |--------|
        shop/serve internal under:{LONG}                   |  ----  |
        """,
        OrphanReason.TRUNCATED_ID,
    ),
    "an id that went through a double": (
        f"""
        web/page server id:{LONG}                          |--------|
        shop/serve internal under:{int(float(LONG))}       |  ----  |
        """,
        OrphanReason.TRUNCATED_ID,
    ),
}


@pytest.mark.parametrize(("picture", "expected"), PICTURES.values(), ids=PICTURES.keys())
def test_a_parent_is_missing(picture: str, expected: OrphanReason) -> None:
    forest = build(read(picture).spans)
    found = orphan_reasons(forest)
    assert sorted(found[found > 0].tolist()) == [expected]


def test_a_parent_under_the_other_width_of_the_trace_id() -> None:
    for whole in (0, 1):
        spans = columns([Line(5, 1, 0, 0, 9), Line(5, 2, 1, 2, 4, kind=2)])
        spans.trace_hi[whole] = 77
        found = orphan_reasons(build(spans))
        assert sorted(found.tolist()) == [OrphanReason.NONE, OrphanReason.TRUNCATED_ID]


def test_the_same_id_in_another_trace_explains_nothing() -> None:
    spans = columns([Line(5, 1, 0, 0, 9), Line(6, 2, 1, 2, 4, kind=2)])
    spans.trace_hi[0] = 77
    assert orphan_reasons(build(spans)).tolist() == [OrphanReason.UNKNOWN, OrphanReason.NONE]


@settings(max_examples=100, deadline=None)
@given(spans=batches(most=14), seed=st.integers(0, 2**32 - 1), weights=st.booleans())
def test_only_orphans_have_a_reason_and_order_changes_none(
    spans: SpanColumns, seed: int, weights: bool
) -> None:
    if weights:
        spans = replace(spans, weight=(spans.span_id % np.uint64(3)).astype(np.float64))
    shuffled = spans.take(np.random.default_rng(seed).permutation(len(spans)))
    first, second = build(spans), build(shuffled)
    reason = orphan_reasons(first)
    np.testing.assert_array_equal(reason, orphan_reasons(second))
    is_orphan = (first.caller_row < 0) & (first.spans.parent_span_id != 0)
    cut = first.flags & np.uint16(4) != 0
    np.testing.assert_array_equal(reason > 0, is_orphan & ~cut)
