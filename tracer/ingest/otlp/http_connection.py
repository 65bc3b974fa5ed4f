"""One HTTP connection, with an end to every wait for its client and a limit on how many there are.

uvicorn waits without end for the head of a request. The wait for the body is the application's.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tracer.ingest.otlp.limits import Limits
from tracer.ingest.otlp.tls import Certificates

HEAD_BYTES: Final = 32 << 10  # request line and headers
KEEP_ALIVE_S: Final = 75  # longer than exporters pause; a connection closed under one costs a retry
BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


def http_config(
    app: Any, limits: Limits, certificates: Certificates | None = None, **more: Any
) -> uvicorn.Config:
    """A quiet server of `app` whose connections keep the limits; `more` is uvicorn's own."""

    class Connection(LimitedConnection):
        pass

    Connection.limits = limits
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        **more,
    )
    if certificates:
        config.load()
        config.ssl = certificates.server_context()
    return config


class LimitedConnection(H11Protocol):
    """Closed when a head is not whole in time; refused when there are too many others."""

    limits: ClassVar[Limits]
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.write(BUSY)
            transport.close()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Wait on, unless a request is now being answered."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """One wait for one head: bytes that drip do not make it longer."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self.limits.read_timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
