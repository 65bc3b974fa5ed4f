"""What fails, where it begins, and how far it reaches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api import parameters as given
from api.deps import GUARDED, Asking
from api.documents import document
from api.schemas import Errors, answers
from tracer.service import words
from tracer.service.errors import error_groups

router = APIRouter(prefix="/api/v1/errors", tags=["errors"], dependencies=GUARDED)


@router.get("", summary="What fails, and where it begins", responses=answers(Errors))
def errors(
    context: Asking,
    *,
    service: given.ServiceName = None,
    since: given.Since = None,
    start: given.Start = None,
    end: given.End = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="most errors")] = 20,
) -> Response:
    """Errors by origin, most frequent first; the last hour unless a range is given."""
    query = words.error_query(
        context.now_ns(), service=service, since=since, start=start, end=end, limit=limit
    )
    return document(error_groups(context, query))
