"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.deps import Aside, Running
from api.documents import document
from api.schemas import Health, answers
from tracer.service.health import Health as HealthOfParts

router = APIRouter(prefix="/api/v1/health", tags=["health"])


@router.get(
    "/live", summary="It works at all", responses={**answers(Health), 503: {"model": Health}}
)
async def live(service: Running, aside: Aside) -> Response:
    """503 when a thread that does the work has ended: only a restart helps then."""
    return _told(await aside(service.live))


@router.get(
    "/ready", summary="It stores and answers", responses={**answers(Health), 503: {"model": Health}}
)
async def ready(service: Running, aside: Aside) -> Response:
    """200 when exports are stored and questions answered now, else 503 with what is down.

    A part that is degraded (analysis lags, say) is told with 200: exports are still welcome.
    """
    return _told(await aside(service.ready))


def _told(health: HealthOfParts) -> Response:
    return document(health.document(), 200 if health.ready else 503)
