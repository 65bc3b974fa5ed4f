"""What a call path usually takes out of a trace of the same root: medians over the baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.baseline import PathSums
from tracer.analysis.packing import Rows
from tracer.analysis.quantiles import NO_BUCKET, Buckets, quantile_without
from tracer.columns.baselines import Histograms, PathBaselines
from tracer.columns.buckets import ZERO_BUCKET, bucket_of, middle_ns
from tracer.columns.facts import TraceFacts

Floats = NDArray[np.float64]
_BELOW_ALL = np.iinfo(np.int32).min


@dataclass(frozen=True)
class Typical:
    """By row of the sums: medians over all traces of the root, an absent path counting as 0.

    Those named `present` are over the traces that contain the path, 0 where none does.
    """

    traces_n_eff: Floats  # traces of the root in the baseline
    presence: Floats  # share of them that contain the path
    critical_ns: Floats
    calls: Floats
    critical_present_ns: Floats
    self_present_ns: Floats
    calls_present: Floats


def typical(
    facts: TraceFacts, sums: PathSums, baselines: PathBaselines, *, leave_one_out: bool
) -> Typical:
    """For every row of `sums`; `leave_one_out` takes the trace's own sums out of the baseline."""
    at = _row_of(baselines.path_id, facts.paths.path_id[sums.path])
    root = _row_of(baselines.path_id, facts.root_path_id[sums.root])
    own_weight = sums.weight if leave_one_out else np.zeros(len(sums.weight))
    present = _at(baselines.calls.total, at) - np.where(at >= 0, own_weight, 0.0)
    traces = _at(baselines.calls.total, root) - np.where(root >= 0, own_weight, 0.0)
    traces_weight2 = _at(baselines.calls.weight2, root) - np.where(root >= 0, own_weight**2, 0.0)
    some = (traces > 1e-6) & (traces_weight2 > 1e-6)
    zeros = np.maximum(traces - present, 0.0)

    def median(histograms: Histograms, buckets: Buckets, below: Floats | None) -> Buckets:
        own = _alone(buckets, sums.weight) if leave_one_out else None
        return quantile_without(histograms, at, 0.5, own=own, zeros=below)

    critical = bucket_of(sums.critical_ns).astype(np.int32)
    self_time = bucket_of(sums.self_ns).astype(np.int32)
    calls = sums.calls.astype(np.int32)
    return Typical(
        traces_n_eff=np.divide(traces**2, traces_weight2, out=np.zeros(len(at)), where=some),
        presence=np.divide(present, traces, out=np.zeros(len(at)), where=some),
        critical_ns=_ns(median(baselines.critical, critical, zeros)),
        calls=_number(median(baselines.calls, calls, zeros)),
        critical_present_ns=_ns(median(baselines.critical, critical, None)),
        self_present_ns=_ns(median(baselines.self_time, self_time, None)),
        calls_present=_number(median(baselines.calls, calls, None)),
    )


def _row_of(sorted_keys: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> Rows:
    if not len(sorted_keys):
        return np.full(len(wanted), -1, np.intp)
    at = np.minimum(np.searchsorted(sorted_keys, wanted), len(sorted_keys) - 1)
    return np.where(sorted_keys[at] == wanted, at, -1)


def _at(values: Floats, rows: Rows) -> Floats:
    if not len(values):
        return np.zeros(len(rows))
    return np.where(rows >= 0, values[rows], 0.0)


def _alone(bucket: Buckets, weight: Floats) -> Histograms:
    """One histogram of one sample for each."""
    return Histograms(np.arange(len(bucket) + 1), bucket, weight, weight * weight)


def _ns(bucket: Buckets) -> Floats:
    none = (bucket == NO_BUCKET) | (bucket == _BELOW_ALL)
    return middle_ns(np.where(none, ZERO_BUCKET, bucket).astype(np.int16))


def _number(bucket: Buckets) -> Floats:
    none = (bucket == NO_BUCKET) | (bucket == _BELOW_ALL)
    return np.where(none, 0, bucket).astype(np.float64)
