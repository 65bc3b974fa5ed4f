"""What a receiver must answer, by protobuf's own parse and the rules for spans; no product code.

A span is taken when its ids have their length and are not zero, its times fit 63 bits, it does not
start before retention and does not end more than an hour from now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

RETENTION_NS: Final = 7 * 86_400 * 1_000_000_000
AHEAD_NS: Final = 3_600 * 1_000_000_000
_63_BITS: Final = 1 << 63
_64_BITS: Final = 1 << 64


@dataclass(frozen=True)
class Sums:
    """Spans that are stored: how many, and sums of their ids and durations modulo 2^64."""

    spans: int = 0
    ids: int = 0
    durations_ns: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.spans + other.spans,
            (self.ids + other.ids) % _64_BITS,
            (self.durations_ns + other.durations_ns) % _64_BITS,
        )


@dataclass(frozen=True)
class Answer:
    """Refused as a whole, or so many spans rejected; `stored` is what the store then has more."""

    refused: bool = False
    rejected: int = 0
    stored: Sums = Sums()


REFUSED: Final = Answer(refused=True)


def of_protobuf(body: bytes, now_ns: int) -> Answer:
    """The answer to a request that arrives at this moment."""
    try:
        message = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        return REFUSED
    return of_message(message, now_ns)


def of_message(message: ExportTraceServiceRequest, now_ns: int) -> Answer:
    """The answer to a request that could be read."""
    rejected = count = ids = durations_ns = 0
    for span in _spans(message):
        if not (_is_valid(span) and _is_timely(span, now_ns)):
            rejected += 1
        else:
            count += 1
            ids += int.from_bytes(span.span_id, "little")
            durations_ns += max(0, span.end_time_unix_nano - span.start_time_unix_nano)
    return Answer(False, rejected, Sums(count, ids % _64_BITS, durations_ns % _64_BITS))


def _spans(message: ExportTraceServiceRequest) -> Iterator[Span]:
    for group in message.resource_spans:
        for scope_spans in group.scope_spans:
            yield from scope_spans.spans


def _is_valid(span: Span) -> bool:
    return (
        len(span.trace_id) == 16
        and any(span.trace_id)
        and len(span.span_id) == 8
        and any(span.span_id)
        and len(span.parent_span_id) in (0, 8)
        and span.start_time_unix_nano < _63_BITS
        and span.end_time_unix_nano < _63_BITS
        and all(event.time_unix_nano < _63_BITS for event in span.events)
    )


def _is_timely(span: Span, now_ns: int) -> bool:
    start_ns = span.start_time_unix_nano
    latest_ns = max(start_ns, span.end_time_unix_nano)
    return start_ns >= now_ns - RETENTION_NS and latest_ns <= now_ns + AHEAD_NS
