"""A Jaeger query service as its published API says, small, over real HTTP, and with faults.

It has both APIs (v3 from OTLP JSON, the older one), the base path one gives it, and answers what
`faults` holds, one for a request, before it answers well.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.certificates import Files
from tracer.units import duration_ns, moment_ns


@dataclass(frozen=True)
class Span:
    """`start_us` and `duration_us` as Jaeger counts."""

    trace: int
    span: int
    start_us: int
    duration_us: int
    parent: int = 0
    service: str = "shop"
    name: str = "GET /"

    @property
    def trace_id(self) -> str:
        return f"{self.trace:032x}"


Fault = Callable[["Handler"], None]


@dataclass
class FakeJaeger:
    """What is in it, how it answers, and what it was asked."""

    spans: list[Span] = field(default_factory=list)
    has_v3: bool = True
    has_legacy: bool = True
    base: str = ""
    page: bool = False  # unknown paths give the web page, as 1.x does
    errors: list[dict[str, Any]] | None = None  # said beside the data of the older API
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def searches(self) -> list[dict[str, str]]:
        return [words for path, words, _ in self.asked if path.endswith("/traces")]


class Handler(BaseHTTPRequestHandler):
    jaeger: FakeJaeger
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body leave together

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        words = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.jaeger.asked.append((parts.path, words, dict(self.headers)))
        if self.jaeger.faults:
            self.jaeger.faults.pop(0)(self)
            return
        path = parts.path.removeprefix(self.jaeger.base)
        if not parts.path.startswith(self.jaeger.base):
            self.nothing()
        elif path.startswith("/api/v3/") and self.jaeger.has_v3:
            self.v3(path.removeprefix("/api/v3"), words)
        elif path.startswith("/api/") and not path.startswith("/api/v3") and self.jaeger.has_legacy:
            self.legacy(path.removeprefix("/api"), words)
        else:
            self.nothing()

    def v3(self, path: str, words: dict[str, str]) -> None:
        if path == "/services":
            return self.send({"services": sorted({one.service for one in self.jaeger.spans})})
        if path == "/operations":
            names = self.operations(words["service"])
            return self.send({"operations": [{"name": one, "spanKind": "server"} for one in names]})
        if path == "/traces":
            if "query.start_time_min" not in words or "query.start_time_max" not in words:
                return self.v3_error(400, "query.start_time_min is required")
            start, end = (moment_ns(words[f"query.start_time_{one}"], 0) for one in ("min", "max"))
            found = self.find(
                service=words["query.service_name"],
                start_us=start // 1000,
                end_us=end // 1000,
                least=words.get("query.duration_min"),
                operation=words.get("query.operation_name"),
                limit=int(words.get("query.search_depth", 100)),
            )
        else:
            found = self.by_id(path)
        if not found:
            return self.v3_error(404, "No traces found")
        return self.send({"result": {"resourceSpans": [_otlp(one) for one in found]}})

    def legacy(self, path: str, words: dict[str, str]) -> None:
        if path == "/services":
            names = sorted({one.service for one in self.jaeger.spans})
            return self.send({"data": names, "total": len(names), "limit": 0, "errors": None})
        if path == "/operations":
            names = self.operations(words["service"])
            return self.send({"data": [{"name": one, "spanKind": "server"} for one in names]})
        if path == "/traces":
            found = self.find(
                service=words["service"],
                start_us=int(words["start"]),
                end_us=int(words["end"]),
                least=words.get("minDuration"),
                operation=words.get("operation"),
                limit=int(words.get("limit", 100)),
            )
        else:
            found = self.by_id(path)
            if not found:
                error = {"code": 404, "msg": "trace not found"}
                return self.send({"data": None, "errors": [error]}, 404)
        traces: dict[str, list[Span]] = {}
        for one in found:
            traces.setdefault(one.trace_id, []).append(one)
        data = [_jaeger(trace_id, spans) for trace_id, spans in traces.items()]
        return self.send({"data": data, "total": 0, "limit": 0, "errors": self.jaeger.errors})

    def operations(self, service: str) -> list[str]:
        return sorted({one.name for one in self.jaeger.spans if one.service == service})

    def by_id(self, path: str) -> list[Span]:
        trace_id = unquote(path.removeprefix("/traces/"))
        return [one for one in self.jaeger.spans if one.trace_id == trace_id]

    def find(
        self,
        *,
        service: str,
        start_us: int,
        end_us: int,
        least: str | None,
        operation: str | None,
        limit: int,
    ) -> list[Span]:
        least_us = duration_ns(least) / 1000 if least else 0
        matching = [
            one
            for one in self.jaeger.spans
            if one.service == service
            and start_us <= one.start_us <= end_us
            and one.duration_us >= least_us
            and operation in (None, one.name)
        ]
        newest = sorted(matching, key=lambda one: -one.start_us)
        chosen = list(dict.fromkeys(one.trace_id for one in newest))[:limit]
        return [one for one in self.jaeger.spans if one.trace_id in chosen]

    def v3_error(self, status: int, message: str) -> None:
        body = {"error": {"httpCode": status, "message": message}}
        self.send(body, status, "text/plain; charset=utf-8")

    def nothing(self) -> None:
        if self.jaeger.page:
            self.answer(b"<!doctype html><title>Jaeger UI</title>", 200, "text/html")
        else:
            self.answer(b"404 page not found\n", 404, "text/plain")

    def send(self, document: Any, status: int = 200, kind: str = "application/json") -> None:
        self.answer(json.dumps(document).encode(), status, kind)

    def answer(self, body: bytes, status: int = 200, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def says(body: bytes, status: int = 200, kind: str = "application/json") -> Fault:
    """A fault: this answer."""
    return lambda handler: handler.answer(body, status, kind)


def asks_to_wait(status: int, after: str) -> Fault:
    """A fault: this status with Retry-After."""

    def fault(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Retry-After", after)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return fault


def redirects(to: str) -> Fault:
    """A fault: go there."""

    def fault(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return fault


def drops(handler: Handler) -> None:
    """A fault: promises more than it sends, and hangs up."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"result":{"resourceSpans":[')
    handler.wfile.flush()
    handler.close_connection = True


@contextmanager
def jaeger(tls: Files | None = None, **what: Any) -> Iterator[FakeJaeger]:
    """One that runs; with TLS when it is given files."""
    fake = FakeJaeger(**what)
    handler = type("Bound", (Handler,), {"jaeger": fake})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.cert, tls.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        fake.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}{fake.base}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


def _otlp(span: Span) -> dict[str, Any]:
    attribute = {"key": "service.name", "value": {"stringValue": span.service}}
    start_ns = span.start_us * 1000
    return {
        "resource": {"attributes": [attribute]},
        "scopeSpans": [
            {
                "scope": {},
                "spans": [
                    {
                        "traceId": span.trace_id,
                        "spanId": f"{span.span:016x}",
                        "parentSpanId": f"{span.parent:016x}" if span.parent else "",
                        "name": span.name,
                        "kind": 2,
                        "startTimeUnixNano": str(start_ns),
                        "endTimeUnixNano": str(start_ns + span.duration_us * 1000),
                        "status": {},
                    }
                ],
            }
        ],
    }


def _jaeger(trace_id: str, spans: list[Span]) -> dict[str, Any]:
    names = sorted({one.service for one in spans})
    processes = {f"p{names.index(name)}": {"serviceName": name, "tags": []} for name in names}
    return {
        "traceID": trace_id,
        "spans": [
            {
                "traceID": trace_id,
                "spanID": f"{one.span:016x}",
                "operationName": one.name,
                "references": [
                    {"refType": "CHILD_OF", "traceID": trace_id, "spanID": f"{one.parent:016x}"}
                ]
                if one.parent
                else [],
                "startTime": one.start_us,
                "duration": one.duration_us,
                "tags": [{"key": "span.kind", "type": "string", "value": "server"}],
                "logs": [],
                "processID": f"p{names.index(one.service)}",
                "warnings": None,
            }
            for one in spans
        ],
        "processes": processes,
        "warnings": None,
    }
