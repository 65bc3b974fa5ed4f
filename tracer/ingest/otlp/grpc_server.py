"""OTLP over gRPC: bytes in, an acknowledgement out.

Requests are never parsed here: the handlers are registered for raw bytes, and the sink decodes many
of them at once. A handler waits on the event loop, so a waiting exporter costs no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Final

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from tracer.errors import TracerError, Unavailable
from tracer.ingest.commit import Ack
from tracer.ingest.otlp.door import GRPC, Watch, nobody, visit
from tracer.ingest.otlp.listen import address, listening_socket
from tracer.ingest.otlp.status import response_of, status_of

Offer = Callable[[bytes], Future[Ack]]  # the sink, as a receiver sees it
# Who is calling, by the metadata (gRPC) or headers (HTTP); None is nobody we know.
Identify = Callable[[Mapping[str, str]], str | None]

TRACE_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
PORT_FLAG: Final = "--otlp-grpc-port"
_SECOND_MS: Final = 1_000


class GrpcServer:
    """A running server; `port` is the one it really listens on."""

    def __init__(self, server: grpc.aio.Server, port: int, health_of: health.aio.HealthServicer):
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
        await self._server.stop(grace_s)


async def start_grpc(
    offer: Offer,
    *,
    host: str,
    port: int,
    max_request_bytes: int,
    identify: Identify | None = None,
    watch: Watch = nobody,
) -> GrpcServer:
    """Serve TraceService, health and reflection on the running event loop.

    Raises Unavailable when the port is taken.
    """
    server = grpc.aio.server(
        interceptors=[Authentication(identify, watch)] if identify else [],
        options=[
            ("grpc.max_receive_message_length", max_request_bytes),
            ("grpc.so_reuseport", 0),  # two servers on one port would share it in silence
            ("grpc.keepalive_time_ms", 60 * _SECOND_MS),  # find dead peers
            ("grpc.keepalive_timeout_ms", 20 * _SECOND_MS),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 10 * _SECOND_MS),
        ],
    )
    server.add_registered_method_handlers(
        TRACE_SERVICE, {"Export": grpc.unary_unary_rpc_method_handler(_export(offer, watch))}
    )
    health_of = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_of, server)
    names = (TRACE_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    listening_socket(host, port, PORT_FLAG).close()  # the library's own error does not say why
    try:
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


def _export(
    offer: Offer, watch: Watch
) -> Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]:
    async def export(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        with visit(watch, GRPC) as one:
            one.request_bytes = len(request)
            try:
                answer = response_of(one.accept(await asyncio.wrap_future(offer(request))))
            except TracerError as error:
                one.refuse(error)
                answer = status_of(error)
        if one.ack is None:
            status = rpc_status.to_status(answer)
            await context.abort(status.code, status.details, status.trailing_metadata)
        serialized: bytes = answer.SerializeToString()
        return serialized

    return export
