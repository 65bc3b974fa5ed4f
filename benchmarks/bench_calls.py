"""How failures spread, and calls with their patterns, on one core, against one span at a time.

The references are the slow versions that the tests hold the fast ones to. Seconds are CPU seconds
of this process, best of several rounds; results are compared, exactly, before anything is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from benchmarks.bench_kernel import _traffic
from tests.support.oracle_calls import Traffic
from tests.support.oracle_errors import Spread, spread
from tracer.analysis.critical_path import critical_ns, critical_path
from tracer.analysis.errors import Propagation, propagate
from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows
from tracer.analysis.patterns import Patterns, patterns
from tracer.analysis.services import calls, inclusive_ns
from tracer.analysis.tree import build
from tracer.columns.spans import (
    KIND_CLIENT,
    KIND_INTERNAL,
    KIND_SERVER,
    STATUS_ERROR,
    STATUS_UNSET,
    ServiceIdentity,
    SpanColumns,
)

_TRACES: Final = 10_000
_NAIVE_TRACES: Final = 100
_ROUNDS: Final = 3
_SERVICES: Final = 8
_FAILED_SHARE: Final = 0.1


def run() -> list[dict[str, Any]]:
    """Rows of name, value, unit, reference (the naive way, same run) and ratio."""
    some = _shop(_NAIVE_TRACES)
    many = build(_shop(_TRACES))
    few = build(some)
    _check_same(some, few)
    naive_errors = len(some) / _best(lambda: _errors_naively(some))
    naive_calls = len(some) / _best(lambda: _calls_naively(some, few))
    return [
        _rate("failures: origins and how far they reach", many, _errors, naive_errors),
        _rate("calls between services, n+1, storms, cycles", many, _calls, naive_calls),
    ]


def _shop(traces: int) -> SpanColumns:
    """Ordinary traffic of eight services; one span in ten failed."""
    spans = _traffic(traces)
    random = np.random.default_rng(7)
    count = len(spans)
    kind = random.choice([KIND_INTERNAL, KIND_SERVER, KIND_CLIENT], count).astype(np.int8)
    failed = random.random(count) < _FAILED_SHARE
    return replace(
        spans,
        kind=kind,
        status=np.where(failed, STATUS_ERROR, STATUS_UNSET).astype(np.int8),
        service=random.integers(0, _SERVICES, count).astype(np.int32),
        services=tuple(ServiceIdentity("", "", "", f"s{n}") for n in range(_SERVICES)),
    )


def _errors(forest: Forest) -> Propagation:
    row = np.flatnonzero(forest.spans.status == STATUS_ERROR)
    return propagate(forest, row, np.full(len(row), -1), lambda below, above: below == above)


def _calls(forest: Forest) -> Patterns:
    target = np.where(forest.spans.kind == KIND_CLIENT, forest.spans.operation, -1)
    calls(forest, target)
    return _patterns(forest, target)


def _patterns(forest: Forest, target: Rows) -> Patterns:
    inclusive = inclusive_ns(forest, critical_ns(critical_path(forest), len(forest)))
    return patterns(forest, inclusive, target=target, statement=np.zeros(len(forest), np.intp))


def _errors_naively(spans: SpanColumns) -> dict[Any, Spread]:
    failed = np.flatnonzero(spans.status == STATUS_ERROR)
    keys = zip(spans.trace_lo[failed].tolist(), spans.span_id[failed].tolist(), strict=True)
    return spread(spans, dict.fromkeys(keys, -1), lambda below, above: below == above)


def _calls_naively(spans: SpanColumns, forest: Forest) -> set[Any]:
    traffic = Traffic(spans)
    keys = list(zip(forest.spans.trace_lo.tolist(), forest.spans.span_id.tolist(), strict=True))
    own = critical_ns(critical_path(forest), len(forest)).tolist()
    target = np.where(forest.spans.kind == KIND_CLIENT, forest.spans.operation, -1).tolist()
    to = dict(zip(keys, target, strict=True))
    traffic.calls(to)
    inclusive = traffic.inclusive(dict(zip(keys, own, strict=True)))
    return traffic.patterns(inclusive, to, dict.fromkeys(keys, 0))


def _check_same(spans: SpanColumns, forest: Forest) -> None:
    """A benchmark of a wrong answer is worth nothing."""
    slow = _errors_naively(spans)
    if sum(one.is_origin for one in slow.values()) != int(_errors(forest).is_origin.sum()):
        raise AssertionError("origins differ from the naive ones")
    if len(_calls_naively(spans, forest)) != len(_calls(forest)):
        raise AssertionError("patterns differ from the naive ones")


def _rate(
    name: str, forest: Forest, work: Callable[[Forest], object], reference: float
) -> dict[str, Any]:
    value = len(forest) / _best(lambda: work(forest))
    unit = "spans/s"
    ratio = value / reference
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def _best(work: Callable[[], object]) -> float:
    seconds: list[float] = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)
