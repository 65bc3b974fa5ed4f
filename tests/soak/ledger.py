"""What was acknowledged, written down only once it was: one JSON line an export."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson


@dataclass(frozen=True)
class Entry:
    """An acknowledged export; `spans` are trace id and span id with a dash between."""

    acknowledged_ns: int
    attempts: int
    spans: tuple[str, ...]


def write(file: IO[bytes], entry: Entry) -> None:
    """Appends the entry, and hands it to the operating system."""
    file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
    file.flush()


def read(path: Path) -> Iterator[Entry]:
    """Every entry, in the order of acknowledgement."""
    with path.open("rb") as file:
        for line in file:
            fields = orjson.loads(line)
            yield Entry(fields["acknowledged_ns"], fields["attempts"], tuple(fields["spans"]))


def round_of(entry: Entry, kills_ns: Sequence[int]) -> int:
    """0 for what was acknowledged before the first kill, and so on."""
    return bisect(kills_ns, entry.acknowledged_ns)
