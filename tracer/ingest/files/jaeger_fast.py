"""Jaeger's JSON to a request, the fast way: typed records, and tags looked up by their text.

Like `otlp/json_fast`: where a trace leaves the usual path, this gives up on all of it and the
obvious way in `jaeger` has the say. What becomes of tags that are fields is asked of the obvious
way, once for each combination of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import orjson
from msgspec import Raw, Struct
from msgspec.json import Decoder
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tracer.ingest.files import jaeger
from tracer.ingest.files.fields import hex_bytes
from tracer.ingest.files.jaeger_tags import Tag, add_tag
from tracer.ingest.files.kept import Kept, Special
from tracer.ingest.files.span_bytes import (
    ATTRIBUTE,
    EVENT_ATTRIBUTE,
    Groups,
    Scope,
    event,
    ids,
    interval,
    name,
    span_of,
)
from tracer.ingest.otlp.json_fault import Fault, as_object
from tracer.ingest.otlp.json_pairs import pair, text_value
from tracer.ingest.otlp.wire import FIXED32, tag, varint

_KEPT_OUTCOMES: Final = 1024
_KEPT_PROCESSES: Final = 256
_LONGEST_PROCESS: Final = 8192  # bytes of JSON
_I64: Final = range(-(1 << 63), 1 << 63)
_SAMPLED: Final = tag(16, FIXED32) + b"\1\0\0\0"


class ReferenceRecord(Struct, gc=False, forbid_unknown_fields=True):
    refType: str
    traceID: str
    spanID: str


class LogRecord(Struct, gc=False, forbid_unknown_fields=True):
    timestamp: int
    fields: Raw = Raw()


class SpanRecord(Struct, gc=False, forbid_unknown_fields=True):
    startTime: int
    traceID: str = ""
    spanID: str = ""
    operationName: str = ""
    references: list[ReferenceRecord] | None = None
    flags: int = 0
    duration: int = 0
    tags: Raw = Raw()
    logs: list[LogRecord] | None = None
    processID: str = ""
    warnings: None = None


class TraceRecord(Struct, gc=False, forbid_unknown_fields=True):
    spans: list[SpanRecord]
    traceID: str = ""
    processes: dict[str, Raw] | None = None
    warnings: Raw = Raw()


class AnswerRecord(Struct, gc=False, forbid_unknown_fields=True):
    data: list[TraceRecord]
    total: Raw = Raw()
    limit: Raw = Raw()
    offset: Raw = Raw()
    errors: Raw = Raw()


class _TagRecord(Struct, gc=False, forbid_unknown_fields=True):
    key: str
    value: str | int | float | bool | None
    type: str = ""


_parse_trace: Final = Decoder(TraceRecord).decode
_parse_answer: Final = Decoder(AnswerRecord).decode
_parse_tag: Final = Decoder(_TagRecord).decode


class _Outcome(NamedTuple):
    """What a combination of special tags comes to."""

    scope: Scope
    fields: bytes  # of the span


def usual_jaeger(text: bytes, groups: Groups) -> bool:
    """Adds the spans of one trace, or of one answer of the API, to the groups.

    False, and nothing added, for any other text, valid or not.
    """
    try:
        if b"\n" in text:  # for people: compact, the same goes twice as fast
            text = orjson.dumps(orjson.loads(text))
        is_answer = text.startswith(b'{"data"')
        traces = _parse_answer(text).data if is_answer else [_parse_trace(text)]
        written = [part for trace in traces for part in _trace(trace)]
    except (msgspec.DecodeError, Fault, ValueError, RecursionError):
        return False
    for resource, scopes in written:
        groups.add(resource, scopes)
    return True


def _trace(trace: TraceRecord) -> list[tuple[bytes, dict[Scope, list[bytes]]]]:
    """The spans by resource and scope."""
    present: set[bytes] = set()
    processes = trace.processes or {}
    groups: dict[str, dict[Scope, list[bytes]]] = {}
    for span in trace.spans:
        tags = _pieces(span.tags, _tags)
        outcome = _outcome(tuple([one for one in tags if type(one) is Special]))
        scopes = groups.get(span.processID)
        if scopes is None:
            scopes = groups[span.processID] = {}
        spans = scopes.get(outcome.scope)
        if spans is None:
            spans = scopes[outcome.scope] = []
        trace_id = span.traceID or trace.traceID
        references = span.references or ()
        if not references:
            linked = ids(trace_id, span.spanID, "")
        elif (
            len(references) == 1
            and references[0].traceID == trace_id
            and references[0].refType == "CHILD_OF"
        ):
            linked = ids(trace_id, span.spanID, references[0].spanID)
        else:
            present = present or {hex_bytes(one.spanID, 8) for one in trace.spans}
            linked = ids(trace_id, span.spanID, "") + _references(span, trace_id, present)
        content = [
            linked,
            name(span.operationName),
            interval(span.startTime, span.duration),
            _SAMPLED if span.flags & jaeger.SAMPLED else b"",
            outcome.fields,
            *tags,
        ]
        if span.logs:
            content += map(_event, span.logs)
        spans.append(span_of(content))
    return [
        (_process(processes.get(process, Raw(b"{}"))), scopes) for process, scopes in groups.items()
    ]


def _process(process: Raw) -> bytes:
    text = bytes(process)
    return (_kept_resource if len(text) <= _LONGEST_PROCESS else _resource)(text)


def _resource(text: bytes) -> bytes:
    filled = ResourceSpans()
    jaeger.fill_resource(filled.resource, as_object(orjson.loads(text)))
    return bytes(filled.SerializeToString())


_kept_resource: Final = lru_cache(_KEPT_PROCESSES)(_resource)


def _references(span: SpanRecord, trace_id: str, present: set[bytes]) -> bytes:
    otlp = Span(trace_id=hex_bytes(trace_id, 16))
    references = [msgspec.to_builtins(one) for one in span.references or ()]
    jaeger.set_references(otlp, {"references": references}, present)
    otlp.ClearField("trace_id")
    return bytes(otlp.SerializeToString())


def _event(log: LogRecord) -> bytes:
    fields = _pieces(log.fields, _fields)
    named = [one for one in fields if type(one) is Special]
    if len(named) > 1:
        raise ValueError("two names")
    return event(log.timestamp, named[0].tag.value if named else "", fields)


def _pieces(raw: Raw, kept: Kept) -> list[bytes]:
    """What was made of each tag. Raises ValueError for what is no array of tags.

    Where the cut goes through a string or a nested value the pieces are no JSON: the first one ends
    inside of it. So pieces that all are tags are the items of the array.
    """
    text = bytes(raw)
    if text.startswith(b"[{") and text.endswith(b"}]"):
        return list(map(kept.__getitem__, text[2:-2].split(b"},{")))
    if text not in (b"", b"null", b"[]"):
        raise ValueError("no tags")
    return []


def _tag(inside: bytes, owner: bytes, is_field: Callable[[_TagRecord], bool]) -> bytes:
    found = _parse_tag(b"{" + inside + b"}")
    value = found.value
    kind = type(value)
    if kind is str and found.type in ("string", ""):
        written = pair(found.key, text_value(value))  # type: ignore[arg-type]
    elif kind is bool and found.type == "bool":
        written = pair(found.key, b"\x10\x01" if value else b"\x10\x00")
    elif kind is int and found.type == "int64" and value in _I64:
        written = pair(found.key, b"\x18" + varint(value))  # type: ignore[arg-type]
    else:
        message = Resource()
        add_tag(message.attributes, Tag(found.key, found.type, value))
        written = bytes(message.SerializeToString())[1:]  # without the tag
    if is_field(found):
        return Special.of(Tag(found.key, found.type, value), b"")
    if owner is ATTRIBUTE and found.key in _TELLING:
        return Special.of(Tag(found.key, found.type, value), owner + written)
    return owner + written


_TELLING: Final = frozenset({"http.status_code", "http.response.status_code"})
_FIELDS: Final = frozenset(
    (
        *("span.kind", "w3c.tracestate", "otel.status_code", "otel.status_description"),
        *jaeger.SCOPE_NAME,
        *jaeger.SCOPE_VERSION,
    )
)


def _is_span_field(found: _TagRecord) -> bool:
    return found.key in _FIELDS or (found.key == "error" and str(found.value).lower() == "true")


def _is_event_name(found: _TagRecord) -> bool:
    return found.key == "event" and isinstance(found.value, str)


_tags: Final = Kept(lambda inside: _tag(inside, ATTRIBUTE, _is_span_field))
_fields: Final = Kept(lambda inside: _tag(inside, EVENT_ATTRIBUTE, _is_event_name))


@lru_cache(_KEPT_OUTCOMES)
def _outcome(special: tuple[Special, ...]) -> _Outcome:
    """Raises ValueError where a tag that nearly always is a field is none this time."""
    tags = [one.tag for one in special]
    scope = (jaeger.take(tags, jaeger.SCOPE_NAME), jaeger.take(tags, jaeger.SCOPE_VERSION))
    span = Span(trace_state=jaeger.take(tags, ("w3c.tracestate",)), kind=jaeger.span_kind(tags))
    jaeger.set_status(span, tags)
    if any(tag.key not in _TELLING for tag in tags):
        raise ValueError("a tag is left")
    return _Outcome(scope, bytes(span.SerializeToString()))
