"""Jaeger JSON becomes OpenTelemetry spans: which tag becomes which field, and who is the parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.otlp import rows
from tracer.errors import BadInput
from tracer.ingest.files import read_files

TRACE = "0af7651916cd43dd8448eb211c80319c"
START_US = 1_700_000_000_000_000


def jaeger_span(span_id: str = "b7ad6b7169203331", **fields: Any) -> dict[str, Any]:
    return {
        "traceID": TRACE,
        "spanID": span_id,
        "operationName": "GET /",
        "references": [],
        "startTime": START_US,
        "duration": 1234,
        "tags": [],
        "logs": [],
        "processID": "p1",
        "warnings": None,
        **fields,
    }


def trace(*spans: dict[str, Any], **fields: Any) -> dict[str, Any]:
    tags = [
        tag("hostname", "node-1"),
        tag("deployment.environment", "prod"),
        tag("pid", 7, "int64"),
    ]
    processes = {"p1": {"serviceName": "shop", "tags": tags}}
    return {"traceID": TRACE, "spans": list(spans), "processes": processes, **fields}


def tag(key: str, value: Any, type: str = "string") -> dict[str, Any]:
    return {"key": key, "type": type, "value": value}


def reference(span_id: str, kind: str = "CHILD_OF", trace_id: str = TRACE) -> dict[str, Any]:
    return {"refType": kind, "traceID": trace_id, "spanID": span_id}


def read(folder: Path, document: Any) -> list[dict[str, Any]]:
    path = folder / "jaeger.json"
    path.write_bytes(orjson.dumps(document))
    return rows(read_files([path], format="auto", ingest_ns=1).records)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: {"data": [one], "total": 0, "limit": 0, "offset": 0, "errors": None},
        lambda one: one,
        lambda one: [one],
        lambda one: [{"data": [one]}],
    ],
    ids=["API", "bare trace", "list of traces", "list of answers"],
)
def test_both_shapes_and_the_plain_fields(tmp_path: Path, wrap: Any) -> None:
    (row,) = read(tmp_path, wrap(trace(jaeger_span(flags=3))))
    assert row["TraceId"] == TRACE
    assert row["SpanId"] == "b7ad6b7169203331"
    assert row["SpanName"] == "GET /"
    assert row["Timestamp"] == START_US * 1000
    assert row["Duration"] == 1_234_000
    assert row["Flags"] == 1
    assert row["ServiceName"] == "shop"
    assert row["Environment"] == "prod"
    assert row["ResourceAttributes"] == [
        ("service.name", "shop"),
        ("host.name", "node-1"),
        ("deployment.environment", "prod"),
        ("pid", "7"),
    ]
    assert row["ResourceAttributeTypes"] == [("pid", "int")]


def test_trimmed_ids_get_their_zeros_back(tmp_path: Path) -> None:
    short = jaeger_span("1f", traceID="4Bf92f3577b34da6", parentSpanID="0")
    child = jaeger_span("20", traceID="4bf92f3577b34da6", parentSpanID="1f")
    first, second = read(tmp_path, trace(short, child, traceID="4bf92f3577b34da6"))
    assert first["TraceId"] == second["TraceId"] == "00000000000000004bf92f3577b34da6"
    assert (first["SpanId"], first["ParentSpanId"]) == ("000000000000001f", "")
    assert (second["SpanId"], second["ParentSpanId"]) == ("0000000000000020", "000000000000001f")


A, B, C, GONE = "000000000000000a", "000000000000000b", "000000000000000c", "00000000000000ff"
OTHER = "f" * 32


@pytest.mark.parametrize(
    ("references", "parent", "linked"),
    [
        ([], "", []),
        ([reference(A)], A, []),
        ([reference(A), reference(B)], A, [B]),
        ([reference(GONE), reference(B)], B, [GONE]),
        ([reference(A, "FOLLOWS_FROM"), reference(B)], B, [A]),
        ([reference(A, "FOLLOWS_FROM"), reference(B, "FOLLOWS_FROM")], A, [B]),
        ([reference(GONE), reference(B, "FOLLOWS_FROM")], B, [GONE]),
        ([reference(GONE)], GONE, []),
        ([reference(A, trace_id=OTHER)], "", [A]),
        ([reference(A, "FOLLOWS_FROM", OTHER)], "", [A]),
        ([reference(A, trace_id=OTHER), reference(B)], B, [A]),
        ([reference("0")], "", []),
    ],
)
def test_the_parent_is_the_first_that_is_there(
    tmp_path: Path, references: list[dict[str, Any]], parent: str, linked: list[str]
) -> None:
    document = trace(jaeger_span(A), jaeger_span(B), jaeger_span(C, references=references))
    row = read(tmp_path, document)[2]
    assert row["ParentSpanId"] == parent
    assert row["Links.SpanId"] == linked


def test_the_kind_of_a_reference_is_kept(tmp_path: Path) -> None:
    references = [reference(A, "FOLLOWS_FROM"), reference(B, "FOLLOWS_FROM", OTHER)]
    row = read(tmp_path, trace(jaeger_span(A), jaeger_span(C, references=references)))[1]
    assert row["SpanAttributes"] == [("opentracing.ref_type", "follows_from")]
    assert row["Links.TraceId"] == [OTHER]
    assert row["Links.Attributes"] == [[("opentracing.ref_type", "follows_from")]]


@pytest.mark.parametrize(
    ("tags", "column", "wanted"),
    [
        ([tag("span.kind", "server")], "SpanKind", "Server"),
        ([tag("span.kind", "CLIENT")], "SpanKind", "Client"),
        ([tag("span.kind", "odd")], "SpanKind", "Unspecified"),
        ([], "StatusCode", "Unset"),
        ([tag("error", True, "bool")], "StatusCode", "Error"),
        ([tag("error", "true")], "StatusCode", "Error"),
        ([tag("error", False, "bool")], "StatusCode", "Unset"),
        ([tag("otel.status_code", "OK"), tag("error", True, "bool")], "StatusCode", "Ok"),
        ([tag("otel.status_code", "ERROR")], "StatusCode", "Error"),
        ([tag("http.status_code", 500, "int64")], "StatusCode", "Error"),
        ([tag("http.status_code", "404", "int64")], "StatusCode", "Unset"),
        (
            [tag("span.kind", "client"), tag("http.status_code", 404, "int64")],
            "StatusCode",
            "Error",
        ),
        (
            [tag("error", True, "bool"), tag("otel.status_description", "boom")],
            "StatusMessage",
            "boom",
        ),
        ([tag("w3c.tracestate", "ot=th:8")], "SamplingWeight", 2.0),
        ([tag("otel.scope.name", "lib")], "ScopeName", "lib"),
        ([tag("otel.library.version", "2")], "ScopeVersion", "2"),
    ],
)
def test_tags_that_are_fields(
    tmp_path: Path, tags: list[dict[str, Any]], column: str, wanted: object
) -> None:
    (row,) = read(tmp_path, trace(jaeger_span(tags=tags)))
    assert row[column] == wanted
    consumed = {"span.kind", "w3c.tracestate", "otel.scope.name", "otel.library.version"}
    consumed |= {"otel.status_code", "otel.status_description"}
    assert {key for key, text in row["SpanAttributes"] if text != "odd"}.isdisjoint(consumed)


@pytest.mark.parametrize(
    ("given", "text", "type_name"),
    [
        (tag("k", "x"), "x", None),
        (tag("k", True, "bool"), "true", "bool"),
        (tag("k", "false", "bool"), "false", "bool"),
        (tag("k", 9007199254740993, "int64"), "9007199254740993", "int"),
        (tag("k", "12", "int64"), "12", "int"),
        (tag("k", "many", "int64"), "many", None),
        (tag("k", 1.5, "float64"), "1.5", "double"),
        (tag("k", 1, "float64"), "1", "double"),
        (tag("k", "/wA=", "binary"), "/wA=", "bytes"),
        ({"key": "k", "value": 3}, "3", "int"),
        ({"key": "k", "value": {"a": 1}}, '{"a":1}', None),
        ({"key": "k", "value": None}, "", "empty"),
    ],
)
def test_tags_keep_their_type(
    tmp_path: Path, given: dict[str, Any], text: str, type_name: str | None
) -> None:
    (row,) = read(tmp_path, trace(jaeger_span(tags=[given])))
    assert row["SpanAttributes"] == [("k", text)]
    assert row["SpanAttributeTypes"] == ([("k", type_name)] if type_name else [])


def test_logs_are_events_and_warnings_an_attribute(tmp_path: Path) -> None:
    log = {"timestamp": START_US + 5, "fields": [tag("event", "retry"), tag("n", 2, "int64")]}
    (row,) = read(tmp_path, trace(jaeger_span(logs=[log], warnings=["late"])))
    assert row["Events.Timestamp"] == [(START_US + 5) * 1000]
    assert row["Events.Name"] == ["retry"]
    assert row["Events.Attributes"] == [[("n", "2")]]
    assert row["Events.AttributeTypes"] == [[("n", "int")]]
    assert row["SpanAttributes"] == [("@jaeger@warnings", '{"values":[{"stringValue":"late"}]}')]


def test_a_process_written_into_the_span(tmp_path: Path) -> None:
    spans = [jaeger_span(A, process={"serviceName": "own"}), jaeger_span(B)]
    assert [row["ServiceName"] for row in read(tmp_path, trace(*spans))] == ["own", "shop"]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (
            {"data": [trace(), trace(jaeger_span(startTime="soon"))]},
            r"data\[1\]\.spans\[0\]\.start",
        ),
        (trace(jaeger_span(startTime=None)), r"spans\[0\]\.startTime"),
        (trace(jaeger_span(duration=-1)), r"spans\[0\]\.duration"),
        (trace(jaeger_span(tags={})), r"spans\[0\]\.tags"),
        (trace(jaeger_span(logs=[{"timestamp": True}])), r"spans\[0\]\.logs\[0\]\.timestamp"),
        (trace(jaeger_span(references=[3])), r"spans\[0\]\.references"),
        (trace(jaeger_span("nothex")), "1 rejected: span_id"),
    ],
)
def test_faults_name_the_file_and_the_place(tmp_path: Path, document: Any, place: str) -> None:
    with pytest.raises(BadInput, match=place) as caught:
        read(tmp_path, document)
    assert "jaeger.json" in str(caught.value)
