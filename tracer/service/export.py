"""Stored spans in the form of a file, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from tracer.columns.records import SpanRecords
from tracer.errors import BadQuery
from tracer.ingest.files.columns_out import to_arrow, to_parquet
from tracer.ingest.files.jaeger_out import to_jaeger
from tracer.ingest.otlp.encode import to_otlp_lines
from tracer.service.context import Context, Window
from tracer.store.activity import read_bounds
from tracer.store.reader import read_where, spans_by_trace


class Form(NamedTuple):
    """How spans are written, and what HTTP calls it."""

    write: Callable[[Iterable[SpanRecords]], Iterator[bytes]]
    media_type: str


def to_lines(parts: Iterable[SpanRecords]) -> Iterator[bytes]:
    """One TracesData object a line."""
    for records in parts:
        yield from to_otlp_lines(records)


FORMS: Final[dict[str, Form]] = {
    "otlp": Form(to_lines, "application/x-ndjson"),
    "jaeger": Form(to_jaeger, "application/json"),
    "parquet": Form(to_parquet, "application/vnd.apache.parquet"),
    "arrow": Form(to_arrow, "application/vnd.apache.arrow.stream"),
}
CHUNK_SPANS = 200_000
CHUNK_TRACES = 5_000
NO_LIMIT = 2**31


def form(name: str | None) -> Form:
    """By name; None is the first. Raises BadQuery."""
    if name is not None and name not in FORMS:
        raise BadQuery(f"format {name!r} is not one of {', '.join(FORMS)}")
    return FORMS[name or next(iter(FORMS))]


def export(context: Context, window: Window, written: Form) -> Iterator[bytes]:
    """Every trace with a span that starts in the window, whole, in pieces of any size.

    Traces come in order of id, so that the same store gives the same file.
    """
    return written.write(_parts(context, window))


def _parts(context: Context, window: Window) -> Iterator[SpanRecords]:
    for ids in _chunks(spans_by_trace(context.engine, window.start_ns, window.end_ns)):
        start_ns, end_ns = read_bounds(context.engine, ids)
        yield read_where(
            context.engine,
            "TraceId IN {ids:Ids} AND Timestamp >= fromUnixTimestamp64Nano({lo:Int64}) "
            "AND Timestamp <= fromUnixTimestamp64Nano({hi:Int64})",
            {"ids": ids, "lo": start_ns, "hi": end_ns},
            limit=NO_LIMIT,
        )


def _chunks(counted: list[tuple[str, int]]) -> Iterator[list[str]]:
    chunk: list[str] = []
    spans = 0
    for trace_id, count in counted:
        if chunk and (spans + count > CHUNK_SPANS or len(chunk) == CHUNK_TRACES):
            yield chunk
            chunk, spans = [], 0
        chunk.append(trace_id)
        spans += count
    if chunk:
        yield chunk
