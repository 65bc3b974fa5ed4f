"""Bodies as they were before compression, never more of them than allowed."""

from __future__ import annotations

import zlib
from typing import Final

from tracer.errors import BadInput, TooLarge

# Content codings by name (RFC 9110, 8.4.1), with zlib's number for the container.
_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
CODINGS: Final = ("identity", *_WINDOW_BITS)
_READ: Final = 256 << 10  # bytes unpacked from at once
_STEP: Final = 1 << 20  # most bytes unpacked at once


def decompress(body: bytes, coding: str, limit: int) -> bytes:
    """The body without its coding.

    Unpacks step by step and stops at `limit` bytes, so a small body cannot become a large one in
    memory. Raises BadInput for damaged or cut-off bytes, TooLarge beyond the limit.
    """
    if coding == "identity" or not body:
        return body
    parts: list[bytes] = []
    size = 0
    unpacker = zlib.decompressobj(_WINDOW_BITS[coding])
    for at in range(0, len(body), _READ):
        rest = body[at : at + _READ]
        while rest:
            if unpacker.eof:  # gzip members may stand one after the other
                unpacker = zlib.decompressobj(_WINDOW_BITS[coding])
            parts.append(_step(unpacker, rest, coding))
            size += len(parts[-1])
            if size > limit:
                raise too_large(limit)
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    while not unpacker.eof:  # what fell to the step limit
        parts.append(_step(unpacker, b"", coding))
        size += len(parts[-1])
        if not parts[-1]:
            raise BadInput(f"the {coding} body ends early: send it whole")
        if size > limit:
            raise too_large(limit)
    return b"".join(parts)


def _step(unpacker: zlib._Decompress, rest: bytes, coding: str) -> bytes:
    try:
        return unpacker.decompress(rest, _STEP)
    except zlib.error as error:
        raise BadInput(f"the body is not {coding}: {error}") from error


def too_large(limit: int) -> TooLarge:
    """What is said to a body over the limit."""
    return TooLarge(
        f"the request has more than {limit} bytes (after decompression): send smaller batches "
        "or raise max_request_bytes"
    )
