"""OTLP/JSON to a request, the obvious way: parsed JSON fills protobuf messages, field by field.

This is what OTLP/JSON means here, down to the words of every fault. The fast way answers only what
it answers alike; whatever else arrives comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tracer.ingest.otlp.json_fault import Fault, as_object, as_text, each, expected
from tracer.ingest.otlp.json_values import (
    I64,
    U32,
    U64,
    base64_member,
    double_member,
    enum_member,
    integer_member,
    link_id_member,
    span_id_member,
)

T = TypeVar("T")
_DEEPEST: Final = 100  # messages inside messages that protobuf will read back
_DEPTH_OF_VALUE: Final = 4  # resource spans, resource, pair, value; a span's values lie deeper


def request_from_document(document: object) -> bytes:
    """The protobuf form of a parsed ExportTraceServiceRequest or TracesData.

    Raises `Fault` with the path inside the document.
    """
    request = ExportTraceServiceRequest()
    each(as_object(document), "resourceSpans", request.resource_spans.add, _resource_spans)
    return bytes(request.SerializeToString())


def _resource_spans(group: ResourceSpans, json: dict[str, Any]) -> None:
    _member(json, "resource", group.resource, fill_resource)
    each(json, "scopeSpans", group.scope_spans.add, _scope_spans)
    group.schema_url = as_text(json, "schemaUrl")


def fill_resource(resource: Resource, json: dict[str, Any]) -> None:
    fill_attributes(resource.attributes, json)
    resource.dropped_attributes_count = integer_member(json, "droppedAttributesCount", U32)


def _scope_spans(group: ScopeSpans, json: dict[str, Any]) -> None:
    _member(json, "scope", group.scope, fill_scope)
    each(json, "spans", group.spans.add, _span)
    group.schema_url = as_text(json, "schemaUrl")


def fill_scope(scope: InstrumentationScope, json: dict[str, Any]) -> None:
    scope.name = as_text(json, "name")
    scope.version = as_text(json, "version")
    fill_attributes(scope.attributes, json)
    scope.dropped_attributes_count = integer_member(json, "droppedAttributesCount", U32)


def _span(span: Span, json: dict[str, Any]) -> None:
    span.trace_id = span_id_member(json, "traceId")
    span.span_id = span_id_member(json, "spanId")
    span.parent_span_id = span_id_member(json, "parentSpanId")
    span.name = as_text(json, "name")
    span.trace_state = as_text(json, "traceState")
    span.flags = integer_member(json, "flags", U32)
    span.kind = enum_member(json, "kind", Span.SpanKind)
    span.start_time_unix_nano = integer_member(json, "startTimeUnixNano", U64)
    span.end_time_unix_nano = integer_member(json, "endTimeUnixNano", U64)
    fill_attributes(span.attributes, json)
    each(json, "events", span.events.add, _event)
    each(json, "links", span.links.add, fill_link)
    span.dropped_attributes_count = integer_member(json, "droppedAttributesCount", U32)
    span.dropped_events_count = integer_member(json, "droppedEventsCount", U32)
    span.dropped_links_count = integer_member(json, "droppedLinksCount", U32)
    _member(json, "status", span.status, _status)


def _event(event: Span.Event, json: dict[str, Any]) -> None:
    event.time_unix_nano = integer_member(json, "timeUnixNano", U64)
    event.name = as_text(json, "name")
    fill_attributes(event.attributes, json)
    event.dropped_attributes_count = integer_member(json, "droppedAttributesCount", U32)


def fill_link(link: Span.Link, json: dict[str, Any]) -> None:
    link.trace_id = link_id_member(json, "traceId")
    link.span_id = link_id_member(json, "spanId")
    link.trace_state = as_text(json, "traceState")
    fill_attributes(link.attributes, json)
    link.dropped_attributes_count = integer_member(json, "droppedAttributesCount", U32)
    link.flags = integer_member(json, "flags", U32)


def _status(status: Status, json: dict[str, Any]) -> None:
    status.message = as_text(json, "message")
    status.code = enum_member(json, "code", Status.StatusCode)


def _member(
    owner: dict[str, Any], key: str, message: T, fill: Callable[[T, dict[str, Any]], None]
) -> None:
    """Fills a sub-message; missing or null leaves it unset."""
    json = owner.get(key)
    if json is None:
        return
    try:
        fill(message, as_object(json))
    except Fault as fault:
        raise fault.under(key) from None


def fill_attributes(pairs: Any, owner: dict[str, Any]) -> None:
    """Fills a repeated KeyValue from the attributes of whatever owns them."""
    items = owner.get("attributes")
    if items is not None:
        _key_values(pairs, items, "attributes", _DEEPEST - _DEPTH_OF_VALUE)


def _key_values(pairs: Any, items: object, key: str, levels_left: int) -> None:
    """Fills a repeated KeyValue; plain strings, integers and bools, nearly all there is, go a short
    way."""
    if not isinstance(items, list):
        raise expected(key, "an array", items)
    add = pairs.add
    for index, item in enumerate(items):
        pair = add()
        try:
            pair.key = item["key"]
            ((member, given),) = item["value"].items()
            if member == "stringValue":
                pair.value.string_value = given
                continue
            if member == "intValue" and given.isdigit() and given.isascii():
                pair.value.int_value = int(given)
                continue
            if member == "boolValue" and (given is True or given is False):
                pair.value.bool_value = given
                continue
        except (KeyError, TypeError, ValueError, AttributeError):
            pair.Clear()
        try:
            _key_value(pair, as_object(item), levels_left)
        except Fault as fault:
            raise fault.under(f"{key}[{index}]") from None


def _key_value(pair: KeyValue, json: dict[str, Any], levels_left: int) -> None:
    pair.key = as_text(json, "key")
    _member(json, "value", pair.value, lambda value, json: _any_value(value, json, levels_left))


def _any_value(value: AnyValue, json: dict[str, Any], levels_left: int) -> None:
    """Sets the member that the JSON has; the last one if there are several, as on the wire.

    Ends a nesting that protobuf would not read back wherever it begins. What begins deeper may be
    too deep all the same: then protobuf itself refuses the request.
    """
    if levels_left < 0:
        raise Fault("", f"nested deeper than {_DEEPEST} messages")
    for member, given in json.items():
        if given is None:
            continue
        match member:
            case "stringValue":
                value.string_value = as_text(json, member)
            case "intValue":
                value.int_value = integer_member(json, member, I64)
            case "boolValue":
                if not isinstance(given, bool):
                    raise expected(member, "true or false", given)
                value.bool_value = given
            case "doubleValue":
                value.double_value = double_member(given)
            case "bytesValue":
                value.bytes_value = base64_member(given)
            case "arrayValue":
                value.array_value.Clear()
                value.array_value.SetInParent()
                _member(json, member, value.array_value, _array_filler(levels_left - 2))
            case "kvlistValue":
                value.kvlist_value.Clear()
                value.kvlist_value.SetInParent()
                _member(json, member, value.kvlist_value, _kvlist_filler(levels_left - 3))


def _array_filler(levels_left: int) -> Callable[[ArrayValue, dict[str, Any]], None]:
    def fill(array: ArrayValue, json: dict[str, Any]) -> None:
        each(
            json,
            "values",
            array.values.add,
            lambda item, given: _any_value(item, given, levels_left),
        )

    return fill


def _kvlist_filler(levels_left: int) -> Callable[[KeyValueList, dict[str, Any]], None]:
    def fill(kvlist: KeyValueList, json: dict[str, Any]) -> None:
        if json.get("values") is not None:
            _key_values(kvlist.values, json["values"], "values", levels_left)

    return fill
