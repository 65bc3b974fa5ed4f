"""The corpus as files of every format we read: the same spans as Jaeger and Zipkin write them."""

from __future__ import annotations

from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracer.columns.records import SpanRecords
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.encode import to_otlp_lines

Json = dict[str, Any]
_KINDS = {Span.SPAN_KIND_SERVER: "server", Span.SPAN_KIND_CLIENT: "client"}
_NS_PER_US = 1000


def otlp_lines(bodies: list[bytes]) -> bytes:
    """JSON lines, 1,024 spans each."""
    records = decode(bodies, ingest_ns=1).records
    return b"".join(to_otlp_lines(SpanRecords(records.batch)))


def jaeger_document(bodies: list[bytes]) -> bytes:
    """One answer of Jaeger's API with all traces: 12 tags and 1.1 kB a span."""
    traces: dict[str, Json] = {}
    processes: dict[str, dict[str, str]] = {}
    for resource, span in _spans(bodies):
        trace_id = span.trace_id.hex()
        trace = traces.setdefault(
            trace_id, {"traceID": trace_id, "spans": [], "processes": {}, "warnings": None}
        )
        service = resource["service.name"]
        process = processes.setdefault(trace_id, {}).setdefault(
            service, f"p{len(trace['processes']) + 1}"
        )
        trace["processes"][process] = {
            "serviceName": service,
            "tags": [_text(key, text) for key, text in resource.items() if key != "service.name"],
        }
        trace["spans"].append(_jaeger_span(span, trace_id, process))
    answer = {"total": 0, "limit": 0, "offset": 0, "errors": None}
    return orjson.dumps({"data": [*traces.values()], **answer})


def zipkin_document(bodies: list[bytes]) -> bytes:
    """One answer of Zipkin's API with all traces: 10 tags and 600 B a span."""
    traces: dict[str, list[Json]] = {}
    for resource, span in _spans(bodies):
        trace_id = span.trace_id.hex()
        traces.setdefault(trace_id, []).append(_zipkin_span(span, trace_id, resource))
    return orjson.dumps([*traces.values()])


def _spans(bodies: list[bytes]) -> Any:
    for body in bodies:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {pair.key: pair.value.string_value for pair in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    yield resource, span


def _text(key: str, text: str) -> Json:
    return {"key": key, "type": "string", "value": text}


def _tag(pair: KeyValue) -> Json:
    match pair.value.WhichOneof("value"):
        case "int_value":
            return {"key": pair.key, "type": "int64", "value": pair.value.int_value}
        case "bool_value":
            return {"key": pair.key, "type": "bool", "value": pair.value.bool_value}
        case _:
            return _text(pair.key, pair.value.string_value)


def _jaeger_span(span: Span, trace_id: str, process: str) -> Json:
    tags = [*map(_tag, span.attributes), _text("span.kind", _KINDS[span.kind])]
    tags += [
        _text("otel.scope.name", "shop.instrumentation"),
        _text("otel.scope.version", "1.4.2"),
    ]
    if span.status.code:
        tags += [
            _text("otel.status_code", "ERROR"),
            {"key": "error", "type": "bool", "value": True},
            _text("otel.status_description", span.status.message),
        ]
    parent = {"refType": "CHILD_OF", "traceID": trace_id, "spanID": span.parent_span_id.hex()}
    return {
        "traceID": trace_id,
        "spanID": span.span_id.hex(),
        "flags": 1,
        "operationName": span.name,
        "references": [parent] if span.parent_span_id else [],
        "startTime": span.start_time_unix_nano // _NS_PER_US,
        "duration": (span.end_time_unix_nano - span.start_time_unix_nano) // _NS_PER_US,
        "tags": tags,
        "logs": [
            {
                "timestamp": event.time_unix_nano // _NS_PER_US,
                "fields": [_text("event", event.name), *map(_tag, event.attributes)],
            }
            for event in span.events
        ],
        "processID": process,
        "warnings": None,
    }


def _zipkin_span(span: Span, trace_id: str, resource: dict[str, str]) -> Json:
    tags = {tag["key"]: str(tag["value"]) for tag in map(_tag, span.attributes)}
    tags |= {"otel.scope.name": "shop.instrumentation", "otel.scope.version": "1.4.2"}
    if span.status.code:
        tags["error"] = span.status.message
    host = f"10.1.0.{resource['host.name'].rpartition('-')[2]}"
    return {
        "traceId": trace_id,
        **({"parentId": span.parent_span_id.hex()} if span.parent_span_id else {}),
        "id": span.span_id.hex(),
        "kind": _KINDS[span.kind].upper(),
        "name": span.name.lower(),
        "timestamp": span.start_time_unix_nano // _NS_PER_US,
        "duration": max(1, (span.end_time_unix_nano - span.start_time_unix_nano) // _NS_PER_US),
        "localEndpoint": {"serviceName": resource["service.name"], "ipv4": host},
        **({"annotations": [_annotation(event) for event in span.events]} if span.events else {}),
        "tags": tags,
    }


def _annotation(event: Span.Event) -> Json:
    return {"timestamp": event.time_unix_nano // _NS_PER_US, "value": event.name}
