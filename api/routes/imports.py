"""Spans that keep their times: one OTLP request, stored when answered."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.deps import GUARDED, Running
from api.documents import document
from api.schemas import Imported, answers
from tracer.errors import BadInput, TooLarge

MEDIA_TYPE: Final = "application/x-protobuf"

router = APIRouter(prefix="/api/v1/imports", tags=["data"], dependencies=GUARDED)


@router.post(
    "",
    summary="Import spans",
    responses=answers(Imported),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "a serialized ExportTraceServiceRequest",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def imports(request: Request, service: Running) -> Response:
    """Stores the spans with the times they have, whatever their age."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise BadInput(f"Content-Type must be {MEDIA_TYPE}, got {media_type!r}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise BadInput("Content-Encoding is not understood here; send the body as it is")
    async with request.app.state.import_room:
        body = await _read(request, service.context.settings.max_request_bytes)
        return document(await run_in_threadpool(service.import_request, body))


async def _read(request: Request, limit: int) -> bytes:
    """The whole body, or TooLarge as soon as it is known to be."""
    declared = request.headers.get("content-length", "0")
    size = int(declared) if declared.isdecimal() else 0
    parts: list[bytes] = []
    if size <= limit:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                break
            parts.append(part)
    if size > limit:
        raise TooLarge(
            f"the body is larger than {limit} bytes (setting max_request_bytes); "
            "send it in smaller parts"
        )
    return b"".join(parts)
