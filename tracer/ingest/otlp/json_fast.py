"""OTLP/JSON to a request, the fast way: parsed into typed records, written as wire bytes at once.

There is no message and no dict per span or attribute: a parser that knows the fields makes one
record a span, attributes stay text until `json_pairs` looks them up. Where a document leaves the
usual path — a key or a type that is not OTLP's, a number out of range, a fault of any sort — this
gives up on all of it, and the obvious way in `json_messages` starts over and has the say.

One difference is known and harmless. When a key stands twice in an object the last one counts, and
attributes, links, a resource or a scope that a later one replaces are skipped with less care than
the obvious way has: bytes that are not UTF-8 or a number beyond a double go unnoticed in there.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from struct import error as PackError
from typing import Any, Final

import msgspec
from msgspec import Raw
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracer.ingest.otlp.json_fault import Fault, as_object
from tracer.ingest.otlp.json_messages import fill_link, fill_resource, fill_scope
from tracer.ingest.otlp.json_pairs import pairs, part
from tracer.ingest.otlp.json_records import (
    EventRecord,
    Number,
    ResourceSpansRecord,
    ScopeSpansRecord,
    SpanRecord,
    StatusRecord,
    parse_request,
)
from tracer.ingest.otlp.json_values import I32, U32, hex_id
from tracer.ingest.otlp.wire import DELIMITED, FIXED32, FIXED64, VARINT, delimited, tag, varint

_KEPT_OWNERS: Final = 256  # resources and scopes: the same few come with every request
_LONGEST_KEPT: Final = 8192  # bytes of JSON; all of them some 4 MB
_KEPT_NAMES: Final = 4096  # of spans; all of them some 2 MB
_LONGEST_NAME: Final = 256
_LONGEST_NUMBER: Final = 20  # digits of 64 bits

Fill = Callable[[Any, dict[str, Any]], None]

_RESOURCE_SPANS: Final = tag(1, DELIMITED)  # of the request
_RESOURCE, _SCOPE_SPANS, _RESOURCE_URL = (tag(field, DELIMITED) for field in (1, 2, 3))
_SCOPE, _SPAN, _SCOPE_URL = (tag(field, DELIMITED) for field in (1, 2, 3))
_TRACE_ID, _SPAN_ID, _TRACE_STATE, _PARENT, _NAME = (tag(field, DELIMITED) for field in range(1, 6))
_KIND, _START, _END = tag(6, VARINT), tag(7, FIXED64), tag(8, FIXED64)
_ATTRIBUTE, _EVENT, _LINK = (tag(field, DELIMITED) for field in (9, 11, 13))
_DROPPED_ATTRIBUTES, _DROPPED_EVENTS, _DROPPED_LINKS = (
    tag(field, VARINT) for field in (10, 12, 14)
)
_STATUS, _FLAGS = tag(15, DELIMITED), tag(16, FIXED32)
_EVENT_TIME, _EVENT_NAME, _EVENT_ATTRIBUTE = tag(1, FIXED64), tag(2, DELIMITED), tag(3, DELIMITED)
_EVENT_DROPPED: Final = tag(4, VARINT)
_STATUS_MESSAGE, _STATUS_CODE = tag(2, DELIMITED), tag(3, VARINT)

_KINDS: Final[dict[int | None, bytes]] = {kind: _KIND + varint(kind) for kind in range(1, 6)}

_both_times: Final = Struct("<cQcQ").pack
_tagged_u64: Final = Struct("<cQ").pack
_tagged_u32: Final = Struct("<2sI").pack


def usual_request(text: bytes) -> bytes | None:
    """The protobuf form of a document of the usual sort; None for any other, valid or not."""
    try:
        groups = parse_request(text).resource_spans
        return b"".join([delimited(_RESOURCE_SPANS, _resource_spans(group)) for group in groups])
    except (msgspec.DecodeError, Fault, ValueError, PackError, RecursionError):
        return None


def _resource_spans(group: ResourceSpansRecord) -> bytes:
    parts = [_owner(_RESOURCE, Resource, fill_resource, group.resource)]
    parts += [delimited(_SCOPE_SPANS, _scope_spans(scope)) for scope in group.scope_spans or ()]
    parts.append(_text(_RESOURCE_URL, group.schema_url))
    return b"".join(parts)


def _scope_spans(group: ScopeSpansRecord) -> bytes:
    parts = [_owner(_SCOPE, InstrumentationScope, fill_scope, group.scope)]
    parts += map(_span, group.spans or ())
    parts.append(_text(_SCOPE_URL, group.schema_url))
    return b"".join(parts)


def _owner(tag: bytes, message: type, fill: Fill, raw: Raw) -> bytes:
    """A resource or scope; not there, or null, is nothing."""
    text = bytes(raw)
    if text in (b"", b"null"):
        return b""
    return tag + (_kept_part if len(text) <= _LONGEST_KEPT else _part)(message, fill, text)


def _part(message: type, fill: Fill, text: bytes) -> bytes:
    """Length and content of a message that the obvious way fills."""
    filled = message()
    fill(filled, as_object(part(text)))
    content: bytes = filled.SerializeToString()
    return varint(len(content)) + content


_kept_part: Final = lru_cache(_KEPT_OWNERS)(_part)


def _span(span: SpanRecord) -> bytes:
    parts = [
        _ids(span.trace_id, span.span_id, span.trace_state, span.parent_span_id),
        _name(span.name or ""),
        _KINDS.get(span.kind) or _number(_KIND, span.kind, I32),
        _times(span.start_time_unix_nano, span.end_time_unix_nano),
        _pairs(Span, _ATTRIBUTE, span.attributes),
    ]
    if span.dropped_attributes_count:
        parts.append(_number(_DROPPED_ATTRIBUTES, span.dropped_attributes_count, U32))
    if span.events:
        parts += map(_event, span.events)
    if span.dropped_events_count:
        parts.append(_number(_DROPPED_EVENTS, span.dropped_events_count, U32))
    if span.links:
        parts += [_LINK + _part(Span.Link, fill_link, bytes(link)) for link in span.links]
    if span.dropped_links_count:
        parts.append(_number(_DROPPED_LINKS, span.dropped_links_count, U32))
    if span.status:
        parts.append(_status(span.status))
    if span.flags:
        parts.append(_tagged_u32(_FLAGS, span.flags))
    return delimited(_SPAN, b"".join(parts))


def _ids(
    trace_id: str | None, span_id: str | None, trace_state: str | None, parent: str | None
) -> bytes:
    """Fields 1 to 4. Ids as they should be are written as hex and turned into bytes together."""
    well_sized = (
        len(trace_id or "") == 32 and len(span_id or "") == 16 and len(parent or "") in (0, 16)
    )
    if well_sized and not trace_state:
        try:
            if parent:
                return unhexlify(f"0a10{trace_id}1208{span_id}2208{parent}")
            return unhexlify(f"0a10{trace_id}1208{span_id}")
        except ValueError:
            pass  # not hex; each on its own then
    return b"".join(
        (
            _id(_TRACE_ID, trace_id),
            _id(_SPAN_ID, span_id),
            _text(_TRACE_STATE, trace_state),
            _id(_PARENT, parent),
        )
    )


def _id(tag: bytes, text: str | None) -> bytes:
    content = hex_id(text)
    return delimited(tag, content) if content else b""


def _pairs(owner: type, tag: bytes, raw: Raw) -> bytes:
    text = bytes(raw)
    return pairs(owner, tag, text) if text else b""


def _event(event: EventRecord) -> bytes:
    content = b"".join(
        (
            _time(_EVENT_TIME, _u64(event.time_unix_nano)),
            _text(_EVENT_NAME, event.name),
            _pairs(Span.Event, _EVENT_ATTRIBUTE, event.attributes),
            _number(_EVENT_DROPPED, event.dropped_attributes_count, U32),
        )
    )
    return delimited(_EVENT, content)


def _status(status: StatusRecord) -> bytes:
    content = _text(_STATUS_MESSAGE, status.message) + _number(_STATUS_CODE, status.code, I32)
    return delimited(_STATUS, content)


def _name(text: str) -> bytes:
    return _kept_name(text) if len(text) <= _LONGEST_NAME else _text(_NAME, text)


@lru_cache(_KEPT_NAMES)
def _kept_name(text: str) -> bytes:
    return _text(_NAME, text)


def _text(tag: bytes, text: str | None) -> bytes:
    return delimited(tag, text.encode()) if text else b""


def _times(start: Number | None, end: Number | None) -> bytes:
    start_ns, end_ns = _u64(start), _u64(end)
    if start_ns and end_ns:
        return _both_times(_START, start_ns, _END, end_ns)
    return _time(_START, start_ns) + _time(_END, end_ns)


def _time(tag: bytes, ns: int) -> bytes:
    return _tagged_u64(tag, ns) if ns else b""


def _u64(given: Number | None) -> int:
    """A number of nanoseconds; its range is checked where it is packed."""
    if isinstance(given, str):
        if len(given) <= _LONGEST_NUMBER and given.isascii() and given.isdigit():
            return int(given)
        raise ValueError(given)
    return given or 0


def _number(tag: bytes, number: int | None, allowed: range) -> bytes:
    if not number:
        return b""
    if number not in allowed:
        raise ValueError(number)
    return tag + varint(number)
