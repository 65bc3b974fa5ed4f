"""Stored spans as OTLP JSON lines, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.ingest.otlp.encode import to_otlp_lines
from tracer.service.context import Context, Window
from tracer.store.activity import read_bounds
from tracer.store.reader import read_where, spans_by_trace

CHUNK_SPANS = 200_000
CHUNK_TRACES = 5_000
NO_LIMIT = 2**31


def export_lines(context: Context, window: Window) -> Iterator[bytes]:
    """One TracesData object a line; every trace with a span that starts in the window, whole.

    Traces come in order of id, so that the same store gives the same file.
    """
    for ids in _chunks(spans_by_trace(context.engine, window.start_ns, window.end_ns)):
        start_ns, end_ns = read_bounds(context.engine, ids)
        records = read_where(
            context.engine,
            "TraceId IN {ids:Ids} AND Timestamp >= fromUnixTimestamp64Nano({lo:Int64}) "
            "AND Timestamp <= fromUnixTimestamp64Nano({hi:Int64})",
            {"ids": ids, "lo": start_ns, "hi": end_ns},
            limit=NO_LIMIT,
        )
        yield from to_otlp_lines(records)


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
