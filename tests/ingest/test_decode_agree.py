"""The fast decoder and the obvious one give the same spans and refuse the same requests."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.otlp import (
    BASE_NS,
    damaged,
    difference,
    group_field,
    length_delimited,
    request,
    requests,
    rows,
    span,
    varint,
    varint_field,
    wire_attribute,
    wire_request,
)
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.sampling import sampling_weight, sampling_weights

CALM = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def agree(bodies: list[bytes]) -> None:
    fast = decode(bodies, ingest_ns=BASE_NS)
    slow = decode(bodies, ingest_ns=BASE_NS, decoder="walk")
    assert difference(fast.records, slow.records) == []
    assert fast.request_of.tolist() == slow.request_of.tolist()
    assert fast.rejected == slow.rejected
    assert {number: str(error) for number, error in fast.refused.items()} == {
        number: str(error) for number, error in slow.refused.items()
    }


@CALM
@given(st.lists(requests(), max_size=3))
def test_on_every_message(bodies: list[bytes]) -> None:
    agree(bodies)


@CALM
@given(st.lists(damaged(), min_size=1, max_size=3))
def test_on_damaged_bytes(bodies: list[bytes]) -> None:
    agree(bodies)


STRING, INT, ARRAY_1, ARRAY_2 = (
    length_delimited(1, b"s"),
    varint_field(3, 5),
    length_delimited(5, length_delimited(1, varint_field(3, 1))),
    length_delimited(5, length_delimited(1, varint_field(3, 2))),
)

ODD_WIRE = {
    "unknown varint": varint_field(200, 5),
    "unknown group": group_field(20, varint_field(1, 2)) + varint_field(6, 2),
    "group closed by another number": group_field(20, varint_field(1, 2), end=21),
    "group never closed": varint(20 << 3 | 3),
    "group closed, never opened": varint(20 << 3 | 4),
    "known field as a group": group_field(5, b""),
    "string as fixed64": varint(5 << 3 | 1) + b"12345678",
    "message as varint": varint_field(9, 7),
    "number as bytes": length_delimited(7, b"x"),
    "kind over 32 bits": varint_field(6, (1 << 40) + 3),
    "kind below zero": varint_field(6, -5),
    "count over 32 bits": varint_field(10, (1 << 40) + 3),
    "tag over 32 bits": varint((1 << 33) | (6 << 3)) + b"\x02",
    "field number 0": b"\x00\x01",
    "field number 2^29": varint((1 << 29) << 3) + b"\x02",
    "wire type 6": varint(5 << 3 | 6),
    "overlong varint": b"\x30" + b"\x80" * 9 + b"\x01",
    "varint without an end": b"\x30" + b"\x80" * 10 + b"\x01",
    "bad UTF-8 in the name": length_delimited(5, b"\xff"),
    "surrogate in the name": length_delimited(5, b"\xed\xa0\x80"),
    "bad UTF-8 in an unknown field": length_delimited(100, b"\xff"),
    "name twice": length_delimited(5, b"a") + length_delimited(5, b"b"),
    "status in two halves": length_delimited(15, length_delimited(2, b"m"))
    + length_delimited(15, varint_field(3, 2)),
    "status twice": length_delimited(15, varint_field(3, 2))
    + length_delimited(15, varint_field(3, 1)),
    "length past the end": varint(5 << 3 | 2) + varint(100) + b"abc",
    "no value": wire_attribute(),
    "empty value": wire_attribute(b""),
    "string then int": wire_attribute(STRING + INT),
    "int then string": wire_attribute(INT + STRING),
    "int, and string in a second value": wire_attribute(INT, STRING),
    "string, and nothing in a second value": wire_attribute(STRING, b""),
    "array in two halves": wire_attribute(ARRAY_1 + ARRAY_2),
    "array in two values": wire_attribute(ARRAY_1, ARRAY_2),
    "array, string, array": wire_attribute(ARRAY_1 + STRING + ARRAY_2),
    "array that is not one": wire_attribute(length_delimited(5, b"\xff")),
    "bool that is 2": wire_attribute(varint_field(2, 2)),
    "bool over 32 bits": wire_attribute(varint_field(2, 1 << 35)),
    "NaN with a payload": wire_attribute(varint(4 << 3 | 1) + b"\x01\0\0\0\0\0\xf8\x7f"),
    "index into a string table": wire_attribute(varint_field(8, 1)),
    "string, then index into a string table": wire_attribute(STRING + varint_field(8, 1)),
    "pair with a key index": length_delimited(9, length_delimited(1, b"k") + varint_field(3, 1)),
}


def nested(depth: int) -> bytes:
    """An AnyValue body: an array in an array in an array …"""
    body = INT
    for _ in range(depth):
        body = length_delimited(5, length_delimited(1, body))
    return body


@pytest.mark.parametrize("fields", ODD_WIRE.values(), ids=ODD_WIRE.keys())
def test_on_odd_wire_data(fields: bytes) -> None:
    agree([request(span(name="before")), wire_request(fields), request(span(name="after"))])


@pytest.mark.parametrize("depth", [1, 20, 46, 47, 48, 49, 200])
def test_on_nested_values(depth: int) -> None:
    agree([wire_request(wire_attribute(nested(depth)))])


def test_damage_is_refused_and_oddity_is_not() -> None:
    bodies = [wire_request(fields) for fields in ODD_WIRE.values()]
    refused = decode(bodies, ingest_ns=BASE_NS).refused
    names = {list(ODD_WIRE)[number] for number in refused}
    assert {"group never closed", "bad UTF-8 in the name", "field number 0"} <= names
    assert names.isdisjoint({"unknown group", "status in two halves", "string then int"})


def test_the_member_of_a_value_that_comes_last_is_kept() -> None:
    bodies = [wire_request(ODD_WIRE[name]) for name in ("string then int", "array in two halves")]
    got = [row["SpanAttributes"] for row in rows(decode(bodies, ingest_ns=BASE_NS).records)]
    assert got == [[("k", "5")], [("k", '{"values":[{"intValue":"1"},{"intValue":"2"}]}')]]


@given(
    st.one_of(
        st.text("ot=h:;, \t8cfv", max_size=20),
        st.text("0123456789abcdefg", max_size=16).map("ot=th:{}".format),
    )
)
def test_sampling_weight_of_many_is_that_of_each(trace_state: str) -> None:
    states = pa.array([trace_state, "", "ot=th:8", trace_state])
    assert sampling_weights(states).tolist() == list(map(sampling_weight, states.to_pylist()))


def test_sampling_weight_counts_the_traces_left_out() -> None:
    assert sampling_weight("ot=th:8") == 2
    assert sampling_weight("ot=th:fffffffffffffe") == 1 << 55
    assert math.isclose(sampling_weight("ot=th:e668"), 10, rel_tol=1e-3)
