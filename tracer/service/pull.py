"""Traces of a range of time from a back end into a store, so that nothing is left out or twice.

    cursor ─► traces that wait for spans ─► piece of time ─► store ─► cursor, one piece on ─► …

Spans reach a back end after they ended, and in no order. So a pull stays `delay` behind now, looks
again at the last `overlap` of what it has, and asks by id for traces in which a parent is missing.
A piece of time counts as read when the source gave all of it and the store has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tracer.columns.records import SpanRecords
from tracer.errors import Unavailable
from tracer.ingest.pull.contract import Search, Source
from tracer.ingest.pull.cursor import Cursor
from tracer.ingest.pull.spans import batches, incomplete_traces, spans_by_trace
from tracer.ingest.pull.window import Seen, Taken, stream

Store = Callable[[SpanRecords], Mapping[str, Any]]
KEPT: Final = 20_000  # traces that a cursor remembers
ASKED_AGAIN: Final = 200  # incomplete traces a round, longest waiting first


@dataclass(frozen=True)
class Plan:
    """What is pulled. No `services` means all there are, asked for anew each time."""

    services: tuple[str, ...] = ()
    operation: str = ""
    min_duration_ns: int | None = None
    overlap_ns: int = 120_000_000_000
    step_ns: int = 600_000_000_000
    patience_ns: int = 900_000_000_000  # how long an incomplete trace is asked for

    def what(self, source: str) -> str:
        """The question, for telling cursors apart."""
        least = "" if self.min_duration_ns is None else f", {self.min_duration_ns} ns or longer"
        named = ",".join(sorted(self.services)) or "all services"
        return f"{source}: {named}{f', {self.operation}' if self.operation else ''}{least}"


@dataclass
class Pulled:
    """What came of it so far; `taken` counts what the source gave, the rest what was stored."""

    spans: int = 0
    rejected: int = 0
    reasons: set[str] = field(default_factory=set)
    taken: Taken = field(default_factory=Taken)

    def store(self, records: SpanRecords, store: Store) -> None:
        """Stores and counts."""
        answer = store(records)
        self.spans += answer["spans"]
        self.rejected += answer["rejected"]
        self.reasons |= set(answer.get("reasons", ()))


def begin(known: Cursor | None, what: str, start_ns: int, *, is_asked: bool = True) -> Cursor:
    """Where to go on: at the known cursor, unless somebody asked for more of the past."""
    if known is None or (is_asked and start_ns < known.start_ns):
        return Cursor(what, start_ns, start_ns)
    return known


def pull(
    source: Source,
    plan: Plan,
    cursor: Cursor,
    until_ns: int,
    *,
    store: Store,
    save: Callable[[Cursor], None],
    pulled: Pulled,
) -> None:
    """Moves the cursor on to `until_ns` piece by piece, and saves it after each.

    Raises what the source or the store raises; the cursor then stands at the last whole piece, and
    pulling goes on there. Raises Unavailable also when the source says itself that it left
    something out: what it gave is stored, the piece is read again next time.
    """
    _ask_again(source, plan, cursor, until_ns, store=store, pulled=pulled)
    overlap_ns = plan.overlap_ns  # what was read just now needs none
    while cursor.end_ns < until_ns:
        start_ns = max(cursor.start_ns, cursor.end_ns - overlap_ns)
        end_ns = min(until_ns, cursor.end_ns + plan.step_ns)
        seen, waiting = Seen(dict(cursor.seen)), dict(cursor.waiting)
        missing: list[str] = []
        for service in plan.services or source.services():
            search = Search(service, start_ns, end_ns, plan.operation, plan.min_duration_ns)
            pulled.taken.missing = missing
            for records in batches(stream(source, search, seen, pulled.taken)):
                pulled.store(records, store)
                _note_waiting(records, waiting, end_ns + plan.patience_ns)
        if missing:
            raise Unavailable(
                f"{'; '.join(missing)}; what came is stored, and that time is read again next time"
            )
        cursor.seen = dict(list(seen.spans.items())[-KEPT:])
        cursor.waiting, cursor.end_ns, overlap_ns = waiting, end_ns, 0
        save(cursor)


def _note_waiting(records: SpanRecords, waiting: dict[str, int], until_ns: int) -> None:
    lost = incomplete_traces(records)
    for trace_id in spans_by_trace(records):
        if trace_id not in lost:
            waiting.pop(trace_id, None)
        elif len(waiting) < KEPT:
            waiting.setdefault(trace_id, until_ns)


def _ask_again(
    source: Source, plan: Plan, cursor: Cursor, now_ns: int, *, store: Store, pulled: Pulled
) -> None:
    """The missing span may have started long before the piece of time that is looked at: a request
    that takes an hour is reported at its end."""
    seen, waiting = Seen(dict(cursor.seen), KEPT), dict(cursor.waiting)
    for trace_id in list(waiting)[:ASKED_AGAIN]:
        until_ns = waiting.pop(trace_id)
        page = source.trace(trace_id)
        fresh = seen.fresh(page.records)
        if len(fresh):
            pulled.store(fresh, store)
            pulled.taken.spans += len(fresh)
        lost = not len(page.records) or trace_id in incomplete_traces(page.records)
        if lost and now_ns < until_ns:
            waiting[trace_id] = until_ns  # at the end: the others are asked first
    cursor.seen, cursor.waiting = seen.spans, waiting
