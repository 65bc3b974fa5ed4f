"""An opened trace file: its bytes, unpacked if need be, with a look ahead and a way back.

What a file is, and whether it is compressed, is told by its first bytes; names say nothing.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, cast

import pyarrow as pa

from tracer.errors import BadInput

STANDARD_INPUT: Final = "-"
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_BOM: Final = b"\xef\xbb\xbf"
# What people hand over and we do not unpack, or do not read.
_OTHERS: Final = {
    b"PK\x03\x04": "is a zip archive: unpack it, and name the files",
    b"BZh": "is bzip2-compressed: unpack it first (bunzip2)",
    b"\xfd7zXZ\x00": "is xz-compressed: unpack it first (unxz)",
    b"\x04\x22\x4d\x18": "is lz4-compressed: unpack it first (unlz4)",
    b"\xff\xfe": "is text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "is text in UTF-16: save it as UTF-8",
}
HEAD_BYTES: Final = 64 << 10
CHUNK_BYTES: Final = 1 << 16


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Source:
    """The unpacked bytes of one file, read once from start to end. Not thread-safe.

    `name` is how people know it. `path` is None for standard input.
    """

    def __init__(self, name: str, path: Path | None, packed: io.BufferedIOBase) -> None:
        self.name = name
        self.path = path
        self.packing = ""  # gzip, zstd
        self.lines = 0  # newlines before the position, as far as they were counted
        self._packed = packed
        self._stream: _Readable = packed
        self._begun = b""
        self._at = 0

    def unpack(self, packing: str) -> None:
        """From here on the bytes are what is inside."""
        self.packing = packing
        begun = cast("io.RawIOBase", _Resumed(self._begun[self._at :], self._packed))
        if packing == "gzip":
            self._stream = gzip.GzipFile(fileobj=cast("Any", begun))
        else:
            self._stream = pa.CompressedInputStream(pa.PythonFile(begun, mode="r"), "zstd")
        self._begun, self._at = b"", 0

    def packed_size(self) -> int | None:
        """Bytes of the file, where they are known."""
        return self.path.stat().st_size if self.path else None

    def packed_position(self) -> int:
        """Bytes of the file read so far, for telling how far this is; 0 where nobody knows."""
        return self._packed.tell() if self.path else 0

    def head(self, size: int = HEAD_BYTES) -> bytes:
        """The next bytes, without moving; fewer than `size` only before the end."""
        while len(self._begun) - self._at < size:
            more = self._stream.read(CHUNK_BYTES)
            if not more:
                break
            self._begun, self._at = self._begun[self._at :] + more, 0
        return self._begun[self._at : self._at + size]

    def chunk(self) -> bytes:
        """The next bytes, as many as are at hand, else up to `CHUNK_BYTES`; empty at the end."""
        if self._at < len(self._begun):
            rest = self._begun[self._at :]
            self._begun, self._at = b"", 0
            return rest
        return bytes(self._stream.read(CHUNK_BYTES))

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; fewer only at the end. Memory follows what is really there."""
        first = self._begun[self._at : self._at + size]
        self._at += len(first)
        if len(first) == size:
            return first
        parts = [first]
        missing = size - len(first)
        while missing > 0:
            part = self.chunk()
            parts.append(part[:missing])
            if not part:
                break
            if len(part) > missing:
                self.unread(part[missing:])
            missing -= len(part)
        return b"".join(parts)

    def line(self, limit: int) -> bytes:
        """Up to the next newline, which is included, or the end; cut where it passes `limit`."""
        end = self._begun.find(b"\n", self._at)
        if end < 0:
            parts: list[bytes] = []
            size = 0
            while end < 0 and size <= limit:
                part = self.chunk()
                if not part:
                    return b"".join(parts)
                size += len(part)
                end = part.find(b"\n")
                parts.append(part)
            whole = b"".join(parts)
            if end < 0:
                return whole
            end += len(whole) - len(parts[-1])
            self._begun, self._at = whole, 0
        found = self._begun[self._at : end + 1]
        self._at = end + 1
        self.lines += 1
        return found

    def unread(self, last: bytes) -> None:
        """Puts back what was read last."""
        self._begun = last + self._begun[self._at :]
        self._at = 0

    def error(self, problem: str) -> BadInput:
        """A fault of this file."""
        return BadInput(f"{self.name} {problem}")


class _Resumed(io.RawIOBase):
    """A stream of which the first bytes were already read."""

    def __init__(self, begun: bytes, rest: _Readable) -> None:
        self._begun = begun
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._begun:
            first = self._begun if size < 0 else self._begun[:size]
            self._begun = self._begun[len(first) :]
            return first
        return self._rest.read(size)


@contextmanager
def open_source(name: str | Path) -> Iterator[Source]:
    """Opens a file, or standard input for `-`. Raises `BadInput` for whatever keeps it from being
    read, also while it is read."""
    shown = "standard input" if str(name) == STANDARD_INPUT else str(name)
    try:
        if str(name) == STANDARD_INPUT:
            yield _positioned(Source(shown, None, cast("io.BufferedIOBase", sys.stdin.buffer)))
            return
        path = Path(name)
        with path.open("rb") as file:
            yield _positioned(Source(shown, path, file))
    except FileNotFoundError:
        raise BadInput(f"{shown} does not exist: check the path") from None
    except IsADirectoryError:
        raise BadInput(f"{shown} is a directory: name the trace files in it") from None
    except PermissionError:
        raise BadInput(f"{shown} cannot be read (permission denied): change its mode") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadInput(f"{shown} is damaged gzip ({error}): export or copy it again") from None
    except OSError as error:
        if error.errno is None:  # of the unpacker
            raise BadInput(f"{shown} is damaged zstd ({error}): export or copy it again") from None
        raise BadInput(f"{shown} cannot be read ({error.strerror}): check the file") from None


def _positioned(source: Source) -> Source:
    """At the first byte that means something. Raises `BadInput` when there is none."""
    empty = "is empty: export the trace again"
    head = source.head(6)
    if not head:
        raise source.error(empty)
    for magic, packing in ((_GZIP, "gzip"), (_ZSTD, "zstd")):
        if head.startswith(magic):
            source.unpack(packing)
            head = source.head(6)
            break
    for magic, problem in _OTHERS.items():
        if head.startswith(magic):
            raise source.error(problem)
    if head.startswith(_BOM):
        source.read(len(_BOM))
        head = source.head(1)
    if not head:
        raise source.error(empty)
    return source
