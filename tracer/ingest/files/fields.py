"""Members of other tools' JSON: ids without leading zeros, microseconds, arrays of objects."""

from __future__ import annotations

import binascii
from typing import Any, Final

from tracer.ingest.otlp.json_fault import Fault, as_object, expected

NS_PER_US: Final = 1000
LARGEST: Final = (1 << 64) - 1
_NOT_HEX: Final = b"?"  # never a valid id: decoding rejects the span and says why


def hex_bytes(text: str, width: int) -> bytes:
    """An id from hex, leading zeros put back; '' is no id."""
    try:
        return binascii.unhexlify(text.rjust(2 * width, "0")) if text else b""
    except ValueError:
        return _NOT_HEX


def objects(owner: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the array `owner[key]`, which may be missing or null."""
    items = owner.get(key)
    if items is None:
        return []
    if not isinstance(items, list):
        raise expected(key, "an array", items)
    found: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        try:
            found.append(as_object(item))
        except Fault as fault:
            raise fault.under(f"{key}[{index}]") from None
    return found


def nanoseconds(owner: dict[str, Any], key: str) -> int:
    """Microseconds, maybe with a fraction, to nanoseconds; missing is 0."""
    value = owner.get(key)
    match value:
        case None:
            return 0
        case bool():
            pass
        case int() if 0 <= value <= LARGEST // NS_PER_US:
            return value * NS_PER_US
        case float() if 0 <= value <= LARGEST // NS_PER_US:
            whole = int(value)  # apart: no double holds a time of today in nanoseconds
            return whole * NS_PER_US + round((value - whole) * NS_PER_US)
        case str() if value.isascii() and value.isdigit() and len(value) <= 16:
            return int(value) * NS_PER_US
    raise expected(key, "microseconds, 0 or more", value)
