"""Both receivers as a client sees them: one call, one answer, held against the protocol's rules."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.fuzz.sample import GRPC, Sample
from tests.soak.sender import EXPORT

CHANNELS: Final = 4
ANSWER_S: Final = 180.0  # after which a call hangs
JSON, PROTOBUF = "application/json", "application/x-protobuf"


@dataclass(frozen=True)
class Got:
    """What was answered; `problem` is why it is no answer at all."""

    refused: bool = False
    rejected: int = 0
    retry: bool = False
    problem: str = ""
    message: str = ""


class Caller(Protocol):
    """Something that can be called by one coroutine at a time."""

    async def call(self, sample: Sample) -> Got: ...


class Callers:
    """Callers for one target; closed at the end."""

    def __init__(self, transport: str, port: int) -> None:
        self._transport = transport
        self._port = port
        self._channels: list[grpc.aio.Channel] = []
        self._connections: list[OverHttp] = []

    async def __aenter__(self) -> Callers:
        if self._transport == GRPC:
            options = [("grpc.use_local_subchannel_pool", 1)]  # a connection each
            self._channels = [
                grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", options=options)
                for _ in range(CHANNELS)
            ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for channel in self._channels:
            await channel.close()
        for connection in self._connections:
            connection.close()

    def caller(self, number: int) -> Caller:
        """gRPC callers share channels; an HTTP caller has a connection of its own."""
        if self._transport == GRPC:
            return OverGrpc(self._channels[number % CHANNELS])
        self._connections.append(OverHttp(self._port))
        return self._connections[-1]


class OverGrpc:
    """A stream a call."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._export = channel.unary_unary(EXPORT)

    async def call(self, sample: Sample) -> Got:
        """The answer to one request."""
        packing = grpc.Compression.Gzip if sample.is_gzip else grpc.Compression.NoCompression
        try:
            body = await self._export(sample.body, timeout=ANSWER_S, compression=packing)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.INVALID_ARGUMENT and error.details():
                return Got(refused=True, message=error.details())
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                return Got(retry=True, message=error.details() or "UNAVAILABLE")
            return Got(problem=f"{error.code().name}: {error.details()}")
        return _accepted(body)


class OverHttp:
    """A connection that is kept, and made anew when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        """No more calls."""
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def call(self, sample: Sample) -> Got:
        """The answer to one request."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._call(sample)
        except TimeoutError:
            self.close()
            return Got(problem=f"no answer within {ANSWER_S:.0f} s")
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            self.close()
            return Got(problem=f"{type(error).__name__}: {error}")

    async def _call(self, sample: Sample) -> Got:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        media_type = JSON if sample.is_json else PROTOBUF
        coding = "Content-Encoding: gzip\r\n" if sample.is_gzip else ""
        head = (
            f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\n"
            f"{coding}Content-Length: {len(sample.body)}\r\n\r\n"
        )
        writer.write(head.encode() + sample.body)
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        if headers.get("content-type") != media_type:
            return Got(problem=f"answered as {headers.get('content-type')}, asked as {media_type}")
        return _answer(int(first.split(" ")[1]), body, sample.is_json)


def _answer(status: int, body: bytes, is_json: bool) -> Got:
    """The answer in the encoding of the request."""
    if status == 200:
        return _accepted_json(body) if is_json else _accepted(body)
    try:
        message = json.loads(body)["message"] if is_json else Status.FromString(body).message
    except (ValueError, KeyError, DecodeError):
        message = ""
    if not message:
        return Got(problem=f"{status} without a Status: {body!r}")
    if status == 503:
        return Got(retry=True, message=message)
    if status == 400:
        return Got(refused=True, message=message)
    return Got(problem=f"{status}: {message}")


def _accepted(body: bytes) -> Got:
    partial = ExportTraceServiceResponse.FromString(body).partial_success
    return _partial(body != b"", partial.rejected_spans, partial.error_message)


def _accepted_json(body: bytes) -> Got:
    partial = json.loads(body).get("partialSuccess")
    if partial is None:
        return _partial(False, 0, "")
    return _partial(True, int(partial.get("rejectedSpans", 0)), partial.get("errorMessage", ""))


def _partial(is_set: bool, rejected: int, message: str) -> Got:
    """`partial_success` stands there when spans were rejected, with a reason, and only then."""
    if is_set != (rejected > 0) or (rejected > 0) != bool(message):
        return Got(problem=f"partial success of {rejected} spans, {message!r}")
    return Got(rejected=rejected, message=message)
