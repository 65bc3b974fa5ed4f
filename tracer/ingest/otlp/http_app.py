"""OTLP over HTTP as an ASGI application: `POST /v1/traces` as protobuf or JSON.

Every answer, errors included, has the encoding of the request. Unpacking and JSON parsing run on a
small pool of threads, so a large body does not hold up the others.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

from google.protobuf import json_format
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status

from tracer.errors import TracerError, Unavailable, codes
from tracer.ingest.commit import Ack
from tracer.ingest.otlp.compression import CODINGS, decompress, too_large
from tracer.ingest.otlp.cors import NO_CORS, Cors, is_preflight
from tracer.ingest.otlp.door import HTTP_JSON, HTTP_PROTOBUF, Visit, Watch, nobody, visit
from tracer.ingest.otlp.grpc_server import Identify, Offer
from tracer.ingest.otlp.limits import Limits
from tracer.ingest.otlp.otlp_json import request_from_json
from tracer.ingest.otlp.status import response_of, status_of

_LOG = logging.getLogger(__name__)

PATH: Final = "/v1/traces"
OTHER_SIGNALS: Final = {
    "/v1/metrics": "metrics",
    "/v1/logs": "logs",
    "/v1development/profiles": "profiles",
}
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
UNPACKING_THREADS: Final = 2
HELD_REQUESTS: Final = 4  # bodies of the largest size that may be held at once

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Reply:
    """One HTTP answer; the content type is that of the request."""

    status: int
    message: Any  # protobuf, None for no body
    headers: tuple[tuple[str, str], ...] = ()
    refused: str = ""  # in a word


@dataclass(frozen=True)
class _Asked:
    """The head of a request."""

    path: str
    method: str
    headers: Mapping[str, str] = field(repr=False)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def coding(self) -> str:
        return self.headers.get("content-encoding", "identity").strip().lower() or "identity"


class _Disconnected(Exception):
    """The client left before its request was complete: there is nobody to answer."""


class _Stalled(Exception):
    """The client stays, and sends nothing."""


class OtlpHttp:
    """The ASGI application."""

    def __init__(
        self,
        offer: Offer,
        limits: Limits,
        *,
        identify: Identify | None = None,
        cors: Cors = NO_CORS,
        watch: Watch = nobody,
    ) -> None:
        self._watch = watch
        self._offer = offer
        self._limit = limits.request_bytes
        self._read_timeout_s = limits.read_timeout_s
        self._identify = identify
        self._cors = cors
        self.stopping = False  # then every answer ends its connection
        self._held_bytes = 0
        self._pool = ThreadPoolExecutor(UNPACKING_THREADS, "tracer-unpack")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = _Asked(scope["path"], scope["method"], _headers(scope["headers"]))
        with visit(self._watch, HTTP_JSON if asked.media_type == JSON else HTTP_PROTOBUF) as one:
            reply = await self._answer(asked, receive, one)
        if reply is None:
            return
        headers = reply.headers + self._cors.on_every_answer(asked.headers)
        if self.stopping:
            headers += (("Connection", "close"),)
        reply = replace(reply, headers=headers)
        await _send(send, reply, PROTOBUF if asked.media_type == PROTOBUF else JSON)

    def close(self) -> None:
        """Give the threads back. Never waits: nobody is there for what they still unpack."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, asked: _Asked, receive: Receive, one: Visit) -> Reply | None:
        """What to say, None to nobody."""
        if (refusal := self._refusal(asked)) is not None:
            one.refused = refusal.refused
            return refusal
        try:
            return _success(one.accept(await self._export(asked, receive, one)))
        except _Disconnected:
            return None
        except _Stalled as error:
            one.refused = "stalled"
            return _refused(408, "DEADLINE_EXCEEDED", str(error), ("Connection", "close"))
        except asyncio.CancelledError:  # stopped before the store answered
            return _failure(Unavailable("tracer is shutting down: retry when it is back"))
        except TracerError as error:
            one.refuse(error)
            return _failure(error)
        except Exception as error:  # noqa: BLE001 - the door: the client gets a Status all the same
            _LOG.exception("%s %s failed", asked.method, asked.path)
            one.refuse(error)
            return _failure(TracerError(f"internal error: {type(error).__name__}"))

    def _refusal(self, asked: _Asked) -> Reply | None:
        """Why the request is not even read, if so."""
        if asked.path in OTHER_SIGNALS:
            signal = OTHER_SIGNALS[asked.path]
            text = f"{signal} are not received here: turn their export off, or send it elsewhere"
            return _refused(404, "UNIMPLEMENTED", text)
        if asked.path != PATH:
            return _refused(404, "NOT_FOUND", f"nothing is received here: POST traces to {PATH}")
        if self._cors.origins and is_preflight(asked.method, asked.headers):
            return self._preflight(asked)
        if asked.method != "POST":
            text = f"{PATH} takes POST, not {asked.method}"
            return _refused(405, "UNIMPLEMENTED", text, ("Allow", "POST"))
        if asked.media_type not in (PROTOBUF, JSON):
            text = f"Content-Type must be {PROTOBUF} or {JSON}, got {asked.media_type!r}"
            return _refused(415, "INVALID_ARGUMENT", text, ("Accept-Post", f"{PROTOBUF}, {JSON}"))
        if asked.coding not in CODINGS:
            codings = ", ".join(CODINGS)
            text = f"Content-Encoding must be one of {codings}, and only one, got {asked.coding!r}"
            return _refused(415, "INVALID_ARGUMENT", text, ("Accept-Encoding", codings))
        if self._identify and self._identify(asked.headers) is None:
            text = "no valid credentials were sent"
            return _refused(401, "UNAUTHENTICATED", text, ("WWW-Authenticate", "Bearer"))
        return None

    def _preflight(self, asked: _Asked) -> Reply:
        origin = asked.headers["origin"]
        if not self._cors.allows(origin):
            text = f"pages of {origin} may not export here: add it with --cors-allowed-origins"
            return _refused(403, "PERMISSION_DENIED", text)
        return Reply(204, None, self._cors.on_preflight(asked.headers))

    async def _export(self, asked: _Asked, receive: Receive, one: Visit) -> Ack:
        body = await self._read(receive)
        size = one.request_bytes = len(body)
        try:
            if asked.media_type == JSON or asked.coding != "identity":
                loop = asyncio.get_running_loop()
                body = await loop.run_in_executor(
                    self._pool, _unpack, body, asked.coding, asked.media_type, self._limit
                )
            answer = self._offer(body)
        finally:
            self._held_bytes -= size
        del body  # while it waits only the sink holds it, and counts it
        return await asyncio.wrap_future(answer)

    async def _read(self, receive: Receive) -> bytes:
        """The whole body, counted as held. A body over the limit is read to its end, not kept:

        most clients do not look for an answer before they have sent everything.
        """
        parts: list[bytes] = []
        size = read = 0
        more = True
        refusal: TracerError | None = None
        try:
            while more and read <= HELD_REQUESTS * self._limit:
                part, more = await self._part(receive)
                read += len(part)
                refusal = refusal or self._no_room(read, len(part))
                if refusal:
                    self._held_bytes -= size
                    parts, size = [], 0
                else:
                    parts.append(part)
                    size += len(part)
                    self._held_bytes += len(part)
        except BaseException:
            self._held_bytes -= size
            raise
        if refusal:
            raise refusal
        return b"".join(parts)

    async def _part(self, receive: Receive) -> tuple[bytes, bool]:
        """The next bytes, and whether there are more."""
        try:
            async with asyncio.timeout(self._read_timeout_s):
                event = await receive()
        except TimeoutError as error:
            raise _Stalled(
                f"nothing came for {self._read_timeout_s:g} s: send the body without pauses, or "
                "raise read_timeout"
            ) from error
        if event["type"] == "http.disconnect":
            raise _Disconnected
        return event.get("body", b""), event.get("more_body", False)

    def _no_room(self, read: int, part: int) -> TracerError | None:
        if read > self._limit:
            return too_large(self._limit)
        if self._held_bytes + part > HELD_REQUESTS * self._limit:
            return Unavailable("too many large requests at once: retry later")
        return None


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By lower-case name; what is sent in several lines is one list (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for name_raw, value_raw in raw:
        name, value = name_raw.decode("latin-1").lower(), value_raw.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _unpack(body: bytes, coding: str, media_type: str, limit: int) -> bytes:
    plain = decompress(body, coding, limit)
    return request_from_json(plain) if media_type == JSON else plain


def _success(ack: Ack) -> Reply:
    return Reply(200, response_of(ack))


def _failure(error: TracerError) -> Reply:
    wait: tuple[tuple[str, str], ...] = ()
    if isinstance(error, Unavailable):
        wait = (("Retry-After", str(max(1, math.ceil(error.retry_after_s)))),)
    return Reply(codes(error).http, status_of(error), wait)


def _refused(status: int, code: str, message: str, *headers: tuple[str, str]) -> Reply:
    return Reply(status, Status(code=Code.Value(code), message=message), headers, code.lower())


async def _send(send: Send, reply: Reply, content_type: str) -> None:
    if reply.message is None:
        body = b""
    elif content_type == JSON:
        body = json_format.MessageToJson(reply.message, indent=None).encode()
    else:
        body = reply.message.SerializeToString()
    headers = reply.headers
    if reply.message is not None:
        of_body = (("Content-Type", content_type), ("Content-Length", str(len(body))))
        headers = of_body + headers
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        }
    )
    await send({"type": "http.response.body", "body": body})
