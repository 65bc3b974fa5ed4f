"""OTLP over gRPC: bytes in, an acknowledgement out.

Requests are never parsed here: the handlers are registered for raw bytes, and the sink decodes many
of them at once. A handler waits on the event loop, so a waiting exporter costs no thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Final

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from tracer.errors import BadInput, TracerError, Unavailable
from tracer.ingest.commit import Ack
from tracer.ingest.otlp.door import GRPC, Visit, Watch, nobody, visit
from tracer.ingest.otlp.limits import Limits
from tracer.ingest.otlp.listen import address, listening_socket
from tracer.ingest.otlp.status import response_of, status_of
from tracer.ingest.otlp.tls import Certificates, Pems

Offer = Callable[[bytes], Future[Ack]]  # the sink, as a receiver sees it
# Who is calling, by the metadata (gRPC) or headers (HTTP); None is nobody we know.
Identify = Callable[[Mapping[str, str]], str | None]

TRACE_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
PORT_FLAG: Final = "--otlp-grpc-port"
READ_AT_ONCE: Final = 16  # messages taken from the network at the same time
LOOKAHEAD_BYTES: Final = 512 << 10
UNBEGUN_S: Final = 600  # that a call may wait to be begun: longer than clients do
NEWS_S: Final = 0.1  # in which those who watch health read of a stop
_SECOND_MS: Final = 1_000
_LOG = logging.getLogger(__name__)


class GrpcServer:
    """A running server; `port` is the one it really listens on."""

    def __init__(self, server: grpc.aio.Server, port: int, health_of: Health) -> None:
        self.port = port
        self._server = server
        self._health = health_of

    async def tell_ready(self, ready: bool) -> None:
        """What the health service answers from now on."""
        kinds = health_pb2.HealthCheckResponse
        for service in ("", TRACE_SERVICE):
            await self._health.set(service, kinds.SERVING if ready else kinds.NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, answer those there are, for at most `grace_s`."""
        await self._health.enter_graceful_shutdown()
        stopping = asyncio.create_task(self._server.stop(grace_s))
        await asyncio.sleep(min(grace_s, NEWS_S))
        self._health.stopped.set()
        await stopping


class Health(health.aio.HealthServicer):  # type: ignore[misc]
    """Whoever watches would never end the call, and a stop would wait for it in vain."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = asyncio.Event()

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext
    ) -> None:
        """Changes until the end."""
        watching = asyncio.create_task(super().Watch(request, context))
        stopped = asyncio.create_task(self.stopped.wait())
        try:
            await asyncio.wait((watching, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            stopped.cancel()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the server is stopping")


async def start_grpc(
    offer: Offer,
    *,
    host: str,
    port: int,
    limits: Limits,
    identify: Identify | None = None,
    certificates: Certificates | None = None,
    watch: Watch = nobody,
) -> GrpcServer:
    """Serve TraceService, health and reflection on the running event loop.

    Raises Unavailable when the port is taken.
    """
    server = grpc.aio.server(
        interceptors=[Authentication(identify, watch)] if identify else [],
        options=_options(limits),
    )
    exports = Exports(offer, limits, watch)
    server.add_registered_method_handlers(
        TRACE_SERVICE, {"Export": grpc.stream_unary_rpc_method_handler(exports.export)}
    )
    health_of = Health()
    health_pb2_grpc.add_HealthServicer_to_server(health_of, server)
    names = (TRACE_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    listening_socket(host, port, PORT_FLAG).close()  # the library's own error does not say why
    try:
        if certificates:
            credentials = _credentials(certificates)
            bound = server.add_secure_port(address(host, port), credentials)
        else:
            bound = server.add_insecure_port(address(host, port))
    except RuntimeError as error:
        raise Unavailable(
            f"{address(host, port)} cannot be listened on: choose another port with {PORT_FLAG}"
        ) from error
    await server.start()
    running = GrpcServer(server, bound, health_of)
    await running.tell_ready(True)
    return running


class Authentication(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls of TraceService from callers that `identify` does not know."""

    def __init__(self, identify: Identify, watch: Watch = nobody) -> None:
        self._identify = identify
        self._refuse = grpc.unary_unary_rpc_method_handler(_unauthenticated(watch))

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """The method asked for, or one that answers UNAUTHENTICATED."""
        metadata = {
            key: value
            for key, value in handler_call_details.invocation_metadata
            if isinstance(value, str)
        }
        asks_for_traces = handler_call_details.method.startswith(f"/{TRACE_SERVICE}/")
        if asks_for_traces and self._identify(metadata) is None:
            return self._refuse
        return await continuation(handler_call_details)


def _unauthenticated(
    watch: Watch,
) -> Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]:
    async def refuse(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        with visit(watch, GRPC) as one:
            one.request_bytes, one.refused = len(request), "unauthenticated"
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no valid credentials were sent")
        raise AssertionError("abort raises")

    return refuse


class Exports:
    """The handler of `Export`. On the wire it is unary; as a streaming one it says when to read.

    The library reads no further into a call than its flow control goes until it is asked for the
    message, so what calls hold is bounded by the messages read at once and by the sink.
    """

    def __init__(self, offer: Offer, limits: Limits, watch: Watch = nobody) -> None:
        self._offer = offer
        self._watch = watch
        self._room = asyncio.Semaphore(READ_AT_ONCE)
        self._read_timeout_s = limits.read_timeout_s

    async def export(self, requests: object, context: grpc.aio.ServicerContext) -> bytes:
        """Answer one call."""
        with visit(self._watch, GRPC) as one:
            try:
                ack = one.accept(await self._stored(context, one))
            except TracerError as error:
                one.refuse(error)
                status = rpc_status.to_status(status_of(error))
            except Exception as error:  # noqa: BLE001 - the door: the client gets a Status
                _LOG.exception("%s failed", TRACE_SERVICE)
                one.refuse(error)
                failure = TracerError(f"internal error: {type(error).__name__}")
                status = rpc_status.to_status(status_of(failure))
        if one.ack is None:
            await context.abort(status.code, status.details, status.trailing_metadata)
        response: bytes = response_of(ack).SerializeToString() if ack.rejected else b""
        return response

    async def _stored(self, context: grpc.aio.ServicerContext, one: Visit) -> Ack:
        request = await _read(context, self._room, self._read_timeout_s)
        one.request_bytes = len(request)
        answer = self._offer(request)
        del request  # while it waits only the sink holds it, and counts it
        return await asyncio.wrap_future(answer)


async def _read(
    context: grpc.aio.ServicerContext, room: asyncio.Semaphore, timeout_s: float
) -> bytes:
    """The message of the call, when it is its turn."""
    try:
        async with asyncio.timeout(timeout_s), room:
            request = await context.read()
    except TimeoutError as error:
        raise Unavailable(
            f"the request was not whole after {timeout_s:g} s: retry later, or raise read_timeout"
        ) from error
    if request is grpc.aio.EOF:
        raise BadInput("no request was sent in the call")
    body: bytes = request
    return body


def _credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Asked for at every handshake; None is 'as before'. The library begins at TLS 1.2."""
    known = certificates.current()

    def configuration(pems: Pems) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(pems.key, pems.cert)], root_certificates=pems.client_ca
        )

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal known
        if (pems := certificates.current()) is known:
            return None
        known = pems
        return configuration(pems)

    return grpc.dynamic_ssl_server_credentials(
        configuration(known), changed, require_client_authentication=certificates.asks_clients
    )


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.request_bytes),
        ("grpc.max_concurrent_streams", limits.streams),
        # How much of a call is taken from the network before its message is asked for. Left to the
        # library it grows with the speed of the network, to megabytes in every waiting call.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", LOOKAHEAD_BYTES),
        # The library begins one call in two rounds of the event loop. Where hundreds of calls queue
        # for that on a busy machine, giving up is for the client to decide, by its deadline.
        ("grpc.server_max_unrequested_time_in_server", UNBEGUN_S),
        ("grpc.so_reuseport", 0),  # two servers on one port would share it in silence
        ("grpc.keepalive_time_ms", 60 * _SECOND_MS),  # find dead peers
        ("grpc.keepalive_timeout_ms", 20 * _SECOND_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients may ping every 10 s at most; some do so a little early.
        ("grpc.http2.min_ping_interval_without_data_ms", 5 * _SECOND_MS),
        ("grpc.http2.max_ping_strikes", 2),
    ]
