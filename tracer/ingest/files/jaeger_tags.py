"""Jaeger's typed tags: `{"key", "type": string | bool | int64 | float64 | binary, "value"}`."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tracer.ingest.otlp.json_fault import Fault, as_object, as_text, expected

_I64: Final = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class Tag:
    """A tag as it stands in the file; `type` may be ''."""

    key: str
    type: str
    value: Any


def read_tags(owner: dict[str, Any], key: str) -> list[Tag]:
    """The tags in `owner[key]`; the list is the caller's."""
    items = owner.get(key)
    if items is None:
        return []
    if not isinstance(items, list):
        raise expected(key, "an array", items)
    tags: list[Tag] = []
    for index, item in enumerate(items):
        try:
            tag = as_object(item)
            tags.append(Tag(as_text(tag, "key"), as_text(tag, "type"), tag.get("value")))
        except Fault as fault:
            raise fault.under(f"{key}[{index}]") from None
    return tags


def add_tag(attributes: Any, tag: Tag) -> None:
    """Adds the tag as a KeyValue of its type; a value that does not fit its type stays text."""
    value = attributes.add(key=tag.key).value
    typed = _typed(tag)
    match typed:
        case None:
            pass
        case bool():
            value.bool_value = typed
        case int():
            value.int_value = typed
        case float():
            value.double_value = typed
        case bytes():
            value.bytes_value = typed
        case _:
            value.string_value = typed


def _typed(tag: Tag) -> bool | int | float | bytes | str | None:
    given = tag.value
    try:
        match tag.type or _type_of(given), given:
            case _, None:
                return None
            case "bool", bool():
                return given
            case "bool", "true" | "false":
                return bool(given == "true")
            case "int64", str() | int() if not isinstance(given, bool) and int(given) in _I64:
                return int(given)
            case "float64", str() | int() | float() if not isinstance(given, bool):
                return float(given)
            case "binary", str():
                return base64.b64decode(given, validate=True)
    except (ValueError, OverflowError, binascii.Error):
        pass
    return given if isinstance(given, str) else orjson.dumps(given).decode()


def _type_of(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int64"
        case float():
            return "float64"
        case _:
            return "string"
