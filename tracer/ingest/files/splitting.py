"""Cuts a JSON document that is larger than memory likes into the elements of its one long array.

    {"data": [TRACE, TRACE, …], "total": 0}      Jaeger
    [[SPAN, …], [SPAN, …]]                       Zipkin
    {"resourceSpans": [GROUP, GROUP, …]}         OTLP, also below "result"

Only brackets and quotes are looked at, a megabyte at a time with numpy; whether an element is JSON
is for the parser that gets it. What is around the elements comes last, with the array empty, so
that it can be parsed too. Memory follows the largest element.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.ingest.files.source import Source

LARGEST_ELEMENT: Final = 1 << 30  # bytes; Arrow holds two of them
_KEY: Final = re.compile(rb'"(data|resourceSpans)"\s*:\s*$')
_KEY_BYTES: Final = 64  # of what stands before an array, the key in it
_QUOTE, _OPEN, _CLOSE, _BACKSLASH, _ARRAY = 0x22, 0x7B, 0x7D, 0x5C, 0x5B
_FOLD: Final = 0x20  # makes braces of brackets
_CLOSES: Final = 4  # the bit that tells ] and } from [ and {
_DEEPEST_ARRAY: Final = 3  # {"result": {"resourceSpans": [
_BLANKS: Final = b" \t\r\n"


@dataclass(frozen=True)
class Element:
    """One element of the array, or (`index` -1) what is around it, or (`cut`) how it ends early."""

    text: bytes
    index: int
    key: str  # of the array: data, resourceSpans, or '' when the document is the array
    line: int  # in which it ends, from 1
    cut: bool = False


def elements(source: Source) -> Iterator[Element]:
    """The elements of the document at the source's position, then what is around them.

    The source stands behind the document afterwards, or at its end when the document is cut off:
    then the last one is `cut`. Raises `BadInput` for an element over `LARGEST_ELEMENT`.
    """
    scan = _Scan(source)
    key = scan.into_array()
    if key is None:
        yield scan.last(b"", "")
        return
    head = scan.take(scan.position)
    level = scan.depth
    index = 0
    for end, depth in scan.ends(level):
        if depth < level:
            yield scan.last(head, key)
            return
        yield Element(_between_commas(scan.take(end), index), index, key, scan.line)
        index += 1
    yield scan.last(head, key, index)


def _between_commas(text: bytes, index: int) -> bytes:
    """The element without the comma before it. One too many is left: no parser will take it."""
    text = text.lstrip(_BLANKS)
    return text.removeprefix(b",").lstrip(_BLANKS) if index else text


class _Scan:
    """A walk over the brackets of one document, reading as it goes.

    `position` is behind the bracket walked to last, in the chunk at hand; `take` gives what lies
    between there, or any place behind, and where the last one ended.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._first_line = source.lines + 1
        self._newlines = 0
        self._kept: list[bytes] = []  # chunks not taken yet
        self._kept_bytes = 0
        self._chunk = b""
        self._carried = b""  # backslashes at the end of a chunk: they belong to what follows
        self._mark = 0
        self._next = 0  # bracket
        self._in_string = False
        self._at: NDArray[np.intp] = np.zeros(0, np.intp)
        self._kinds: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._depths: NDArray[np.int64] = np.zeros(0, np.int64)
        self._ended = False
        self.position = 0
        self.depth = 0

    @property
    def line(self) -> int:
        """Of the end of what was taken."""
        return self._first_line + self._newlines

    def into_array(self) -> str | None:
        """Walks to the start of the array to cut up; its key, or None at the end of a document (or
        of the file) without one."""
        while True:
            first = self._next
            for bracket in np.flatnonzero(self._depths[first:] <= _DEEPEST_ARRAY).tolist():
                self._walk_to(first + bracket)
                if self._ended:
                    return None
                if self._chunk[self.position - 1] == _ARRAY:
                    before = self._text_before(self.position - 1)
                    if self.depth == 1 and not before.strip(_BLANKS):
                        return ""
                    key = _KEY.search(before)
                    if key is not None:
                        return key[1].decode()
            if not self._fill():
                return None

    def ends(self, level: int) -> Iterator[tuple[int, int]]:
        """Every place from here on where the depth comes back to `level` or less, and the depth."""
        while True:
            first = self._next
            for bracket in np.flatnonzero(self._depths[first:] <= level).tolist():
                self._walk_to(first + bracket)
                yield self.position, self.depth
            if not self._fill():
                return

    def take(self, end: int) -> bytes:
        """The bytes since the last taken ones up to `end`."""
        self._kept.append(self._chunk[self._mark : end])
        text = b"".join(self._kept)
        self._kept, self._kept_bytes, self._mark = [], 0, end
        self._newlines += text.count(b"\n")
        return text

    def last(self, head: bytes, key: str, index: int = -1) -> Element:
        """What is around the array, up to the end of the document; the source is put behind it."""
        if not self._ended:
            next(self.ends(0), None)
        if self._ended:
            text = self.take(self.position)
            self._source.unread(self._chunk[self._mark :] + self._carried)
        else:
            text = self.take(len(self._chunk)) + self._carried
        self._source.lines = self.line - 1
        if self._ended or not head:
            return Element(head + text, -1, key, self.line, cut=not self._ended)
        return Element(text, index, key, self.line, cut=True)

    def _walk_to(self, bracket: int) -> None:
        self._next = bracket + 1
        self.position = int(self._at[bracket]) + 1
        self.depth = int(self._depths[bracket])
        self._ended = self.depth <= 0

    def _text_before(self, end: int) -> bytes:
        text = self._chunk[max(self._mark, end - _KEY_BYTES) : end]
        for kept in reversed(self._kept):
            if len(text) >= _KEY_BYTES:
                break
            text = kept[-_KEY_BYTES:] + text
        return text

    def _fill(self) -> bool:
        """The next chunk and its brackets; False at the end of the file."""
        more = self._source.chunk()
        if not more:
            return False
        self._kept.append(self._chunk[self._mark :])
        self._kept_bytes += len(self._kept[-1])
        if self._kept_bytes > LARGEST_ELEMENT:
            raise self._source.error(
                f"holds one value of more than {LARGEST_ELEMENT >> 30} GiB (from line "
                f"{self.line}): export fewer traces into a file"
            )
        whole = self._carried + more
        chunk = whole.rstrip(b"\\")
        self._carried, self._chunk, self._mark, self._next = whole[len(chunk) :], chunk, 0, 0
        depth = int(self._depths[-1]) if len(self._depths) else self.depth
        self._at, self._kinds, self._in_string = _brackets(chunk, self._in_string)
        self._depths = depth + np.cumsum(1 - ((self._kinds & _CLOSES) >> 1).astype(np.int64))
        self.depth = depth
        return True


def _brackets(chunk: bytes, in_string: bool) -> tuple[NDArray[np.intp], NDArray[np.uint8], bool]:
    """Places and kinds of the brackets and braces outside of strings, and whether one is open."""
    octets = np.frombuffer(chunk, np.uint8)
    folded = octets | _FOLD
    at = np.flatnonzero((folded == _OPEN) | (folded == _CLOSE) | (octets == _QUOTE))
    kinds = octets[at]
    is_quote = kinds == _QUOTE
    if b"\\" in chunk:
        escaped = _escaped(octets, at)
        at, kinds, is_quote = at[~escaped], kinds[~escaped], is_quote[~escaped]
    inside = (np.cumsum(is_quote) + in_string) & 1
    real = ~is_quote & (inside == 0)
    return at[real], kinds[real], bool(inside[-1]) if len(inside) else in_string


def _escaped(octets: NDArray[np.uint8], at: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which of these places follow an odd number of backslashes. The chunk does not end in one."""
    slashes = np.flatnonzero(octets == _BACKSLASH)
    is_first = np.diff(slashes, prepend=-2) > 1
    first = slashes[is_first]
    last = slashes[np.append(is_first[1:], True)]
    odd = last[(last - first) % 2 == 0] + 1
    return np.isin(at, odd, assume_unique=True)
