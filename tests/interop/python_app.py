"""Sends the traces of a file with the Python SDK and prints the trace ids as JSON.

python -m tests.interop.python_app traces.json grpc|http/protobuf none|gzip http://127.0.0.1:4317

Spans start and end at the file's offsets from now, to the nanosecond.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as over_grpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http import trace_exporter as over_http
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from tracer.units import NS_PER_S


def exporter(protocol: str, compression: str, target: str) -> SpanExporter:
    """The SDK's exporter for that protocol."""
    if protocol == "grpc":
        encoding = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
        return over_grpc.OTLPSpanExporter(target, insecure=True, compression=encoding[compression])
    return over_http.OTLPSpanExporter(f"{target}/v1/traces", compression=Compression(compression))


def native(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes in OTLP/JSON as values of this language."""
    return {key: _value(any_value) for key, any_value in attributes.items()}


def _value(any_value: dict[str, Any]) -> Any:
    if "intValue" in any_value:
        return int(any_value["intValue"])
    if "arrayValue" in any_value:
        return tuple(_value(one) for one in any_value["arrayValue"].get("values", []))
    return next(iter(any_value.values()))


def _above(trace: dict[str, Any]) -> Context:
    """The context of a trace's first span: empty, or a caller's in another process."""
    if "remote_tracestate" not in trace:
        return Context()
    ids = RandomIdGenerator()
    caller = SpanContext(
        ids.generate_trace_id(),
        ids.generate_span_id(),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState.from_header([trace["remote_tracestate"]]),
    )
    return set_span_in_context(NonRecordingSpan(caller), Context())


def send(described: dict[str, Any], providers: dict[str, TracerProvider]) -> list[str]:
    """Makes every span; returns the trace ids in the order of the file."""
    began_ns = time.time_ns() - 10 * NS_PER_S
    scope = described["scope"]
    spans: dict[str, Span] = {}
    trace_ids = []
    for trace in described["traces"]:
        for one in trace["spans"]:
            tracer = providers[one["service"]].get_tracer(
                scope["name"], scope["version"], schema_url=scope["schema_url"]
            )
            parent = one.get("parent")
            started = tracer.start_span(
                one["name"],
                set_span_in_context(spans[parent], Context()) if parent else _above(trace),
                kind=SpanKind[one["kind"].upper()],
                attributes=native(one.get("attributes", {})),
                links=[
                    Link(spans[link["to"]].get_span_context(), native(link.get("attributes", {})))
                    for link in one.get("links", [])
                ],
                start_time=began_ns + one["start_ns"],
            )
            spans[one["name"]] = started
            for event in one.get("events", []):
                started.add_event(
                    event["name"], native(event.get("attributes", {})), began_ns + event["at_ns"]
                )
            if "status" in one:
                code = StatusCode[one["status"]["code"].upper()]
                started.set_status(Status(code, one["status"].get("message")))
        for one in reversed(trace["spans"]):
            spans[one["name"]].end(began_ns + one["end_ns"])
        first = spans[trace["spans"][0]["name"]].get_span_context()
        trace_ids.append(f"{first.trace_id:032x}")
    return trace_ids


def main(file: str, protocol: str, compression: str, target: str) -> None:
    """One provider a service, as if each were a process."""
    described = json.loads(Path(file).read_text(encoding="utf-8"))
    providers = {}
    for service, attributes in described["services"].items():
        providers[service] = TracerProvider(resource=Resource.create(native(attributes)))
        providers[service].add_span_processor(
            BatchSpanProcessor(exporter(protocol, compression, target))
        )
    trace_ids = send(described, providers)
    for provider in providers.values():
        provider.shutdown()
    sys.stdout.write(json.dumps(trace_ids))


if __name__ == "__main__":
    main(*sys.argv[1:])
