"""Adjusted count of a span from the W3C tracestate: `ot=th:<hex>`.

Source: OpenTelemetry specification, trace/tracestate-probability-sampling. A threshold T of 56
bits, written as 1 to 14 lower-case hex digits with trailing zeros left out, keeps 2^56 - T of 2^56
traces.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

UNKNOWN: Final = 0.0
_HEX: Final = frozenset("0123456789abcdef")
_DIGITS: Final = 14
_SPACE: Final = 1 << 4 * _DIGITS
_OT_MEMBER: Final = r"(?:^|,)[ \t]*ot=(?P<found>[^,]*)"
_TH_FIELD: Final = r"(?:^|;)th:(?P<found>[^;]*)"


def weight_of_threshold(digits: str) -> float:
    """How many traces one trace kept at this threshold stands for; 0 when it is not a threshold."""
    if not 1 <= len(digits) <= _DIGITS or not _HEX.issuperset(digits):
        return UNKNOWN
    return _SPACE / (_SPACE - int(digits.ljust(_DIGITS, "0"), 16))


def sampling_weight(trace_state: str) -> float:
    """Adjusted count of the first `th` of the first `ot` member, 0 when there is none."""
    for member in trace_state.split(","):
        key, _, value = member.strip(" \t").partition("=")
        if key == "ot":
            for field in value.split(";"):
                name, _, digits = field.partition(":")
                if name == "th":
                    return weight_of_threshold(digits)
            return UNKNOWN
    return UNKNOWN


def sampling_weights(trace_states: pa.StringArray) -> NDArray[np.float64]:
    """`sampling_weight` of every row; no Python per row, only per distinct threshold."""
    states = trace_states.dictionary_encode()
    member = _first_match(states.dictionary, _OT_MEMBER)
    digits = _first_match(pc.utf8_rtrim(member, " \t"), _TH_FIELD).dictionary_encode()
    of_threshold = [UNKNOWN, *map(weight_of_threshold, digits.dictionary.to_pylist())]
    threshold = pc.fill_null(digits.indices, -1).to_numpy() + 1
    weights = np.array(of_threshold, np.float64)[threshold]
    return np.asarray(weights[states.indices.to_numpy()], np.float64)


def _first_match(texts: pa.StringArray, pattern: str) -> pa.StringArray:
    return pc.struct_field(pc.extract_regex(texts, pattern), "found")
