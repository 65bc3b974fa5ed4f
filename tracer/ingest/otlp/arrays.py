"""Small vector operations on Arrow's own buffers: offsets, hex, spreading. Nothing here loops."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Offsets = NDArray[np.int32]
_HEX_OF_BYTE: Final = np.frombuffer(bytes(range(256)).hex().encode(), np.uint16)


def offsets_of(array: pa.Array) -> Offsets:
    """The offsets of a list, binary or string array: one more than it has rows."""
    if len(array) == 0:
        return np.zeros(1, np.int32)
    buffer = array.buffers()[1]
    return np.frombuffer(buffer, np.int32, len(array) + 1, 4 * array.offset)


def bytes_of(array: pa.Array) -> NDArray[np.uint8]:
    """All bytes of a binary array, row after row; zero-copy."""
    offsets = offsets_of(array)
    buffer = array.buffers()[2]
    if buffer is None or offsets[-1] == offsets[0]:
        return np.zeros(0, np.uint8)
    return np.frombuffer(buffer, np.uint8, offsets[-1] - offsets[0], offsets[0])


def text_array(offsets: Offsets, letters: NDArray[np.uint8] | NDArray[np.uint16]) -> pa.StringArray:
    """Strings over ready-made UTF-8; zero-copy. `offsets` count bytes and start at 0."""
    return pa.StringArray.from_buffers(
        len(offsets) - 1,
        pa.py_buffer(np.ascontiguousarray(offsets, np.int32)),
        pa.py_buffer(letters),
    )


def hex_texts(ids: pa.BinaryArray) -> pa.StringArray:
    """Every id as lower-case hex, whatever its length."""
    offsets = offsets_of(ids)
    return text_array((offsets - offsets[0]) * 2, _HEX_OF_BYTE[bytes_of(ids)])


def all_zero(ids: pa.BinaryArray, width: int) -> NDArray[np.bool_]:
    """Which ids have `width` bytes, a multiple of 8, and are all zero."""
    offsets = offsets_of(ids)
    letters = bytes_of(ids)
    rows = np.flatnonzero(np.diff(offsets) == width)
    if len(rows) * width == len(letters):
        exact = letters
    else:
        starts = offsets[rows] - offsets[0]
        exact = letters[starts[:, None] + np.arange(width)]
    words = exact.reshape(-1, width).view(np.uint64)
    zero = np.zeros(len(ids), np.bool_)
    zero[rows] = (words == 0).all(axis=1)
    return zero


def valid_rows(array: pa.Array) -> NDArray[np.intp]:
    """Rows that are not null, ascending."""
    return np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False))


def times(nanoseconds: NDArray[np.uint64]) -> pa.TimestampArray:
    """Timestamps over numpy's memory; every value MUST be below 2^63."""
    return pa.Array.from_buffers(
        pa.timestamp("ns"),
        len(nanoseconds),
        [None, pa.py_buffer(np.ascontiguousarray(nanoseconds))],
    )


def words(codes: NDArray[np.integer], names: pa.StringArray) -> pa.DictionaryArray:
    """A dictionary column from codes into `names`."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32, copy=False)), names)


def constant_words(text: str, count: int) -> pa.DictionaryArray:
    """A dictionary column that says the same in every row."""
    return words(np.zeros(count, np.int32), pa.array([text], pa.string()))


def listed(offsets: Offsets, items: pa.Array) -> pa.ListArray:
    """A list column over `items`."""
    return pa.ListArray.from_arrays(pa.array(offsets), items)
