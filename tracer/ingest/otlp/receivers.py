"""Both receivers on one event loop, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from tracer.ingest.otlp.cors import NO_CORS, Cors
from tracer.ingest.otlp.door import Watch, nobody
from tracer.ingest.otlp.grpc_server import GrpcServer, Identify, Offer, start_grpc
from tracer.ingest.otlp.http_server import HttpServer, serve_http
from tracer.ingest.otlp.limits import DEFAULT_LIMITS, Limits
from tracer.ingest.otlp.tls import Certificates
from tracer.ingest.sink import Sink


class Receivers:
    """Running receivers; the ports are those they really listen on."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        thread: threading.Thread,
        servers: tuple[GrpcServer, HttpServer],
    ) -> None:
        self._loop = loop
        self._thread = thread
        self._servers = servers
        self.grpc_port = servers[0].port
        self.http_port = servers[1].port

    def tell_ready(self, ready: bool) -> None:
        """What the gRPC health service answers from now on; a stopped one has said its last."""
        if not self._loop.is_closed():
            telling = self._servers[0].tell_ready(ready)
            asyncio.run_coroutine_threadsafe(telling, self._loop)

    def stop(self, grace_s: float = 10.0) -> None:
        """Take nothing new, answer what was accepted, for at most `grace_s`; then close.

        The sink must still be running: it is what answers.
        """
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_stop(self._servers, grace_s), self._loop).result()
        _end(self._loop, self._thread)


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

    Raises Unavailable when a port is taken; then neither is listened on.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="tracer-receivers", daemon=True)
    thread.start()
    starting = asyncio.run_coroutine_threadsafe(
        _start(
            sink.offer,
            (grpc_port, http_port),
            cors,
            host=host,
            limits=limits,
            identify=identify,
            certificates=certificates,
            watch=watch,
        ),
        loop,
    )
    try:
        return Receivers(loop, thread, starting.result())
    except BaseException:
        _end(loop, thread)
        raise


async def _start(
    offer: Offer, ports: tuple[int, int], cors: Cors, **shared: Any
) -> tuple[GrpcServer, HttpServer]:
    over_grpc = await start_grpc(offer, port=ports[0], **shared)
    try:
        over_http = await serve_http(offer, port=ports[1], cors=cors, **shared)
    except BaseException:
        await over_grpc.stop(0)
        raise
    return over_grpc, over_http


async def _stop(servers: tuple[GrpcServer, HttpServer], grace_s: float) -> None:
    await asyncio.gather(*(server.stop(grace_s) for server in servers))


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
