"""What is stored and what it costs."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.deps import GUARDED, Asking
from api.documents import document
from api.schemas import Storage, answers
from tracer.service.storage import storage as stored

router = APIRouter(prefix="/api/v1/storage", tags=["storage"], dependencies=GUARDED)


@router.get("", summary="What is stored", responses=answers(Storage))
def storage(context: Asking) -> Response:
    """Tables with their sizes and ages, the disk, the budget, and damaged parts set aside."""
    return document(stored(context))
