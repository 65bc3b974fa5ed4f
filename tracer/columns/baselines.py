"""What is normal, as histograms that can be added: of single spans, and of what a trace spends.

Two sources fill these structs: facts in memory (a file) and rollups in the store. Every bucket
count is a sum of sampling weights (1 where the weight is unknown).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Depth = Literal["path", "caller", "operation"]


@dataclass(frozen=True)
class Histograms:
    """k ragged histograms: buckets of number i are `[offset[i], offset[i + 1])`, ascending.

    `weight2` is the sum of squared weights, so that a histogram is worth
    `(sum of counts)^2 / weight2` equal samples.
    """

    offset: NDArray[np.int64]  # k + 1
    bucket: NDArray[np.int32]  # of columns/buckets.py, or a plain number where so stated
    count: NDArray[np.float64]
    weight2: NDArray[np.float64]  # k

    def __len__(self) -> int:
        return len(self.weight2)

    @property
    def total(self) -> NDArray[np.float64]:
        """Sum of counts of each histogram."""
        running = np.concatenate(([0.0], np.cumsum(self.count)))
        total: NDArray[np.float64] = running[self.offset[1:]] - running[self.offset[:-1]]
        return total


@dataclass(frozen=True)
class OperationBaselines:
    """Durations of single spans, at every depth that was asked for; `key` ascending.

    A key is a `path_id`, a `caller_key` or an `operation_key` (columns/hashing.py): 64-bit hashes
    of different things, so that one table holds all three.
    """

    key: NDArray[np.uint64]
    durations: Histograms


@dataclass(frozen=True)
class PathBaselines:
    """Per-trace sums by call path, over the traces that contain the path; `path_id` ascending.

    The count of a root's own path is the number of its traces, with or without any other path.
    """

    path_id: NDArray[np.uint64]
    critical: Histograms  # of the sum of exclusive critical time in one trace
    self_time: Histograms  # of the sum of self time in one trace
    calls: Histograms  # `bucket` is the number of spans in one trace


@dataclass(frozen=True)
class Baselines:
    """Both kinds, of one window."""

    operations: OperationBaselines
    paths: PathBaselines
