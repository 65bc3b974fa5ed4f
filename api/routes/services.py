"""Services and their operations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from api import parameters as given
from api.deps import GUARDED, Asking
from api.documents import document
from api.schemas import Operations, Services, answers
from tracer.service import catalog, words

router = APIRouter(prefix="/api/v1/services", tags=["services"], dependencies=GUARDED)


@router.get("", summary="Services", responses=answers(Services))
def services(
    context: Asking, since: given.Since = None, start: given.Start = None, end: given.End = None
) -> Response:
    """Services seen in the last hour, unless a range is given."""
    window = words.window(context.now_ns(), since=since, start=start, end=end)
    return document(catalog.services(context, window))


@router.get(
    "/{service:path}/operations", summary="Operations of a service", responses=answers(Operations)
)
def operations(
    context: Asking,
    service: Annotated[str, Path(description="name of the service")],
    since: given.Since = None,
    start: given.Start = None,
    end: given.End = None,
) -> Response:
    """Operations seen in the last hour, unless a range is given."""
    window = words.window(context.now_ns(), since=since, start=start, end=end)
    return document(catalog.operations(context, service, window))
