"""Call paths of very many traces as one tree, from facts in memory, on one core.

A million traces of three kinds, 8 to 20 call paths each, as facts; against the obvious loop over
dictionaries, whose answer for some of them is compared first. Seconds are CPU seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from benchmarks.naive_paths import merge_naively
from tracer.analysis.baseline import weights
from tracer.analysis.merged_tree import MergedTree, merged_tree
from tracer.analysis.path_bands import band_limits, band_of, exemplars, path_bands
from tracer.columns.facts import PathTable, TraceFacts
from tracer.columns.path_bands import BANDS
from tracer.columns.spans import ServiceIdentity

_TRACES: Final = 1_000_000
_NAIVE_TRACES: Final = 10_000
_KINDS: Final = 3
_PATHS: Final = 20  # of a kind
_FEWEST: Final = 8


def run() -> list[dict[str, Any]]:
    """Rows of name, value, unit, reference (the naive way, same run) and ratio."""
    some = _facts(_NAIVE_TRACES)
    _check_same(some)
    naive = len(some) / _seconds(lambda: merge_naively(some))
    facts = _facts(_TRACES)
    every = np.ones(len(facts), np.bool_)
    merged = len(facts) / _seconds(lambda: _merge(facts))
    shown = _seconds(lambda: exemplars(facts, every, "critical", facts.paths.path_id))
    return [
        {
            "name": f"merged tree of {_TRACES:,} traces, {len(facts.path_id):,} entries",
            "value": merged,
            "unit": "traces/s",
            "reference": naive,
            "ratio": merged / naive,
        },
        {
            "name": f"typical and worst trace of {_KINDS * _PATHS} call paths",
            "value": shown,
            "unit": "s",
            "reference": None,
            "ratio": None,
        },
    ]


def _merge(facts: TraceFacts) -> MergedTree:
    limits = band_limits(facts.root_path_id, facts.duration_ns, weights(facts))
    sums = path_bands(facts, band_of(limits, facts.root_path_id, facts.duration_ns))
    at = np.searchsorted(facts.paths.path_id, sums.path_id)
    return merged_tree(sums, facts.paths.parent_path_id[at])


def _check_same(facts: TraceFacts) -> None:
    """A benchmark of a wrong answer is worth nothing."""
    expected, tree = merge_naively(facts), _merge(facts)
    columns = {
        "roots": tree.sums.roots,
        "calls": tree.sums.calls,
        "failed": tree.sums.failed,
        "self_ns": tree.sums.self_ns,
        "critical_ns": tree.sums.critical_ns,
        "inclusive_ns": tree.inclusive_critical_ns,
    }
    for band in range(len(BANDS)):
        for column, path in enumerate(tree.sums.path_id.tolist()):
            for name, values in columns.items():
                if values[band, column] != expected[band, path][name]:
                    raise AssertionError(f"{name} of path {path} differs from the naive one")


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _facts(traces: int, seed: int = 1) -> TraceFacts:
    """A root takes the first 8 to 20 paths of its kind; a path's parent comes before it."""
    random = np.random.default_rng(seed)
    count = random.integers(_FEWEST, _PATHS + 1, traces)
    kind = random.integers(0, _KINDS, traces)
    offset = np.concatenate(([0], np.cumsum(count)))
    place = np.arange(offset[-1]) - np.repeat(offset[:-1], count)
    entries = len(place)
    critical_ns = (random.exponential(5_000_000, entries)).astype(np.int64)
    paths = _paths(random)
    zero = np.zeros(traces, np.uint32)
    return TraceFacts(
        trace_hi=np.zeros(traces, np.uint64),
        trace_lo=np.arange(1, traces + 1, dtype=np.uint64),
        root_span_id=np.ones(traces, np.uint64),
        root_path_id=paths.path_id[kind * _PATHS],
        start_ns=np.arange(traces, dtype=np.int64),
        duration_ns=np.add.reduceat(critical_ns, offset[:-1]),
        is_main=np.ones(traces, np.bool_),
        root_missing=np.zeros(traces, np.bool_),
        failed=np.zeros(traces, np.bool_),
        span_count=count.astype(np.uint32),
        service_count=zero,
        error_count=zero,
        orphan_count=zero,
        duplicate_count=zero,
        overrun_count=zero,
        cycle_count=zero,
        dropped_count=zero,
        skewed_count=zero,
        ambiguous_count=zero,
        late_count=zero,
        weight=np.ones(traces),
        version=("",) * traces,
        offset=offset,
        path_id=paths.path_id[np.repeat(kind, count) * _PATHS + place],
        entry_failed=random.random(entries) < 0.01,
        bucket=np.zeros(entries, np.int16),
        calls=random.integers(1, 4, entries).astype(np.uint32),
        self_ns=critical_ns + 1_000,
        critical_ns=critical_ns,
        paths=paths,
    )


def _paths(random: np.random.Generator) -> PathTable:
    path_id = np.sort(random.integers(1, 1 << 63, _KINDS * _PATHS)).astype(np.uint64)
    place = np.arange(len(path_id)) % _PATHS
    parent = np.arange(len(path_id)) - place + (place * random.random(len(place))).astype(np.int64)
    return PathTable(
        path_id=path_id,
        parent_path_id=np.where(place, path_id[parent], np.uint64(0)),
        kind=np.ones(len(path_id), np.int8),
        service=(ServiceIdentity("", "", "", "shop"),) * len(path_id),
        operation=tuple(f"operation {number}" for number in range(len(path_id))),
    )
