"""The server of OTLP over HTTP, on an event loop that others run."""

from __future__ import annotations

import asyncio
import math
from typing import Final

import uvicorn

from tracer.ingest.otlp.cors import NO_CORS, Cors
from tracer.ingest.otlp.door import Watch, nobody
from tracer.ingest.otlp.grpc_server import Identify, Offer
from tracer.ingest.otlp.http_app import OtlpHttp
from tracer.ingest.otlp.http_connection import http_config
from tracer.ingest.otlp.limits import Limits
from tracer.ingest.otlp.listen import listening_socket
from tracer.ingest.otlp.tls import Certificates

PORT_FLAG: Final = "--otlp-http-port"


class HttpServer:
    """A running server; `port` is the one it really listens on."""

    def __init__(self, app: OtlpHttp, server: uvicorn.Server, port: int, task: asyncio.Task[None]):
        self.port = port
        self._app = app
        self._server = server
        self._task = task

    async def stop(self, grace_s: float) -> None:
        """Take no more requests, answer those there are, for at most `grace_s`."""
        self._app.stopping = True
        self._server.config.timeout_graceful_shutdown = max(1, math.ceil(grace_s))
        self._server.should_exit = True
        await self._task
        self._app.close()


async def serve_http(
    offer: Offer,
    *,
    host: str,
    port: int,
    limits: Limits,
    identify: Identify | None = None,
    certificates: Certificates | None = None,
    cors: Cors = NO_CORS,
    watch: Watch = nobody,
) -> HttpServer:
    """Serve on the running event loop; returns once it listens.

    Raises Unavailable when the port is taken.
    """
    listener = listening_socket(host, port, PORT_FLAG)
    app = OtlpHttp(offer, limits, identify=identify, cors=cors, watch=watch)
    # Nothing here asks who the client is: what proxies say of it need not be read.
    server = uvicorn.Server(http_config(app, limits, certificates, proxy_headers=False))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():
        await asyncio.sleep(0.005)
    if task.done():
        task.result()
    return HttpServer(app, server, listener.getsockname()[1], task)
