"""The HTTP side of a service: a table of routes, each answered inside a server span.

`POST /_control` turns faults; it is not traced.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tracer.demo import instrument
from tracer.demo.failure import Failure
from tracer.demo.loopback import Json
from tracer.demo.switches import Switches


@dataclass(frozen=True)
class Request:
    """`path` holds the values of the route's `{…}` parts."""

    path: dict[str, str]
    query: dict[str, str]
    body: Json


@dataclass(frozen=True)
class Route:
    """`template` as in the span name: `/products/{product_id}`."""

    method: str
    template: str
    answer: Callable[[Request], Json]
    traced: bool = True
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template)
        object.__setattr__(self, "pattern", re.compile(pattern))


def control(switches: Switches) -> Route:
    """The door through which the supervisor turns faults."""

    def turn(request: Request) -> Json:
        switches.turn(str(request.body["fault"]), bool(request.body["on"]))
        return {}

    return Route("POST", "/_control", turn, traced=False)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for what is being answered

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is no event; anything else goes to the log of the process."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def http_server(routes: tuple[Route, ...], listener: socket.socket) -> ThreadingHTTPServer:
    """A server on an inherited listening socket; two processes may take turns on one.

    The caller runs `serve_forever`, later `shutdown` and `server_close`.
    """
    listener.setblocking(False)  # when the other process was faster, accept must not wait
    port: int = listener.getsockname()[1]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body leave together
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def log_message(self, format: str, *args: object) -> None:
            """No access log: the spans say it."""

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length) or b"{}")
            url = urlsplit(self.path)
            for route in routes:
                match = route.pattern.fullmatch(url.path)
                if match and route.method == self.command:
                    break
            else:
                self._reply(404, {})
                return
            request = Request(match.groupdict(), dict(parse_qsl(url.query)), body)
            try:
                answer = self._traced(route, request) if route.traced else route.answer(request)
            except Failure as failure:
                self._reply(failure.status, {"error": str(failure)})
            else:
                self._reply(200, answer)

        def _traced(self, route: Route, request: Request) -> Json:
            carrier = {name.lower(): value for name, value in self.headers.items()}
            sent = {key: carrier.get(f"x-{key.replace('.', '-')}", "") for key in instrument.WHO}
            who = {key: value for key, value in sent.items() if value}
            path = urlsplit(self.path).path
            with (
                instrument.caller(carrier, who),
                instrument.server_span(route.method, route.template, path, port),
            ):
                return route.answer(request)

        def _reply(self, status: int, answer: Json) -> None:
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

    server = _Server(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    return server
