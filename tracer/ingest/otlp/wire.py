"""Protobuf's wire format, as much of it as a writer of OTLP needs."""

from __future__ import annotations

from typing import Final

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5  # wire types
_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(1 << 7))
_U64_MASK: Final = (1 << 64) - 1


def varint(number: int) -> bytes:
    """A base-128 varint; negative numbers as 64-bit two's complement."""
    if 0 <= number < 1 << 7:
        return _ONE_BYTE[number]
    if 0 <= number < 1 << 14:
        return bytes((number & 0x7F | 0x80, number >> 7))
    number &= _U64_MASK
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def tag(field: int, wire_type: int) -> bytes:
    """What stands before the value of a field."""
    return varint(field << 3 | wire_type)


def delimited(tag: bytes, content: bytes) -> bytes:
    """A field of bytes, text or a message; it is written even when it is empty."""
    return tag + varint(len(content)) + content
