"""OTLP/JSON to a serialized protobuf request, so that everything behind it knows one form only.

What differs from plain proto3 JSON (opentelemetry-proto, docs/specification.md): ids are hex in any
case, enums are integers, keys are lowerCamelCase only, unknown keys are ignored. Ids that are not
hex or not long enough do not fail a request: they travel on, and decoding rejects and counts their
spans.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

import orjson
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

from tracer.errors import BadInput
from tracer.ingest.otlp.json_fault import Fault, as_object, as_text, each, expected

T = TypeVar("T")
_U32: Final = range(1 << 32)
_U64: Final = range(1 << 64)
_I32: Final = range(-(1 << 31), 1 << 31)
_I64: Final = range(-(1 << 63), 1 << 63)
_LONGEST_NUMBER: Final = 40  # characters; 64 bits need 20
_ENDS: Final = tuple("0123456789.")  # of a number; not of "inf" and "nan"
_NOT_HEX: Final = b"?"  # one byte: never a valid id, so decoding rejects the span and says why
_DEEPEST: Final = 100  # messages inside messages that protobuf will read back
_DEPTH_OF_VALUE: Final = 4  # resource spans, resource, pair, value; a span's values lie deeper
_FIX: Final = "send OTLP/JSON (lowerCamelCase keys, hex ids, 64-bit integers as strings)"


def request_from_json(body: bytes) -> bytes:
    """The protobuf form of a JSON ExportTraceServiceRequest or TracesData.

    Raises `BadInput` that names the place in the document.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the request body is not JSON ({error}): {_FIX}") from None
    try:
        return request_from_document(document)
    except Fault as fault:
        raise fault.as_bad_input("the OTLP/JSON request is malformed", _FIX) from None


def request_from_document(document: object) -> bytes:
    """`request_from_json` of parsed JSON. Raises `Fault` with the path inside the document."""
    request = ExportTraceServiceRequest()
    each(as_object(document), "resourceSpans", request.resource_spans.add, _resource_spans)
    return bytes(request.SerializeToString())


def _resource_spans(group: ResourceSpans, json: dict[str, Any]) -> None:
    _member(json, "resource", group.resource, _resource)
    each(json, "scopeSpans", group.scope_spans.add, _scope_spans)
    group.schema_url = as_text(json, "schemaUrl")


def _resource(resource: Resource, json: dict[str, Any]) -> None:
    _attributes(resource.attributes, json)
    resource.dropped_attributes_count = _integer(json, "droppedAttributesCount", _U32)


def _scope_spans(group: ScopeSpans, json: dict[str, Any]) -> None:
    _member(json, "scope", group.scope, _scope)
    each(json, "spans", group.spans.add, _span)
    group.schema_url = as_text(json, "schemaUrl")


def _scope(scope: InstrumentationScope, json: dict[str, Any]) -> None:
    scope.name = as_text(json, "name")
    scope.version = as_text(json, "version")
    _attributes(scope.attributes, json)
    scope.dropped_attributes_count = _integer(json, "droppedAttributesCount", _U32)


def _span(span: Span, json: dict[str, Any]) -> None:
    span.trace_id = _span_id(json, "traceId")
    span.span_id = _span_id(json, "spanId")
    span.parent_span_id = _span_id(json, "parentSpanId")
    span.name = as_text(json, "name")
    span.trace_state = as_text(json, "traceState")
    span.flags = _integer(json, "flags", _U32)
    span.kind = _enum(json, "kind", Span.SpanKind)
    span.start_time_unix_nano = _integer(json, "startTimeUnixNano", _U64)
    span.end_time_unix_nano = _integer(json, "endTimeUnixNano", _U64)
    _attributes(span.attributes, json)
    each(json, "events", span.events.add, _event)
    each(json, "links", span.links.add, _link)
    span.dropped_attributes_count = _integer(json, "droppedAttributesCount", _U32)
    span.dropped_events_count = _integer(json, "droppedEventsCount", _U32)
    span.dropped_links_count = _integer(json, "droppedLinksCount", _U32)
    _member(json, "status", span.status, _status)


def _event(event: Span.Event, json: dict[str, Any]) -> None:
    event.time_unix_nano = _integer(json, "timeUnixNano", _U64)
    event.name = as_text(json, "name")
    _attributes(event.attributes, json)
    event.dropped_attributes_count = _integer(json, "droppedAttributesCount", _U32)


def _link(link: Span.Link, json: dict[str, Any]) -> None:
    link.trace_id = _link_id(json, "traceId")
    link.span_id = _link_id(json, "spanId")
    link.trace_state = as_text(json, "traceState")
    _attributes(link.attributes, json)
    link.dropped_attributes_count = _integer(json, "droppedAttributesCount", _U32)
    link.flags = _integer(json, "flags", _U32)


def _status(status: Status, json: dict[str, Any]) -> None:
    status.message = as_text(json, "message")
    status.code = _enum(json, "code", Status.StatusCode)


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


def _attributes(pairs: Any, owner: dict[str, Any]) -> None:
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
                value.int_value = _integer(json, member, _I64)
            case "boolValue":
                if not isinstance(given, bool):
                    raise expected(member, "true or false", given)
                value.bool_value = given
            case "doubleValue":
                value.double_value = _double(given)
            case "bytesValue":
                value.bytes_value = _base64(given)
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


def _integer(owner: dict[str, Any], key: str, allowed: range) -> int:
    """An integer as a JSON number or string, `1e3` included; missing or null is 0."""
    value = owner.get(key)
    if value is None:
        return 0
    number = value if type(value) is int else _integer_of(value)
    if number is None or number not in allowed:
        raise expected(key, f"an integer in [{allowed[0]}, {allowed[-1]}]", value)
    return number


def _integer_of(value: object) -> int | None:
    match value:
        case str() if len(value) > _LONGEST_NUMBER:
            return None  # Python refuses to read thousands of digits
        case str() if value.isascii() and value.isdigit():
            return int(value)
        case str() if _is_plain(value):
            try:
                exact = Decimal(value)
            except InvalidOperation:
                return None
            # no exponent tricks: 1e999999999 must not be multiplied out
            whole = (
                exact.is_finite() and exact.adjusted() < 20 and exact == exact.to_integral_value()
            )
            return int(exact) if whole else None
        case float() if value.is_integer() and value > _I64[0]:
            return int(value)  # what is below 64 bits arrives as a float, and rounds to their end
        case _:
            return None


def _is_plain(text: str) -> bool:
    """Without what only Python reads as a number: spaces, underscores, digits of other scripts."""
    return text.isascii() and text == text.strip() and "_" not in text


def _double(value: object) -> float:
    match value:
        case bool():
            pass
        case int() | float():
            return float(value)
        case "NaN" | "Infinity" | "-Infinity":
            return float(value)
        case str() if _is_plain(value) and value[-1:] in _ENDS:
            try:
                return float(value)
            except ValueError:
                pass
    raise expected("doubleValue", "a number, 'NaN', 'Infinity' or '-Infinity'", value)


def _base64(value: object) -> bytes:
    """Standard or URL-safe alphabet, padded or not, as proto3 JSON allows."""
    if isinstance(value, str):
        text = value.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise expected("bytesValue", "base64", value)


def _enum(owner: dict[str, Any], key: str, names: Any) -> Any:
    value = owner.get(key)
    if isinstance(value, str) and value in set(names.keys()):
        return int(names.Value(value))
    return _integer(owner, key, _I32)


def _span_id(owner: dict[str, Any], key: str) -> bytes:
    value = owner.get(key)
    if value is None:
        return b""
    try:
        return binascii.unhexlify(value)
    except ValueError:
        return _NOT_HEX
    except TypeError:
        raise expected(key, "a string of hex digits", value) from None


def _link_id(owner: dict[str, Any], key: str) -> bytes:
    """A link's id need not be valid: what is not hex is kept as the bytes of its text."""
    text = as_text(owner, key)
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return text.encode()
