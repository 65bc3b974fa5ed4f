"""The receiver one writes first, as the reference for ours: it is correct, and nothing else.

gRPC parses each request into protobuf objects, a loop walks the spans, and every request is one
insert into the same engine and table before it is acknowledged.

    python -m benchmarks.plain_receiver --data DIR --otlp-grpc-port 4317
"""

from __future__ import annotations

import argparse
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracer.columns.schema import COLLECTOR, SPAN_KINDS, STATUS_CODES
from tracer.settings import Settings
from tracer.store.engine import Engine
from tracer.store.store import open_store

THREADS: Final = 8
LARGEST_REQUEST: Final = 64 << 20


class PlainReceiver(TraceServiceServicer):
    """Spans become rows one by one; a request becomes an insert."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def Export(
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        """Insert, then acknowledge."""
        columns: dict[str, list[Any]] = {column.name: [] for column in COLLECTOR}
        for group in request.resource_spans:
            resource = _attributes(group.resource.attributes)
            for scope in group.scope_spans:
                for span in scope.spans:
                    row = _row(span, resource, scope.scope.name, scope.scope.version)
                    for name, value in row.items():
                        columns[name].append(value)
        table = pa.table({c.name: pa.array(columns[c.name], c.arrow) for c in COLLECTOR})
        self._engine.insert("otel_traces", table)
        return ExportTraceServiceResponse()


def _row(span: Span, resource: dict[str, str], scope: str, version: str) -> dict[str, Any]:
    return {
        "Timestamp": span.start_time_unix_nano,
        "TraceId": span.trace_id.hex(),
        "SpanId": span.span_id.hex(),
        "ParentSpanId": span.parent_span_id.hex(),
        "TraceState": span.trace_state,
        "SpanName": span.name,
        "SpanKind": SPAN_KINDS[span.kind],
        "ServiceName": resource.get("service.name", ""),
        "ResourceAttributes": list(resource.items()),
        "ScopeName": scope,
        "ScopeVersion": version,
        "SpanAttributes": list(_attributes(span.attributes).items()),
        "Duration": max(0, span.end_time_unix_nano - span.start_time_unix_nano),
        "StatusCode": STATUS_CODES[span.status.code],
        "StatusMessage": span.status.message,
        "Events.Timestamp": [event.time_unix_nano for event in span.events],
        "Events.Name": [event.name for event in span.events],
        "Events.Attributes": [list(_attributes(e.attributes).items()) for e in span.events],
        "Links.TraceId": [link.trace_id.hex() for link in span.links],
        "Links.SpanId": [link.span_id.hex() for link in span.links],
        "Links.TraceState": [link.trace_state for link in span.links],
        "Links.Attributes": [list(_attributes(link.attributes).items()) for link in span.links],
    }


def _attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: _text(pair) for pair in pairs}


def _text(pair: KeyValue) -> str:
    value: AnyValue = pair.value
    member = value.WhichOneof("value")
    return value.string_value if member == "string_value" else str(getattr(value, member or "", ""))


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--otlp-grpc-port", type=int, required=True)
    args = parser.parse_args()
    store = open_store(Settings(data=args.data))
    options = [("grpc.max_receive_message_length", LARGEST_REQUEST), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(THREADS), options=options)
    add_TraceServiceServicer_to_server(PlainReceiver(store.engine), server)
    server.add_insecure_port(f"127.0.0.1:{args.otlp_grpc_port}")
    server.start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    server.stop(10).wait()
    store.close()


if __name__ == "__main__":
    main()
