"""The parts of a span, written as protobuf would, and spans grouped under what they share: what the
fast ways put together.

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
from tracer.ingest.files.kept import LONGEST
from tracer.ingest.otlp.wire import DELIMITED, FIXED64, delimited, tag, varint

Scope = tuple[str, str]  # name, version
_KEPT: Final = 4096
_LATEST_US: Final = LARGEST // NS_PER_US

_RESOURCE_SPANS: Final = tag(1, DELIMITED)  # of the request
_SCOPE_SPANS: Final = tag(2, DELIMITED)
_OF_SCOPE: Final = (tag(1, DELIMITED), tag(2, DELIMITED))  # name, version
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


def name(text: str) -> bytes:
    """The span's name."""
    return _kept_text(_NAME, text) if len(text) <= LONGEST else _text(_NAME, text)


def event(time_us: int, text: str, attributes: list[bytes]) -> bytes:
    """An event, as a field of its span."""
    if not 0 <= time_us <= _LATEST_US:
        raise ValueError("no time")
    time = _time(_EVENT_TIME, time_us * NS_PER_US)
    named = (_kept_text if len(text) <= LONGEST else _text)(_EVENT_NAME, text)
    return delimited(_EVENT, b"".join((time, named, *attributes)))


class Groups:
    """Written spans of many traces by resource and scope: a trace touches many services, and to
    name each of them anew for two or three spans makes decoding twice as long."""

    def __init__(self) -> None:
        self._scopes: dict[bytes, dict[Scope, list[bytes]]] = {}
        self._size = 0

    def add(self, resource: bytes, scopes: Mapping[Scope, list[bytes]]) -> None:
        """Spans below a resource whose members are written."""
        known = self._scopes.setdefault(resource, {})
        for scope, spans in scopes.items():
            known.setdefault(scope, []).extend(spans)
            self._size += sum(map(len, spans))

    def request(self, least_bytes: int = 0) -> bytes:
        """The request of all there is, which is forgotten; nothing below `least_bytes`."""
        if self._size < max(1, least_bytes):
            return b""
        request = b"".join([_group(resource, scopes) for resource, scopes in self._scopes.items()])
        self._scopes, self._size = {}, 0
        return request


def _group(resource: bytes, scopes: Mapping[Scope, list[bytes]]) -> bytes:
    parts = [resource]
    for scope, spans in scopes.items():
        parts.append(delimited(_SCOPE_SPANS, b"".join((_scope(scope), *spans))))
    return delimited(_RESOURCE_SPANS, b"".join(parts))


def _text(tag: bytes, text: str) -> bytes:
    return delimited(tag, text.encode()) if text else b""


_kept_text: Final = lru_cache(_KEPT)(_text)


def _scope(scope: Scope) -> bytes:
    return delimited(_SCOPE, b"".join(map(_text, _OF_SCOPE, scope)))
