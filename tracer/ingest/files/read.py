"""The one way from files to spans: open, tell the format by content, turn into OTLP, decode.

Whatever the format, spans pass through the same `decode` as spans that arrive over the network.
Files are read in blocks, so memory follows the block (or the largest trace) and not the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from tracer.columns.records import SpanRecords, concat
from tracer.errors import BadInput, TooLarge
from tracer.ingest.files.account import Account
from tracer.ingest.files.columns_file import column_blocks, kind_of
from tracer.ingest.files.document import NAMES, FileFormat
from tracer.ingest.files.json_text import json_requests
from tracer.ingest.files.naming import expand
from tracer.ingest.files.protobuf import protobuf_requests
from tracer.ingest.files.source import Source, open_source
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.decoded import Rejected

__all__ = ["FileFormat", "FileSpans", "read_blocks", "read_files"]

_BLOCK_BYTES: Final = 8 << 20  # requests decoded in one pass


@dataclass(frozen=True)
class FileSpans:
    """The spans of several files, file after file. `Rejected.request` is an index of `sources`."""

    records: SpanRecords
    rejected: tuple[Rejected, ...]
    sources: tuple[str, ...]
    warnings: tuple[str, ...]


def read_files(
    paths: Sequence[str | Path], *, format: FileFormat = "auto", ingest_ns: int
) -> FileSpans:
    """Every valid span of every file; a path may be a directory, a pattern or `-`.

    Raises `BadInput` that names the file and what to do: not there, not readable, empty, of another
    kind, or without a valid span.
    """
    parts: list[SpanRecords] = []
    rejected: list[Rejected] = []
    warnings: list[str] = []
    sources: list[str] = []
    for number, path in enumerate(expand(paths)):
        with open_source(path) as source:
            account = Account(source.name)
            parts += read_blocks(source, account, format=format, ingest_ns=ingest_ns)
        rejected += [Rejected(number, count, why) for why, count in account.rejected.items()]
        warnings += account.warnings()
        sources.append(source.name)
    try:
        records = concat(parts)
    except pa.ArrowInvalid:
        raise TooLarge(
            f"{', '.join(map(str, paths))}: too many spans to hold at once: "
            "give fewer files, or import them into a data directory"
        ) from None
    return FileSpans(records, tuple(rejected), tuple(sources), tuple(warnings))


def read_blocks(
    source: Source, account: Account, *, format: FileFormat, ingest_ns: int
) -> Iterator[SpanRecords]:
    """The valid spans of one file, some at a time; `account` is kept up to date with what was
    yielded.

    Raises `BadInput` as `read_files` does, at the place where it is found: what came before stands.
    """
    for piece in read_pieces(source, account, format=format, ingest_ns=ingest_ns):
        if isinstance(piece, SpanRecords):
            account.spans += len(piece)
            yield piece
            continue
        decoded = decode(piece, ingest_ns=ingest_ns)
        for error in decoded.refused.values():
            raise BadInput(f"{source.name}: {error}")
        for row in decoded.rejected:
            account.rejected[row.reason] += row.count
        if len(decoded.records):
            account.spans += len(decoded.records)
            yield decoded.records
    require_spans(source, account)


def read_pieces(
    source: Source, account: Account, *, format: FileFormat, ingest_ns: int
) -> Iterator[SpanRecords | list[bytes]]:
    """What `read_blocks` counts and yields, as the file gives it: OTLP requests to decode together,
    or spans that need no decoding."""
    kind = kind_of(source)
    if kind is not None:
        if format not in (kind, "auto"):
            raise source.error(
                f"is {NAMES[kind]}, not {NAMES[format]}: use --format {kind} or auto"
            )
        yield from column_blocks(source, account, ingest_ns=ingest_ns)
    elif format in ("parquet", "arrow"):
        raise source.error(f"is no {NAMES[format]} file: use --format auto")
    else:
        yield from _blocks(_requests(source, format, account))


def require_spans(source: Source, account: Account) -> None:
    """Raises `BadInput` when nothing of a whole file was taken."""
    if account.spans:
        return
    why = "; ".join(f"{count} rejected: {reason}" for reason, count in account.rejected.items())
    raise source.error(
        f"has no valid span ({why}): export the trace again"
        if why
        else "has no spans in it: export a trace that has some"
    )


def _requests(source: Source, format: FileFormat, account: Account) -> Iterator[bytes]:
    """Serialized OTLP requests. Protobuf is tried first where the first byte allows it, because a
    message may begin with the bytes of a newline and a brace."""
    if format in ("auto", "otlp"):
        requests = protobuf_requests(source, account)
        if requests is not None:
            return requests
    return json_requests(source, format, account)


def _blocks(requests: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Requests to decode in one pass; of a file with a fault, also those right before it."""
    block: list[bytes] = []
    size = 0
    try:
        for request in requests:
            block.append(request)
            size += len(request)
            if size >= _BLOCK_BYTES:
                yield block
                block, size = [], 0
    except BadInput:
        if block:
            yield block
        raise
    if block:
        yield block
