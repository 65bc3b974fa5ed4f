"""Jaeger's JSON, as its HTTP API answers and its UI downloads, to an OTLP request.

    {"data": [{"traceID", "spans": [...], "processes": {"p1": {...}}}]}   API and UI
    {"traceID", "spans", "processes"}, or a list of these                 saved by hand

Times are microseconds. Ids may have lost their leading zeros. Where OpenTelemetry has a field of
its own for what Jaeger keeps in a tag (span.kind, status, trace state, scope), the tag becomes that
field.
Source: opentelemetry-collector-contrib, pkg/translator/jaeger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from tracer.ingest.files.fields import LARGEST, hex_bytes, nanoseconds, objects
from tracer.ingest.files.jaeger_tags import Tag, add_tag, read_tags
from tracer.ingest.otlp.json_fault import Fault, as_object, as_text, expected

_SPAN_KINDS: Final = {
    "internal": Span.SPAN_KIND_INTERNAL,
    "server": Span.SPAN_KIND_SERVER,
    "client": Span.SPAN_KIND_CLIENT,
    "producer": Span.SPAN_KIND_PRODUCER,
    "consumer": Span.SPAN_KIND_CONSUMER,
}
_STATUS: Final = {
    "UNSET": Status.STATUS_CODE_UNSET,
    "OK": Status.STATUS_CODE_OK,
    "ERROR": Status.STATUS_CODE_ERROR,
}
SCOPE_NAME: Final = ("otel.scope.name", "otel.library.name")
SCOPE_VERSION: Final = ("otel.scope.version", "otel.library.version")
SAMPLED: Final = 1


@dataclass(frozen=True)
class _Reference:
    """Another span this one points to."""

    ref_type: str  # CHILD_OF or FOLLOWS_FROM
    trace_id: bytes
    span_id: bytes


def request_from_jaeger(document: Any) -> bytes:
    """All traces of one document as one request. Raises `Fault` with the path inside it."""
    request = ExportTraceServiceRequest()
    for path, trace in _traces(document):
        try:
            _add_trace(request, as_object(trace))
        except Fault as fault:
            raise fault.under(path) if path else fault from None
    return bytes(request.SerializeToString())


def _traces(document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, list):
        for index, trace in enumerate(document):
            yield from ((f"[{index}]{path}", part) for path, part in _traces(trace))
    elif isinstance(document, dict) and isinstance(document.get("data"), list):
        for index, trace in enumerate(document["data"]):
            yield f"data[{index}]", trace
    else:
        yield "", document


def _add_trace(request: ExportTraceServiceRequest, trace: dict[str, Any]) -> None:
    spans = objects(trace, "spans")
    own_id = as_text(trace, "traceID")
    present = {hex_bytes(as_text(span, "spanID"), 8) for span in spans}
    groups: dict[tuple[str, str, str], ScopeSpans] = {}
    resources: dict[str, Any] = {}
    processes = as_object(trace.get("processes"))
    for index, span in enumerate(spans):
        try:
            tags = read_tags(span, "tags")
            process_id, process = _process(span, processes)
            scope = (process_id, take(tags, SCOPE_NAME), take(tags, SCOPE_VERSION))
            if scope not in groups:
                if process_id not in resources:
                    resources[process_id] = request.resource_spans.add()
                    fill_resource(resources[process_id].resource, process)
                groups[scope] = resources[process_id].scope_spans.add()
                groups[scope].scope.name, groups[scope].scope.version = scope[1:]
            _fill_span(groups[scope].spans.add(), span, own_id, tags, present)
        except Fault as fault:
            raise fault.under(f"spans[{index}]") from None


def _process(span: dict[str, Any], processes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The process of a span: by reference, or written into the span as older dumps do."""
    if "process" in span:
        process = as_object(span["process"])
        return orjson.dumps(process, option=orjson.OPT_SORT_KEYS).decode(), process
    process_id = as_text(span, "processID")
    return process_id, as_object(processes.get(process_id))


def fill_resource(resource: Any, process: dict[str, Any]) -> None:
    name = as_text(process, "serviceName")
    if name:
        resource.attributes.add(key="service.name").value.string_value = name
    for tag in read_tags(process, "tags"):
        key = "host.name" if tag.key == "hostname" else tag.key
        add_tag(resource.attributes, Tag(key, tag.type, tag.value))


def _fill_span(
    otlp: Span, span: dict[str, Any], trace: str, tags: list[Tag], present: set[bytes]
) -> None:
    otlp.trace_id = hex_bytes(as_text(span, "traceID") or trace, 16)
    otlp.span_id = hex_bytes(as_text(span, "spanID"), 8)
    otlp.name = as_text(span, "operationName")
    otlp.flags = _whole(span, "flags") & SAMPLED
    if span.get("startTime") is None:
        raise expected("startTime", "microseconds since 1970", None)
    start_ns = nanoseconds(span, "startTime")
    otlp.start_time_unix_nano = start_ns
    otlp.end_time_unix_nano = min(start_ns + nanoseconds(span, "duration"), LARGEST)
    set_references(otlp, span, present)
    otlp.trace_state = take(tags, ("w3c.tracestate",))
    otlp.kind = span_kind(tags)
    set_status(otlp, tags)
    for tag in tags:
        add_tag(otlp.attributes, tag)
    _set_warnings(otlp, span)
    for index, log in enumerate(objects(span, "logs")):
        try:
            _add_event(otlp, log)
        except Fault as fault:
            raise fault.under(f"logs[{index}]") from None


def set_references(otlp: Span, span: dict[str, Any], present: set[bytes]) -> None:
    """The parent, and links for all other references.

    Parent is the first CHILD_OF of the same trace whose span is in the file, else the first such
    FOLLOWS_FROM. When none is in the file the first one stays the parent: an orphan is no root.
    """
    references = [each for each in _references(otlp, span) if any(each.span_id)]
    here = [reference for reference in references if reference.trace_id == otlp.trace_id]
    here.sort(key=lambda reference: reference.ref_type != "CHILD_OF")
    there = [reference for reference in here if reference.span_id in present]
    parent = next(iter(there or here), None)
    if parent is not None:
        otlp.parent_span_id = parent.span_id
        if parent.ref_type == "FOLLOWS_FROM":
            otlp.attributes.add(key="opentracing.ref_type").value.string_value = "follows_from"
    for reference in references:
        if reference is not parent:
            link = otlp.links.add(trace_id=reference.trace_id, span_id=reference.span_id)
            kind = link.attributes.add(key="opentracing.ref_type")
            kind.value.string_value = reference.ref_type.lower()


def _references(otlp: Span, span: dict[str, Any]) -> Iterator[_Reference]:
    old_parent = hex_bytes(as_text(span, "parentSpanID"), 8)
    references = objects(span, "references")
    for index, reference in enumerate(references):
        try:
            trace_id = as_text(reference, "traceID")
            yield _Reference(
                as_text(reference, "refType") or "CHILD_OF",
                hex_bytes(trace_id, 16) if trace_id else otlp.trace_id,
                hex_bytes(as_text(reference, "spanID"), 8),
            )
        except Fault as fault:
            raise fault.under(f"references[{index}]") from None
    if not references and any(old_parent):
        yield _Reference("CHILD_OF", otlp.trace_id, old_parent)


def span_kind(tags: list[Tag]) -> Any:
    for tag in tags:
        if tag.key == "span.kind" and str(tag.value).lower() in _SPAN_KINDS:
            tags.remove(tag)
            return _SPAN_KINDS[str(tag.value).lower()]
    return Span.SPAN_KIND_UNSPECIFIED


def set_status(otlp: Span, tags: list[Tag]) -> None:
    """otel.status_code wins over error=true, which wins over the HTTP status."""
    for tag in tags:
        if tag.key == "otel.status_code" and str(tag.value).upper() in _STATUS:
            tags.remove(tag)
            otlp.status.code = _STATUS[str(tag.value).upper()]
            otlp.status.message = take(tags, ("otel.status_description",))
            break
    else:
        if any(tag.key == "error" and str(tag.value).lower() == "true" for tag in tags):
            otlp.status.code = Status.STATUS_CODE_ERROR
            otlp.status.message = take(tags, ("otel.status_description",))
        elif _http_status(tags) >= (400 if otlp.kind == Span.SPAN_KIND_CLIENT else 500):
            otlp.status.code = Status.STATUS_CODE_ERROR
    if otlp.status.code == Status.STATUS_CODE_ERROR:
        tags[:] = [
            tag for tag in tags if not (tag.key == "error" and str(tag.value).lower() == "true")
        ]


def _http_status(tags: list[Tag]) -> int:
    for tag in tags:
        if tag.key in ("http.response.status_code", "http.status_code"):
            text = str(tag.value)
            return int(text) if text.isascii() and text.isdigit() else 0
    return 0


def _set_warnings(otlp: Span, span: dict[str, Any]) -> None:
    warnings = span.get("warnings")
    if isinstance(warnings, list) and warnings:
        values = otlp.attributes.add(key="@jaeger@warnings").value.array_value.values
        for warning in warnings:
            values.add().string_value = str(warning)


def _add_event(otlp: Span, log: dict[str, Any]) -> None:
    event = otlp.events.add(time_unix_nano=nanoseconds(log, "timestamp"))
    fields = read_tags(log, "fields")
    event.name = take(fields, ("event",))
    for tag in fields:
        add_tag(event.attributes, tag)


def take(tags: list[Tag], keys: tuple[str, ...]) -> str:
    """Takes the first string tag with one of the keys out of the list; '' if there is none."""
    for key in keys:
        for tag in tags:
            if tag.key == key and isinstance(tag.value, str):
                tags.remove(tag)
                return tag.value
    return ""


def _whole(owner: dict[str, Any], key: str) -> int:
    value = owner.get(key)
    return value if isinstance(value, int) else 0
