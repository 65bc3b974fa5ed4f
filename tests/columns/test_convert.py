"""Whole spans as columns: nothing lost that the analysis needs, whatever the batch looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.records import records, span
from tracer.columns.convert import columns_from_records, hex_words
from tracer.columns.records import SpanRecords
from tracer.columns.spans import ServiceIdentity
from tracer.errors import BadInput

SECOND = 1_000_000_000


def test_every_field() -> None:
    row: dict[str, Any] = span(
        0xFEDCBA98765432100123456789ABCDEF,
        0x8000000000000001,
        0x7,
        start=5 * SECOND,
        duration=9,
        service="shop",
        name="GET /",
        kind="Producer",
        StatusCode="Error",
        TenantId="t",
        Environment="prod",
        ServiceNamespace="ns",
        ServiceVersion="1.2",
        Host="n1",
        MessagingOperation="publish",
        DroppedLinksCount=1,
        SamplingWeight=4.0,
    )
    columns = columns_from_records(records([row]))
    assert columns.trace_hi.tolist() == [0xFEDCBA9876543210]
    assert columns.trace_lo.tolist() == [0x0123456789ABCDEF]
    assert columns.span_id.tolist() == [0x8000000000000001]
    assert columns.parent_span_id.tolist() == [7]
    assert (columns.start_ns[0], columns.end_ns[0]) == (5 * SECOND, 5 * SECOND + 9)
    assert (columns.kind[0], columns.status[0]) == (4, 2)
    assert columns.sends_message.tolist() == columns.dropped.tolist() == [True]
    assert columns.weight.tolist() == [4.0]
    assert columns.services[columns.service[0]] == ServiceIdentity("t", "prod", "ns", "shop")
    assert columns.operations[columns.operation[0]] == "GET /"
    assert columns.versions[columns.version[0]] == "1.2"
    assert columns.hosts[columns.host[0]] == "n1"


def test_a_span_that_ends_before_it_starts_keeps_both_times() -> None:
    columns = columns_from_records(
        records([span(1, 1, start=5 * SECOND, duration=0, EndsBeforeStartNs=7)])
    )
    assert columns.end_ns[0] == 5 * SECOND - 7


def test_a_duration_beyond_the_end_of_time_stops_there() -> None:
    columns = columns_from_records(records([span(1, 1, start=SECOND, duration=2**64 - 1)]))
    assert columns.end_ns[0] == 2**63 - 1


def test_kinds_and_codes_outside_the_enum_are_unspecified() -> None:
    columns = columns_from_records(records([span(1, 1, kind="17", StatusCode="9")]))
    assert (columns.kind[0], columns.status[0]) == (0, 0)


def test_environments_are_different_services() -> None:
    columns = columns_from_records(
        records([span(1, 1, Environment="prod"), span(1, 2, Environment="test"), span(1, 3)])
    )
    assert len({columns.services[code].environment for code in columns.service.tolist()}) == 3


def test_no_spans() -> None:
    assert len(columns_from_records(SpanRecords.empty())) == 0


def test_a_slice_of_a_batch() -> None:
    whole = records([span(number, 10 + number, number % 3) for number in range(1, 9)])
    part = columns_from_records(SpanRecords(whole.batch.slice(3, 4)))
    assert part.trace_lo.tolist() == [4, 5, 6, 7]
    assert part.parent_span_id.tolist() == [1, 2, 0, 1]


@settings(max_examples=100, deadline=None)
@given(ids=st.lists(st.integers(0, 2**64 - 1) | st.none(), max_size=20))
def test_hex_of_one_word(ids: list[int | None]) -> None:
    text = pa.array(["" if one is None else f"{one:016x}" for one in ids], pa.string())
    assert hex_words(text, 1)[0].tolist() == [one or 0 for one in ids]


def test_shorter_ids_lack_leading_zeros() -> None:
    high, low = hex_words(pa.array(["ab", "", "f" * 32, "1" + "0" * 16]), 2)
    assert high.tolist() == [0, 0, 2**64 - 1, 1]
    assert low.tolist() == [0xAB, 0, 2**64 - 1, 0]
    assert low.dtype == np.uint64


@pytest.mark.parametrize("text", ["xyz", "g" * 16, "0" * 17])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="hex"):
        hex_words(pa.array([text]), 1)
