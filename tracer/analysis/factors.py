"""Why a contribution changed: more calls, more time a call, or more of it on the critical path.

    contribution = calls x self time per call x critical share

Under the same weights the three factors multiply to the contribution exactly, and the change of a
product is split among its factors by their Shapley values: the average over all six orders in which
they may change. A path that one side does not have is new or vanished, whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.budget import Budget

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]


@dataclass(frozen=True)
class Factors:
    """By row of the path table; the four sum to the change of the contribution."""

    calls_ns: Floats
    self_ns: Floats
    share_ns: Floats
    presence_ns: Floats  # new (positive) or vanished (negative) paths

    def total(self) -> Floats:
        """The change of each contribution."""
        return self.calls_ns + self.self_ns + self.share_ns + self.presence_ns


def factors(before: Budget, after: Budget) -> Factors:
    """The change of each path's contribution, by factor. Both budgets MUST have one path table."""
    here, there = before.calls > 0, after.calls > 0
    both = here & there
    # without self time on a side there is no share of it: time on the path per call stands for both
    is_plain = both & ((before.self_ns <= 0) | (after.self_ns <= 0))
    (n0, s0, k0), (n1, s1, k1) = (_three(one, both, is_plain) for one in (before, after))
    return Factors(
        calls_ns=_shapley((n0, n1), (s0, s1), (k0, k1)),
        self_ns=_shapley((s0, s1), (n0, n1), (k0, k1)),
        share_ns=_shapley((k0, k1), (n0, n1), (s0, s1)),
        presence_ns=np.where(both, 0.0, after.critical_ns - before.critical_ns),
    )


def _three(
    one: Budget, both: NDArray[np.bool_], is_plain: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    time_ns = np.where(is_plain, one.critical_ns, one.self_ns)
    calls = np.where(both, one.calls, 0.0)
    per_call = np.divide(time_ns, one.calls, out=np.zeros_like(time_ns), where=both)
    share = np.divide(one.critical_ns, time_ns, out=np.ones_like(time_ns), where=time_ns > 0)
    return calls, per_call, np.where(both, share, 0.0)


def _shapley(x: Pair, y: Pair, z: Pair) -> Floats:
    """The part of x in the change of x y z, each before and after."""
    (x0, x1), (y0, y1), (z0, z1) = x, y, z
    return (x1 - x0) * ((y0 * z0 + y1 * z1) / 3 + (y0 * z1 + y1 * z0) / 6)
