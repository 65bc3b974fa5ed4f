"""The parts of a span, written as protobuf would: what the fast ways put together.

Each raises ValueError for what the obvious way has to judge. Names and scopes repeat from span to
span, so the last ones are kept.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from typing import Final

from tracer.ingest.files.fields import LARGEST, NS_PER_US
from tracer.ingest.otlp.wire import DELIMITED, FIXED64, delimited, tag, varint

Scope = tuple[str, str]  # name, version
_KEPT: Final = 4096
_LATEST_US: Final = LARGEST // NS_PER_US

RESOURCE_SPANS: Final = tag(1, DELIMITED)  # of the request
_SCOPE_SPANS: Final = tag(2, DELIMITED)
_SCOPE, _SPAN = tag(1, DELIMITED), tag(2, DELIMITED)
_NAME, ATTRIBUTE, _EVENT = (tag(field, DELIMITED) for field in (5, 9, 11))
_START, _END = tag(7, FIXED64), tag(8, FIXED64)
_EVENT_TIME, _EVENT_NAME, EVENT_ATTRIBUTE = tag(1, FIXED64), tag(2, DELIMITED), tag(3, DELIMITED)
_both_times: Final = Struct("<cQcQ").pack
_time: Final = Struct("<cQ").pack


def span_of(parts: list[bytes]) -> bytes:
    """A span, as a field of its scope."""
    content = b"".join(parts)
    return _SPAN + varint(len(content)) + content


def ids(trace_id: str, span_id: str, parent: str) -> bytes:
    """Trace, span and parent id ('' for none) from hex, leading zeros put back."""
    if not trace_id or not span_id or len(trace_id) > 32 or len(span_id) > 16 or len(parent) > 16:
        raise ValueError("no ids")
    if parent:
        return unhexlify(f"0a10{trace_id:0>32}1208{span_id:0>16}2208{parent:0>16}")
    return unhexlify(f"0a10{trace_id:0>32}1208{span_id:0>16}")


def interval(start_us: int, duration_us: int) -> bytes:
    """Start and end."""
    if not 0 < start_us <= _LATEST_US or not 0 <= duration_us <= _LATEST_US:
        raise ValueError("no time")
    start_ns = start_us * NS_PER_US
    return _both_times(_START, start_ns, _END, min(start_ns + duration_us * NS_PER_US, LARGEST))


@lru_cache(_KEPT)
def name(text: str) -> bytes:
    """The span's name."""
    return delimited(_NAME, text.encode()) if text else b""


def event(time_us: int, text: str, attributes: list[bytes]) -> bytes:
    """An event, as a field of its span."""
    if not 0 <= time_us <= _LATEST_US:
        raise ValueError("no time")
    time = _time(_EVENT_TIME, time_us * NS_PER_US)
    return delimited(_EVENT, b"".join((time, _event_name(text), *attributes)))


def group(resource: bytes, scopes: Mapping[Scope, list[bytes]]) -> bytes:
    """A resource, its members written, and the spans below it, as a field of the request."""
    parts = [resource]
    for scope, spans in scopes.items():
        parts.append(delimited(_SCOPE_SPANS, b"".join((_scope(scope), *spans))))
    return delimited(RESOURCE_SPANS, b"".join(parts))


@lru_cache(_KEPT)
def _event_name(text: str) -> bytes:
    return delimited(_EVENT_NAME, text.encode()) if text else b""


@lru_cache(_KEPT)
def _scope(scope: Scope) -> bytes:
    fields = [delimited(tag(at, DELIMITED), text.encode()) for at, text in enumerate(scope, 1)]
    return delimited(_SCOPE, b"".join(fields))
