"""Traces of a back end for one question: as many as it takes, and nothing stays.

    longer than asked      all of them, up to a limit
    ordinary ones besides  all of them where they are few, else a sample spread over the range:
                           without them nothing says what is usual

A back end compares the duration of a span of the service with `min_duration`, tracer that of the
whole request. Where all traces of the range were read there is no difference; where only a sample
was, a slow request may be missing in which the service itself was fast, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tracer.columns.records import SpanRecords
from tracer.errors import TooLarge
from tracer.ingest.pull.contract import Search, Source
from tracer.ingest.pull.spans import spans_by_trace
from tracer.ingest.pull.window import FINEST_NS, Seen, Taken, stream
from tracer.service.context import Window

SLICES: Final = 16  # pieces of a range that a sample is taken from


def borrow(
    source: Source,
    windows: list[Window],
    taken: Taken,
    *,
    service: str | None,
    operation: str | None,
    min_duration_ns: int | None,
    most_traces: int,
) -> Iterator[SpanRecords]:
    """Spans some at a time; `taken.missing` says what was not read. The first window is the one
    that is asked about, a second one only tells what is usual."""
    services = [service] if service else source.services()
    seen = Seen()
    share = max(1, most_traces // max(1, len(services)))
    for name in services:
        for number, window in enumerate(windows):
            whole = Search(name, window.start_ns, window.end_ns, operation or "")
            if min_duration_ns is not None and number == 0:
                slow = Search(name, whole.start_ns, whole.end_ns, whole.operation, min_duration_ns)
                yield from stream(source, slow, seen, taken, most_traces=share)
            yield from _ordinary(source, whole, seen, taken)


def _ordinary(source: Source, whole: Search, seen: Seen, taken: Taken) -> Iterator[SpanRecords]:
    """All traces if one answer holds them, else an answer for each slice."""
    fresh, is_cut = _answer(source, whole, seen, taken)
    if len(fresh):
        yield fresh
    if not is_cut:
        return
    step = max(FINEST_NS, (whole.end_ns - whole.start_ns) // SLICES)
    for start_ns in range(whole.start_ns, whole.end_ns, step):
        end_ns = min(whole.end_ns, start_ns + step)
        slice_ = Search(whole.service, start_ns, end_ns, whole.operation)
        fresh, is_cut = _answer(source, slice_, seen, taken)
        if len(fresh):
            yield fresh
        if is_cut:
            taken.miss(
                f"{source.name} has more traces of {whole.service!r} than were read: what is usual "
                "is told from a sample of them"
            )


def _answer(source: Source, search: Search, seen: Seen, taken: Taken) -> tuple[SpanRecords, bool]:
    """What is new in one answer, and whether there is more."""
    taken.requests += 1
    try:
        page = source.search(search)
    except TooLarge:
        return SpanRecords.empty(), True
    if page.missing:
        taken.miss(page.missing)
    taken.rejected += page.rejected
    fresh = seen.fresh(page.records)
    taken.traces += len(spans_by_trace(fresh))
    taken.spans += len(fresh)
    return fresh, page.is_full
