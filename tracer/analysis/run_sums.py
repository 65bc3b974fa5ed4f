"""Facts of one run → its sums by call path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.baseline import weights
from tracer.analysis.flaws import of_traces
from tracer.analysis.packing import Rows, ranges, run_starts
from tracer.analysis.population import Population, population
from tracer.columns.facts import PathTable, TraceFacts
from tracer.columns.hashing import mix_one, operation_key
from tracer.columns.runs import SUMS, Run, Step, depths

MOST_PATHS: Final = 2_000  # call paths of a run; further ones, in the fewest requests, are counted
_INSTANT_MS: Final = 1e-3  # added before taking logarithms: clocks are not finer
_NS_PER_MS: Final = 1e6

Floats = NDArray[np.float64]


def run_sums(facts: TraceFacts, said: Mapping[str, str], *, most_paths: int = MOST_PATHS) -> Run:
    """The main roots of the facts. Order of the facts is no matter."""
    requests = population(facts)
    path_id, parent_id, steps, place = _paths_without_environment(facts.paths)
    sums = _sums(requests, place, len(path_id), np.searchsorted(path_id, parent_id), parent_id)
    path, bucket, count, failed = _spans(facts, place)
    sums[:, SUMS.index("failed")] = np.bincount(path, count * failed, minlength=len(path_id))
    offset, bucket, count = _histograms(path, bucket, count, len(path_id))
    run = Run(
        path_id=path_id,
        parent_path_id=parent_id,
        steps=steps,
        sums=sums,
        offset=offset,
        bucket=bucket,
        count=count,
        flaws=of_traces(facts),
        spans=int(facts.span_count[facts.is_main].sum()),
        left_out=0,
        said=dict(said),
    )
    is_used = run.sums[:, 0] > 0  # the table also names paths below other roots than main ones
    return most_frequent(_rows(run, np.flatnonzero(is_used)), most_paths)


def most_frequent(run: Run, most: int) -> Run:
    """The paths in most requests; with a path its caller stays, which is in as many or more."""
    if len(run) <= most:
        return run
    order = np.lexsort((run.path_id, depths(run.path_id, run.parent_path_id), -run.sums[:, 0]))
    kept = _rows(run, np.sort(order[:most]))
    return replace(kept, left_out=run.left_out + len(run) - most)


def _rows(run: Run, rows: Rows) -> Run:
    sizes = run.offset[rows + 1] - run.offset[rows]
    inside = ranges(run.offset[rows], sizes)
    return replace(
        run,
        path_id=run.path_id[rows],
        parent_path_id=run.parent_path_id[rows],
        steps=tuple(run.steps[row] for row in rows.tolist()),
        sums=run.sums[rows],
        offset=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        bucket=run.bucket[inside],
        count=run.count[inside],
    )


def _paths_without_environment(
    paths: PathTable,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], tuple[Step, ...], Rows]:
    """Distinct paths of steps, their callers, and which of them each row of the table is."""
    row_of = {int(one): row for row, one in enumerate(paths.path_id.tolist())}
    parents = paths.parent_path_id.tolist()
    made: list[int | None] = [None] * len(paths)
    steps: dict[int, tuple[int, Step]] = {}
    for row in range(len(paths)):
        above: list[int] = []
        at: int | None = row
        while at is not None and made[at] is None:
            above.append(at)
            at = row_of.get(parents[at]) if parents[at] else None
        parent = made[at] if at is not None else 0
        for one in reversed(above):
            identity = paths.service[one]
            kind = int(paths.kind[one])
            step = Step(identity.namespace, identity.name, paths.operation[one], kind)
            key = operation_key(("", "", step.namespace, step.service), step.operation, kind)
            path_id = mix_one(parent or 0, key)
            steps[path_id] = (parent or 0, step)
            made[one] = parent = path_id
    every = np.array(sorted(steps), np.uint64)
    ordered = [steps[one] for one in every.tolist()]
    return (
        every,
        np.array([parent for parent, _ in ordered], np.uint64),
        tuple(step for _, step in ordered),
        np.searchsorted(every, np.array(made, np.uint64)),
    )


def _sums(
    requests: Population, place: Rows, paths: int, parent: Rows, parent_id: NDArray[np.uint64]
) -> Floats:
    """By path; `failed` is left at 0."""
    row = np.repeat(np.arange(len(requests)), np.diff(requests.offset))
    path = place[requests.path]
    order = np.lexsort((path, row))
    first = run_starts(row[order], path[order])  # two paths may be one without environment

    def added(values: NDArray[np.integer]) -> Floats:
        if not len(first):
            return np.zeros(0)
        return np.add.reduceat(values[order], first).astype(np.float64)

    row, path = row[order][first], path[order][first]
    calls, self_ms = added(requests.calls), added(requests.self_ns) / _NS_PER_MS
    critical_ms = added(requests.critical_ns) / _NS_PER_MS
    weight = requests.weight[row]
    key = row * paths + path  # ascending
    above = np.searchsorted(key, row * paths + np.minimum(parent, paths - 1)[path])
    is_root = parent_id[path] == 0
    calls_above = np.where(is_root, 1.0, calls[np.minimum(above, max(len(calls) - 1, 0))])
    log_self = np.log(self_ms / np.maximum(calls, 1) + _INSTANT_MS)
    values = {
        "requests": np.ones(len(row)),
        "requests_sq": weight,
        "calls": calls,
        "calls_sq": calls**2,
        "calls_parent": calls * calls_above,
        "failed": np.zeros(len(row)),
        "self_ms": self_ms,
        "log_self": log_self,
        "log_self_sq": log_self**2,
        "critical_ms": critical_ms,
        "critical_ms_sq": critical_ms**2,
    }
    columns = [np.bincount(path, weight * values[name], minlength=paths) for name in SUMS]
    return np.stack(columns, axis=1)


def _spans(
    facts: TraceFacts, place: Rows
) -> tuple[Rows, NDArray[np.int32], Floats, NDArray[np.bool_]]:
    """Path, duration bucket, weighted count and failure of the entries of main roots."""
    row = np.repeat(np.arange(len(facts)), np.diff(facts.offset))
    entry = np.flatnonzero(facts.is_main[row])
    path = place[np.searchsorted(facts.paths.path_id, facts.path_id[entry])]
    count = weights(facts)[row[entry]] * facts.calls[entry]
    return path, facts.bucket[entry].astype(np.int32), count, facts.entry_failed[entry]


def _histograms(
    path: Rows, bucket: NDArray[np.int32], count: Floats, paths: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
    order = np.lexsort((bucket, path))
    first = run_starts(path[order], bucket[order])
    summed = np.add.reduceat(count[order], first) if len(first) else np.zeros(0)
    sizes = np.bincount(path[order][first], minlength=paths)
    offset = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return offset, bucket[order][first], summed
