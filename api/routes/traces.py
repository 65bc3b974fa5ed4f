"""Traces: search, one by id, and where its time went."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from api import parameters as given
from api.deps import GUARDED, Asking
from api.documents import document
from api.schemas import Analysis, Trace, TraceList, answers
from tracer.service import trace as traces
from tracer.service import words
from tracer.service.search import search_traces

OTLP_MEDIA_TYPE = "application/otlp+json"

router = APIRouter(prefix="/api/v1/traces", tags=["traces"], dependencies=GUARDED)


@router.get("", summary="Search for traces", responses=answers(TraceList))
def search(
    context: Asking,
    *,
    service: given.ServiceName = None,
    operation: given.OperationName = None,
    min_duration: given.MinDuration = None,
    max_duration: given.MaxDuration = None,
    since: given.Since = None,
    start: given.Start = None,
    end: given.End = None,
    status: Annotated[Literal["ok", "error"] | None, Query(description="outcome")] = None,
    attribute: Annotated[
        list[str] | None,
        Query(description="key=value that a span of the trace has; may be repeated", max_length=20),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before")] = None,
) -> Response:
    """Traces that match everything given, newest first; the last hour unless a range is given."""
    query = words.trace_query(
        context.now_ns(),
        service=service,
        operation=operation,
        min_duration=min_duration,
        max_duration=max_duration,
        since=since,
        start=start,
        end=end,
        status=status,
        attribute=attribute or (),
        limit=limit,
        cursor=cursor,
    )
    return document(search_traces(context, query))


@router.get("/{trace_id}", summary="One trace", responses=answers(Trace))
def one(
    context: Asking,
    trace_id: given.TraceId,
    format: Annotated[
        Literal["tracer", "otlp"] | None,
        Query(description=f"otlp, or Accept: {OTLP_MEDIA_TYPE}, gives OTLP/JSON"),
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """A trace with all its spans."""
    if format == "otlp" or (format is None and OTLP_MEDIA_TYPE in accept):
        return document(traces.trace_otlp(context, trace_id))
    return document(traces.trace(context, trace_id))


@router.get(
    "/{trace_id}/analysis", summary="Where a trace's time went", responses=answers(Analysis)
)
def analysis(
    context: Asking,
    trace_id: given.TraceId,
    *,
    baseline_start: given.BaselineStart = None,
    baseline_end: given.BaselineEnd = None,
    overlap_tolerance: Annotated[
        str | None, Query(description="longest overlap read as one after the other: 1ms, 0")
    ] = None,
    skew_correction: Annotated[
        bool, Query(description="false: take the clocks of all hosts as they are")
    ] = True,
) -> Response:
    """The critical path, and which of its spans are slow against normal."""
    answer = traces.trace_analysis(
        context,
        trace_id,
        baseline=words.baseline(context.now_ns(), baseline_start, baseline_end),
        tolerance_ns=words.tolerance_ns(overlap_tolerance),
        skew_correction=skew_correction,
    )
    return document(answer)
