"""Binary OTLP files: one message (request and TracesData are the same bytes), or many, each after
its length, written as a varint or as four bytes big-endian (the collector's file exporter).

    whole       0a …                  field 1, resource_spans
    varint      NN 0a … NN 0a …
    four bytes  00 00 NN NN 0a … 00 00 NN NN 0a …
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracer.ingest.files.source import Source

_RESOURCE_SPANS: Final = 0x0A
_BLANKS: Final = b" \t\r\n"
_VARINT_BYTES: Final = 5
_LengthReader = Callable[[bytes, int], tuple[int, int]]  # (data, at) -> (length, bytes it took)


def protobuf_requests(source: Source) -> list[bytes] | None:
    """The requests in a binary file; None, and nothing read, when it begins as text does.

    A file that could be either is read and, if it is not protobuf, put back.
    """
    head = source.head()
    if head.lstrip(_BLANKS)[:1] in (b"{", b"[") and head[0] != _RESOURCE_SPANS:
        return None
    start = source.stream.tell()
    content = source.stream.read()
    if content[0] == _RESOURCE_SPANS and _is_request(content):
        return [content]
    for length_at in (_varint, _four_bytes):
        messages = _delimited(content, length_at)
        if messages:
            return messages
    if head.lstrip(_BLANKS)[:1] in (b"{", b"["):
        source.stream.seek(start)
        return None
    raise source.error(
        "is neither JSON nor OTLP protobuf: give OTLP (JSON, JSON lines, protobuf) or Jaeger JSON"
    )


def _is_request(content: bytes) -> bool:
    try:
        message = ExportTraceServiceRequest.FromString(content)
    except DecodeError:
        return False
    return len(message.resource_spans) > 0


def _delimited(content: bytes, length_at: _LengthReader) -> list[bytes]:
    """All messages when lengths and contents fit to the last byte, else none."""
    messages: list[bytes] = []
    at = 0
    while at < len(content):
        length, taken = length_at(content, at)
        message = content[at + taken : at + taken + length]
        if taken == 0 or len(message) != length or (length and not _is_request(message)):
            return []
        messages.append(message)
        at += taken + length
    return messages


def _varint(content: bytes, at: int) -> tuple[int, int]:
    length = 0
    for index, byte in enumerate(content[at : at + _VARINT_BYTES]):
        length |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return length, index + 1
    return 0, 0


def _four_bytes(content: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(content[at : at + 4], "big"), 4 if at + 4 <= len(content) else 0
