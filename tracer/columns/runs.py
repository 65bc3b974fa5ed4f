"""A run: all requests of one file (one test run, one load), as sums one can add and keep.

What a gate compares are runs: requests of one run share its machine, its caches and its luck. A run
holds sums by call path, and no request; a million spans are some hundred kilobytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.columns.flaws import Flaws

Floats = NDArray[np.float64]

# Sums over requests, each weighing `w`, of what one request has of a call path:
SUMS: Final = (
    "requests",  # w, of requests that have the path
    "requests_sq",  # w^2: (sum of w)^2 / (sum of w^2) equal requests are they worth
    "calls",  # w c
    "calls_sq",  # w c^2
    "calls_parent",  # w c p, p being the calls of the path above
    "failed",  # w times the calls that failed
    "self_ms",  # w s
    "log_self",  # w l, l = log(ms of self time a call + 1 us)
    "log_self_sq",  # w l^2
    "critical_ms",  # w x
    "critical_ms_sq",  # w x^2
)
COLUMN: Final = {name: at for at, name in enumerate(SUMS)}


@dataclass(frozen=True)
class Step:
    """The last step of a call path. Environment and tenant are left out: a change is tried in
    another environment than the one it is compared with."""

    namespace: str
    service: str
    operation: str
    kind: int


@dataclass(frozen=True)
class Run:
    """Rows are call paths, sorted by `path_id`; read-only. Of each path its caller is there too.

    Histograms of span durations are ragged: row i has `[offset[i], offset[i + 1])`.
    """

    path_id: NDArray[np.uint64]
    parent_path_id: NDArray[np.uint64]  # 0 for roots
    steps: tuple[Step, ...]
    sums: Floats  # (paths, SUMS)
    offset: NDArray[np.int64]
    bucket: NDArray[np.int32]  # columns/buckets.py
    count: Floats  # weighted spans
    flaws: Flaws  # of its main roots
    spans: int
    left_out: int  # call paths beyond the limit
    said: Mapping[str, str] = field(default_factory=dict)  # where it is from

    def __len__(self) -> int:
        return len(self.path_id)

    @property
    def traces(self) -> int:
        """How many requests there were."""
        return self.flaws.traces

    @property
    def is_weighted(self) -> bool:
        """Whether the sampling weight of any request is known."""
        return self.flaws.weighted > 0


def depths(path_id: NDArray[np.uint64], parent_path_id: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many paths are above each; `path_id` ascends and holds all parents but 0."""
    depth = np.zeros(len(path_id), np.int64)
    at, is_below = np.arange(len(path_id)), parent_path_id != 0
    while is_below.any():
        depth += is_below
        at = np.where(is_below, np.searchsorted(path_id, parent_path_id[at]), at)
        is_below &= parent_path_id[at] != 0
    return depth
