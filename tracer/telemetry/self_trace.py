"""Spans of tracer's own work, exported over OTLP when the setting `self_trace` names where to.

They can never make more of themselves, wherever they are sent:

* a process leaves out what it exported itself, known by `service.instance.id` (`ingest/steps.py`);
* work on nothing but spans of tracers, its own or another's, is not traced (`Work` is not made for
  it), so two tracers that export to each other do not play ping-pong;
* receivers make no spans at all; a commit makes one for a block, however many exports are in it.

Work is recorded once it has ended: nothing is kept open, no context is carried between threads.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from tracer import __version__
from tracer.errors import BadSetting

SERVICE: Final = "tracer"
SCOPE: Final = "tracer.self"
INSTANCE_ATTRIBUTE: Final = "service.instance.id"
EXPORT_TIMEOUT_S: Final = 5
FLUSH_S: Final = 2.0  # at the end


@dataclass(frozen=True)
class Work:
    """Something that was done. `stages` are its children; `headers` may name a parent (W3C)."""

    name: str
    began_ns: int
    ended_ns: int
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
    failure: str = ""
    answers: bool = False  # a request from outside: kind SERVER
    headers: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[Work, ...] = ()


class SelfTrace:
    """Hands work to the SDK, which exports in batches from a thread and a bounded queue of its own.

    `record` is cheap and never waits; what the queue has no room for is lost.
    """

    def __init__(self, provider: Any, exporter: Any, propagator: Any) -> None:
        self._provider = provider
        self._exporter = exporter
        self._propagator = propagator
        self._tracer = provider.get_tracer(SCOPE, __version__)
        self._closed = False

    def record(self, work: Work) -> None:
        """Exports the work, sooner or later; nothing once it is closed."""
        if self._closed:
            return
        self._record(work, self._propagator.extract(work.headers) if work.headers else None)

    def _record(self, work: Work, context: Any) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        span = self._tracer.start_span(
            work.name,
            context=context,
            kind=SpanKind.SERVER if work.answers else SpanKind.INTERNAL,
            attributes=work.attributes,
            start_time=work.began_ns,
        )
        for stage in work.stages:
            self._record(stage, set_span_in_context(span))
        if work.failure:
            span.set_status(Status(StatusCode.ERROR, work.failure))
        span.end(work.ended_ns)

    def close(self) -> None:
        """Exports what is left, if that takes less than `FLUSH_S`: the SDK has no such limit."""
        if self._closed:
            return
        self._closed = True
        last = threading.Thread(target=self._provider.shutdown, name="self-trace-end", daemon=True)
        last.start()
        last.join(FLUSH_S)
        if last.is_alive():
            self._exporter.shutdown()  # ends the export that is being tried again


def open_self_trace(endpoint: str, instance_id: str) -> SelfTrace:
    """Exports to `endpoint`: a URL with a path over HTTP, one without over gRPC.

    Raises BadSetting when the SDK is not installed.
    """
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        exporter = _exporter(endpoint)
    except ModuleNotFoundError as error:
        raise BadSetting(
            f"self_trace {endpoint!r} needs the OpenTelemetry SDK: "
            "pip install 'tracer-analyzer[telemetry]', or leave self_trace empty"
        ) from error
    resource = Resource.create(
        {
            "service.name": SERVICE,
            "service.version": __version__,
            INSTANCE_ATTRIBUTE: instance_id,
        }
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return SelfTrace(provider, exporter, TraceContextTextMapPropagator())


def _exporter(endpoint: str) -> Any:
    parts = urlsplit(endpoint)
    if parts.path.strip("/"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_S)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
        OTLPSpanExporter as OverGrpc,
    )

    insecure = parts.scheme == "http"
    return OverGrpc(endpoint=endpoint, insecure=insecure, timeout=EXPORT_TIMEOUT_S)
