"""Our errors as `google.rpc.Status`, which is what OTLP clients read over gRPC and over HTTP."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from tracer.errors import BadInput, TooLarge, Unavailable, codes
from tracer.ingest.commit import Ack


def status_of(error: BaseException) -> Status:
    """The status of an error: its code by the table, and what tells a client whether to retry.

    `TooLarge` carries no RetryInfo: with it, RESOURCE_EXHAUSTED would mean "try again".
    """
    status = Status(code=Code.Value(codes(error).grpc), message=str(error))
    if isinstance(error, BadInput) and not isinstance(error, TooLarge):
        violation = BadRequest.FieldViolation(description=str(error))
        status.details.append(_any(BadRequest(field_violations=[violation])))
    if isinstance(error, Unavailable):
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        status.details.append(_any(RetryInfo(retry_delay=delay)))
    return status


def response_of(ack: Ack) -> ExportTraceServiceResponse:
    """Empty on full success; a client takes `partial_success` for a complaint."""
    if not ack.rejected:
        return ExportTraceServiceResponse()
    return ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(
            rejected_spans=ack.rejected, error_message=ack.message
        )
    )


def _any(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
