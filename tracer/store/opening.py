"""Why an embedded store does not open, in words that say what to do.

The engine prints its own reason to standard error and raises little more than that it failed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tracer.errors import BadInput, PathInUse, StoreFailure, TracerError, Unavailable
from tracer.store.engine import free_bytes

# Less free disk takes no block: min_free_disk_bytes_to_perform_insert of the span tables.
ROOM_BYTES: Final = 64 * 2**20


def explain(directory: Path, error: TracerError) -> TracerError:
    """The error of opening the store in `directory`, or the reason behind it."""
    if isinstance(error, BadInput | PathInUse):
        return error
    free = free_bytes(directory)
    if free < ROOM_BYTES:
        return Unavailable(
            f"the disk of data directory {directory} is full ({free} bytes free); make room, then "
            "bound the store with --disk-budget or a shorter --retention-raw"
        )
    damaged = damaged_definition(directory / "store")
    if damaged is not None:
        return StoreFailure(
            f"{damaged} is damaged and the engine cannot start; restore that file from a copy, or "
            f"move {directory} away to start with an empty store"
        )
    if "Unable to open" in str(error):
        return StoreFailure(
            f"the engine cannot open {directory / 'store'}: another process has it open, or it is "
            "damaged (its own words stand above); end that process, restore the directory from a "
            "copy, or give another --data"
        )
    return error


def damaged_definition(store: Path) -> Path | None:
    """The first file of a database or table definition that is not whole."""
    definitions = [*store.glob("metadata/*.sql"), *store.glob("metadata/*/*.sql")]
    for path in sorted(definitions):
        text = path.read_text(encoding="utf-8", errors="replace")
        if not text.startswith("ATTACH") or "ENGINE" not in text:
            return path
    return None
