"""Zipkin JSON becomes OpenTelemetry spans: which member becomes which field, and what is made up
where Zipkin says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.otlp import rows
from tracer.errors import BadInput
from tracer.ingest.files import FileSpans, read_files
from tracer.service.analyze import analyze

RECORDED = Path(__file__).parent / "fixtures" / "zipkin-server-3.6.1.json"
TRACE = "0af7651916cd43dd8448eb211c80319c"
START_US = 1_700_000_000_000_000
A, B = "000000000000000a", "000000000000000b"


def zipkin_span(span_id: str = A, **fields: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "id": span_id,
        "name": "get /",
        "timestamp": START_US,
        "duration": 1234,
        "localEndpoint": {"serviceName": "shop"},
        **fields,
    }


def read_all(folder: Path, document: Any) -> FileSpans:
    path = folder / "zipkin.json"
    path.write_bytes(orjson.dumps(document))
    return read_files([path], format="auto", ingest_ns=1)


def read(folder: Path, document: Any) -> list[dict[str, Any]]:
    return rows(read_all(folder, document).records)


@pytest.mark.parametrize(
    "wrap",
    [lambda one: [[one]], lambda one: [one], lambda one: one],
    ids=["traces", "trace", "span"],
)
def test_every_shape_and_the_plain_fields(tmp_path: Path, wrap: Any) -> None:
    endpoint = {"serviceName": "shop", "ipv4": "10.1.0.1", "ipv6": "2001:db8::1", "port": 8080}
    peer = {"serviceName": "stock", "ipv6": "2001:db8::2", "port": 9000}
    span = zipkin_span(
        parentId=B,
        kind="CLIENT",
        localEndpoint=endpoint,
        remoteEndpoint=peer,
        tags={"http.path": "/"},
        annotations=[{"timestamp": START_US + 5, "value": "cache.miss"}],
        debug=True,
    )
    (row,) = read(tmp_path, wrap(span))
    assert row["TraceId"] == TRACE
    assert (row["SpanId"], row["ParentSpanId"]) == (A, B)
    assert (row["SpanName"], row["SpanKind"], row["ServiceName"]) == ("get /", "Client", "shop")
    assert (row["Timestamp"], row["Duration"]) == (START_US * 1000, 1_234_000)
    assert row["ResourceAttributes"] == [
        ("service.name", "shop"),
        ("host.ip", "10.1.0.1"),
        ("zipkin.ipv6", "2001:db8::1"),
    ]
    assert row["SpanAttributes"] == [
        ("http.path", "/"),
        ("service.peer.name", "stock"),
        ("network.peer.address", "2001:db8::2"),
        ("network.peer.port", "9000"),
        ("network.local.port", "8080"),
        ("zipkin.debug", "true"),
    ]
    assert row["Events.Timestamp"] == [(START_US + 5) * 1000]
    assert row["Events.Name"] == ["cache.miss"]


@pytest.mark.parametrize(
    ("fields", "column", "wanted"),
    [
        ({"kind": "SERVER"}, "SpanKind", "Server"),
        ({"kind": "PRODUCER"}, "SpanKind", "Producer"),
        ({"kind": "CONSUMER"}, "SpanKind", "Consumer"),
        ({}, "SpanKind", "Internal"),
        ({"kind": "ODD"}, "SpanKind", "Unspecified"),
        ({"traceId": "4bf92f3577b34da6"}, "TraceId", "00000000000000004bf92f3577b34da6"),
        ({"id": "1F"}, "SpanId", "000000000000001f"),
        ({"parentId": A}, "ParentSpanId", ""),
        ({"parentId": "0" * 16}, "ParentSpanId", ""),
        ({"timestamp": START_US + 0.5}, "Timestamp", START_US * 1000 + 500),
        ({"tags": {"error": ""}}, "StatusCode", "Error"),
        ({"tags": {"error": "true"}}, "StatusMessage", ""),
        ({"tags": {"error": "no stock"}}, "StatusMessage", "no stock"),
        ({"tags": {"otel.status_code": "OK"}}, "StatusCode", "Ok"),
        ({"tags": {"otel.status_code": "ERROR", "error": "late"}}, "StatusMessage", "late"),
        ({"tags": {"otel.status_code": "ODD"}}, "StatusCode", "Unset"),
        ({}, "StatusCode", "Unset"),
        ({"tags": {"otel.scope.name": "lib"}}, "ScopeName", "lib"),
        ({"tags": {"otel.library.version": "2"}}, "ScopeVersion", "2"),
        ({"tags": {"w3c.tracestate": "ot=th:8"}}, "SamplingWeight", 2.0),
        ({"tags": {"network.peer.port": "1"}, "remoteEndpoint": {"port": 2}}, "SpanAttributes",
         [("network.peer.port", "1")]),
        ({"shared": True}, "SpanAttributes", [("zipkin.shared", "true")]),
        ({"name": None, "tags": None, "annotations": None}, "SpanName", ""),
        ({"localEndpoint": None}, "ServiceName", ""),
    ],
)  # fmt: skip
def test_members_that_are_fields(
    tmp_path: Path, fields: dict[str, Any], column: str, wanted: object
) -> None:
    (row,) = read(tmp_path, [zipkin_span(**fields)])
    assert row[column] == wanted


def test_pieces_of_a_span_are_put_together_and_said(tmp_path: Path) -> None:
    first = zipkin_span(tags={"a": "1"}, duration=None)
    late = zipkin_span(
        name=None,
        timestamp=None,
        tags={"b": "2"},
        annotations=[{"timestamp": START_US + 9, "value": "flushed"}],
    )
    found = read_all(tmp_path, [[first, late]])
    (row,) = rows(found.records)
    assert (row["SpanName"], row["Duration"]) == ("get /", 1_234_000)
    assert row["SpanAttributes"] == [("a", "1"), ("b", "2")]
    assert row["Events.Name"] == ["flushed"]
    assert found.warnings == (
        f"{tmp_path / 'zipkin.json'}: 1 span reported in pieces, put together",
    )


def test_times_that_are_missing_are_made_up_and_said(tmp_path: Path) -> None:
    noted = [{"timestamp": START_US + 7, "value": "sent"}]
    spans = [
        zipkin_span(A),
        zipkin_span(B, timestamp=None, duration=None),
        zipkin_span("c", timestamp=0, annotations=noted),
    ]
    found = read_all(tmp_path, [spans, [zipkin_span(traceId="1" * 32, timestamp=None)]])
    assert [row["Timestamp"] - START_US * 1000 for row in rows(found.records)] == [0, 0, 7000]
    assert [row["Duration"] for row in rows(found.records)] == [1_234_000, 0, 1_234_000]
    said = [warning.partition(": ")[2] for warning in found.warnings]
    assert said == [
        "2 spans without a timestamp, placed at their first annotation or at the trace's start",
        "1 span without a duration, taken as 0 long",
    ]
    (rejected,) = found.rejected
    assert rejected.count == 1
    assert "cannot be placed in time" in rejected.reason


def test_what_a_zipkin_server_answered_is_whole_traces() -> None:
    """Recorded from Zipkin 3.6.1, fed by py_zipkin 1.2.8: a call's two halves share an id."""
    found = read_files([RECORDED], format="zipkin", ingest_ns=1)
    assert (len(found.records), found.rejected, found.warnings) == (24, (), ())
    report = analyze(found.records)
    assert len(report.analysis.facts) == 4
    kinds = {(row["SpanName"], row["SpanKind"]) for row in rows(found.records)}
    assert {("get /stock", "Client"), ("get /stock", "Server"), ("compute", "Internal")} <= kinds
    (failed,) = [row for row in rows(found.records) if row["StatusCode"] == "Error"]
    assert (failed["SpanName"], failed["StatusMessage"]) == ("query", "lock wait timeout")
    assert ("note", 'a "quoted", one \\ é') in [
        pair for row in rows(found.records) for pair in row["SpanAttributes"]
    ]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([[zipkin_span()], [zipkin_span(timestamp="soon")]], r"\[1\]\[0\]\.timestamp"),
        ([zipkin_span(duration=-1)], r"\[0\]\.duration"),
        ([zipkin_span(tags=[])], r"\[0\]\.tags"),
        ([zipkin_span(annotations=[{"timestamp": True}])], r"\[0\]\.annotations\[0\]\.timestamp"),
        ([[zipkin_span()], 3], r"\[1\], expected a trace"),
        ([zipkin_span("nothex")], "1 rejected: span_id"),
        ([zipkin_span(timestamp=None)], "1 rejected: without a timestamp"),
        ([zipkin_span(binaryAnnotations=[])], "version 1"),
    ],
)
def test_faults_name_the_file_and_the_place(tmp_path: Path, document: Any, place: str) -> None:
    with pytest.raises(BadInput, match=place) as caught:
        read(tmp_path, document)
    assert "zipkin.json" in str(caught.value)
