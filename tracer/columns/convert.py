"""From whole spans to what the analysis needs of them: hex to integers, names to codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tracer.columns.records import SpanRecords
from tracer.columns.schema import SPAN_KINDS, STATUS_CODES
from tracer.columns.spans import SEND_OPERATIONS, ServiceIdentity, SpanColumns
from tracer.errors import BadInput

_NOT_HEX = 255
_NIBBLE = np.full(256, _NOT_HEX, np.uint8)
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _NIBBLE[np.frombuffer(_digits, np.uint8)] = np.arange(16, dtype=np.uint8)
_IDENTITY = ("TenantId", "Environment", "ServiceNamespace", "ServiceName")
_DROPPED = ("DroppedAttributesCount", "DroppedEventsCount", "DroppedLinksCount")
_LATEST_NS = np.uint64(2**63 - 1)


def columns_from_records(records: SpanRecords) -> SpanColumns:
    """Same rows, same order. No Python object per span. Raises BadInput on an id that is not hex.

    Kinds and status codes outside their OTLP enum count as unspecified.
    """
    batch = records.batch
    trace_id = hex_words(batch.column("TraceId"), 2)
    start_ns = _numbers(batch.column("Timestamp").cast(pa.int64()), np.int64)
    duration_ns = _numbers(batch.column("Duration"), np.uint64)
    backwards_ns = _numbers(batch.column("EndsBeforeStartNs"), np.uint64)
    room_ns = _LATEST_NS - np.maximum(start_ns, 0).astype(np.uint64)
    end_ns = start_ns + np.minimum(duration_ns, room_ns).astype(np.int64)
    end_ns -= np.minimum(backwards_ns, np.maximum(start_ns, 0).astype(np.uint64)).astype(np.int64)
    return with_names(
        batch,
        trace_hi=trace_id[0],
        trace_lo=trace_id[1],
        span_id=hex_words(batch.column("SpanId"), 1)[0],
        parent_span_id=hex_words(batch.column("ParentSpanId"), 1)[0],
        start_ns=start_ns,
        end_ns=end_ns,
        dropped=np.any([_numbers(batch.column(name), np.uint32) > 0 for name in _DROPPED], axis=0),
        weight=_numbers(batch.column("SamplingWeight"), np.float64),
    )


def with_names(batch: pa.RecordBatch, **numbers: NDArray[Any]) -> SpanColumns:
    """Columns of `numbers` and of the names in `batch`, dictionaries that become codes.

    `numbers` are the numeric fields of SpanColumns that are no codes.
    """
    service, services = _identities(batch)
    operation, operations = _words(batch.column("SpanName"))
    version, versions = _words(batch.column("ServiceVersion"))
    host, hosts = _words(batch.column("Host"))
    return SpanColumns(
        **numbers,
        kind=_enum(batch.column("SpanKind"), SPAN_KINDS),
        status=_enum(batch.column("StatusCode"), STATUS_CODES),
        sends_message=_enum(batch.column("MessagingOperation"), ("", *SEND_OPERATIONS)) > 0,
        service=service,
        operation=operation,
        version=version,
        host=host,
        services=services,
        operations=operations,
        versions=versions,
        hosts=hosts,
    )


def hex_words(ids: pa.StringArray, words: int) -> list[NDArray[np.uint64]]:
    """Hex ids of 16 digits a word, first word first; shorter ones lack leading zeros, '' is 0.

    Raises BadInput on anything else.
    """
    width = 16 * words
    offsets, text = _buffers(ids)
    lengths = np.diff(offsets)
    if not ((lengths == width) | (lengths == 0)).all():
        ids = pc.if_else(pc.equal(ids, ""), "", pc.utf8_lpad(ids, width, "0"))
        offsets, text = _buffers(ids)
        lengths = np.diff(offsets)
    nibbles = _NIBBLE[text[offsets[0] : offsets[-1]]]
    if (lengths > width).any() or (nibbles == _NOT_HEX).any():
        raise BadInput(f"an id is not hex of at most {width} digits; write ids as lower-case hex")
    digits = nibbles.reshape(-1, width)
    octets = (digits[:, 0::2] << 4) | digits[:, 1::2]
    found = octets.view(">u8").astype(np.uint64)
    if len(found) == len(lengths):
        return [found[:, word].copy() for word in range(words)]
    result = [np.zeros(len(lengths), np.uint64) for _ in range(words)]
    filled = lengths > 0
    for word, column in enumerate(result):
        column[filled] = found[:, word]
    return result


def _buffers(ids: pa.StringArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    _, offsets, text = ids.buffers()
    if not len(ids):
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    every = np.frombuffer(offsets, np.int32)
    characters = np.zeros(0, np.uint8) if text is None else np.frombuffer(text, np.uint8)
    return every[ids.offset : ids.offset + len(ids) + 1], characters


def _numbers(column: pa.Array, dtype: type[np.generic]) -> NDArray[Any]:
    return np.asarray(column.to_numpy(zero_copy_only=False)).astype(dtype)


def _words(column: pa.DictionaryArray) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Codes and what they stand for."""
    return _numbers(column.indices, np.int32), tuple(column.dictionary.to_pylist())


def _enum(column: pa.DictionaryArray, names: tuple[str, ...]) -> NDArray[np.int8]:
    """Places in `names`, 0 for anything else."""
    codes, words = _words(column)
    numbers = [names.index(word) if word in names else 0 for word in words]
    return np.array(numbers or [0], np.int8)[codes]


def _identities(batch: pa.RecordBatch) -> tuple[NDArray[np.int32], tuple[ServiceIdentity, ...]]:
    """Codes of the service identities, numbered as the four dictionaries number their parts."""
    parts = [_words(batch.column(name)) for name in _IDENTITY]
    packed = np.zeros(batch.num_rows, np.int64)
    for codes, words in parts:
        packed = packed * max(1, len(words)) + codes
        _, packed = np.unique(packed, return_inverse=True)
    _, first, code = np.unique(packed, return_index=True, return_inverse=True)
    identities = tuple(
        ServiceIdentity(*(words[codes[row]] for codes, words in parts)) for row in first.tolist()
    )
    return code.astype(np.int32), identities
