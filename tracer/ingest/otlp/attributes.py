"""Lists of KeyValue, as the columnar parser gives them, to text maps and maps of types.

Of the members of an AnyValue the parser fills every one it met, protobuf keeps the last one only; a
batch in which a value has several is refused here as `Doubled` and parsed again in canonical form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValueList

from tracer.columns.schema import ATTRIBUTE_TYPES
from tracer.ingest.otlp.arrays import Offsets, offsets_of, valid_rows
from tracer.ingest.otlp.texts import array_text, bytes_text, double_texts, kvlist_text


class Doubled(Exception):
    """An AnyValue has two members set: only protobuf knows which came last."""


def _each_distinct(to_text: Callable[[bytes], str]) -> Callable[[pa.Array], pa.StringArray]:
    def texts(values: pa.Array) -> pa.StringArray:
        distinct = values.dictionary_encode()
        known = pa.array([to_text(value) for value in distinct.dictionary.to_pylist()], pa.string())
        return known.take(distinct.indices)

    return texts


def _plain(values: pa.Array) -> pa.StringArray:
    return pc.cast(values, pa.string())


def _nothing(values: pa.Array) -> pa.StringArray:
    return pa.array([""] * len(values), pa.string())


# member of AnyValue, its type in the types map, and how it is written
_MEMBERS: Final[tuple[tuple[str, str, Callable[[pa.Array], pa.StringArray]], ...]] = (
    ("bool_value", "bool", _plain),
    ("int_value", "int", _plain),
    ("double_value", "double", double_texts),
    ("bytes_value", "bytes", _each_distinct(bytes_text)),
    ("array_value", "array", _each_distinct(lambda raw: array_text(ArrayValue.FromString(raw)))),
    (
        "kvlist_value",
        "kvlist",
        _each_distinct(lambda raw: kvlist_text(KeyValueList.FromString(raw))),
    ),
    ("string_value_strindex", "empty", _nothing),  # of profiles only: means nothing in a trace
)
NESTED: Final = ("array_value", "kvlist_value")
_STRING: Final = 0  # code of a value without an entry in the types map; others index _TYPE_NAMES
_TYPE_NAMES: Final = ("", *ATTRIBUTE_TYPES)
_EMPTY: Final = _TYPE_NAMES.index("empty")


@dataclass(frozen=True)
class Attributes:
    """Attributes of n owners, flattened: owner i has pairs `[offsets[i], offsets[i + 1])`."""

    offsets: Offsets
    keys: pa.StringArray
    texts: pa.StringArray
    type_of: NDArray[np.int8]  # per pair, an index of _TYPE_NAMES

    @cached_property
    def _key_bytes(self) -> Offsets:
        return np.diff(offsets_of(self.keys))

    def maps(self) -> pa.MapArray:
        """One text map an owner; zero-copy."""
        return pa.MapArray.from_arrays(pa.array(self.offsets), self.keys, self.texts)

    def types(self) -> pa.MapArray:
        """One map an owner: the types of the values that are not strings."""
        typed = self.type_of != _STRING
        rows = np.flatnonzero(typed)
        if len(rows) == 0:
            return no_maps(len(self.offsets) - 1)
        before = np.zeros(len(typed) + 1, np.int32)
        np.cumsum(typed, out=before[1:])
        names = pa.array(_TYPE_NAMES).take(pa.array(self.type_of[rows]))
        return pa.MapArray.from_arrays(
            pa.array(before[self.offsets]), self.keys.take(pa.array(rows)), names
        )

    def first_texts(self, key: str) -> pa.StringArray:
        """Per owner, the text of its first attribute with this key; '' if it has none."""
        owners, texts = self.find(key)
        if len(owners) == 0:
            return pa.repeat("", len(self.offsets) - 1)
        row = np.full(len(self.offsets) - 1, len(texts), np.int64)
        row[owners] = np.arange(len(texts))
        return pa.concat_arrays([texts, pa.array([""], pa.string())]).take(pa.array(row))

    def find(self, key: str) -> tuple[NDArray[np.int64], pa.StringArray]:
        """Owners that have this key, ascending, and the text of the first such attribute."""
        length = len(key.encode())
        candidates = np.flatnonzero(self._key_bytes == length)
        same = pc.equal(self.keys.take(pa.array(candidates)), key)
        hits = candidates[same.to_numpy(zero_copy_only=False).astype(np.bool_)]
        owners, first = np.unique(
            np.searchsorted(self.offsets, hits, side="right") - 1, return_index=True
        )
        return owners, self.texts.take(pa.array(hits[first]))


def no_maps(count: int) -> pa.MapArray:
    """`count` empty maps."""
    none = pa.array([], pa.string())
    return pa.MapArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), none, none)


def attributes(lists: pa.ListArray) -> Attributes:
    """The attributes in a column of repeated KeyValue. Raises `Doubled`."""
    pairs = lists.values
    texts, type_of = _value_texts(pairs.field("value"))
    return Attributes(offsets_of(lists), pairs.field("key"), texts, type_of)


def _value_texts(values: pa.StructArray) -> tuple[pa.StringArray, NDArray[np.int8]]:
    """The text of every AnyValue and its type, without a Python step per value."""
    strings = values.field("string_value")
    type_of = np.zeros(len(values), np.int8)
    if strings.null_count == 0 and all(
        values.field(member).null_count == len(values) for member, _, _ in _MEMBERS
    ):
        return strings, type_of
    source = np.arange(len(values), dtype=np.int32)  # row of `parts` laid end to end
    is_set = strings.is_valid().to_numpy(zero_copy_only=False)
    set_count = len(values) - strings.null_count
    parts = [strings]
    for member, type_name, to_texts in _MEMBERS:
        column = values.field(member)
        present = len(column) - column.null_count
        if present:
            rows = valid_rows(column)
            source[rows] = sum(map(len, parts)) + np.arange(present)
            type_of[rows] = _TYPE_NAMES.index(type_name)
            parts.append(to_texts(column.drop_null()))
            set_count += present
    is_set = is_set | (type_of != _STRING)
    if set_count != np.count_nonzero(is_set):
        raise Doubled
    unset = np.flatnonzero(~is_set)
    if len(unset):
        source[unset] = sum(map(len, parts))
        type_of[unset] = _EMPTY
        parts.append(pa.array([""], pa.string()))
    return pa.concat_arrays(parts).take(pa.array(source)), type_of
