"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.deps import Running
from api.documents import document
from api.schemas import Health, answers

router = APIRouter(prefix="/api/v1/health", tags=["health"])


@router.get("/live", summary="The process lives", responses=answers(Health))
def live() -> Response:
    """200 as long as requests are answered at all."""
    return document({"schema": "tracer.health/1", "ready": True, "parts": {}})


@router.get(
    "/ready", summary="It stores and answers", responses={**answers(Health), 503: {"model": Health}}
)
def ready(service: Running) -> Response:
    """200 when exports are stored and questions answered, else 503 with what is missing."""
    is_ready, parts = service.ready()
    body = {"schema": "tracer.health/1", "ready": is_ready, "parts": parts}
    return document(body, 200 if is_ready else 503)
