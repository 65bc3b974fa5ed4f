"""The corpus every ingest benchmark uses: a small shop's traffic as serialized OTLP requests.

Traces of 8 to 30 spans cross eight services; a span has 8 attributes (5 strings, 2 ints, 1 bool)
and about 300 bytes; one in ten carries an event. A request holds 1,024 spans grouped by service,
as a collector's batch processor sends them. Same arguments, same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

SPANS_PER_REQUEST: Final = 1024
SERVICES: Final = (
    "frontend",
    "cart",
    "checkout",
    "catalog",
    "pricing",
    "payment",
    "email",
    "stock",
)
_MS: Final = 1_000_000
_RUN_ID_BYTES: Final = 8  # first half of every trace id of one request


@dataclass(frozen=True)
class _Draft:
    """A span before it is put into the resource of its service."""

    service: int
    span: Span


def requests(
    count: int, *, base_ns: int, spans_per_request: int = SPANS_PER_REQUEST, seed: int = 0
) -> list[bytes]:
    """`count` requests, all trace ids distinct, spans starting in the minute before `base_ns`."""
    rng = random.Random(seed)
    return [_request(rng, base_ns, spans_per_request) for _ in range(count)]


def again(request: bytes, round_number: int) -> bytes:
    """The same request with trace ids of its own: cheap fresh load. Round 0 is the request itself.

    All trace ids of a request share their first 8 bytes, so one replacement renews them.
    """
    if round_number == 0:
        return request
    message = ExportTraceServiceRequest.FromString(request)
    run_id = message.resource_spans[0].scope_spans[0].spans[0].trace_id[:_RUN_ID_BYTES]
    fresh = (int.from_bytes(run_id, "big") + round_number) % (1 << 64)
    return request.replace(run_id, fresh.to_bytes(_RUN_ID_BYTES, "big"))


def endless(templates: list[bytes]) -> Iterator[bytes]:
    """The templates, again and again, never with the same trace id."""
    round_number = 0
    while True:
        for template in templates:
            yield again(template, round_number)
        round_number += 1


def _request(rng: random.Random, base_ns: int, span_count: int) -> bytes:
    run_id = rng.randbytes(_RUN_ID_BYTES)
    drafts: list[_Draft] = []
    while len(drafts) < span_count:
        start_ns = base_ns - rng.randrange(60_000 * _MS)
        drafts += _trace(rng, run_id + rng.randbytes(8), start_ns)
    request = ExportTraceServiceRequest()
    for service in range(len(SERVICES)):
        spans = [draft.span for draft in drafts[:span_count] if draft.service == service]
        if spans:
            group = request.resource_spans.add()
            _fill_resource(group, service)
            scope = group.scope_spans.add()
            scope.scope.name, scope.scope.version = "shop.instrumentation", "1.4.2"
            scope.spans.extend(spans)
    return request.SerializeToString()


def _fill_resource(group: ResourceSpans, service: int) -> None:
    name = SERVICES[service]
    group.schema_url = "https://opentelemetry.io/schemas/1.44.0"
    texts = {
        "service.name": name,
        "service.namespace": "shop",
        "service.version": f"1.{service}.0",
        "service.instance.id": f"{name}-7d9c5b6f4-x{service}k2p",
        "deployment.environment.name": "production",
        "host.name": f"node-{service % 3}",
        "telemetry.sdk.language": ("python", "go", "java")[service % 3],
    }
    for key, text in texts.items():
        group.resource.attributes.add(key=key).value.string_value = text


def _trace(rng: random.Random, trace_id: bytes, start_ns: int) -> list[_Draft]:
    """One trace as a random tree: children run inside their parent, one after the other."""
    drafts: list[_Draft] = []
    open_spans = [(b"", 0, start_ns, start_ns + rng.randrange(20, 400) * _MS)]
    for _ in range(rng.randrange(8, 31)):
        parent_id, service, from_ns, until_ns = open_spans[rng.randrange(len(open_spans))]
        if drafts:
            service = (service + rng.randrange(3)) % len(SERVICES)
            width_ns = max((until_ns - from_ns) // 4, 1)
            from_ns += rng.randrange(width_ns)
            until_ns = from_ns + rng.randrange(1, 2 * width_ns + 1)
        span = _span(rng, trace_id, parent_id, service, range(from_ns, until_ns))
        if not drafts:
            open_spans.clear()
        open_spans.append((span.span_id, service, from_ns, until_ns))
        drafts.append(_Draft(service, span))
    return drafts


def _span(
    rng: random.Random, trace_id: bytes, parent_id: bytes, service: int, interval_ns: range
) -> Span:
    route = rng.randrange(12)
    failed = rng.random() < 0.02
    span = Span(
        trace_id=trace_id,
        span_id=rng.randbytes(8),
        parent_span_id=parent_id,
        name=f"GET /api/{SERVICES[service]}/{route}",
        kind=Span.SPAN_KIND_CLIENT if route % 3 == 2 else Span.SPAN_KIND_SERVER,
        start_time_unix_nano=interval_ns.start,
        end_time_unix_nano=interval_ns.stop,
        flags=0x101,
    )
    span.attributes.extend(
        [
            _text("http.request.method", "GET"),
            _text("http.route", f"/api/{SERVICES[service]}/{{id}}"),
            _text("url.path", f"/api/{SERVICES[service]}/{rng.randrange(10_000)}"),
            _text("server.address", f"{SERVICES[service]}.shop.svc"),
            _text("network.protocol.version", "1.1"),
            _number("http.response.status_code", 500 if failed else 200),
            _number("thread.id", rng.randrange(64)),
            KeyValue(key="cache.hit"),
        ]
    )
    span.attributes[-1].value.bool_value = rng.random() < 0.5
    if failed:
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = "upstream failed"
    if rng.random() < 0.1:
        event = span.events.add(time_unix_nano=interval_ns.start + 1, name="cache.lookup")
        event.attributes.append(_text("cache.key", f"item:{rng.randrange(10_000)}"))
    return span


def _text(key: str, text: str) -> KeyValue:
    pair = KeyValue(key=key)
    pair.value.string_value = text
    return pair


def _number(key: str, number: int) -> KeyValue:
    pair = KeyValue(key=key)
    pair.value.int_value = number
    return pair
