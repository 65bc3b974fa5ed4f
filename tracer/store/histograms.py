"""Maps of bucket → count from the engine as ragged histograms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracer.columns.baselines import Histograms


def histograms(column: pa.ChunkedArray, weight2: NDArray[np.float64]) -> Histograms:
    """One histogram a row; buckets ascend within a row."""
    chunks = column.chunks
    sizes = [np.diff(chunk.offsets.to_numpy()) for chunk in chunks]
    keys = [_inside(chunk, chunk.keys) for chunk in chunks]
    counts = [_inside(chunk, chunk.items) for chunk in chunks]
    size = np.concatenate(sizes) if sizes else np.zeros(0, np.int64)
    bucket = np.concatenate(keys).astype(np.int32) if keys else np.zeros(0, np.int32)
    count = np.concatenate(counts).astype(np.float64) if counts else np.zeros(0)
    row = np.repeat(np.arange(len(size)), size)
    order = np.lexsort((bucket, row))
    offset = np.concatenate(([0], np.cumsum(size))).astype(np.int64)
    return Histograms(offset, bucket[order], count[order], weight2)


def _inside(chunk: pa.MapArray, values: pa.Array) -> NDArray[Any]:
    low, high = chunk.offsets[0].as_py(), chunk.offsets[-1].as_py()
    return np.asarray(values.slice(low, high - low).to_numpy(zero_copy_only=False))
