"""What is normal."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api import parameters as given
from api.deps import GUARDED, Asking
from api.documents import document
from api.schemas import Baselines, answers
from tracer.service import baselines as normal
from tracer.service import words

router = APIRouter(prefix="/api/v1/baselines", tags=["baselines"], dependencies=GUARDED)


@router.get("", summary="What is normal", responses=answers(Baselines))
def baselines(
    context: Asking,
    *,
    service: given.ServiceName = None,
    operation: given.OperationName = None,
    since: given.Since = None,
    start: given.Start = None,
    end: given.End = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """p50 and p95 by operation and caller, each with its sample size and interval."""
    answer = normal.baselines(
        context,
        service=service,
        operation=operation,
        window=words.optional_window(context.now_ns(), since=since, start=start, end=end),
        limit=limit,
    )
    return document(answer)
