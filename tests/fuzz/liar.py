"""Protobuf bytes from a writer that lies: about lengths, types, numbers and what belongs where.

What it writes has the shape of an OTLP request. How often it lies is chosen anew for each request,
so that many are nearly right, and the wrong place is deep inside.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tests.support.otlp import varint

DONORS: Final = 64  # fields remembered, to be put where they do not belong
LARGE: Final = (0, 1, -1, 127, 128, 1 << 31, (1 << 32) - 1, 1 << 35, 1 << 63, (1 << 64) - 1)
BAD_TEXT: Final = (
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"caf\xe9",
    b"\xf4\x90\x80\x80",
    b"a\x00b",
)


class Liar:
    """Writes fields, most of them well."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.share = 0.0  # of fields that are written wrong
        self._donors: list[bytes] = [b""]

    def lies(self) -> bool:
        """Whether now is the time."""
        return self.share > 0 and self.rng.random() < self.share

    def field(self, number: int, content: bytes) -> bytes:
        """A length-delimited field: text, bytes or a message."""
        if self.lies():
            return self.rng.choice(_FIELD_LIES)(self, number, content)
        written = _field(number, content)
        if len(written) < 400 and self.rng.random() < 0.1:
            self._remember(written)
        return written

    def number(self, number: int, value: int) -> bytes:
        """A varint field; 0 is left out, as protobuf does."""
        if self.lies():
            return self.rng.choice(_NUMBER_LIES)(self, number, value)
        return varint(number << 3) + varint(value) if value else b""

    def fixed(self, number: int, value: int, width: int = 8) -> bytes:
        """A fixed64 or fixed32 field."""
        if self.lies():
            return self.rng.choice(_NUMBER_LIES)(self, number, value)
        wire = 1 if width == 8 else 5
        return varint(number << 3 | wire) + (value % (1 << 8 * width)).to_bytes(width, "little")

    def text(self, content: str) -> bytes:
        """UTF-8, most of the time."""
        if self.lies():
            return self.rng.choice(BAD_TEXT)
        return content.encode()

    def damaged(self, body: bytes) -> bytes:
        """The whole request with its bytes changed somewhere."""
        return self.rng.choice(_DAMAGES)(self, body)

    def donor(self) -> bytes:
        """A field of an earlier request, whatever it is."""
        return self.rng.choice(self._donors)

    def _remember(self, written: bytes) -> None:
        if len(self._donors) < DONORS:
            self._donors.append(written)
        else:
            self._donors[self.rng.randrange(DONORS)] = written


def _field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def _long_varint(liar: Liar, number: int, content: bytes) -> bytes:
    padded = bytes([len(content) & 0x7F | 0x80]) + b"\x80" * liar.rng.randrange(1, 12) + b"\x00"
    return varint(number << 3 | 2) + padded + content[: len(content) & 0x7F]


def _group(liar: Liar, number: int, content: bytes) -> bytes:
    end = number if liar.rng.random() < 0.7 else liar.rng.randrange(1, 40)
    return varint(number << 3 | 3) + content + varint(end << 3 | 4)


def _unknown(liar: Liar, number: int, content: bytes) -> bytes:
    strange = liar.rng.choice((17, 19, 100, 999, 18_999, 1 << 20, (1 << 29) - 1, 1 << 29, 0))
    wire = liar.rng.randrange(8)
    return varint(strange << 3 | wire) + liar.rng.randbytes(wire) + _field(number, content)


FieldLie = Callable[[Liar, int, bytes], bytes]
NumberLie = Callable[[Liar, int, int], bytes]
Damage = Callable[[Liar, bytes], bytes]

_FIELD_LIES: Final[tuple[FieldLie, ...]] = (
    lambda _, number, content: b"",
    lambda _, number, content: _field(number, content) * 2,
    lambda _, number, content: _field(number, b""),
    lambda liar, number, content: _field(liar.rng.randrange(1, 20), content),
    lambda liar, number, content: _field(number, content) + liar.donor(),
    lambda liar, number, content: _field(number, liar.donor()),
    lambda liar, number, content: _field(number, content + liar.donor()),
    lambda liar, number, content: _field(number, content[: liar.rng.randrange(len(content) + 1)]),
    lambda liar, number, content: (
        varint(number << 3 | 2) + varint(max(0, len(content) + liar.rng.randrange(-3, 4))) + content
    ),
    lambda liar, number, content: (
        varint(number << 3 | 2) + varint(liar.rng.choice(LARGE)) + content
    ),
    lambda liar, number, content: varint(number << 3 | liar.rng.randrange(8)) + content,
    lambda liar, number, content: _field(number, liar.rng.randbytes(liar.rng.randrange(12))),
    _long_varint,
    _group,
    _unknown,
)

_NUMBER_LIES: Final[tuple[NumberLie, ...]] = (
    lambda _, number, value: b"",
    lambda liar, number, value: varint(number << 3) + varint(liar.rng.choice(LARGE)),
    lambda liar, number, value: (
        varint(number << 3 | 1) + (liar.rng.choice(LARGE) % (1 << 64)).to_bytes(8, "little")
    ),
    lambda liar, number, value: varint(number << 3 | 5) + liar.rng.randbytes(4),
    lambda liar, number, value: varint(number << 3 | 1) + liar.rng.randbytes(liar.rng.randrange(9)),
    lambda liar, number, value: varint(number << 3) + b"\x80" * liar.rng.randrange(1, 12) + b"\x01",
    lambda liar, number, value: _field(number, varint(value)),
    lambda liar, number, value: varint(number << 3) + varint(value) + liar.donor(),
)


def _flipped(liar: Liar, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(liar.rng.randrange(1, 4)):
        if changed:
            changed[liar.rng.randrange(len(changed))] ^= 1 << liar.rng.randrange(8)
    return bytes(changed)


def _without_a_piece(liar: Liar, body: bytes) -> bytes:
    at = liar.rng.randrange(len(body) + 1)
    return body[:at] + body[at + liar.rng.randrange(1, 20) :]


def _with_a_piece(liar: Liar, body: bytes) -> bytes:
    at = liar.rng.randrange(len(body) + 1)
    piece = liar.rng.choice((liar.donor(), liar.rng.randbytes(liar.rng.randrange(1, 8))))
    return body[:at] + piece + body[at:]


_DAMAGES: Final[tuple[Damage, ...]] = (
    _flipped,
    _flipped,
    lambda liar, body: body[: liar.rng.randrange(len(body) + 1)],
    _without_a_piece,
    _with_a_piece,
    lambda liar, body: liar.rng.randbytes(liar.rng.randrange(40)),
    lambda liar, body: body + liar.rng.randbytes(liar.rng.randrange(1, 6)),
    lambda liar, body: b"",
)
