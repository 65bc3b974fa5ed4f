"""Ways in which a disk spoils a file of a part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Spoil = Callable[[Path], None]


def flip(path: Path) -> None:
    """A few bits in the middle change; the size stays."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4] = bytes(byte ^ 0xFF for byte in content[middle : middle + 4])
    path.write_bytes(content)


def cut(path: Path) -> None:
    """The second half is lost."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    """As after a power cut: the name is there, nothing is in it."""
    path.write_bytes(b"")


def remove(path: Path) -> None:
    """The file is gone."""
    path.unlink()
