"""An opened trace file: bytes, unzipped if need be, with a look at its beginning."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracer.errors import BadInput

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_BOM: Final = b"\xef\xbb\xbf"
_HEAD_BYTES: Final = 64 << 10


@dataclass(frozen=True)
class Source:
    """A readable file positioned at its first byte. Whoever has it owns the position."""

    path: Path
    stream: io.BufferedReader

    def head(self) -> bytes:
        """The first bytes, without moving."""
        return self.stream.peek(_HEAD_BYTES)

    def error(self, problem: str) -> BadInput:
        """A fault of this file."""
        return BadInput(f"{self.path} {problem}")


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Opens a file, unzipping it. Raises `BadInput` for whatever keeps it from being read, also
    while it is read."""
    try:
        with path.open("rb") as file:
            head = file.peek(len(_GZIP))
            if not head:
                raise BadInput(f"{path} is empty: export the trace again")
            if head.startswith(_ZSTD):
                raise BadInput(f"{path} is zstd-compressed: unpack it first (zstd -d)")
            if not head.startswith(_GZIP):
                yield _source(path, file)
                return
            with gzip.open(file) as unzipped:
                yield _source(path, io.BufferedReader(unzipped, _HEAD_BYTES))
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist: check the path") from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a directory: name the trace files in it") from None
    except PermissionError:
        raise BadInput(f"{path} cannot be read (permission denied): change its mode") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadInput(f"{path} is damaged gzip ({error}): export or copy it again") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): check the file") from None


def _source(path: Path, stream: io.BufferedReader) -> Source:
    if stream.peek(len(_BOM)).startswith(_BOM):
        stream.read(len(_BOM))
    if not stream.peek(1):
        raise BadInput(f"{path} is empty: export the trace again")
    return Source(path, stream)
