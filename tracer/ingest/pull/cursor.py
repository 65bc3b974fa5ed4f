"""How far a pull has come, on disk: read again after a restart, written after what it tells of.

The file is replaced as a whole once the spans up to its end were acknowledged. A crash in between
reads a piece of time again; the store counts a span that comes twice once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from tracer.errors import BadInput

SCHEMA: Final = "tracer.cursor/1"


@dataclass
class Cursor:
    """All spans that start within `[start_ns, end_ns)` were stored, as far as the source had them.

    `seen`: how many spans lately pulled traces had. `waiting`: traces in which a parent is missing,
    and until when they are asked for again.
    """

    what: str  # source, services and filters: a cursor is for one question
    start_ns: int
    end_ns: int
    seen: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    schema: str = SCHEMA


def read_cursor(path: Path, what: str) -> Cursor | None:
    """None when there is none yet. Raises BadInput when it cannot be read or is another's."""
    fix = "move it away to start again: what is pulled twice counts once"
    try:
        cursor = msgspec.json.decode(path.read_bytes(), type=Cursor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(
            f"cursor {str(path)!r} cannot be read ({error.strerror}); name another with --cursor"
        ) from error
    except msgspec.DecodeError as error:
        raise BadInput(f"cursor {str(path)!r} is damaged ({error}); {fix}") from error
    if cursor.schema != SCHEMA or cursor.what != what:
        raise BadInput(
            f"cursor {str(path)!r} is of another pull ({cursor.what}); name another with --cursor"
        )
    return cursor


def write_cursor(path: Path, cursor: Cursor) -> None:
    """Replaces the file; it is on the disk when this returns. Raises BadInput."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:
                file.write(msgspec.json.encode(cursor))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(
            f"cursor {str(path)!r} cannot be written ({error.strerror}); name another with --cursor"
        ) from error
