"""Spans as Parquet or as an Arrow stream, a block at a time; `columns_file` reads them back."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tracer.columns.records import SpanRecords
from tracer.columns.schema import arrow_schema


def to_parquet(parts: Iterable[SpanRecords]) -> Iterator[bytes]:
    """A Parquet file, a row group for each part; texts that repeat are stored once."""
    sink = _Sink()
    with pq.ParquetWriter(sink, arrow_schema(), compression="zstd") as writer:
        for records in parts:
            if len(records):
                writer.write_batch(records.batch)
                yield sink.taken()
    yield sink.taken()


def to_arrow(parts: Iterable[SpanRecords]) -> Iterator[bytes]:
    """An Arrow IPC stream, compressed with zstd: what most data frames open."""
    sink = _Sink()
    options = pa.ipc.IpcWriteOptions(compression="zstd", emit_dictionary_deltas=False)
    with pa.ipc.new_stream(sink, arrow_schema(), options=options) as writer:
        for records in parts:
            writer.write_batch(records.batch)
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file whose bytes are taken away while it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        self._parts.append(bytes(content))
        self._size += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        """What was written since the last time."""
        content = b"".join(self._parts)
        self._parts = []
        return content
