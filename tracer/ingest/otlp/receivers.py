"""Both receivers, each on an event loop and thread of its own: neither waits for the other."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from tracer.ingest.otlp.cors import NO_CORS, Cors
from tracer.ingest.otlp.door import Watch, nobody
from tracer.ingest.otlp.grpc_server import GrpcServer, Identify, start_grpc
from tracer.ingest.otlp.http_server import HttpServer, serve_http
from tracer.ingest.otlp.limits import DEFAULT_LIMITS, Limits
from tracer.ingest.otlp.loop import LoopThread
from tracer.ingest.otlp.tls import Certificates
from tracer.ingest.sink import Sink

THREADS: Final = ("tracer-otlp-grpc", "tracer-otlp-http")


class Receivers:
    """Running receivers; the ports are those they really listen on."""

    def __init__(
        self,
        over_grpc: GrpcServer,
        over_http: HttpServer,
        loops: tuple[LoopThread, LoopThread],
    ) -> None:
        self._over_grpc = over_grpc
        self._over_http = over_http
        self._loops = loops
        self.grpc_port = over_grpc.port
        self.http_port = over_http.port

    def tell_ready(self, ready: bool) -> None:
        """What the gRPC health service answers from now on; a stopped one has said its last."""
        loop, _ = self._loops
        if not loop.is_closed:
            loop.begin(self._over_grpc.tell_ready(ready))

    def stop(self, grace_s: float = 10.0) -> None:
        """Take nothing new, answer what was accepted, for at most `grace_s`; then close.

        Both at the same time. The sink must still be running: it is what answers.
        """
        grpc_loop, http_loop = self._loops
        if http_loop.is_closed:
            return
        with ExitStack() as at_last:
            at_last.callback(http_loop.close)
            at_last.callback(grpc_loop.close)
            stopping = (
                grpc_loop.begin(self._over_grpc.stop(grace_s)),
                http_loop.begin(self._over_http.stop(grace_s)),
            )
            for one in stopping:
                at_last.callback(one.result)


def start_receivers(
    sink: Sink,
    *,
    host: str = "127.0.0.1",
    grpc_port: int = 4317,
    http_port: int = 4318,
    limits: Limits = DEFAULT_LIMITS,
    identify: Identify | None = None,
    certificates: Certificates | None = None,
    cors: Cors = NO_CORS,
    watch: Watch = nobody,
) -> Receivers:
    """Listen on both ports (0: any free one); returns once they do.

    `identify` and `watch` are called on both threads. Raises Unavailable when a port is taken;
    then neither is listened on.
    """
    with ExitStack() as undo:
        grpc_loop, http_loop = (LoopThread(name) for name in THREADS)
        undo.callback(grpc_loop.close)
        undo.callback(http_loop.close)
        over_grpc = grpc_loop.begin(
            start_grpc(
                sink.offer,
                host=host,
                port=grpc_port,
                limits=limits,
                identify=identify,
                certificates=certificates,
                watch=watch,
            )
        ).result()
        undo.callback(lambda: grpc_loop.begin(over_grpc.stop(0)).result())
        over_http = http_loop.begin(
            serve_http(
                sink.offer,
                host=host,
                port=http_port,
                limits=limits,
                identify=identify,
                certificates=certificates,
                cors=cors,
                watch=watch,
            )
        ).result()
        undo.pop_all()
    return Receivers(over_grpc, over_http, (grpc_loop, http_loop))
