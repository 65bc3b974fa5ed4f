"""Zipkin's JSON to a request, the fast way: typed records, and tags looked up by their text.

Like `jaeger_fast`: where a trace leaves the usual path (a piece of a span, a missing timestamp, an
unknown member), this gives up on all of it and the obvious way in `zipkin` has the say. One
difference is known and harmless: of a tag that stands twice in a span both are kept.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import orjson
from msgspec import Raw, Struct
from msgspec.json import Decoder
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tracer.ingest.files import zipkin
from tracer.ingest.files.kept import LONGEST, Kept, Special
from tracer.ingest.files.span_bytes import (
    ATTRIBUTE,
    Groups,
    Scope,
    event,
    ids,
    interval,
    name,
    span_of,
)
from tracer.ingest.otlp.json_fault import Fault
from tracer.ingest.otlp.json_pairs import pair, text_value
from tracer.ingest.otlp.wire import VARINT, tag, varint

_KEPT: Final = 1024

_KIND: Final = {
    word or None: tag(6, VARINT) + varint(number) for word, number in zipkin.KINDS.items()
}
_FIELDS: Final = frozenset(
    (
        *("error", "w3c.tracestate", "otel.status_code", "otel.status_description"),
        *zipkin.SCOPE_NAME,
        *zipkin.SCOPE_VERSION,
    )
)
_MARKS: Final = (
    b'"network.peer.',
    b'"network.local.',
    b'"service.peer.name"',
)  # tags that have the say over endpoints


class AnnotationRecord(Struct, gc=False, forbid_unknown_fields=True):
    timestamp: int
    value: str = ""


class SpanRecord(Struct, gc=False, forbid_unknown_fields=True):
    traceId: str
    id: str
    timestamp: int
    parentId: str | None = None
    name: str | None = None
    kind: str | None = None
    duration: int | None = None
    localEndpoint: Raw = Raw()
    remoteEndpoint: Raw = Raw()
    annotations: list[AnnotationRecord] | None = None
    tags: Raw = Raw()
    debug: bool | None = None
    shared: bool | None = None


class _Local(NamedTuple):
    """A local endpoint: its service, its resource on the wire, and its port as an attribute."""

    service: str
    resource: bytes
    port: bytes


class _Outcome(NamedTuple):
    """What the tags come to that are fields."""

    scope: Scope
    fields: bytes


_parse_traces: Final = Decoder(list[list[SpanRecord]]).decode
_parse_trace: Final = Decoder(list[SpanRecord]).decode
_parse_span: Final = Decoder(SpanRecord).decode
_parse_tag: Final = Decoder(dict[str, str]).decode


def usual_zipkin(text: bytes, groups: Groups, changed: Counter[str]) -> bool:
    """Adds the spans of one span, trace or list of traces to the groups.

    False, and nothing added, for any other text, valid or not.
    """
    try:
        if b"\n" in text:  # for people: compact, the same goes twice as fast
            text = orjson.dumps(orjson.loads(text))
        if text.startswith(b"[["):
            traces = _parse_traces(text)
        elif text.startswith(b"["):
            traces = [_parse_trace(text)]
        else:
            traces = [[_parse_span(text)]]
        written = [part for trace in traces for part in _trace(trace).items()]
    except (msgspec.DecodeError, Fault, ValueError, KeyError, RecursionError):  # of a kind, too
        return False
    for resource, scopes in written:
        groups.add(resource, scopes)
    unmeasured = sum([not span.duration for trace in traces for span in trace])
    if unmeasured:
        changed[zipkin.UNMEASURED] += unmeasured
    return True


def _trace(trace: list[SpanRecord]) -> dict[bytes, dict[Scope, list[bytes]]]:
    """The spans by resource and scope."""
    groups: dict[bytes, dict[Scope, list[bytes]]] = {}
    names: set[tuple[str, str, bool, bool, str]] = set()
    for span in trace:
        local = _local(bytes(span.localEndpoint))
        shared, kind = span.shared is True, span.kind
        names.add((span.traceId, span.id, shared, kind == "SERVER", local.service))
        text = bytes(span.tags)
        tags = _pieces(text)
        outcome = _outcome(tuple([one for one in tags if type(one) is Special]))
        scopes = groups.get(local.resource)
        if scopes is None:
            scopes = groups[local.resource] = {}
        spans = scopes.get(outcome.scope)
        if spans is None:
            spans = scopes[outcome.scope] = []
        content = [
            _ids(span.traceId, span.id, span.parentId),
            name(span.name or ""),
            _KIND[kind],
            interval(span.timestamp, span.duration or 0),
            outcome.fields,
            *tags,
            _remote(bytes(span.remoteEndpoint)),
            local.port,
        ]
        if (content[-1] or content[-2]) and any(mark in text for mark in _MARKS):
            raise ValueError("a tag has the say")
        if span.debug:
            content.append(_DEBUG)
        if shared:
            content.append(_SHARED)
        if span.annotations:
            content += map(_event, span.annotations)
        spans.append(span_of(content))
    if len(names) < len(trace):
        raise ValueError("pieces of a span")
    return groups


def _ids(trace_id: str, span_id: str, parent: str | None) -> bytes:
    """Without the parent of a span that is its own."""
    if not parent or parent == span_id:
        return ids(trace_id, span_id, "")
    if parent.lower().lstrip("0") == span_id.lower().lstrip("0"):
        raise ValueError("no parent")
    return ids(trace_id, span_id, parent)


def _event(annotation: AnnotationRecord) -> bytes:
    return event(annotation.timestamp, annotation.value, [])


def _pieces(text: bytes) -> list[bytes]:
    """What was made of each tag. Raises ValueError for what is no object of texts.

    Where the cut goes through a text, the piece before it ends in a backslash and is no JSON.
    """
    if text.startswith(b'{"') and text.endswith(b'"}'):
        return list(map(_tags.__getitem__, text[2:-2].split(b'","')))
    if text not in (b"", b"null", b"{}"):
        raise ValueError("no tags")
    return []


def _tag(inside: bytes) -> bytes:
    found = _parse_tag(b'{"' + inside + b'"}')
    if len(found) != 1:
        raise ValueError("not one tag")
    ((key, text),) = found.items()
    if key in _FIELDS:
        return Special.of((key, text), b"")
    return ATTRIBUTE + pair(key, text_value(text))


_tags: Final = Kept(_tag)


@lru_cache(_KEPT)
def _outcome(special: tuple[Special, ...]) -> _Outcome:
    """Raises ValueError where a tag that nearly always is a field is none this time."""
    tags = dict(one.tag for one in special)
    scope = (zipkin.take(tags, zipkin.SCOPE_NAME), zipkin.take(tags, zipkin.SCOPE_VERSION))
    span = Span(trace_state=zipkin.take(tags, ("w3c.tracestate",)))
    zipkin.set_status(span, tags)
    if tags or len(special) > len({one.tag[0] for one in special}):
        raise ValueError("a tag is left")
    return _Outcome(scope, bytes(span.SerializeToString()))


def _local(text: bytes) -> _Local:
    return (_kept_local if len(text) <= LONGEST else _read_local)(text)


def _remote(text: bytes) -> bytes:
    return (_kept_remote if len(text) <= LONGEST else _read_remote)(text)


def _read_local(text: bytes) -> _Local:
    endpoint = zipkin.endpoint_of(orjson.loads(text) if text else None)
    filled = ResourceSpans()
    zipkin.fill_resource(filled, endpoint)
    return _Local(
        str(endpoint.get("serviceName") or ""),
        bytes(filled.SerializeToString()),
        _marks({"localEndpoint": endpoint}),
    )


def _read_remote(text: bytes) -> bytes:
    return _marks({"remoteEndpoint": orjson.loads(text)}) if text else b""


_kept_local: Final = lru_cache(_KEPT)(_read_local)
_kept_remote: Final = lru_cache(_KEPT)(_read_remote)


def _marks(span: dict[str, object]) -> bytes:
    otlp = Span()
    zipkin.fill_marks(otlp, span, {})
    return bytes(otlp.SerializeToString())


_DEBUG, _SHARED = (_marks({name: True}) for name in ("debug", "shared"))
