"""What decoding promises, held against both decoders."""

from __future__ import annotations

import math
import sys
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.support.otlp import BASE_NS, SPAN_ID, TRACE_ID, pairs, request, rows, span, wire_request
from tracer.errors import TooLarge
from tracer.ingest.otlp.decode import Decoded, Rejected, decode
from tracer.ingest.otlp.decoded import REASONS

NOW_NS = BASE_NS + 5


@pytest.fixture(params=["columnar", "walk"])
def decoder(request: pytest.FixtureRequest) -> Literal["columnar", "walk"]:
    return request.param  # type: ignore[no-any-return]


def one(decoded: Decoded) -> dict[str, Any]:
    (row,) = rows(decoded.records)
    return row


def test_a_plain_span_in_all_its_columns(decoder: Literal["columnar", "walk"]) -> None:
    sent = span(
        parent_span_id=b"\xff" * 8,
        trace_state="ot=th:8",
        kind=3,
        status={"code": 2, "message": "no"},
        flags=0x101,
        dropped_attributes_count=1,
        dropped_events_count=2,
        dropped_links_count=3,
        attributes={"http.route": "/x", "code": 200, "messaging.operation": "send"},
        events=[{"time_unix_nano": BASE_NS + 1, "name": "hit", "dropped_attributes_count": 4}],
        links=[{"trace_id": b"\x01\x02", "span_id": SPAN_ID, "flags": 5, "trace_state": "t"}],
    )
    resource = {
        "service.name": "shop",
        "service.namespace": "eu",
        "service.version": "1.2",
        "deployment.environment": "staging",
        "replicas": 3,
    }
    got = decode(
        [request(sent, resource=resource, scope={"lib": "x"})],
        ingest_ns=NOW_NS,
        tenant="acme",
        decoder=decoder,
    )
    assert one(got) == {
        "Timestamp": BASE_NS,
        "TraceId": "000102030405060708090a0b0c0d0e0f",
        "SpanId": "0102030405060708",
        "ParentSpanId": "ffffffffffffffff",
        "TraceState": "ot=th:8",
        "SpanName": "work",
        "SpanKind": "Client",
        "ServiceName": "shop",
        "ResourceAttributes": [(key, str(text)) for key, text in resource.items()],
        "ScopeName": "",
        "ScopeVersion": "",
        "SpanAttributes": [("http.route", "/x"), ("code", "200"), ("messaging.operation", "send")],
        "Duration": 1_000_000,
        "StatusCode": "Error",
        "StatusMessage": "no",
        "Events.Timestamp": [BASE_NS + 1],
        "Events.Name": ["hit"],
        "Events.Attributes": [[]],
        "Links.TraceId": ["0102"],
        "Links.SpanId": ["0102030405060708"],
        "Links.TraceState": ["t"],
        "Links.Attributes": [[]],
        "TenantId": "acme",
        "IngestTime": NOW_NS,
        "Flags": 0x101,
        "EndsBeforeStartNs": 0,
        "DroppedAttributesCount": 1,
        "DroppedEventsCount": 2,
        "DroppedLinksCount": 3,
        "SpanAttributeTypes": [("code", "int")],
        "ResourceAttributeTypes": [("replicas", "int")],
        "ResourceDroppedAttributesCount": 0,
        "ResourceSchemaUrl": "",
        "ScopeAttributes": [("lib", "x")],
        "ScopeAttributeTypes": [],
        "ScopeDroppedAttributesCount": 0,
        "ScopeSchemaUrl": "",
        "Events.AttributeTypes": [[]],
        "Events.DroppedAttributesCount": [4],
        "Links.AttributeTypes": [[]],
        "Links.DroppedAttributesCount": [0],
        "Links.Flags": [5],
        "SamplingWeight": 2.0,
        "Environment": "staging",
        "ServiceNamespace": "eu",
        "ServiceVersion": "1.2",
        "Host": "",
        "MessagingOperation": "send",
    }


@pytest.mark.parametrize(
    ("thing", "text", "type_name"),
    [
        ("", "", None),
        ("a\0b\n", "a\0b\n", None),
        (True, "true", "bool"),
        (False, "false", "bool"),
        (-(1 << 63), "-9223372036854775808", "int"),
        (0.1, "0.1", "double"),
        (200.0, "200", "double"),
        (1e300, "1e+300", "double"),
        (-0.0, "-0", "double"),
        (math.nan, "NaN", "double"),
        (-math.inf, "-Infinity", "double"),
        (b"\xff\x00", "/wA=", "bytes"),
        ([], '{"values":[]}', "array"),
        (["x", 1], '{"values":[{"stringValue":"x"},{"intValue":"1"}]}', "array"),
        ([math.inf, 1.5], '{"values":[{"doubleValue":"Infinity"},{"doubleValue":1.5}]}', "array"),
        (
            {"k": [None]},
            '{"values":[{"key":"k","value":{"arrayValue":{"values":[{}]}}}]}',
            "kvlist",
        ),
        (None, "", "empty"),
    ],
)
def test_attribute_values_as_text(
    decoder: Literal["columnar", "walk"], thing: Any, text: str, type_name: str | None
) -> None:
    sent = span(attributes={"key": thing, "other": "y"})
    row = one(decode([request(sent)], ingest_ns=NOW_NS, decoder=decoder))
    assert row["SpanAttributes"] == [("key", text), ("other", "y")]
    assert row["SpanAttributeTypes"] == ([("key", type_name)] if type_name else [])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b""}, REASONS[0]),
        ({"trace_id": b"\x01" * 15}, REASONS[0]),
        ({"trace_id": bytes(16)}, REASONS[1]),
        ({"span_id": b"\x01" * 9}, REASONS[2]),
        ({"span_id": bytes(8)}, REASONS[3]),
        ({"parent_span_id": b"\x01"}, REASONS[4]),
        ({"start_time_unix_nano": 1 << 63}, REASONS[5]),
        ({"end_time_unix_nano": (1 << 64) - 1}, REASONS[6]),
        ({"events": [{"time_unix_nano": 1 << 63}]}, REASONS[7]),
        ({"trace_id": bytes(16), "span_id": b""}, REASONS[1]),
    ],
)
def test_invalid_spans_are_counted_and_their_neighbours_stay(
    decoder: Literal["columnar", "walk"], fields: dict[str, Any], reason: str
) -> None:
    bodies = [request(span()), request(span(**fields), span(name="good"), span(**fields))]
    decoded = decode(bodies, ingest_ns=NOW_NS, decoder=decoder)
    assert decoded.rejected == (Rejected(request=1, count=2, reason=reason),)
    assert [row["SpanName"] for row in rows(decoded.records)] == ["work", "good"]
    assert decoded.request_of.tolist() == [0, 1]
    assert decoded.refused == {}


@pytest.mark.parametrize(
    ("fields", "column", "wanted"),
    [
        ({"parent_span_id": bytes(8)}, "ParentSpanId", ""),
        ({"end_time_unix_nano": BASE_NS - 7}, "Duration", 0),
        ({"end_time_unix_nano": BASE_NS - 7}, "EndsBeforeStartNs", 7),
        ({"kind": 9}, "SpanKind", "9"),
        ({"kind": -1}, "SpanKind", "-1"),
        ({"status": {"code": 3}}, "StatusCode", "3"),
        ({"start_time_unix_nano": (1 << 63) - 1}, "Timestamp", (1 << 63) - 1),
        ({"trace_state": "a=b,ot=rv:0;th:c"}, "SamplingWeight", 4.0),
        ({"trace_state": "ot=th:0"}, "SamplingWeight", 1.0),
        ({"trace_state": "ot=th:C"}, "SamplingWeight", 0.0),
        ({"trace_state": "ot=th:123456789abcdef"}, "SamplingWeight", 0.0),
        (
            {"attributes": {"messaging.operation": "x", "messaging.operation.type": "send"}},
            "MessagingOperation",
            "send",
        ),
    ],
)
def test_odd_but_valid_fields(
    decoder: Literal["columnar", "walk"], fields: dict[str, Any], column: str, wanted: object
) -> None:
    decoded = decode([request(span(**fields))], ingest_ns=NOW_NS, decoder=decoder)
    assert one(decoded)[column] == wanted
    assert decoded.rejected == ()


def test_a_request_that_does_not_decode_fails_alone(decoder: Literal["columnar", "walk"]) -> None:
    good = request(span())
    decoded = decode([good, b"\xff\xff", good, b""], ingest_ns=NOW_NS, decoder=decoder)
    assert list(decoded.refused) == [1]
    assert "protobuf" in str(decoded.refused[1])
    assert decoded.request_of.tolist() == [0, 2]


def test_rejected_rows_name_the_request_given_although_others_were_refused(
    decoder: Literal["columnar", "walk"],
) -> None:
    bad = request(span(trace_id=b"x"), span(span_id=b"x"))
    decoded = decode([b"\xff", bad], ingest_ns=NOW_NS, decoder=decoder)
    assert decoded.rejected == (Rejected(1, 1, REASONS[0]), Rejected(1, 1, REASONS[2]))
    assert len(decoded.records) == 0


def test_nothing_gives_nothing(decoder: Literal["columnar", "walk"]) -> None:
    for requests in ([], [b""], [b"\xff"]):
        decoded = decode(requests, ingest_ns=NOW_NS, decoder=decoder)
        assert len(decoded.records) == 0
        assert decoded.request_of.dtype == np.int32


def test_a_key_given_twice_stays_twice_and_the_first_counts(
    decoder: Literal["columnar", "walk"],
) -> None:
    # a singular sub-message that stands there twice is merged: its attributes follow each other
    halves = [
        Resource(attributes=pairs({"service.name": name})).SerializeToString()
        for name in ("first", "second")
    ]
    row = one(decode([wire_request(resource=halves)], ingest_ns=NOW_NS, decoder=decoder))
    assert row["ResourceAttributes"] == [("service.name", "first"), ("service.name", "second")]
    assert row["ServiceName"] == "first"


def test_a_huge_resource_on_many_spans_is_refused(decoder: Literal["columnar", "walk"]) -> None:
    many = [span(span_id=(i + 1).to_bytes(8, "big")) for i in range(3000)]
    bomb = request(*many, resource={"blob": "x" * 200_000})
    decoded = decode([bomb, request(span())], ingest_ns=NOW_NS, decoder=decoder)
    assert isinstance(decoded.refused[0], TooLarge)
    assert decoded.request_of.tolist() == [1]


def test_a_request_the_columnar_parser_alone_refuses_is_walked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing:
        def list_to_record_batch(self, requests: list[bytes]) -> None:
            raise ValueError("failed to decode Protobuf message")

    monkeypatch.setattr("tracer.ingest.otlp.columnar._handler", Refusing)
    assert len(decode([request(span())], ingest_ns=NOW_NS).records) == 1


def test_requests_that_do_not_fit_one_batch_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise pa.ArrowInvalid("Take operation overflowed binary array capacity")

    monkeypatch.setattr("tracer.ingest.otlp.columnar.shape", full)  # 2 GiB are too slow to build
    with pytest.raises(TooLarge, match="2 GiB"):
        decode([request(span())], ingest_ns=NOW_NS)


def test_without_the_columnar_parser_decoding_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ptars", None)
    monkeypatch.delitem(sys.modules, "tracer.ingest.otlp.columnar", raising=False)
    decoded = decode([request(span(trace_id=TRACE_ID))], ingest_ns=NOW_NS)
    assert len(decoded.records) == 1
