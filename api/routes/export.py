"""Stored spans, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from api import parameters as given
from api.deps import GUARDED, Asking
from api.schemas import Problem
from tracer.service import words
from tracer.service.export import export_lines

MEDIA_TYPE: Final = "application/x-ndjson"
BLOCK_BYTES: Final = 256 * 1024

router = APIRouter(prefix="/api/v1/export", tags=["data"], dependencies=GUARDED)


@router.get(
    "",
    summary="Export spans",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}}, "default": {"model": Problem}},
)
def export(
    context: Asking, since: given.Since = None, start: given.Start = None, end: given.End = None
) -> Response:
    """Whole traces as OTLP JSON lines; everything that is stored unless a range is given."""
    window = words.export_window(context.now_ns(), since=since, start=start, end=end)
    blocks = in_blocks(export_lines(context, window))
    first = next(blocks, b"")  # what fails at once becomes a problem, not a cut-off stream
    return StreamingResponse(chain((first,), blocks), media_type=MEDIA_TYPE)


def in_blocks(lines: Iterable[bytes], block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The lines, each ending in a newline, joined to blocks of about `block_bytes`."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line if line.endswith(b"\n") else line + b"\n")
        size += len(block[-1])
        if size >= block_bytes:
            yield b"".join(block)
            block, size = [], 0
    if block:
        yield b"".join(block)
