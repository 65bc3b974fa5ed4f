"""An OTLP receiver that keeps spans in memory, on both transports, and what is asked of them."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

Operation = tuple[str, str]  # service, span name


@dataclass(frozen=True)
class Seen:
    """One span as received; ids in hex, times in ns; `attributes` as text."""

    transport: str
    resource: dict[str, str]
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool
    attributes: dict[str, str]
    events: tuple[str, ...]
    links: tuple[tuple[str, str], ...]  # trace id, span id

    @property
    def operation(self) -> Operation:
        return self.resource["service.name"], self.name


class Collector:
    """What arrived so far. Safe to use while more arrives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Seen] = []
        self.ports: dict[str, int] = {}

    def take(self, payload: bytes, transport: str) -> None:
        request = pb.ExportTraceServiceRequest.FromString(payload)
        spans = list(_read(request, transport))
        with self._lock:
            self._spans.extend(spans)

    def spans(self) -> list[Seen]:
        with self._lock:
            return list(self._spans)

    def wait_for(self, met: Callable[[list[Seen]], bool], timeout_s: float = 10.0) -> list[Seen]:
        """The spans once they meet the condition; whatever is there when time is up."""
        give_up_s = time.monotonic() + timeout_s
        while not met(self.spans()) and time.monotonic() < give_up_s:
            time.sleep(0.05)
        return self.spans()


def _texts(attributes: object) -> dict[str, str]:
    texts = {}
    for pair in attributes:  # type: ignore[attr-defined]
        which = pair.value.WhichOneof("value")
        texts[pair.key] = str(getattr(pair.value, which))
    return texts


def _read(request: pb.ExportTraceServiceRequest, transport: str) -> Iterator[Seen]:
    for group in request.resource_spans:
        resource = _texts(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Seen(
                    transport,
                    resource,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    span.kind,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code == 2,
                    _texts(span.attributes),
                    tuple(event.name for event in span.events),
                    tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                )


@contextmanager
def collecting(grpc_port: int = 0, http_port: int = 0) -> Iterator[Collector]:
    """A collector on loopback; its `ports` are by protocol."""
    collector = Collector()

    class Servicer(TraceServiceServicer):
        def Export(self, request: object, context: object) -> pb.ExportTraceServiceResponse:
            collector.take(request.SerializeToString(), "grpc")  # type: ignore[attr-defined]
            return pb.ExportTraceServiceResponse()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            collector.take(body, "http/protobuf")
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    over_grpc = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(Servicer(), over_grpc)
    over_http = ThreadingHTTPServer(("127.0.0.1", http_port), Handler)
    collector.ports = {
        "grpc": over_grpc.add_insecure_port(f"127.0.0.1:{grpc_port}"),
        "http/protobuf": over_http.server_address[1],
    }
    over_grpc.start()
    serving = threading.Thread(target=over_http.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield collector
    finally:
        over_http.shutdown()
        serving.join()
        over_http.server_close()
        over_grpc.stop(None).wait()


def self_ns_per_trace(spans: list[Seen]) -> dict[Operation, list[int]]:
    """By operation, one number a trace it is in: its own time there, summed over its calls.

    A span's own time is its length minus the union of its children, clipped to it.
    """
    result: dict[Operation, list[int]] = defaultdict(list)
    by_trace = sorted(spans, key=lambda span: span.trace_id)
    for _, group in groupby(by_trace, key=lambda span: span.trace_id):
        members = list(group)
        children = defaultdict(list)
        for span in members:
            children[span.parent_id].append((span.start_ns, span.end_ns))
        total: dict[Operation, int] = defaultdict(int)
        for span in members:
            covered, at = 0, span.start_ns
            for start_ns, end_ns in sorted(children[span.span_id]):
                covered += max(0, min(end_ns, span.end_ns) - max(start_ns, at))
                at = max(at, end_ns)
            total[span.operation] += span.end_ns - span.start_ns - covered
        for operation, own_ns in total.items():
            result[operation].append(own_ns)
    return result


def growth_ms(normal: list[Seen], faulty: list[Seen]) -> list[tuple[Operation, float]]:
    """How much the mean own time a trace grew, by operation, most first; new ones from 0."""
    before, after = self_ns_per_trace(normal), self_ns_per_trace(faulty)
    grown = {
        operation: (_mean(own) - _mean(before.get(operation, []))) / 1e6
        for operation, own in after.items()
    }
    return sorted(grown.items(), key=lambda item: -item[1])


def _mean(values: list[int]) -> float:
    return sum(values) / len(values) if values else 0.0
