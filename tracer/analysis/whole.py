"""Whole numbers that keep their sum: parts are rounded so that what is printed adds up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def whole_parts(parts: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Each part rounded down or up so that they sum to `total` (largest remainder first).

    The parts MUST sum to `total` but for rounding; what is left beyond one a part goes to the
    largest part.
    """
    floors = np.floor(parts).astype(np.int64)
    if not len(parts):
        return floors
    missing = total - int(floors.sum())
    up = np.argsort(floors - parts, kind="stable")[: min(max(missing, 0), len(parts))]
    floors[up] += 1
    floors[int(np.argmax(np.abs(parts)))] += total - int(floors.sum())
    return floors
