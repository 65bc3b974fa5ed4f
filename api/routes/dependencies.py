"""Who depends on whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api import parameters as given
from api.deps import GUARDED, Asking
from api.documents import document
from api.schemas import Dependencies, answers
from tracer.service import dependencies as graph
from tracer.service import words

router = APIRouter(prefix="/api/v1/dependencies", tags=["services"], dependencies=GUARDED)


@router.get("", summary="Who calls whom, and how well", responses=answers(Dependencies))
def dependencies(
    context: Asking,
    *,
    service: given.ServiceName = None,
    since: given.Since = None,
    start: given.Start = None,
    end: given.End = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="most edges")] = 100,
) -> Response:
    """The service graph with what each edge takes, and costly ways of calling; the last hour."""
    query = words.dependency_query(
        context.now_ns(), service=service, since=since, start=start, end=end, limit=limit
    )
    return document(graph.dependencies(context, query))
