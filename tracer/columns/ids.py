"""Trace and span ids: 64-bit integers inside, lower-case hex outside."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracer.errors import BadQuery

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_TRACE_ID = re.compile(r"[0-9a-fA-F]{16}(?:[0-9a-fA-F]{16})?")


def hex_text(*words: NDArray[np.uint64]) -> pa.Array:
    """Hex of the big-endian concatenation of `words`, 16 digits a word: an Arrow string array."""
    rows = len(words[0])
    big_endian = np.empty((rows, len(words)), ">u8")
    for place, word in enumerate(words):
        big_endian[:, place] = word
    raw = big_endian.view(np.uint8).reshape(rows, 8 * len(words))
    digits = np.empty((rows, 16 * len(words)), np.uint8)
    digits[:, 0::2] = _HEX[raw >> 4]
    digits[:, 1::2] = _HEX[raw & 15]
    width = 16 * len(words)
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(digits))


def trace_id_text(trace_hi: int, trace_lo: int) -> str:
    """32 lower-case hex digits."""
    return f"{int(trace_hi):016x}{int(trace_lo):016x}"


def span_id_text(span_id: int) -> str:
    """16 lower-case hex digits, '' for 0."""
    return f"{int(span_id):016x}" if span_id else ""


def parse_trace_id(text: str) -> str:
    """16 or 32 hex digits in any case → 32 lower-case. Raises BadQuery."""
    if not _TRACE_ID.fullmatch(text):
        raise BadQuery(f"trace id {text!r} is not 16 or 32 hex digits")
    return text.lower().rjust(32, "0")
