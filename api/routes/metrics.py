"""Own metrics, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.deps import Aside, Running

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Own metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def metrics(service: Running, aside: Aside) -> Response:
    """Counters and gauges of this process in the Prometheus text format."""
    return Response(await aside(service.metrics), media_type=MEDIA_TYPE)
