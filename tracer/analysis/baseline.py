"""Baselines from facts in memory: what single spans last, and what a trace spends on each path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.call_paths import ROOT_PATH_ID
from tracer.analysis.packing import Rows, order_by, run_starts
from tracer.analysis.quantiles import from_samples, merge
from tracer.columns.baselines import Baselines, OperationBaselines, PathBaselines
from tracer.columns.buckets import bucket_of
from tracer.columns.facts import PathTable, TraceFacts
from tracer.columns.hashing import caller_key, operation_key

Keys = NDArray[np.uint64]
Times = NDArray[np.int64]


@dataclass(frozen=True)
class PathKeys:
    """The keys under which durations of each path's spans are kept, from special to general."""

    path: Keys
    caller: Keys
    operation: Keys

    def depths(self) -> tuple[Keys, Keys, Keys]:
        """All three, most specific first."""
        return self.path, self.caller, self.operation


@dataclass(frozen=True)
class PathSums:
    """What each root spent on each of its call paths; sorted by (root, path)."""

    root: Rows  # row of the facts
    path: Rows  # row of the path table
    calls: Times
    self_ns: Times
    critical_ns: Times
    weight: NDArray[np.float64]  # of the root; 1 where unknown
    entry: Rows  # the sum to which each entry of the facts belongs


def path_keys(paths: PathTable) -> PathKeys:
    """Keys of every row of the table."""
    above = np.searchsorted(paths.path_id, paths.parent_path_id)
    steps = list(zip(paths.service, paths.operation, paths.kind.tolist(), strict=True))
    hashed = cache(operation_key)
    called_from = cache(caller_key)
    operations = [hashed(*step) for step in steps]
    called = [
        called_from(key, steps[caller][0].name, steps[caller][1])
        if is_called
        else called_from(key, "", "")
        for key, caller, is_called in zip(
            operations, above.tolist(), (paths.parent_path_id != ROOT_PATH_ID).tolist(), strict=True
        )
    ]
    return PathKeys(paths.path_id, np.array(called, np.uint64), np.array(operations, np.uint64))


def path_sums(facts: TraceFacts) -> PathSums:
    """Entries of the facts summed over outcome and bucket."""
    root = np.repeat(np.arange(len(facts)), np.diff(facts.offset))
    path = np.searchsorted(facts.paths.path_id, facts.path_id)
    order = order_by(root, path)
    first = run_starts(root[order], path[order])
    sizes = np.diff(np.append(first, len(order)))
    entry = np.empty(len(order), np.intp)
    entry[order] = np.repeat(np.arange(len(first)), sizes)

    def total(values: NDArray[np.integer]) -> Times:
        if not len(first):
            return np.zeros(0, np.int64)
        return np.add.reduceat(values[order].astype(np.int64), first)

    return PathSums(
        root=root[order[first]],
        path=path[order[first]],
        calls=total(facts.calls),
        self_ns=total(facts.self_ns),
        critical_ns=total(facts.critical_ns),
        weight=weights(facts)[root[order[first]]],
        entry=entry,
    )


def weights(facts: TraceFacts) -> NDArray[np.float64]:
    """Sampling weight by root; the population is 'stored spans' where it is unknown."""
    return np.where(facts.weight > 0, facts.weight, 1.0)


def baselines_from_facts(facts: TraceFacts) -> Baselines:
    """Everything in `facts` as a baseline, durations at all three depths."""
    keys = path_keys(facts.paths)
    path = np.searchsorted(facts.paths.path_id, facts.path_id)
    weight = np.repeat(weights(facts), np.diff(facts.offset))
    parts = []
    for depth in keys.depths():
        distinct, number = np.unique(depth, return_inverse=True)
        histograms = from_samples(
            number[path],
            len(distinct),
            facts.bucket.astype(np.int32),
            weight,
            facts.calls.astype(np.float64),
        )
        parts.append((distinct, histograms))
    key, durations = merge(parts)

    sums = path_sums(facts)
    count = len(facts.paths)
    return Baselines(
        OperationBaselines(key, durations),
        PathBaselines(
            path_id=facts.paths.path_id,
            critical=from_samples(sums.path, count, _bucket(sums.critical_ns), sums.weight),
            self_time=from_samples(sums.path, count, _bucket(sums.self_ns), sums.weight),
            calls=from_samples(sums.path, count, sums.calls.astype(np.int32), sums.weight),
        ),
    )


def _bucket(values_ns: Times) -> NDArray[np.int32]:
    return bucket_of(values_ns).astype(np.int32)
