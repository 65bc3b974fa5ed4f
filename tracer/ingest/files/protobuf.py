"""Binary OTLP files: one message (request and TracesData are the same bytes), or many, each after
its length, written as a varint or as four bytes big-endian (the collector's file exporter).

    whole       0a …                  field 1, resource_spans, again and again
    varint      NN 0a … NN 0a …
    four bytes  00 00 NN NN 0a … 00 00 NN NN 0a …

Which one it is shows in the first kilobytes. Then a message, or a group of spans of the whole one,
is read at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracer.errors import BadInput
from tracer.ingest.files.account import Account
from tracer.ingest.files.document import GIVE
from tracer.ingest.files.source import HEAD_BYTES, Source
from tracer.ingest.otlp.wire import DELIMITED, FIXED32, FIXED64, VARINT

_RESOURCE_SPANS: Final = 0x0A
_MEMBERS: Final = (0x0A, 0x12, 0x1A)  # of ResourceSpans: resource, scope_spans, schema_url
_BLANKS: Final = b" \t\r\n"
_VARINT_BYTES: Final = 10
_LONGEST: Final = (1 << 31) - 1  # bytes of a message that protobuf reads
_FIXED_BYTES: Final = {FIXED64: 8, FIXED32: 4}
Length = tuple[int, int]  # of what follows, and how many bytes say so; the latter 0: cut off
_LengthReader = Callable[[bytes, int], Length]


def protobuf_requests(source: Source, account: Account) -> Iterator[bytes] | None:
    """The requests in a binary file; None when it is text. Nothing is read before it is iterated.

    Raises `BadInput` when it is neither.
    """
    head = source.head()
    is_json = head.lstrip(_BLANKS)[:1] in (b"{", b"[")
    if is_json and head[0] != _RESOURCE_SPANS:
        return None
    ends = len(head) < HEAD_BYTES
    if _is_whole(head, ends):
        return _groups(source, account)
    for length_at in (_varint, _four_bytes):
        if _is_delimited(head, ends, length_at):
            return _messages(source, length_at, account)
    if is_json or not head.strip(_BLANKS):
        return None
    raise source.error(f"is neither JSON nor OTLP protobuf: {GIVE}")


def _is_whole(head: bytes, ends: bool) -> bool:
    """Whether field 1 comes first, and what is in it is a group of spans."""
    if head[0] != _RESOURCE_SPANS:
        return False
    length, taken = _varint(head, 1)
    group = head[1 + taken : 1 + taken + length]
    if not taken or not 0 < length <= _LONGEST:
        return bool(taken) and length == 0 and _is_request(head)
    if len(group) == length:
        return _is_request(head[: 1 + taken + length])
    return not ends and group[0] in _MEMBERS


def _is_delimited(head: bytes, ends: bool, length_at: _LengthReader) -> bool:
    """Whether the first message that is not empty, after its length, is a request."""
    at = 0
    while at < len(head):
        length, taken = length_at(head, at)
        at += taken
        if not taken or length > _LONGEST or (length and head[at : at + 1] != b"\x0a"):
            return False
        if length:
            message = head[at : at + length]
            return _is_request(message) if len(message) == length else not ends
    return False


def _is_request(content: bytes) -> bool:
    try:
        return len(ExportTraceServiceRequest.FromString(content).resource_spans) > 0
    except DecodeError:
        return False


def _groups(source: Source, account: Account) -> Iterator[bytes]:
    """The fields of one message that are groups of spans, each a request of its own."""
    at = count = 0
    while source.head(1):
        tag, spelled = _read_varint(source)
        field, kind = tag >> 3, tag & 7
        length = _FIXED_BYTES.get(kind, 0)
        if spelled and kind in (VARINT, DELIMITED):
            number, more = _read_varint(source)
            spelled = spelled + more if more else b""
            length = number if kind == DELIMITED else 0
        elif spelled and not (length and field):
            raise _damaged(source, at)
        content = source.read(length) if spelled else b""
        if not spelled or len(content) < length:
            _cut_off(source, account, at, count)
            return
        if field == 1 and kind == DELIMITED:
            count += 1
            yield spelled + content
        at += len(spelled) + length


def _messages(source: Source, length_at: _LengthReader, account: Account) -> Iterator[bytes]:
    at = count = 0
    while begun := source.head(_VARINT_BYTES):
        length, taken = length_at(begun, 0)
        if length > _LONGEST:
            raise _damaged(source, at)
        source.read(taken)
        message = source.read(length)
        if not taken or len(message) < length:
            _cut_off(source, account, at, count)
            return
        if length and not _is_request(message):
            raise _damaged(source, at)
        count += 1
        yield message
        at += taken + length


def _read_varint(source: Source) -> tuple[int, bytes]:
    """A varint and its bytes; no bytes when the file ends within it."""
    number, taken = _varint(source.head(_VARINT_BYTES), 0)
    return number, source.read(taken)


def _damaged(source: Source, at: int) -> BadInput:
    return source.error(f"is damaged OTLP protobuf from byte {at:,} on: export or copy it again")


def _cut_off(source: Source, account: Account, at: int, count: int) -> None:
    if not count:
        raise source.error(f"is neither JSON nor OTLP protobuf: {GIVE}")
    account.cut_off = f"it is cut off: what begins at byte {at:,} was left out"


def _varint(content: bytes, at: int) -> Length:
    length = 0
    for index, byte in enumerate(content[at : at + _VARINT_BYTES]):
        length |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return length, index + 1
    return 0, 0


def _four_bytes(content: bytes, at: int) -> Length:
    return int.from_bytes(content[at : at + 4], "big"), 4 if at + 4 <= len(content) else 0
