"""All traces of a range of time from a source that gives so many at a time.

Back ends have no pages, only a largest number of traces, and which ones they choose is theirs. So
a full answer is thrown away and half of the range is asked for, down to a microsecond; then what
is missing is said. Where answers are far from full the range grows again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from tracer.columns.records import SpanRecords
from tracer.errors import TooLarge
from tracer.ingest.pull.contract import Page, Search, Source
from tracer.ingest.pull.spans import only_traces, spans_by_trace

FINEST_NS: Final = 1_000  # Jaeger counts in microseconds
KEPT: Final = 200_000  # traces that are remembered
LESS_OF_LARGE: Final = 16  # an answer that is too large was costly: few attempts


@dataclass
class Seen:
    """How many spans of each trace were taken already; the oldest are forgotten."""

    spans: dict[str, int] = field(default_factory=dict)
    most: int = KEPT

    def fresh(self, records: SpanRecords) -> SpanRecords:
        """The traces that are new, or have more spans than before."""
        found = spans_by_trace(records)
        taken = [one for one, count in found.items() if count > self.spans.get(one, 0)]
        for trace_id in taken:
            self.spans.pop(trace_id, None)
            self.spans[trace_id] = found[trace_id]
        for trace_id in list(self.spans)[: max(0, len(self.spans) - self.most)]:
            del self.spans[trace_id]
        return records if len(taken) == len(found) else only_traces(records, taken)


@dataclass
class Taken:
    """What came so far, and in sentences what did not. Grows while a range is read."""

    traces: int = 0
    spans: int = 0
    requests: int = 0
    missing: list[str] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)

    def miss(self, why: str) -> None:
        """Once each."""
        if why not in self.missing:
            self.missing.append(why)


def stream(
    source: Source, search: Search, seen: Seen, taken: Taken, *, most_traces: int | None = None
) -> Iterator[SpanRecords]:
    """Whole traces of the range, oldest first, each once unless it grew; some at a time.

    Stops before it would go beyond `most_traces`, and says so in `taken.missing`.
    """
    before = taken.traces
    at, step = search.start_ns, max(FINEST_NS, search.end_ns - search.start_ns)
    crowd = 0  # traces in the last answer that was full
    while at < search.end_ns:
        until = min(search.end_ns, at + step)
        page = _page(source, replace(search, start_ns=at, end_ns=until), step, taken)
        if isinstance(page, int):
            crowd = page or crowd
            share = step // (2 if page else LESS_OF_LARGE)
            step = max(FINEST_NS, share // FINEST_NS * FINEST_NS)
            continue
        fresh = seen.fresh(page.records)
        if len(fresh):
            taken.traces += len(spans_by_trace(fresh))
            taken.spans += len(fresh)
            yield fresh
        at = until
        if most_traces is not None and taken.traces - before >= most_traces and at < search.end_ns:
            taken.miss(f"{source.name} has more than {most_traces:,} traces of {search.service!r}")
            return
        if page.traces * 2 <= crowd or not crowd:
            step = min(step * 2, search.end_ns - search.start_ns)


def _page(source: Source, search: Search, step: int, taken: Taken) -> Page | int:
    """How many traces there were when less has to be asked for, 0 when nobody knows."""
    taken.requests += 1
    try:
        page = source.search(search)
    except TooLarge:
        if step > FINEST_NS:
            return 0
        raise
    if page.is_full:
        if step > FINEST_NS:
            return page.traces
        taken.miss(
            f"{source.name} has more than {page.traces:,} traces of {search.service!r} that start "
            "in the same microsecond: ask for more at a time with --page-traces"
        )
    if page.missing:
        taken.miss(page.missing)
    taken.rejected += page.rejected
    return page
