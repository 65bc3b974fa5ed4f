"""Lists of traces: one of whose spans is what was asked for, newest first."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Literal

from tracer.analysis.analyse import analyse
from tracer.analysis.flaws import of_traces
from tracer.columns.facts import TraceFacts
from tracer.columns.flaws import NOBODY, Flaws, together
from tracer.errors import BadQuery
from tracer.report.quality import window_quality
from tracer.service.context import Context, Window
from tracer.service.rows import fact_document
from tracer.store.activity import read_bounds, read_spans
from tracer.store.facts import read_facts
from tracer.store.search import SpanFilter, count_traces, find_traces


@dataclass(frozen=True)
class TraceQuery:
    """One span of the trace must match all of it.

    With neither service, operation nor attribute, duration and status are the root's.
    """

    window: Window
    service: str | None
    operation: str | None
    min_duration_ns: int | None
    max_duration_ns: int | None
    status: Literal["ok", "error"] | None
    attributes: tuple[tuple[str, str], ...]
    limit: int
    cursor: str | None


def search_traces(context: Context, query: TraceQuery) -> dict[str, Any]:
    """Document `tracer.traces/1`: one page and the total."""
    wanted = _filter(query)
    found = find_traces(context.engine, wanted, limit=query.limit + 1)
    page = found[: query.limit]
    documents, told = _described(context, [trace_id for _, trace_id in page])
    return {
        "schema": "tracer.traces/1",
        "window": query.window.document(),
        "total": {"value": count_traces(context.engine, wanted), "exact": True},
        "traces": [documents[trace_id] for _, trace_id in page],
        "quality": window_quality(told),
        "next_cursor": _cursor(page[-1]) if len(found) > len(page) else None,
    }


def _described(context: Context, trace_ids: list[str]) -> tuple[dict[str, dict[str, Any]], Flaws]:
    """A summary of each trace, from its facts, or `provisional` from its spans so far; and what is
    to be said of all of them."""
    if not trace_ids:
        return {}, NOBODY
    settled = read_facts(
        context.engine,
        "TraceId IN {ids:Ids} AND IsMain = 1",
        {"ids": trace_ids},
        order="TraceId",
        limit=len(trace_ids),
    )
    documents, told = _documents(settled, provisional=False), of_traces(settled)
    young = [trace_id for trace_id in trace_ids if trace_id not in documents]
    if young:
        start_ns, end_ns = read_bounds(context.engine, young)
        spans = read_spans(context.engine, young, start_ns=start_ns, end_ns=end_ns, after_ns=None)
        facts = analyse(spans, max_skew_ns=context.max_skew_ns).facts
        documents |= _documents(facts, provisional=True)
        told = together(told, of_traces(facts))
    return documents, told


def _documents(facts: TraceFacts, *, provisional: bool) -> dict[str, dict[str, Any]]:
    rows = [fact_document(facts, row) for row in range(len(facts)) if facts.is_main[row]]
    return {row["trace_id"]: {**row, "provisional": provisional} for row in rows}


def _filter(query: TraceQuery) -> SpanFilter:
    about_spans = bool(query.service or query.operation or query.attributes)
    about_roots = (query.min_duration_ns, query.max_duration_ns, query.status) != (None,) * 3
    return SpanFilter(
        start_ns=query.window.start_ns,
        end_ns=query.window.end_ns,
        service=query.service,
        operation=query.operation,
        min_duration_ns=query.min_duration_ns,
        max_duration_ns=query.max_duration_ns,
        failed=None if query.status is None else query.status == "error",
        attributes=query.attributes,
        roots_only=about_roots and not about_spans,
        before=_position(query.cursor) if query.cursor else None,
    )


def _cursor(position: tuple[int, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, str]:
    try:
        at, trace_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        position = int(at), str(trace_id)
        if not 0 <= position[0] < 2**63:
            raise ValueError(at)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise BadQuery(
            f"cursor {cursor!r} is not one of ours; use next_cursor of the page before"
        ) from error
    return position
