"""Call paths that only one side has: what the candidate calls and the baseline did not.

New paths are worse when they are called again and again, or take time that no vanished neighbour
gave back: a path with another name is no news.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.gate_numbers import MIN_REQUESTS, Paths, Sums, critical_per_request, divide
from tracer.analysis.packing import Rows

Floats = NDArray[np.float64]

_REPEATED: Final = 1.5  # calls of a new path, per call of the one above: more is a loop


@dataclass(frozen=True)
class News:
    """Topmost paths of either side alone, roots too, and the chance of each new one (NaN where
    there are too few requests)."""

    new: Rows
    vanished: Rows
    chance: Floats


def news(paths: Paths, baseline: Sums, candidate: Sums, *, is_cut: tuple[bool, bool]) -> News:
    """`is_cut`: rare paths of the baseline, of the candidate were left out; nobody knows then."""
    new = _absent(paths, candidate, baseline, is_cut=is_cut[0])
    vanished = _absent(paths, baseline, candidate, is_cut=is_cut[1])
    return News(new, vanished, _chance_of_absence(baseline, candidate, new))


def costly(
    paths: Paths,
    baseline: Sums,
    candidate: Sums,
    of: News,
    rows: Rows,
    *,
    min_excess: tuple[float, float] | None,
) -> dict[int, float]:
    """Of the new paths `rows` those that are worse, and the critical time a request each adds.

    `min_excess`: least ns, and least share of a request; None: times are not judged.
    """
    took, takes = critical_below(paths, baseline), critical_below(paths, candidate)
    calls_gone = divide(baseline.of("calls"), baseline.of("calls")[paths.parent])
    calls_new = divide(candidate.of("calls"), candidate.of("calls")[paths.parent])
    found = {}
    for row in rows[~paths.is_root[rows]].tolist():
        beside = of.vanished[paths.parent[of.vanished] == paths.parent[row]]
        more_ns = takes[row] - float(took[beside].sum())
        more_calls = calls_new[row] - float(calls_gone[beside].sum())
        is_long = min_excess is not None and more_ns >= max(
            min_excess[0], min_excess[1] * took[paths.root[row]]
        )
        if is_long or more_calls >= _REPEATED:
            found[row] = max(more_ns, 0.0)
    return found


def critical_below(paths: Paths, of: Sums) -> Floats:
    """Critical ns per request of each path and everything below it."""
    total = np.nan_to_num(critical_per_request(of))
    own, at = total.copy(), np.arange(len(paths))
    while True:
        is_deep = ~paths.is_root[at]
        if not is_deep.any():
            return total
        at = np.where(is_deep, paths.parent[at], at)
        total += np.bincount(at[is_deep], own[is_deep], minlength=len(total))


def _absent(paths: Paths, there: Sums, gone: Sums, *, is_cut: bool) -> Rows:
    is_gone = (there.of("requests") > 0) & (gone.of("requests") == 0)
    if is_cut:
        return np.zeros(0, np.intp)
    has_caller = ~is_gone[paths.parent] | paths.is_root
    return np.flatnonzero(is_gone & has_caller)


def _chance_of_absence(baseline: Sums, candidate: Sums, new: Rows) -> Floats:
    """Of no request of the baseline having a path that so many of the candidate have."""
    root = candidate.root[new]
    share = divide(candidate.of("requests")[new], candidate.of("requests")[root])
    counts = baseline.n_eff[root], candidate.n_eff[root]
    p = np.exp(counts[0] * np.log1p(-np.clip(share, 0.0, 1 - 1e-12)))
    return np.where(np.minimum(*counts) * (1 + 1e-9) >= MIN_REQUESTS, p, np.nan)
