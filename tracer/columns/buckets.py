"""Latency histograms one can add: OTLP exponential histograms of scale 5, on seconds.

Bucket i covers (base^i, base^(i+1)] seconds with base = 2^(1/32): relative error at most 1.1 %.
Source: OpenTelemetry metrics data model, ExponentialHistogram.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SCALE: Final = 5
PER_OCTAVE: Final = 1 << SCALE
ZERO_BUCKET: Final = -32768  # durations of 0: the histogram's zero count, kept beside it
LOWEST_BUCKET: Final = -32 * 30  # about 1 ns
_NS: Final = 1e-9


def bucket_of(duration_ns: NDArray[np.int64]) -> NDArray[np.int16]:
    """The bucket of each duration; negative durations count as 0."""
    seconds = np.maximum(duration_ns, 1) * _NS
    index = np.ceil(np.log2(seconds) * PER_OCTAVE).astype(np.int16) - np.int16(1)
    return np.where(duration_ns <= 0, np.int16(ZERO_BUCKET), index).astype(np.int16)


def upper_ns(bucket: NDArray[np.int16]) -> NDArray[np.float64]:
    """Inclusive upper bound of each bucket in ns; 0 for the zero bucket."""
    bound = np.exp2((bucket.astype(np.float64) + 1) / PER_OCTAVE) / _NS
    return np.where(bucket == ZERO_BUCKET, 0.0, bound)


def middle_ns(bucket: NDArray[np.int16]) -> NDArray[np.float64]:
    """Geometric middle of each bucket in ns: within 1.1 % of every value in it."""
    centre = np.exp2((bucket.astype(np.float64) + 0.5) / PER_OCTAVE) / _NS
    return np.where(bucket == ZERO_BUCKET, 0.0, centre)
