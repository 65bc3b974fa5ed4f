"""What many traces spent on each call path, by how long their roots lasted for their kind.

Two sources fill these structs: facts in memory (a file) and the store. Numbers are sums over roots,
each times its sampling weight (1 where the weight is unknown).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Metric = Literal["critical", "self"]
Floats = NDArray[np.float64]

# A root is in the band (from, to] of the durations of all roots on the same path: its kind.
BANDS: Final = ("0-50", "50-95", "95-99", "99-100")
ALL: Final = "all"
LIMITS: Final = (0.50, 0.95, 0.99)  # quantiles between two bands


@dataclass(frozen=True)
class BandLimits:
    """The longest durations of all bands but the last, by kind of root; `root_path_id` ascending.

    Equal durations are in the same band, the lower one.
    """

    root_path_id: NDArray[np.uint64]  # r
    limit_ns: NDArray[np.int64]  # len(LIMITS) × r

    def __len__(self) -> int:
        return len(self.root_path_id)


@dataclass(frozen=True)
class PathBands:
    """One column a call path, `path_id` ascending; one row a band. A path's own share, exclusive.

    Summed over all paths, `critical_ns` is the sum of the durations of the roots.
    """

    path_id: NDArray[np.uint64]  # n
    roots: NDArray[np.int64]  # len(BANDS) × n: stored roots that contain the path
    weight: Floats  # how many they stand for
    critical_weight: Floats  # of these, those in which it is on the critical path
    calls: Floats
    failed: Floats
    self_ns: Floats
    critical_ns: Floats

    def __len__(self) -> int:
        return len(self.path_id)


class Exemplar(NamedTuple):
    """A root, and what it spent on a call path."""

    trace_id: str
    root_span_id: str
    spent_ns: int


class Exemplars(NamedTuple):
    """Of one call path: the root at the lower median of those that contain it, and the worst.

    Among roots that spent the same the one with the lowest trace id, then span id.
    """

    typical: Exemplar
    worst: Exemplar
