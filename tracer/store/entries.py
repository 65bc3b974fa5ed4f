"""The ragged entries of a fact, summed by call path: SQL expressions over arrays of one row.

Entries of a root are sorted by path, so a path's sum is what a running sum grew by from the last
entry of the path before to its own last one. No table of all (root, path) is built for it.
"""

from __future__ import annotations

from typing import Final

_NEXT: Final = "arrayPushBack(arrayPopFront(`Paths.PathId`), 0)"


def _last_of_path(values: str) -> str:
    return f"arrayFilter((one, path, next) -> path != next, {values}, `Paths.PathId`, {_NEXT})"


PATHS: Final = _last_of_path("`Paths.PathId`")  # the distinct paths of a root, in their order


def sum_by_path(values: str) -> str:
    """An array aligned with `PATHS`: the sums of `values`, an array with one value an entry."""
    until = _last_of_path(f"arrayCumSum({values})")
    return (
        f"arrayMap((until, before) -> until - before, {until}, "
        f"arrayPushFront(arrayPopBack({until}), 0))"
    )
