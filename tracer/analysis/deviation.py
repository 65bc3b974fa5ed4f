"""How long a span is expected to last at most, and by how much it deviates.

The most specific baseline with enough samples answers: the whole call path, the operation as called
by this caller, the operation. Enough means that the p95 has an upper bound: 72 effective samples.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.baseline import PathSums, path_keys, weights
from tracer.analysis.packing import Rows
from tracer.analysis.quantiles import (
    NO_BUCKET,
    Buckets,
    Estimates,
    estimate,
    from_samples,
    select,
    subtract,
)
from tracer.columns.baselines import Depth, Histograms, OperationBaselines
from tracer.columns.buckets import middle_ns
from tracer.columns.facts import TraceFacts

Floats = NDArray[np.float64]

DEPTHS: Final[tuple[Depth, ...]] = ("path", "caller", "operation")
NO_DEPTH: Final = -1
_QUESTIONS_AT_ONCE: Final = 10_000  # each copies one histogram


@dataclass(frozen=True)
class Expectations:
    """The expected p95 of single spans; NaN and NO_DEPTH where there is not enough data.

    `n_eff` is the best that was found, whether it was enough or not.
    """

    p95_ns: Floats
    low_ns: Floats
    high_ns: Floats
    n_eff: Floats
    depth: NDArray[np.int8]  # index into DEPTHS


def expectations(
    facts: TraceFacts, sums: PathSums, baselines: OperationBaselines, *, leave_one_out: bool
) -> Expectations:
    """For every row of `sums`. `leave_one_out`: the baseline holds these traces; each is judged
    without its own spans."""
    found = _nothing(len(sums.root))
    for depth, key in enumerate(path_keys(facts.paths).depths()):
        distinct, number = np.unique(key, return_inverse=True)
        at = _row_of(baselines.key, distinct)[number][sums.path]
        open_rows = np.flatnonzero((found.depth == NO_DEPTH) & (at >= 0))
        if not len(open_rows):
            continue
        pair = sums.root * len(distinct) + number[sums.path]
        own = _own_spans(facts, sums, pair) if leave_one_out else None
        # one question serves all paths that lead to the same key in the same root
        asked = pair if leave_one_out else at
        _, example, answer_of = np.unique(asked[open_rows], return_index=True, return_inverse=True)
        answer = _ask(baselines.durations, at, own, open_rows[example])
        _fill(found, open_rows, answer, answer_of, depth)
    return found


@dataclass(frozen=True)
class _Own:
    """The spans of one root under one key; `row` gives the histogram of each sum."""

    histograms: Histograms
    row: Rows


def _own_spans(facts: TraceFacts, sums: PathSums, pair: Rows) -> _Own:
    """Spans of the same root under the same key, whichever path they came by."""
    pairs, row = np.unique(pair, return_inverse=True)
    histograms = from_samples(
        row[sums.entry],
        len(pairs),
        facts.bucket.astype(np.int32),
        weights(facts)[sums.root[sums.entry]],
        facts.calls.astype(np.float64),
    )
    return _Own(histograms, row)


def _ask(durations: Histograms, at: Rows, own: _Own | None, rows: Rows) -> Estimates:
    """The p95 for each of `rows`."""
    parts = []
    for begin in range(0, len(rows), _QUESTIONS_AT_ONCE):
        part = rows[begin : begin + _QUESTIONS_AT_ONCE]
        histograms = select(durations, at[part])
        if own is not None:
            histograms = subtract(histograms, select(own.histograms, own.row[part]))
        parts.append(estimate(histograms, 0.95))
    return Estimates(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Estimates)
        )
    )


def _fill(found: Expectations, rows: Rows, answer: Estimates, answer_of: Rows, depth: int) -> None:
    """Write the answers that are sure into `found`, and how much was behind the others."""
    n_eff = answer.n_eff[answer_of]
    found.n_eff[rows] = np.maximum(found.n_eff[rows], n_eff)
    enough = answer.high[answer_of] != NO_BUCKET
    sure, chosen = rows[enough], answer_of[enough]
    found.p95_ns[sure] = _ns(answer.value[chosen])
    found.low_ns[sure] = _ns(answer.low[chosen])
    found.high_ns[sure] = _ns(answer.high[chosen])
    found.n_eff[sure] = answer.n_eff[chosen]
    found.depth[sure] = depth


def deviation_percent(duration_ns: NDArray[np.int64], p95_ns: Floats) -> Floats:
    """(duration / expected p95 - 1) x 100; NaN where nothing is expected or an instant is."""
    ratio = np.full(len(duration_ns), np.nan)
    np.divide(duration_ns, p95_ns, out=ratio, where=p95_ns > 0)
    return (ratio - 1) * 100


def _nothing(count: int) -> Expectations:
    none = np.full(count, np.nan)
    return Expectations(
        none.copy(), none.copy(), none, np.zeros(count), np.full(count, NO_DEPTH, np.int8)
    )


def _row_of(sorted_keys: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> Rows:
    """Row of each wanted key, -1 where there is none."""
    if not len(sorted_keys):
        return np.full(len(wanted), -1, np.intp)
    at = np.minimum(np.searchsorted(sorted_keys, wanted), len(sorted_keys) - 1)
    return np.where(sorted_keys[at] == wanted, at, -1)


def _ns(bucket: Buckets) -> Floats:
    return middle_ns(bucket.astype(np.int16))
