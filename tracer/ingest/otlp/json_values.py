"""The scalars of OTLP/JSON: numbers as numbers or text, ids as hex, bytes as base64.

Ids that are not hex or not long enough do not fail a request: they travel on, and decoding rejects
and counts their spans.
"""

from __future__ import annotations

import base64
import binascii
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tracer.ingest.otlp.json_fault import as_text, expected

U32: Final = range(1 << 32)
U64: Final = range(1 << 64)
I32: Final = range(-(1 << 31), 1 << 31)
I64: Final = range(-(1 << 63), 1 << 63)
_LONGEST_NUMBER: Final = 40  # characters; 64 bits need 20
_ENDS: Final = tuple("0123456789.")  # of a number; not of "inf" and "nan"
_NOT_HEX: Final = b"?"  # one byte: never a valid id, so decoding rejects the span and says why


def integer_member(owner: dict[str, Any], key: str, allowed: range) -> int:
    """An integer as a JSON number or string, `1e3` included; missing or null is 0."""
    value = owner.get(key)
    if value is None:
        return 0
    number = value if type(value) is int else _integer_of(value)
    if number is None or number not in allowed:
        raise expected(key, f"an integer in [{allowed[0]}, {allowed[-1]}]", value)
    return number


def _integer_of(value: object) -> int | None:
    match value:
        case str() if len(value) > _LONGEST_NUMBER:
            return None  # Python refuses to read thousands of digits
        case str() if value.isascii() and value.isdigit():
            return int(value)
        case str() if _is_plain(value):
            try:
                exact = Decimal(value)
            except InvalidOperation:
                return None
            # no exponent tricks: 1e999999999 must not be multiplied out
            whole = (
                exact.is_finite() and exact.adjusted() < 20 and exact == exact.to_integral_value()
            )
            return int(exact) if whole else None
        case float() if value.is_integer() and value > I64[0]:
            return int(value)  # what is below 64 bits arrives as a float, and rounds to their end
        case _:
            return None


def _is_plain(text: str) -> bool:
    """Without what only Python reads as a number: spaces, underscores, digits of other scripts."""
    return text.isascii() and text == text.strip() and "_" not in text


def double_member(value: object) -> float:
    match value:
        case bool():
            pass
        case int() | float():
            return float(value)
        case "NaN" | "Infinity" | "-Infinity":
            return float(value)
        case str() if _is_plain(value) and value[-1:] in _ENDS:
            try:
                return float(value)
            except ValueError:
                pass
    raise expected("doubleValue", "a number, 'NaN', 'Infinity' or '-Infinity'", value)


def base64_member(value: object) -> bytes:
    """Standard or URL-safe alphabet, padded or not, as proto3 JSON allows."""
    if isinstance(value, str):
        text = value.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise expected("bytesValue", "base64", value)


def enum_member(owner: dict[str, Any], key: str, names: Any) -> Any:
    value = owner.get(key)
    if isinstance(value, str) and value in set(names.keys()):
        return int(names.Value(value))
    return integer_member(owner, key, I32)


def span_id_member(owner: dict[str, Any], key: str) -> bytes:
    """Trace or span id of a span; missing, null and '' are no id."""
    value = owner.get(key)
    if value is None or isinstance(value, str):
        return hex_id(value)
    raise expected(key, "a string of hex digits", value)


def hex_id(text: str | None) -> bytes:
    """The bytes of a hex id; what is not hex becomes an id that no decoder accepts."""
    if text is None:
        return b""
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return _NOT_HEX


def link_id_member(owner: dict[str, Any], key: str) -> bytes:
    """A link's id need not be valid: what is not hex is kept as the bytes of its text."""
    text = as_text(owner, key)
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return text.encode()
