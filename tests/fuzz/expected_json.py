"""What a receiver must answer to OTLP/JSON: the rules of its encoding, read one by one.

The document becomes protobuf objects, which `expected.of_message` judges. Slow and obvious.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.fuzz.expected import REFUSED, Answer, of_message

Json = dict[str, Any]
U32: Final = (0, (1 << 32) - 1)
U64: Final = (0, (1 << 64) - 1)
I32: Final = (-(1 << 31), (1 << 31) - 1)
I64: Final = (-(1 << 63), (1 << 63) - 1)
# A sign in front and a point at an end are more than JSON allows; protobuf's own parser takes them.
_NUMBER: Final = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}", re.ASCII)
_HEX: Final = re.compile(r"([0-9a-fA-F]{2})*", re.ASCII)


class Wrong(Exception):
    """The document is not OTLP/JSON."""


def of_json(body: bytes, now_ns: int) -> Answer:
    """The answer to a document that arrives at this moment."""
    try:
        message = _request(_parsed(body))
        message = ExportTraceServiceRequest.FromString(message.SerializeToString())
    except (Wrong, DecodeError):
        return REFUSED
    return of_message(message, now_ns)


def _parsed(body: bytes) -> Any:
    """JSON by its grammar: no NaN, no half characters, and not nested without end."""
    try:
        text = body.decode("utf-8")
        document = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Wrong from error
    return document


def _no_constant(name: str) -> Any:
    raise Wrong(name)


def _finite(text: str) -> float:
    """RFC 8259 lets a parser limit the range of numbers; past that of doubles is no number."""
    number = float(text)
    if math.isinf(number):
        raise Wrong(text)
    return number


def _request(json: Any) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    for group, spans in _each(_object(json), "resourceSpans", message.resource_spans.add):
        resource = _object(group.get("resource"))
        _attributes(resource, spans.resource.attributes)
        _integer(resource, "droppedAttributesCount", U32)
        _text(group, "schemaUrl")
        for scope_spans, below in _each(group, "scopeSpans", spans.scope_spans.add):
            scope = _object(scope_spans.get("scope"))
            _text(scope, "name")
            _text(scope, "version")
            _attributes(scope, below.scope.attributes)
            _integer(scope, "droppedAttributesCount", U32)
            _text(scope_spans, "schemaUrl")
            for json_span, span in _each(scope_spans, "spans", below.spans.add):
                _span(json_span, span)
    return message


def _span(json: Json, span: Span) -> None:
    span.trace_id = _id(json, "traceId")
    span.span_id = _id(json, "spanId")
    span.parent_span_id = _id(json, "parentSpanId")
    span.start_time_unix_nano = _integer(json, "startTimeUnixNano", U64)
    span.end_time_unix_nano = _integer(json, "endTimeUnixNano", U64)
    for key in ("name", "traceState"):
        _text(json, key)
    for key in ("flags", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"):
        _integer(json, key, U32)
    _enum(json, "kind", Span.SpanKind.keys())
    _attributes(json, span.attributes)
    status = _object(json.get("status"))
    _text(status, "message")
    _enum(status, "code", Status.StatusCode.keys())
    for json_event, event in _each(json, "events", span.events.add):
        event.time_unix_nano = _integer(json_event, "timeUnixNano", U64)
        _text(json_event, "name")
        _integer(json_event, "droppedAttributesCount", U32)
        _attributes(json_event, event.attributes)
    for json_link, link in _each(json, "links", span.links.add):
        for key in ("traceId", "spanId", "traceState"):
            _text(json_link, key)
        for key in ("droppedAttributesCount", "flags"):
            _integer(json_link, key, U32)
        _attributes(json_link, link.attributes)


def _attributes(owner: Json, pairs: Any, key: str = "attributes") -> None:
    for json_pair, pair in _each(owner, key, pairs.add):
        pair.key = _text(json_pair, "key")
        if json_pair.get("value") is not None:
            # One that says nothing is the same as none, and is no level of nesting.
            _value(_object(json_pair["value"]), pair.value)


def _value(json: Json, value: AnyValue) -> None:
    """Every member must be right, and the last one counts; members nobody knows are ignored."""
    for member, given in json.items():
        if given is None:
            continue
        if member == "stringValue":
            value.string_value = _text(json, member)
        elif member == "boolValue":
            if given is not True and given is not False:
                raise Wrong(member)
            value.bool_value = given
        elif member == "intValue":
            value.int_value = _integer(json, member, I64)
        elif member == "doubleValue":
            _double(given)
            value.double_value = 0.0
        elif member == "bytesValue":
            value.bytes_value = _bytes(given)
        elif member == "arrayValue":
            value.array_value.Clear()
            value.array_value.SetInParent()
            for json_item, item in _each(_object(given), "values", value.array_value.values.add):
                _value(json_item, item)
        elif member == "kvlistValue":
            value.kvlist_value.Clear()
            value.kvlist_value.SetInParent()
            _attributes(_object(given), value.kvlist_value.values, "values")


def _object(json: Any) -> Json:
    """An object; null is an empty one."""
    if json is None:
        return {}
    if not isinstance(json, dict):
        raise Wrong("not an object")
    return json


def _each(owner: Json, key: str, add: Callable[[], Any]) -> list[tuple[Json, Any]]:
    items = owner.get(key)
    if items is None:
        return []
    if not isinstance(items, list):
        raise Wrong(key)
    return [(_object(item), add()) for item in items]


def _text(owner: Json, key: str) -> str:
    text = owner.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise Wrong(key)
    return text


def _id(owner: Json, key: str) -> bytes:
    """The bytes of hex digits; what is not hex is an id of no valid length."""
    text = _text(owner, key)
    return bytes.fromhex(text) if _HEX.fullmatch(text) else b"?"


def _integer(owner: Json, key: str, bounds: tuple[int, int]) -> int:
    """A number or a text of one, whole, within its bounds."""
    given = owner.get(key)
    if given is None:
        return 0
    exact: Fraction | None = None
    if isinstance(given, str):
        exact = _exact(given)
    elif not isinstance(given, bool) and isinstance(given, int | float) and abs(given) < 1e30:
        exact = Fraction(given)
    if exact is None or exact.denominator != 1 or not bounds[0] <= exact <= bounds[1]:
        raise Wrong(key)
    return int(exact)


def _exact(text: str) -> Fraction | None:
    found = _NUMBER.fullmatch(text)
    if not found or len(text) > 40 or (found[3] and abs(int(found[3][1:])) > 40):
        return None
    return Fraction(text)


def _enum(owner: Json, key: str, names: list[str]) -> None:
    """An integer; names are taken too, as other receivers do."""
    if owner.get(key) not in names:
        _integer(owner, key, I32)


def _double(given: Any) -> None:
    if isinstance(given, str):
        if given not in ("NaN", "Infinity", "-Infinity") and not _NUMBER.fullmatch(given):
            raise Wrong("doubleValue")
    elif isinstance(given, bool) or not isinstance(given, int | float):
        raise Wrong("doubleValue")


def _bytes(given: Any) -> bytes:
    """Base64 in either alphabet, padded or not."""
    if not isinstance(given, str) or not _BASE64.fullmatch(given):
        raise Wrong("bytesValue")
    digits = given.rstrip("=").replace("-", "+").replace("_", "/")
    if len(digits) % 4 == 1:
        raise Wrong("bytesValue")
    return base64.b64decode(digits + "=" * (-len(digits) % 4))
