"""Texts seen lately and what was made of them: most of a trace file repeats from span to span.

The same text always gives the same result, so a text is looked up before it is parsed. A result is
bytes, ready to be joined, or a `Special` where the key means more than an attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

# Values that never repeat, or huge ones, must not make the program grow: some 4 MB a table.
_KEPT: Final = 4096
LONGEST: Final = 512  # bytes


class Special(bytes):
    """A tag that is, or may be, a field of the span: `tag` is how it was read. As bytes it is the
    attribute that it stays besides, or nothing. Two of the same text are the same object while it
    is kept, which is what they are looked up by."""

    tag: Any

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    @classmethod
    def of(cls, tag: Any, written: bytes) -> Special:
        made = cls(written)
        made.tag = tag
        return made


class Kept(dict[bytes, bytes]):
    """Results by text; `make` raises ValueError for what it leaves to the obvious way."""

    def __init__(self, make: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: bytes) -> bytes:
        made = self._make(text)
        if len(text) > LONGEST:
            if type(made) is Special:
                raise ValueError("too long a field to keep what comes of it")
        else:
            if len(self) >= _KEPT:
                self.clear()
            self[text] = made
        return made
