"""What every question took, by route: told to the service, which counts it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracer.service.watching import Question

PARENT_HEADERS: Final = (b"traceparent", b"tracestate")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")


@dataclass(frozen=True)
class Measure:
    """ASGI middleware, the outermost: also what a guard refuses is counted."""

    app: ASGIApp
    told: Callable[[Question], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and tell how it ended. 499 is a client that left."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 499
        began_ns, began_s = time.time_ns(), time.monotonic()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception:
            status = 500
            raise
        finally:
            self.told(
                Question(
                    route=_route(scope),
                    method=scope["method"] if scope["method"] in METHODS else "other",
                    status=status,
                    began_ns=began_ns,
                    took_s=time.monotonic() - began_s,
                    headers=_parent(scope),
                )
            )


def _parent(scope: Scope) -> dict[str, str]:
    """The trace context that the client sent, if any."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in PARENT_HEADERS
    }


def _route(scope: Scope) -> str:
    """The template and not the path: a label may not have a value for every trace."""
    route = scope.get("route")
    return str(getattr(route, "path_format", None) or getattr(route, "path", "none"))
