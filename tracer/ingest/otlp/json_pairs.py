"""An attribute's JSON text to the bytes of its KeyValue.

Attributes are most of a span, and most of them repeat from span to span (`http.request.method`,
`server.address`). The same text always gives the same bytes, so texts seen lately are looked up
before anything is parsed. Comparing texts rather than parsed values also leaves no room for values
that are equal and not the same (true and 1, 0.0 and -0.0).
"""

from __future__ import annotations

from struct import pack
from typing import Final

import msgspec
import orjson
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tracer.ingest.otlp.json_messages import fill_attributes
from tracer.ingest.otlp.json_values import I64
from tracer.ingest.otlp.wire import varint

# Whoever sends values that never repeat, or huge ones, must not make the program grow: some 4 MB.
_KEPT_PAIRS: Final = 4096
_LONGEST_KEPT: Final = 512  # bytes of JSON
_SURE_TO_FIT: Final = 18  # digits that are an int64, whatever they are
# orjson reads 1,024 levels, and a part of a document lies a few levels deeper in the whole.
_LEVELS_OF_A_PART: Final = 1000


class _Value(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | None = None


class _Pair(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    key: str
    value: _Value


_parse: Final = msgspec.json.Decoder(_Pair).decode


class _Kept(dict[bytes, bytes]):
    """Pairs written lately with the tag of their owner, by their JSON text without its braces."""

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self._tag = tag

    def __missing__(self, inside: bytes) -> bytes:
        written = self._tag + _write(b"{" + inside + b"}}")
        if len(inside) <= _LONGEST_KEPT:
            if len(self) >= _KEPT_PAIRS:
                self.clear()
            self[inside] = written
        return written


_kept: Final[dict[bytes, _Kept]] = {}  # by tag: a handful, as OTLP has them


def pairs(owner: type, tag: bytes, text: bytes) -> bytes:
    """The attributes of a message of type `owner`, from the text of their array.

    Raises `Fault` or `ValueError` for what is no such array, or one that needs the whole document.
    """
    if text.startswith(b"[{") and text.endswith(b"}}]"):
        # Where this cuts through a string or a nested value the pieces are no JSON: the first one
        # ends inside of it. So pieces that all are JSON are the items of the array.
        try:
            kept = _kept.get(tag) or _kept.setdefault(tag, _Kept(tag))
            return b"".join(map(kept.__getitem__, text[2:-3].split(b"}},{")))
        except ValueError:
            pass
    return _obvious(owner, part(text))


def part(text: bytes) -> object:
    """The JSON of a part of a document.

    Raises `ValueError` for what is none, or nested so deep that only the whole document tells.
    """
    if text.count(b"[") + text.count(b"{") > _LEVELS_OF_A_PART:
        raise ValueError("perhaps nested too deep")
    return orjson.loads(text)


def _write(text: bytes) -> bytes:
    """Length and content of one KeyValue; the tag is its owner's."""
    try:
        parsed = _parse(text)
    except msgspec.DecodeError:
        value = None
    else:
        value = _scalar(parsed.value)
    if value is None:
        return _obvious(Resource, [part(text)])[1:]  # without the tag
    return pair(parsed.key, value)


def pair(key: str, value: bytes) -> bytes:
    """Length and content of a KeyValue of an AnyValue; the tag is its owner's."""
    name = key.encode()
    head = b"\x0a" + varint(len(name)) + name if name else b""
    content = b"".join((head, b"\x12", varint(len(value)), value))
    return varint(len(content)) + content


def text_value(text: str) -> bytes:
    """An AnyValue that is a string."""
    content = text.encode()
    return b"\x0a" + varint(len(content)) + content


def _scalar(value: _Value) -> bytes | None:
    """An AnyValue with exactly one member, of the four kinds nearly all have."""
    members = msgspec.structs.astuple(value)
    if members.count(None) != len(members) - 1:
        return None
    text, truth, integer, double = members
    if text is not None:
        return text_value(text)
    if truth is not None:
        return b"\x10\x01" if truth else b"\x10\x00"
    if double is not None:
        return b"\x21" + pack("<d", double)
    if isinstance(integer, str):
        if len(integer) > _SURE_TO_FIT or not integer.isascii() or not integer.isdigit():
            return None
        integer = int(integer)
    return b"\x18" + varint(integer) if integer in I64 else None


def _obvious(owner: type, items: object) -> bytes:
    message = owner()
    fill_attributes(message.attributes, {"attributes": items})
    return bytes(message.SerializeToString())
