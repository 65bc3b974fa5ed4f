"""Stored spans, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from api import parameters as given
from api.deps import GUARDED, Asking
from api.schemas import Problem
from tracer.service import words
from tracer.service.export import FORMS, export, form

BLOCK_BYTES: Final = 256 * 1024

router = APIRouter(prefix="/api/v1/export", tags=["data"], dependencies=GUARDED)


@router.get(
    "",
    summary="Export spans",
    response_class=StreamingResponse,
    responses={
        200: {"content": {one.media_type: {} for one in FORMS.values()}},
        "default": {"model": Problem},
    },
)
def export_spans(
    context: Asking,
    since: given.Since = None,
    start: given.Start = None,
    end: given.End = None,
    format: Annotated[
        Literal["otlp", "jaeger", "parquet", "arrow"] | None,
        Query(description="otlp (JSON lines) unless said"),
    ] = None,
) -> Response:
    """Whole traces; everything that is stored unless a range is given. Jaeger JSON leaves out what
    Jaeger has no place for; the other formats have all of it."""
    window = words.export_window(context.now_ns(), since=since, start=start, end=end)
    written = form(format)
    blocks = in_blocks(export(context, window, written))
    first = next(blocks, b"")  # what fails at once becomes a problem, not a cut-off stream
    return StreamingResponse(chain((first,), blocks), media_type=written.media_type)


def in_blocks(pieces: Iterable[bytes], block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The pieces, joined to blocks of about `block_bytes`."""
    block: list[bytes] = []
    size = 0
    for piece in pieces:
        block.append(piece)
        size += len(piece)
        if size >= block_bytes:
            yield b"".join(block)
            block, size = [], 0
    if block:
        yield b"".join(block)
