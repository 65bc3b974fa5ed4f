"""Where the time of many traces goes."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from api import parameters as given
from api.deps import GUARDED, Asking
from api.documents import document
from api.schemas import CriticalPath, answers
from tracer.report.flame import folded, speedscope
from tracer.report.path_json import DEFAULT_PATHS, MOST_PATHS, NAMES
from tracer.service import critical_path as paths
from tracer.service import words

router = APIRouter(prefix="/api/v1/critical-path", tags=["paths"], dependencies=GUARDED)


@router.get("", summary="Where the time of many traces goes", responses=answers(CriticalPath))
def critical_path(
    context: Asking,
    *,
    service: given.ServiceName = None,
    operation: given.OperationName = None,
    since: given.Since = None,
    start: given.Start = None,
    end: given.End = None,
    band: Annotated[
        str | None,
        Query(
            description="rank by, and export, roots between these percentiles of the durations of "
            f"their kind: {', '.join(NAMES)}",
            examples=["95-99"],
        ),
    ] = None,
    metric: Annotated[
        Literal["critical", "self"], Query(description="time on the critical path, or self time")
    ] = "critical",
    format: Annotated[
        Literal["json", "folded", "speedscope"],
        Query(description="the document, folded stacks (text), or a file for speedscope"),
    ] = "json",
    limit: Annotated[
        int, Query(ge=1, le=MOST_PATHS, description="most call paths, the widest")
    ] = DEFAULT_PATHS,
) -> Response:
    """The call paths of all traces as one tree; the last hour unless a range is given."""
    query = words.path_query(
        context.now_ns(),
        service=service,
        operation=operation,
        since=since,
        start=start,
        end=end,
        band=band,
        metric=metric,
        limit=limit,
    )
    answer = paths.critical_path(context, query)
    if format == "folded":
        return PlainTextResponse(folded(answer))
    return document(speedscope(answer) if format == "speedscope" else answer)
