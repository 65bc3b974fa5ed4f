"""Bodies as they were before compression, never more of them than allowed."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Final, Protocol

import lz4.frame

from tracer.errors import BadInput, TooLarge

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_READ: Final = 256 << 10  # bytes unpacked from at once
_STEP: Final = 1 << 20  # most bytes unpacked at once
_WINDOW_LOG: Final = (23, 27)  # what every encoder for HTTP may use (RFC 9659); the library's most


class _Unpacker(Protocol):
    """What the standard library calls a decompressor."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class _Zlib:
    """zlib's own decompressor hands the input back that it did not get to; this one keeps it."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes:
        part = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(part) < max_length
        return part


def _gzip(body: bytes, limit: int) -> _Unpacker:
    return _Zlib(16 + zlib.MAX_WBITS)


def _deflate(body: bytes, limit: int) -> _Unpacker:
    """`deflate` is the zlib container (RFC 9110, 8.4.1.2); some clients send it without.

    A stream cannot pass for the header of the container: its first byte would begin a stored block
    with padding that no encoder writes.
    """
    has_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _Zlib(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def _zstd(body: bytes, limit: int) -> _Unpacker:
    """A frame may ask for a window to unpack in; one larger than any request would be of no use."""
    window_log = min(max((limit - 1).bit_length(), _WINDOW_LOG[0]), _WINDOW_LOG[1])
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: window_log})


def _lz4(body: bytes, limit: int) -> _Unpacker:
    unpacker: _Unpacker = lz4.frame.LZ4FrameDecompressor()
    return unpacker


# By content coding; zlib, zstd and lz4 under the names the collector has for them.
_UNPACKERS: Final[dict[str, Callable[[bytes, int], _Unpacker]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zlib": _deflate,
    "zstd": _zstd,
    "lz4": _lz4,
}
_IN_ROWS: Final = ("gzip", "x-gzip", "zstd", "lz4")  # members or frames, one after the other
CODINGS: Final = ("identity", *_UNPACKERS)


def decompress(body: bytes, coding: str, limit: int) -> bytes:
    """The body without its coding.

    Unpacks step by step and stops at `limit` bytes, so a small body cannot become a large one in
    memory. Raises BadInput for damaged or cut-off bytes, TooLarge beyond the limit.
    """
    if coding == "identity" or not body:
        return body
    parts: list[bytes] = []
    size = 0
    unpacker = _UNPACKERS[coding](body, limit)
    for at in range(0, len(body), _READ):
        rest = body[at : at + _READ]
        while rest or not (unpacker.eof or unpacker.needs_input):
            if unpacker.eof:
                if coding not in _IN_ROWS:
                    raise BadInput(f"the {coding} body goes on after its end: send one stream")
                unpacker = _UNPACKERS[coding](body, limit)
            parts.append(_step(unpacker, rest, coding))
            size += len(parts[-1])
            if size > limit:
                raise too_large(limit)
            rest = (unpacker.unused_data or b"") if unpacker.eof else b""
    if not unpacker.eof:
        raise BadInput(f"the {coding} body ends early: send it whole")
    return b"".join(parts)


def _step(unpacker: _Unpacker, rest: bytes, coding: str) -> bytes:
    try:
        return unpacker.decompress(rest, _STEP)
    except (zlib.error, zstd.ZstdError, RuntimeError) as error:  # lz4 has no error of its own
        raise BadInput(f"the body is not {coding}: {error}") from error


def too_large(limit: int) -> TooLarge:
    """What is said to a body over the limit."""
    return TooLarge(
        f"the request has more than {limit} bytes (after decompression): send smaller batches "
        "or raise max_request_bytes"
    )
