"""OTLP/JSON in: every rule of its encoding; and out: nothing is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.otlp import BASE_NS, plain, request, requests, rows, span
from tracer.errors import BadInput
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.decoded import REASONS
from tracer.ingest.otlp.encode import to_otlp_json, to_otlp_lines
from tracer.ingest.otlp.otlp_json import request_from_json

SPAN = {
    "traceId": "000102030405060708090a0b0c0d0e0f",
    "spanId": "0102030405060708",
    "name": "work",
    "startTimeUnixNano": str(BASE_NS),
    "endTimeUnixNano": str(BASE_NS + 1_000_000),
}


def body(*spans: dict[str, Any], **group: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}], **group}]}).encode()


def parsed(**fields: Any) -> Any:
    """The one span of a document, as protobuf."""
    message = ExportTraceServiceRequest.FromString(request_from_json(body(SPAN | fields)))
    return message.resource_spans[0].scope_spans[0].spans[0]


def test_json_and_protobuf_of_the_same_span_are_the_same_bytes() -> None:
    assert request_from_json(body(SPAN, resource={}, scope={})).count(b"work") == 1
    from_json = decode([request_from_json(body(SPAN))], ingest_ns=1)
    from_protobuf = decode([request(span())], ingest_ns=1)
    assert plain(from_json.records).equals(plain(from_protobuf.records))


@pytest.mark.parametrize(
    ("fields", "name", "wanted"),
    [
        (
            {"traceId": "AABBCCDDEEFF00112233445566778899"},
            "trace_id",
            bytes.fromhex("aabbccddeeff00112233445566778899"),
        ),
        ({"parentSpanId": ""}, "parent_span_id", b""),
        ({"parentSpanId": None}, "parent_span_id", b""),
        ({"startTimeUnixNano": BASE_NS + 1}, "start_time_unix_nano", BASE_NS + 1),
        ({"startTimeUnixNano": "18446744073709551615"}, "start_time_unix_nano", (1 << 64) - 1),
        ({"startTimeUnixNano": 1e3}, "start_time_unix_nano", 1000),
        ({"startTimeUnixNano": "1e3"}, "start_time_unix_nano", 1000),
        ({"startTimeUnixNano": "1.0"}, "start_time_unix_nano", 1),
        ({"start_time_unix_nano": 7, "startTimeUnixNano": None}, "start_time_unix_nano", 0),
        ({"trace_state": "x"}, "trace_state", ""),
        ({"kind": 2}, "kind", 2),
        ({"kind": "SPAN_KIND_CLIENT"}, "kind", 3),
        ({"kind": 17}, "kind", 17),
        ({"kind": None}, "kind", 0),
        ({"flags": 257}, "flags", 257),
        ({"unknown": {"deep": [1]}}, "name", "work"),
        ({"events": None, "links": None, "attributes": None, "status": None}, "name", "work"),
    ],
)
def test_fields(fields: dict[str, Any], name: str, wanted: object) -> None:
    assert getattr(parsed(**fields), name) == wanted


@pytest.mark.parametrize(
    ("value", "member", "wanted"),
    [
        ({"stringValue": "x"}, "string_value", "x"),
        ({"boolValue": False}, "bool_value", False),
        ({"intValue": "-9223372036854775808"}, "int_value", -(1 << 63)),
        ({"intValue": 9007199254740993}, "int_value", 9007199254740993),
        ({"doubleValue": 2}, "double_value", 2.0),
        ({"doubleValue": "-Infinity"}, "double_value", float("-inf")),
        ({"doubleValue": "1.5"}, "double_value", 1.5),
        ({"bytesValue": "/+8="}, "bytes_value", b"\xff\xef"),
        ({"bytesValue": "_-8"}, "bytes_value", b"\xff\xef"),
        ({"stringValue": None}, None, None),
        ({"newValue": 1}, None, None),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_attribute_values(value: Any, member: str | None, wanted: object) -> None:
    (pair,) = parsed(attributes=[{"key": "k", "value": value}]).attributes
    assert pair.key == "k"
    assert pair.value.WhichOneof("value") == member
    if member:
        assert getattr(pair.value, member) == wanted


def test_nested_values() -> None:
    value = {
        "kvlistValue": {
            "values": [{"key": "a", "value": {"arrayValue": {"values": [{"intValue": 1}, {}]}}}]
        }
    }
    row = rows(
        decode(
            [request_from_json(body(SPAN | {"attributes": [{"key": "k", "value": value}]}))],
            ingest_ns=1,
        ).records
    )[0]
    assert row["SpanAttributeTypes"] == [("k", "kvlist")]
    assert json.loads(row["SpanAttributes"][0][1])["values"][0]["key"] == "a"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"traceId": "zz0102030405060708090a0b0c0d0e0f"}, REASONS[0]),
        ({"traceId": "0102"}, REASONS[0]),
        (
            {"traceId": "AAECAwQFBgcICQoLDA0ODw=="},
            REASONS[0],
        ),  # base64, as plain proto3 JSON has it
        ({"spanId": "xxxxxxxx"}, REASONS[2]),
        ({"spanId": "0000000000000000"}, REASONS[3]),
        ({"spanId": "01 02 03 04 05 06 07 08"}, REASONS[2]),
        ({"parentSpanId": "xyz"}, REASONS[4]),
    ],
)
def test_bad_ids_reject_the_span_and_not_the_request(fields: dict[str, Any], reason: str) -> None:
    decoded = decode([request_from_json(body(SPAN | fields, SPAN))], ingest_ns=1)
    assert [(row.count, row.reason) for row in decoded.rejected] == [(1, reason)]
    assert len(decoded.records) == 1


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (b"", "not JSON"),
        (b'{"resourceSpans": [', "not JSON"),
        (b"[]", "the top"),
        (b'{"resourceSpans": {}}', "resourceSpans"),
        (b'{"resourceSpans": [{"resource": []}]}', "resourceSpans[0].resource"),
        (body(SPAN, SPAN | {"name": 5}), "resourceSpans[0].scopeSpans[0].spans[1].name"),
        (body(SPAN | {"startTimeUnixNano": "x"}), "spans[0].startTimeUnixNano"),
        (body(SPAN | {"startTimeUnixNano": 1.5}), "spans[0].startTimeUnixNano"),
        (body(SPAN | {"startTimeUnixNano": "1e999999999"}), "spans[0].startTimeUnixNano"),
        (body(SPAN | {"startTimeUnixNano": "1" * 5_000}), "spans[0].startTimeUnixNano"),
        (body(SPAN | {"startTimeUnixNano": -1}), "spans[0].startTimeUnixNano"),
        (body(SPAN | {"startTimeUnixNano": "٣"}), "spans[0].startTimeUnixNano"),
        (body(SPAN | {"flags": 1 << 32}), "spans[0].flags"),
        (body(SPAN | {"kind": "SERVER"}), "spans[0].kind"),
        (body(SPAN | {"events": [{}, {"name": 1}]}), "spans[0].events[1].name"),
        (body(SPAN | {"attributes": [{"key": 1}]}), "spans[0].attributes[0].key"),
        (
            body(SPAN | {"attributes": [{"key": "k", "value": {"intValue": str(1 << 63)}}]}),
            "spans[0].attributes[0].value.intValue",
        ),
        (
            body(SPAN | {"attributes": [{"key": "k", "value": {"intValue": -(1 << 63) - 1}}]}),
            "spans[0].attributes[0].value.intValue",
        ),
        (
            body(SPAN | {"attributes": [{"key": "k", "value": {"doubleValue": "٣"}}]}),
            "spans[0].attributes[0].value.doubleValue",
        ),
        (
            body(SPAN | {"attributes": [{"key": "k", "value": {"arrayValue": {"values": [
                {"boolValue": "yes"}]}}}]}),
            "attributes[0].value.arrayValue.values[0].boolValue",
        ),
    ],
)  # fmt: skip
def test_faults_name_their_place(document: bytes, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        request_from_json(document)
    assert place in str(caught.value)


def test_nesting_without_end_is_a_fault_and_not_a_crash() -> None:
    value: dict[str, Any] = {"intValue": 1}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(BadInput, match="nested deeper"):
        request_from_json(body(SPAN | {"attributes": [{"key": "k", "value": value}]}))


@pytest.mark.parametrize(("arrays", "is_taken"), [(47, True), (48, True), (49, False)])
def test_what_protobuf_can_read_back_is_not_nested_too_deep(arrays: int, is_taken: bool) -> None:
    value: dict[str, Any] = {"intValue": 1}
    for _ in range(arrays):
        value = {"arrayValue": {"values": [value]}}
    document = body(SPAN, resource={"attributes": [{"key": "k", "value": value}]})
    if is_taken:
        assert decode([request_from_json(document)], ingest_ns=1).refused == {}
    else:
        with pytest.raises(BadInput, match="nested deeper"):
            request_from_json(document)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests())
def test_to_json_and_back_is_the_same(content: bytes) -> None:
    first = decode([content], ingest_ns=BASE_NS)
    written = orjson.dumps(to_otlp_json(first.records))
    second = decode([request_from_json(written)], ingest_ns=BASE_NS)
    assert second.rejected == ()
    assert sorted(map(repr, rows(second.records))) == sorted(map(repr, rows(first.records)))


def test_lines_hold_all_spans_in_pieces() -> None:
    spans = [span(span_id=bytes([1] * 7 + [number])) for number in range(1, 6)]
    records = decode([request(*spans)], ingest_ns=1).records
    lines = list(to_otlp_lines(records, max_spans_per_line=2))
    assert len(lines) == 3
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    back = decode([request_from_json(line) for line in lines], ingest_ns=1)
    assert plain(back.records).equals(plain(records))


def test_spans_are_grouped_by_resource_and_scope() -> None:
    bodies = [
        request(span(), resource={"service.name": name}, scope={"x": x})
        for name, x in (("a", 1), ("b", 1), ("a", 1), ("a", 2))
    ]
    document = to_otlp_json(decode(bodies, ingest_ns=1).records)
    sizes = [
        [len(scope["spans"]) for scope in group["scopeSpans"]]
        for group in document["resourceSpans"]
    ]
    assert sizes == [[2, 1], [1]]
