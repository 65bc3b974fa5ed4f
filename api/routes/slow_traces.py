"""What is slow right now, by how much, and the traces that show it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api import parameters as given
from api.deps import GUARDED, Asking
from api.documents import document
from api.schemas import SlowTraces, answers
from tracer.service import slow, words

router = APIRouter(prefix="/api/v1/slow-traces", tags=["slow"], dependencies=GUARDED)


@router.get("", summary="What is slow, and why", responses=answers(SlowTraces))
def slow_traces(
    context: Asking,
    *,
    service: given.ServiceName = None,
    operation: given.OperationName = None,
    since: given.Since = None,
    start: given.Start = None,
    end: given.End = None,
    baseline_start: given.BaselineStart = None,
    baseline_end: given.BaselineEnd = None,
    min_duration: given.MinDuration = None,
    limit: Annotated[int, Query(ge=1, le=100, description="most traces")] = 10,
    user_attribute: Annotated[
        str | None,
        Query(description="span attributes that name a user, comma separated, first present wins"),
    ] = None,
) -> Response:
    """Slow traces with their bottlenecks, ranked; the last 15 minutes unless a range is given."""
    query = words.slow_query(
        context.now_ns(),
        default_user_attributes=context.settings.user_attribute,
        service=service,
        operation=operation,
        since=since,
        start=start,
        end=end,
        baseline_start=baseline_start,
        baseline_end=baseline_end,
        min_duration=min_duration,
        limit=limit,
        user_attribute=user_attribute,
    )
    return document(slow.slow_traces(context, query))
