"""Zipkin's JSON (version 2), as its HTTP API answers and its clients send, to an OTLP request.

    [[{"traceId", "id", "parentId", "kind", "timestamp", …}, …], …]   /api/v2/traces
    [{…}, …]                                                         /api/v2/trace/ID, POST spans
    {…}                                                              one span, a line of a dump

Times are microseconds. Ids stay as they are: the client's and the server's half of a call may bear
the same one, which the analysis knows. What OpenTelemetry has no field for becomes an attribute:
endpoints under the names of the semantic conventions, `debug`, `shared` and a second address under
names that begin with `zipkin.`.
Source: zipkin-api, zipkin2-api.yaml; opentelemetry-specification, trace/sdk_exporters/zipkin.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tracer.ingest.files.fields import LARGEST, hex_bytes, nanoseconds, objects
from tracer.ingest.files.zipkin_pieces import Piece, is_flag, joined
from tracer.ingest.otlp.json_fault import Fault, as_object, as_text, expected

KINDS: Final = {
    "": Span.SPAN_KIND_INTERNAL,
    "CLIENT": Span.SPAN_KIND_CLIENT,
    "SERVER": Span.SPAN_KIND_SERVER,
    "PRODUCER": Span.SPAN_KIND_PRODUCER,
    "CONSUMER": Span.SPAN_KIND_CONSUMER,
}
_STATUS: Final = {
    "UNSET": Status.STATUS_CODE_UNSET,
    "OK": Status.STATUS_CODE_OK,
    "ERROR": Status.STATUS_CODE_ERROR,
}
SCOPE_NAME: Final = ("otel.scope.name", "otel.library.name")
SCOPE_VERSION: Final = ("otel.scope.version", "otel.library.version")
_OF_RESOURCE: Final = ("serviceName", "ipv4", "ipv6")
_SAYS_NO_MORE: Final = ("", "true")  # of an error tag: there was one

# What is said of a file, after how many spans it is true of.
JOINED: Final = "reported in pieces, put together"
PLACED: Final = "without a timestamp, placed at their first annotation or at the trace's start"
UNMEASURED: Final = "without a duration, taken as 0 long"
NOWHERE: Final = "without a timestamp in a trace that has none, which cannot be placed in time"


def request_from_zipkin(
    document: Any, changed: Counter[str], rejected: Counter[str], first: int = 0
) -> bytes:
    """All traces of one document as one request. Raises `Fault` with the path inside it.

    What had to be made up is counted in `changed`, spans that had to be left out in `rejected`.
    `first` is the index of the first span of a list that is part of a longer one.
    """
    request = ExportTraceServiceRequest()
    for path, spans in _traces(document):
        try:
            _add_spans(request, spans, changed, rejected, first)
        except Fault as fault:
            raise fault.under(path) if path else fault from None
    return bytes(request.SerializeToString())


def _traces(document: Any) -> Iterator[tuple[str, list[Any]]]:
    if not isinstance(document, list):
        yield "", [document]
    elif any(isinstance(item, list) for item in document):
        for index, trace in enumerate(document):
            if not isinstance(trace, list):
                raise expected(f"[{index}]", "a trace (an array of spans)", trace)
            yield f"[{index}]", trace
    else:
        yield "", document


def _add_spans(
    request: ExportTraceServiceRequest,
    spans: list[Any],
    changed: Counter[str],
    rejected: Counter[str],
    first: int,
) -> None:
    pieces = joined([_piece(index, span) for index, span in enumerate(spans, start=first)])
    changed[JOINED] += len(spans) - len(pieces)
    begun: dict[str, int] = {}  # first known time by trace
    for piece in pieces:
        if piece.start_ns:
            begun[piece.key[0]] = min(piece.start_ns, begun.get(piece.key[0], piece.start_ns))
    groups: dict[tuple[bytes, str, str], ScopeSpans] = {}
    resources: dict[bytes, ResourceSpans] = {}
    for piece in pieces:
        start_ns = piece.start_ns
        if start_ns is None:
            start_ns = min((time for time, _ in piece.events), default=0)
            start_ns = start_ns or begun.get(piece.key[0], 0)
            if not start_ns:
                rejected[NOWHERE] += 1
                continue
            changed[PLACED] += 1
        if piece.duration_ns is None:
            changed[UNMEASURED] += 1
        tags = dict(piece.tags)
        scope = (piece.endpoint, take(tags, SCOPE_NAME), take(tags, SCOPE_VERSION))
        if scope not in groups:
            if piece.endpoint not in resources:
                resources[piece.endpoint] = request.resource_spans.add()
                fill_resource(resources[piece.endpoint], orjson.loads(piece.endpoint))
            groups[scope] = resources[piece.endpoint].scope_spans.add()
            groups[scope].scope.name, groups[scope].scope.version = scope[1:]
        try:
            _fill_span(groups[scope].spans.add(), piece, start_ns, tags)
        except Fault as fault:
            raise fault.under(f"[{piece.index}]") from None


def _piece(index: int, given: Any) -> Piece:
    try:
        span = as_object(given)
        endpoint = endpoint_of(span.get("localEndpoint"))
        return Piece(
            index=index,
            span=span,
            key=(
                as_text(span, "traceId"),
                as_text(span, "id"),
                is_flag(span, "shared"),
                as_text(span, "kind") == "SERVER",
                as_text(endpoint, "serviceName"),
            ),
            endpoint=orjson.dumps({key: endpoint.get(key) for key in _OF_RESOURCE}),
            start_ns=nanoseconds(span, "timestamp") or None,
            duration_ns=nanoseconds(span, "duration") if span.get("duration") else None,
            tags=_tags(span),
            events=list(_events(span)),
        )
    except Fault as fault:
        raise fault.under(f"[{index}]") from None


def endpoint_of(given: Any) -> dict[str, Any]:
    """A local endpoint, its members of the types they have to be."""
    endpoint = as_object(given)
    for key in _OF_RESOURCE:
        as_text(endpoint, key)
    return endpoint


def _tags(span: dict[str, Any]) -> dict[str, str]:
    try:
        given = as_object(span.get("tags"))
    except Fault as fault:
        raise fault.under("tags") from None
    return {
        key: value if isinstance(value, str) else orjson.dumps(value).decode()
        for key, value in given.items()
    }


def _events(span: dict[str, Any]) -> Iterator[tuple[int, str]]:
    for index, annotation in enumerate(objects(span, "annotations")):
        try:
            yield nanoseconds(annotation, "timestamp"), as_text(annotation, "value")
        except Fault as fault:
            raise fault.under(f"annotations[{index}]") from None


def fill_resource(group: ResourceSpans, endpoint: dict[str, Any]) -> None:
    """The process of a local endpoint: its service, and where it runs."""
    name = as_text(endpoint, "serviceName")
    if name:
        group.resource.attributes.add(key="service.name").value.string_value = name
    address, other = as_text(endpoint, "ipv4"), as_text(endpoint, "ipv6")
    if not address:
        address, other = other, ""
    for key, text in (("host.ip", address), ("zipkin.ipv6", other)):
        if text:
            group.resource.attributes.add(key=key).value.string_value = text


def _fill_span(otlp: Span, piece: Piece, start_ns: int, tags: dict[str, str]) -> None:
    span = piece.span
    otlp.trace_id = hex_bytes(as_text(span, "traceId"), 16)
    otlp.span_id = hex_bytes(as_text(span, "id"), 8)
    parent = hex_bytes(as_text(span, "parentId"), 8)
    if parent != otlp.span_id:  # its own parent: a root
        otlp.parent_span_id = parent
    otlp.name = as_text(span, "name")
    otlp.start_time_unix_nano = start_ns
    otlp.end_time_unix_nano = min(start_ns + (piece.duration_ns or 0), LARGEST)
    kind = as_text(span, "kind")
    otlp.kind = KINDS.get(kind, Span.SPAN_KIND_UNSPECIFIED)
    otlp.trace_state = take(tags, ("w3c.tracestate",))
    set_status(otlp, tags)
    for key, text in tags.items():
        otlp.attributes.add(key=key).value.string_value = text
    if kind not in KINDS:
        otlp.attributes.add(key="span.kind").value.string_value = kind
    fill_marks(otlp, span, tags)
    for time_ns, text in piece.events:
        otlp.events.add(time_unix_nano=time_ns, name=text)


def fill_marks(otlp: Any, span: dict[str, Any], tags: dict[str, str]) -> None:
    """Attributes for what is neither tag nor field of OTLP; a tag of the same key has the say."""
    local, remote = (as_object(span.get(name)) for name in ("localEndpoint", "remoteEndpoint"))
    texts = {
        "service.peer.name": as_text(remote, "serviceName"),
        "network.peer.address": as_text(remote, "ipv4") or as_text(remote, "ipv6"),
    }
    for key, text in texts.items():
        if text and key not in tags:
            otlp.attributes.add(key=key).value.string_value = text
    ports = {"network.peer.port": remote.get("port"), "network.local.port": local.get("port")}
    for key, port in ports.items():
        if port and isinstance(port, int) and key not in tags:
            otlp.attributes.add(key=key).value.int_value = port
    for name in ("debug", "shared"):
        if is_flag(span, name):
            otlp.attributes.add(key=f"zipkin.{name}").value.bool_value = True


def set_status(otlp: Span, tags: dict[str, str]) -> None:
    """otel.status_code wins over an error tag, which means failure whatever it says."""
    code = _STATUS.get(tags.get("otel.status_code", "").upper())
    if code is not None:
        del tags["otel.status_code"]
        otlp.status.code = code
    elif "error" in tags:
        otlp.status.code = Status.STATUS_CODE_ERROR
    if otlp.status.code == Status.STATUS_CODE_ERROR and "error" in tags:
        text = tags.pop("error")
        otlp.status.message = "" if text in _SAYS_NO_MORE else text
    if otlp.status.code and not otlp.status.message:
        otlp.status.message = take(tags, ("otel.status_description",))


def take(tags: dict[str, str], keys: tuple[str, ...]) -> str:
    """Takes the first tag with one of the keys; '' if there is none."""
    for key in keys:
        if key in tags:
            return tags.pop(key)
    return ""
