"""By how much a p95 changed between two sets of traces, and which call path did it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api import parameters as given
from api.deps import GUARDED, Asking
from api.documents import document
from api.schemas import Comparison, answers
from tracer.service.compare import compare_query, compare_stored

router = APIRouter(prefix="/api/v1/compare", tags=["compare"], dependencies=GUARDED)

VersionOf = Annotated[str | None, Query(description="version of `service`")]


@router.get("", summary="What changed between two sets", responses=answers(Comparison))
def compare(
    context: Asking,
    *,
    service: given.ServiceName = None,
    operation: given.OperationName = None,
    since: given.Since = None,
    start: given.Start = None,
    end: given.End = None,
    baseline_start: given.BaselineStart = None,
    baseline_end: given.BaselineEnd = None,
    baseline_version: VersionOf = None,
    candidate_version: VersionOf = None,
    limit: Annotated[int, Query(ge=1, le=100, description="most call paths")] = 20,
) -> Response:
    """Two ranges of time (the baseline is the one just before unless given), or two versions."""
    query = compare_query(
        context.now_ns(),
        since=since,
        start=start,
        end=end,
        baseline_start=baseline_start,
        baseline_end=baseline_end,
        service=service,
        operation=operation,
        baseline_version=baseline_version,
        candidate_version=candidate_version,
        limit=limit,
    )
    return document(compare_stored(context, query))
