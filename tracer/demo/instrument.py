"""The shop's instrumentation, by hand: one context manager per kind of span.

Names and attributes follow the OpenTelemetry semantic conventions. Who asks (tenant and user)
travels as W3C baggage and stands on every server and consumer span.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import baggage, context, propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from tracer.demo.failure import Failure

WHO = ("tenant.id", "user.id")
_tracer = trace.get_tracer("tracer.demo")


def start(protocol: str) -> TracerProvider:
    """Export this process's spans; identity and endpoint come from the `OTEL_*` variables."""
    provider = TracerProvider(resource=Resource.create())
    provider.add_span_processor(BatchSpanProcessor(_exporter(protocol)))
    trace.set_tracer_provider(provider)
    return provider


def _exporter(protocol: str) -> SpanExporter:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as over_grpc

        return over_grpc.OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as over_http

    return over_http.OTLPSpanExporter()


def tenant() -> str:
    """Whose request is being served; '' outside of one."""
    return str(baggage.get_baggage("tenant.id") or "")


def headers() -> dict[str, str]:
    """What carries the current context to the next process."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


@contextmanager
def caller(carrier: Mapping[str, str], who: Mapping[str, str]) -> Iterator[None]:
    """Continue the context in `carrier` (lower-case keys); `who` is set by the entry only."""
    found = propagate.extract(carrier)
    for key, value in who.items():
        found = baggage.set_baggage(key, value, found)
    token = context.attach(found)
    try:
        yield
    finally:
        context.detach(token)


def _who() -> dict[str, str]:
    known = {key: baggage.get_baggage(key) for key in WHO}
    return {key: str(value) for key, value in known.items() if value}


@contextmanager
def _span(
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, str | int],
    links: tuple[Link, ...] = (),
) -> Iterator[Span]:
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        links=links,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def fail(span: Span, error: BaseException, error_type: str) -> None:
    """Mark a span as failed, with the exception as an event."""
    span.record_exception(error)
    span.set_attribute("error.type", error_type)
    span.set_status(Status(StatusCode.ERROR, str(error)))


@contextmanager
def internal_span(name: str, **attributes: str | int) -> Iterator[Span]:
    """Work inside one process."""
    with _span(name, SpanKind.INTERNAL, attributes) as span:
        yield span


@contextmanager
def server_span(method: str, route: str, path: str, port: int) -> Iterator[Span]:
    """A request being answered; a `Failure` of 500 or more marks the span, and passes on."""
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "http.route": route,
        "url.path": path,
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": port,
        "network.protocol.version": "1.1",
        **_who(),
    }
    with _span(f"{method} {route}", SpanKind.SERVER, attributes) as span:
        try:
            yield span
        except Failure as failure:
            span.set_attribute("http.response.status_code", failure.status)
            if failure.status >= 500:
                fail(span, failure, str(failure.status))
            raise
        span.set_attribute("http.response.status_code", 200)


@contextmanager
def client_span(
    method: str, template: str, path: str, *, peer: str, port: int, resend_count: int
) -> Iterator[Span]:
    """One attempt of a call. Its own attempt number is written from the second one on."""
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "url.template": template,
        "url.full": f"http://127.0.0.1:{port}{path}",
        "server.address": "127.0.0.1",
        "server.port": port,
        "service.peer.name": peer,
    }
    if resend_count:
        attributes["http.request.resend_count"] = resend_count
    with _span(f"{method} {template}", SpanKind.CLIENT, attributes) as span:
        yield span


@contextmanager
def db_span(operation: str, collection: str, text: str, namespace: str) -> Iterator[Span]:
    """One SQL statement, from asking for it to its last row."""
    summary = f"{operation} {collection}"
    attributes = {
        "db.system.name": "sqlite",
        "db.namespace": namespace,
        "db.operation.name": operation,
        "db.collection.name": collection,
        "db.query.text": text,
        "db.query.summary": summary,
    }
    with _span(summary, SpanKind.CLIENT, attributes) as span:
        try:
            yield span
        except sqlite3.Error as error:
            fail(span, error, type(error).__name__)
            raise


def _messaging(operation: str, kind: str, destination: str) -> dict[str, str | int]:
    return {
        "messaging.system": "shop-queue",
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.destination.name": destination,
    }


@contextmanager
def producer_span(destination: str, message_id: str) -> Iterator[Span]:
    """A message being handed to the broker."""
    attributes = {**_messaging("send", "send", destination), "messaging.message.id": message_id}
    with _span(f"send {destination}", SpanKind.PRODUCER, attributes) as span:
        yield span


@contextmanager
def consumer_span(destination: str, message_id: str) -> Iterator[Span]:
    """One message being worked on: child of the span that sent it, and linked to it."""
    sender = Link(trace.get_current_span().get_span_context())
    attributes = {
        **_messaging("process", "process", destination),
        "messaging.message.id": message_id,
        **_who(),
    }
    with _span(f"process {destination}", SpanKind.CONSUMER, attributes, (sender,)) as span:
        yield span


@contextmanager
def batch_span(destination: str, carriers: list[dict[str, str]]) -> Iterator[Span]:
    """Work for many messages together: a trace of its own, linked to every sender."""
    senders = [trace.get_current_span(propagate.extract(carrier)) for carrier in carriers]
    attributes = {
        **_messaging("process", "process", destination),
        "messaging.batch.message_count": len(carriers),
    }
    links = tuple(Link(sender.get_span_context()) for sender in senders)
    with _span(f"process {destination}", SpanKind.CONSUMER, attributes, links) as span:
        yield span
