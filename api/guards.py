"""Who may ask: the Host and Origin of every request, before any route sees it.

A web page elsewhere can make a browser send requests to this machine. Under a name of its own that
it points here, it could read the answers (so names are checked), and it could post without reading
(so the origin of writes is checked). An address in place of a name cannot be re-pointed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from tracer.settings import LOOPBACK, Settings

READS = ("GET", "HEAD", "OPTIONS")
WILDCARDS = ("0.0.0.0", "::", "")


class Guards:
    """ASGI middleware: 421 for a strange Host, 403 for a write from another origin."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._names = frozenset(map(str.lower, (*LOOPBACK, settings.host, *settings.allowed_hosts)))
        self._any_address = settings.host in WILDCARDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_allowed(host, self._names, any_address=self._any_address):
            refusal = problem(
                421,
                "MisdirectedRequest",
                f"Host {host!r} is not a name of this server; "
                "add it with --allowed-hosts if it should be",
                instance=scope["path"],
            )
        elif scope["method"] not in READS and not is_same_origin(headers.get("origin"), host):
            refusal = problem(
                403,
                "ForeignOrigin",
                f"Origin {headers.get('origin')!r} is not this server; "
                "writes come from its own pages or from programs, which send no Origin",
                instance=scope["path"],
            )
        else:
            await self._app(scope, receive, _with_safe_headers(send))
            return
        await refusal(scope, receive, send)


def is_allowed(host: str, names: Iterable[str], *, any_address: bool) -> bool:
    """Whether a Host header (`name[:port]`) names this server."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    if name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return any_address


def is_same_origin(origin: str | None, host: str) -> bool:
    """Whether a write comes from a page of ours, or from a program, which sends no Origin."""
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False


def _with_safe_headers(send: Send) -> Send:
    """Answers are what their Content-Type says, and stay out of other pages."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-content-type-options", b"nosniff"),
                (b"cross-origin-resource-policy", b"same-origin"),
            ]
        await send(message)

    return sending
