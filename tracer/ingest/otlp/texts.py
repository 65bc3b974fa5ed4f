"""How an attribute value that is not a string is written as text: one function for all decoders."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

_NOT_FINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def double_texts(values: pa.DoubleArray) -> pa.StringArray:
    """The shortest decimal that reads back as the same double; NaN, Infinity as proto3 JSON."""
    texts = pc.cast(values, pa.string())
    if pc.all(pc.is_finite(values)).as_py() is not False:
        return texts
    for arrow, proto in _NOT_FINITE.items():
        texts = pc.if_else(pc.equal(texts, arrow), proto, texts)
    return texts


def double_text(value: float) -> str:
    """`double_texts` of one value."""
    return str(double_texts(pa.array([value], pa.float64()))[0].as_py())


def bytes_text(value: bytes) -> str:
    """Standard base64 with padding, as proto3 JSON."""
    return base64.b64encode(value).decode()


def array_text(value: ArrayValue) -> str:
    """Compact OTLP/JSON of an ArrayValue."""
    return orjson.dumps(_array_json(value)).decode()


def kvlist_text(value: KeyValueList) -> str:
    """Compact OTLP/JSON of a KeyValueList."""
    return orjson.dumps(_kvlist_json(value)).decode()


def _array_json(value: ArrayValue) -> dict[str, Any]:
    return {"values": [_any_json(item) for item in value.values]}


def _kvlist_json(value: KeyValueList) -> dict[str, Any]:
    return {"values": _pairs_json(value.values)}


def _pairs_json(pairs: Iterable[KeyValue]) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _any_json(pair.value)} for pair in pairs]


def _any_json(value: AnyValue) -> dict[str, Any]:
    match value.WhichOneof("value"):
        case "string_value":
            return {"stringValue": value.string_value}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "double_value":
            return {"doubleValue": double_json(value.double_value)}
        case "bytes_value":
            return {"bytesValue": bytes_text(value.bytes_value)}
        case "array_value":
            return {"arrayValue": _array_json(value.array_value)}
        case "kvlist_value":
            return {"kvlistValue": _kvlist_json(value.kvlist_value)}
        case _:
            return {}


def double_json(value: float) -> float | str:
    """A double as proto3 JSON has it: a number, or the name of what JSON has no number for."""
    if value - value == 0:
        return value
    return double_text(value)
