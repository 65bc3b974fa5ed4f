"""From what was named on the command line to files: directories, patterns, standard input."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tracer.errors import BadInput
from tracer.ingest.files.source import STANDARD_INPUT

_PATTERN: Final = frozenset("*?[")


def expand(names: Sequence[str | Path]) -> list[str]:
    """The files to read, in the order named; those of a directory or pattern in order of name.

    A directory stands for all files in it and below but hidden ones. A file that several names
    stand for is read once. Raises `BadInput` for a name that stands for nothing.
    """
    found: dict[str, None] = {}
    for name in map(str, names):
        found.update(dict.fromkeys(_files(name)))
    return list(found)


def _files(name: str) -> list[str]:
    path = Path(name)
    if name == STANDARD_INPUT or not (path.is_dir() or _PATTERN & set(name)):
        return [name]
    if path.exists() and not path.is_dir():
        return [name]  # a file whose name looks like a pattern
    if path.is_dir():
        files = _below(path)
        if not files:
            raise BadInput(f"{name} has no files in it: name a directory of trace files")
        return files
    matching = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 (a path may be absolute)
    if not matching:
        raise BadInput(f"{name} matches no file: check the pattern")
    return [file for match in matching for file in _files_of_match(Path(match))]


def _files_of_match(path: Path) -> list[str]:
    return _below(path) if path.is_dir() else [str(path)]


def _below(directory: Path) -> list[str]:
    return sorted(
        str(path)
        for path in directory.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    )
