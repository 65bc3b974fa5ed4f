"""Parquet and Arrow files of our own columns: what `tracer export` writes, read back.

Nothing is parsed or converted, so this is the fast way from one data directory to another. The
columns are those of `columns/schema.py`; extra ones are ignored, and of ours those may be missing
that the collector's layout does not have. Whose spans these are and when they came in is decided
anew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tracer.columns.records import SpanRecords
from tracer.columns.schema import COLLECTOR, SPANS, arrow_schema
from tracer.ingest.files.account import Account
from tracer.ingest.files.document import FileFormat
from tracer.ingest.files.source import Source
from tracer.ingest.otlp.arrays import constant_words, times
from tracer.ingest.otlp.decoded import REASONS

_ARROW_FILE: Final = b"ARROW1\0\0"
_ARROW_STREAM: Final = b"\xff\xff\xff\xff"
_PARQUET: Final = b"PAR1"
_BATCH_ROWS: Final = 32_768
_NEEDED: Final = frozenset(column.name for column in COLLECTOR)
_LATEST: Final = np.uint64((1 << 63) - 1)


def kind_of(source: Source) -> FileFormat | None:
    """parquet, arrow, or None for anything else."""
    head = source.head(len(_ARROW_FILE))
    if head.startswith(_PARQUET):
        return "parquet"
    return "arrow" if head.startswith((_ARROW_FILE, _ARROW_STREAM)) else None


def column_blocks(source: Source, account: Account, *, ingest_ns: int) -> Iterator[SpanRecords]:
    """The valid spans, some at a time; the others are counted as rejected. Raises `BadInput`."""
    try:
        for batch in _batches(source):
            batch.validate(full=True)  # what is read is believed from here on
            records = _records(source, batch, ingest_ns)
            valid = _valid(records, account)
            if len(valid):
                yield valid
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise source.error(f"is damaged ({_line(error)}): export or copy it again") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise source.error(f"is damaged ({_line(error)}): export or copy it again") from None


def _batches(source: Source) -> Iterator[pa.RecordBatch]:
    head = source.head(len(_ARROW_FILE))
    if head.startswith(_ARROW_STREAM):
        with pa.ipc.open_stream(pa.PythonFile(_Whole(source), mode="r")) as stream:
            yield from stream
        return
    with _seekable(source) as file:
        if head.startswith(_PARQUET):
            yield from pq.ParquetFile(file).iter_batches(_BATCH_ROWS)
            return
        with pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


class _Whole:
    """A source as Arrow reads files: it asks for bytes until it has them."""

    closed = False

    def __init__(self, source: Source) -> None:
        self.read = source.read

    def close(self) -> None:
        """The source is closed by whoever opened it."""


def _seekable(source: Source) -> IO[bytes]:
    """These formats have their table of contents at the end: what cannot be wound goes to disk."""
    if source.path is not None and not source.packing:
        return source.path.open("rb")
    spooled = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    while chunk := source.chunk():
        spooled.write(chunk)
    spooled.seek(0)
    return spooled


def _records(source: Source, batch: pa.RecordBatch, ingest_ns: int) -> SpanRecords:
    """The batch with exactly our columns."""
    rows = batch.num_rows
    made = {
        "IngestTime": times(np.full(rows, ingest_ns, np.uint64)),
        "TenantId": constant_words("", rows),
    }
    columns = [
        made[spec.name] if spec.name in made else _column(source, batch, spec.name, spec.arrow)
        for spec in SPANS
    ]
    return SpanRecords(pa.RecordBatch.from_arrays(columns, schema=arrow_schema()))


def _column(source: Source, batch: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
    at = batch.schema.get_field_index(name)
    if at < 0:
        if name in _NEEDED:
            raise source.error(
                f"has no column {name}: it is no span table that tracer exported; give one"
            )
        return _empty(kind, batch.num_rows)
    column = batch.column(at)
    if column.null_count:
        raise source.error(f"has rows without {name}: export it again with tracer export")
    try:
        if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(column.type):
            column = column.cast(kind.value_type).dictionary_encode()
        return column if column.type.equals(kind) else column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise source.error(
            f"has a column {name} of type {column.type}, not {kind}: "
            "export it again with tracer export"
        ) from None


def _empty(kind: pa.DataType, rows: int) -> pa.Array:
    """A column that says nothing: '', 0 or no items."""
    if pa.types.is_dictionary(kind):
        return constant_words("", rows)
    value: Any = "" if pa.types.is_string(kind) else 0
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        value = []
    return pa.array([value] * rows, kind)


def _valid(records: SpanRecords, account: Account) -> SpanRecords:
    """The spans that `decode` would take; the first rule that one breaks is counted."""
    column = records.batch.column
    start_ns = _integers(column("Timestamp"))
    room_ns = _LATEST - np.maximum(start_ns, 0).astype(np.uint64)
    rules = (
        ~_matches(column("TraceId"), "^[0-9a-f]{32}$"),
        _matches(column("TraceId"), "^0+$"),
        ~_matches(column("SpanId"), "^[0-9a-f]{16}$"),
        _matches(column("SpanId"), "^0+$"),
        ~_matches(column("ParentSpanId"), "^([0-9a-f]{16})?$"),
        start_ns < 0,
        column("Duration").to_numpy(zero_copy_only=False) > room_ns,
        _has_negative(column("Events.Timestamp")),
    )
    broken = np.select(rules, np.arange(len(rules)), -1)
    if (broken < 0).all():
        return records
    for rule, count in zip(*np.unique(broken[broken >= 0], return_counts=True), strict=True):
        account.rejected[REASONS[rule]] += int(count)
    return SpanRecords(records.batch.filter(pa.array(broken < 0)))


def _matches(texts: pa.StringArray, pattern: str) -> NDArray[np.bool_]:
    found = pc.match_substring_regex(texts, pattern)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)


def _integers(moments: pa.TimestampArray) -> NDArray[np.int64]:
    return np.asarray(moments.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)


def _has_negative(lists: pa.ListArray) -> NDArray[np.bool_]:
    owners = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    found = np.zeros(len(lists), np.bool_)
    found[owners[_integers(lists.flatten()) < 0]] = True
    return found


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
