"""Tree, self time and critical path on one core, against the plain recursive version.

Shapes: ordinary traffic (8 to 200 spans a trace, calls one after the other and at once), the same
in any order of rows, and single traces that are very deep or very wide. Seconds are CPU seconds of
this process, best of several rounds. Ordinary results are compared with the naive ones, exactly.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.naive_kernel import analyse_naively
from tracer.analysis.analyse import analyse
from tracer.analysis.critical_path import critical_path
from tracer.analysis.parents import join
from tracer.analysis.self_time import self_time
from tracer.analysis.skew import MAX_CLOCK_SKEW_NS, correct
from tracer.analysis.tree import build, grow
from tracer.columns.spans import ServiceIdentity, SpanColumns

_TRACES: Final = 10_000
_NAIVE_TRACES: Final = 500  # of them, for the naive version
_DEEP: Final = 100_000
_HUGE: Final = 1_000_000
_ROUNDS: Final = 5
_OPERATIONS: Final = 60


def run() -> list[dict[str, Any]]:
    """Rows of name, value, unit, reference (the naive way, same run) and ratio."""
    ordinary = _traffic(_TRACES)
    some = _traffic(_NAIVE_TRACES)
    _check_same(some)
    naive = len(some) / _best(lambda: analyse_naively(some), rounds=2)
    shuffled = ordinary.take(np.random.default_rng(5).permutation(len(ordinary)))
    kernel = "tree + clocks + self time + critical path"
    hosts = _with_hosts(ordinary)
    rows = [
        _rate(f"{kernel}, 8-200 spans a trace", ordinary, _kernel, naive),
        _rate(f"{kernel}, the same shuffled", shuffled, _kernel, naive),
        _rate(f"{kernel}, one clock in fifty off", hosts, _kernel, None),
        _rate(f"{kernel}, call paths and facts", ordinary, analyse, None),
    ]
    for name, spans in (
        (f"chain of {_DEEP:,}", _chain(_DEEP)),
        (f"fan-out of {_DEEP:,}", _fan(_DEEP)),
        (f"one trace of {_HUGE:,}", _one_trace(_HUGE)),
    ):
        seconds = _best(lambda spans=spans: _kernel(spans), rounds=1)  # type: ignore[misc]
        rows.append(_row(f"{kernel}, {name}", seconds, "s", None))
    return rows


def _kernel(spans: SpanColumns) -> None:
    parents, _ = correct(join(spans), max_skew_ns=MAX_CLOCK_SKEW_NS)
    forest = grow(parents)
    self_time(forest)
    critical_path(forest)


def _rate(
    name: str, spans: SpanColumns, work: Callable[[SpanColumns], object], reference: float | None
) -> dict[str, Any]:
    return _row(name, len(spans) / _best(lambda: work(spans)), "spans/s", reference)


def _row(name: str, value: float, unit: str, reference: float | None) -> dict[str, Any]:
    ratio = None if reference is None else value / reference
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def _best(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    seconds: list[float] = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _check_same(spans: SpanColumns) -> None:
    """A benchmark of a wrong answer is worth nothing."""
    self_ns, sections = analyse_naively(spans)
    forest = build(spans)
    rows = np.lexsort((spans.span_id, spans.trace_lo))
    fast = critical_path(forest)
    mine = zip(
        rows[fast.span_row].tolist(), fast.start_ns.tolist(), fast.end_ns.tolist(), strict=True
    )
    if self_time(forest).tolist() != np.array(self_ns)[rows].tolist():
        raise AssertionError("self times differ from the naive ones")
    if sorted(mine) != sorted(sections):
        raise AssertionError("critical paths differ from the naive ones")


def _traffic(traces: int, seed: int = 1) -> SpanColumns:
    """Traces of 8 to 200 spans, six levels deep or so.

    Children of a span run one after the other in nine families of ten, at once in the tenth.
    """
    random = np.random.default_rng(seed)
    sizes = random.integers(8, 201, traces)
    trace = np.repeat(np.arange(traces), sizes)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.arange(len(trace)) - first
    # callers are spread over the first two thirds: families of one to a dozen
    caller = np.where(place, (place * random.random(len(trace)) ** 2 * 0.66).astype(np.int64), -1)
    return _columns(trace, np.where(caller < 0, -1, caller + first), random)


def _columns(
    trace: NDArray[np.int64], parent: NDArray[np.int64], random: np.random.Generator
) -> SpanColumns:
    """Spans with times that fit their parents; a parent has a lower row than its children."""
    count = len(trace)
    start = np.zeros(count, np.int64)
    end = np.full(count, 200_000_000, np.int64)
    at_once = random.random(count) < 0.1
    order = np.argsort(parent, kind="stable")
    order = order[np.searchsorted(parent[order], 0) :]
    family = parent[order]
    head = np.flatnonzero(np.concatenate(([True], family[1:] != family[:-1])))
    size = np.diff(np.append(head, len(order)))
    nth = np.arange(len(order)) - np.repeat(head, size)
    siblings = np.repeat(size, size)
    depth = _depths(parent)
    slack = random.random(len(order))
    for level in range(1, int(depth.max()) + 1):
        at = depth[order] == level
        rows, above = order[at], parent[order[at]]
        parts = np.where(at_once[above], 1, siblings[at])
        width = (end[above] - start[above]) // (parts + 1)
        begin = np.where(at_once[above], 0, nth[at]) * width + (slack[at] * width * 0.2)
        start[rows] = start[above] + begin.astype(np.int64)
        end[rows] = start[rows] + (width * (0.5 + slack[at] * 0.3)).astype(np.int64)
    ids = random.permutation(np.arange(1, count + 1)).astype(np.uint64) << np.uint64(40)
    epoch = 1_790_000_000_000_000_000 + trace * 1_000_000
    zero = np.zeros(count, np.int32)
    return SpanColumns(
        trace_hi=np.zeros(count, np.uint64),
        trace_lo=(trace + 1).astype(np.uint64),
        span_id=ids,
        parent_span_id=np.where(parent < 0, np.uint64(0), ids[parent]),
        start_ns=start + epoch,
        end_ns=end + epoch,
        kind=np.ones(count, np.int8),
        status=np.zeros(count, np.int8),
        sends_message=np.zeros(count, np.bool_),
        dropped=np.zeros(count, np.bool_),
        weight=np.ones(count),
        service=zero,
        operation=(depth * 7 + np.arange(count) % 7).astype(np.int32) % _OPERATIONS,
        version=zero,
        host=zero,
        services=(ServiceIdentity("", "", "", "shop"),),
        operations=tuple(f"operation {number}" for number in range(_OPERATIONS)),
        versions=("",),
        hosts=("",),
    )


def _with_hosts(spans: SpanColumns) -> SpanColumns:
    """The same as calls between five hosts; in one trace of fifty one host is a second behind."""
    depth = build(spans)
    level = np.empty(len(spans), np.int64)
    level[np.lexsort((spans.span_id, spans.trace_lo))] = depth.depth
    host = ((level + 1) // 2 % 5).astype(np.int32)
    behind = (host == 2) & (spans.trace_lo % np.uint64(50) == 0)
    shift = np.where(behind, 1_000_000_000, 0)
    return replace(
        spans,
        kind=np.where(level % 2, 2, 3).astype(np.int8),
        host=host,
        hosts=tuple(f"node-{number}" for number in range(5)),
        start_ns=spans.start_ns - shift,
        end_ns=spans.end_ns - shift,
    )


def _depths(parent: NDArray[np.int64]) -> NDArray[np.int64]:
    above = np.where(parent < 0, np.arange(len(parent)), parent)
    depth = (parent >= 0).astype(np.int64)
    while not np.array_equal(above, above[above]):
        depth = depth + depth[above]
        above = above[above]
    return depth


def _single(parent: NDArray[np.int64]) -> SpanColumns:
    return _columns(np.zeros(len(parent), np.int64), parent, np.random.default_rng(2))


def _chain(count: int) -> SpanColumns:
    spans = _single(np.concatenate(([-1], np.zeros(count - 1, np.int64))))
    number = np.arange(count)
    spans.parent_span_id[1:] = spans.span_id[:-1]
    spans.start_ns[:] = number
    spans.end_ns[:] = 4 * count - number
    return spans


def _fan(count: int) -> SpanColumns:
    return _single(np.concatenate(([-1], np.zeros(count - 1, np.int64))))


def _one_trace(count: int) -> SpanColumns:
    random = np.random.default_rng(3)
    place = np.arange(count)
    return _single(np.where(place, (place * random.random(count)).astype(np.int64), -1))
