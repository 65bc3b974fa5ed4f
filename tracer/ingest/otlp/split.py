"""A very large request as several small ones, so that memory follows their size and not its own.

Columns of a million short spans take twenty times the bytes of the request they came in.
"""

from __future__ import annotations

from collections.abc import Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def split(request: bytes, part_bytes: int) -> Iterator[bytes]:
    """Requests of about `part_bytes` with the same spans in the same order.

    Every part has at least one span, however large. The request must be one that decodes.
    """
    message = ExportTraceServiceRequest.FromString(request)
    spans = sum(len(scope.spans) for group in message.resource_spans for scope in group.scope_spans)
    wanted = max(1, spans * part_bytes // max(1, len(request)))
    part, room = ExportTraceServiceRequest(), wanted
    for group in message.resource_spans:
        for scope in group.scope_spans:
            at = 0
            while at < len(scope.spans):
                taken = scope.spans[at : at + room]
                into = part.resource_spans.add(resource=group.resource, schema_url=group.schema_url)
                into.scope_spans.add(scope=scope.scope, schema_url=scope.schema_url, spans=taken)
                at += len(taken)
                room -= len(taken)
                if not room:
                    yield part.SerializeToString()
                    part, room = ExportTraceServiceRequest(), wanted
    if room < wanted:
        yield part.SerializeToString()
