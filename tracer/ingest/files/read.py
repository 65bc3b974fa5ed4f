"""The one way from files to spans: open, tell the format by content, turn into OTLP, decode.

Whatever the format, spans pass through the same `decode` as spans that arrive over the network.
JSON lines are read in pieces, so memory follows the spans and not the text; other forms are one
document and are held whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from tracer.columns.records import SpanRecords, concat
from tracer.errors import BadInput, TooLarge
from tracer.ingest.files.document import FileFormat
from tracer.ingest.files.json_text import json_requests
from tracer.ingest.files.protobuf import protobuf_requests
from tracer.ingest.files.source import Source, open_source
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.decoded import Rejected

__all__ = ["FileFormat", "FileSpans", "read_files"]

_PIECE_BYTES: Final = 8 << 20  # requests decoded in one pass


@dataclass(frozen=True)
class FileSpans:
    """The spans of several files, file after file. `Rejected.request` is an index of `sources`."""

    records: SpanRecords
    rejected: tuple[Rejected, ...]
    sources: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass
class _OneFile:
    parts: list[SpanRecords] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)

    def span_count(self) -> int:
        return sum(map(len, self.parts))


def read_files(
    paths: Sequence[Path],
    *,
    format: Literal["auto", "otlp", "jaeger"] = "auto",
    ingest_ns: int,
) -> FileSpans:
    """Every valid span of every file.

    Raises `BadInput` that names the file and what to do: not there, not readable, empty, of another
    kind, or without a valid span.
    """
    parts: list[SpanRecords] = []
    rejected: list[Rejected] = []
    warnings: list[str] = []
    for number, path in enumerate(paths):
        one = _read(path, format, ingest_ns, warnings)
        parts += one.parts
        rejected += [Rejected(number, count, reason) for reason, count in one.rejected.items()]
    try:
        records = concat(parts)
    except pa.ArrowInvalid:
        raise TooLarge(
            f"{', '.join(map(str, paths))}: too many spans to hold at once: "
            "give fewer files, or import them into a data directory"
        ) from None
    return FileSpans(records, tuple(rejected), tuple(map(str, paths)), tuple(warnings))


def _read(path: Path, format: FileFormat, ingest_ns: int, warnings: list[str]) -> _OneFile:
    one = _OneFile()
    with open_source(path) as source:
        for piece in _pieces(_requests(source, format, warnings)):
            decoded = decode(piece, ingest_ns=ingest_ns)
            for error in decoded.refused.values():
                raise BadInput(f"{path}: {error}")
            if len(decoded.records):
                one.parts.append(decoded.records)
            for row in decoded.rejected:
                one.rejected[row.reason] += row.count
    if not one.span_count():
        why = "; ".join(f"{count} rejected: {reason}" for reason, count in one.rejected.items())
        raise BadInput(
            f"{path} has no valid span ({why}): export the trace again"
            if why
            else f"{path} has no spans in it: export a trace that has some"
        )
    return one


def _requests(source: Source, format: FileFormat, warnings: list[str]) -> Iterator[bytes]:
    """Serialized OTLP requests. Protobuf is tried first where the first byte allows it, because a
    message may begin with the bytes of a newline and a brace."""
    if format != "jaeger":
        requests = protobuf_requests(source)
        if requests is not None:
            return iter(requests)
    return json_requests(source, format, warnings)


def _pieces(requests: Iterator[bytes]) -> Iterator[list[bytes]]:
    piece: list[bytes] = []
    size = 0
    for request in requests:
        piece.append(request)
        size += len(request)
        if size >= _PIECE_BYTES:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece
