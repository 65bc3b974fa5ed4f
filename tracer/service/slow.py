"""What an on-call engineer asks first: what is slow, whose fault is it, who is affected.

    facts of the window → slow roots → their call paths against normal → ranked bottlenecks

Slow is what lasts longer than `min_duration`, or else longer than the normal p95 of its root.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.flaws import of_traces
from tracer.analysis.quantiles import NO_BUCKET, estimate, quantile, select
from tracer.columns.baselines import Baselines, Histograms
from tracer.columns.buckets import middle_ns
from tracer.columns.facts import PathTable, TraceFacts
from tracer.report.quality import quality_shares
from tracer.service.context import Context, Window
from tracer.service.normal import Normal, choose, operation_paths, read_baselines
from tracer.service.slow_bottlenecks import common_bottlenecks, trace_ids
from tracer.service.slow_traces import trace_answers
from tracer.store.activity import count_waiting
from tracer.store.facts import read_facts, read_paths
from tracer.store.search import distinct_users
from tracer.store.slow import (
    RootLimit,
    count_slow,
    estimate_requests,
    root_counts,
    slow_where,
)
from tracer.units import rfc3339, short_duration

JUDGED: Final = 5_000  # slow traces whose call paths are compared; more are sampled by id
RANKED: Final = 20
ROOTS: Final = 2_000  # kinds of roots that are judged, most frequent first
OWN: Final = "p95 of this window"  # where the limit of a root came from


@dataclass(frozen=True)
class SlowQuery:
    """`service` and `operation`: traces that pass through it, wherever they start."""

    window: Window
    baseline: Window | None
    service: str | None
    operation: str | None
    min_duration_ns: int | None
    limit: int
    user_attributes: tuple[str, ...]


def slow_traces(context: Context, query: SlowQuery) -> dict[str, Any]:
    """Document `tracer.slow-traces/1`."""
    through = operation_paths(context, query.service, query.operation)
    counts = root_counts(context.engine, _bounds(query), through)
    of = sum(counts.values())
    counts = dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:ROOTS])
    roots = read_paths(context.engine, np.array(sorted(counts), np.uint64))
    normal = choose(context, query.window, query.baseline)
    limits = _limits(context, query, normal, roots, counts)
    where, parameters = slow_where(_bounds(query), through, limits)
    found = count_slow(context.engine, where, parameters)
    slow = read_facts(
        context.engine, where, parameters, order="cityHash64(TraceId), RootSpanId", limit=JUDGED
    )
    baselines = _baselines(context, query, normal, slow)
    leave_one_out = not normal.windows  # then each trace is judged without its own share
    found_bottlenecks = common_bottlenecks(slow, baselines, leave_one_out=leave_one_out)
    worst = read_facts(
        context.engine, where, parameters, order="DurationNs DESC, TraceId", limit=query.limit
    )
    return {
        "schema": "tracer.slow-traces/1",
        "as_of": rfc3339(context.now_ns()),
        "window": query.window.document(),
        "baseline": {
            **normal.document(),
            "traces": round(_root_total(baselines, roots)),
            "leave_one_out": leave_one_out,
        },
        "rule": {
            "slow_means": _rule(query, normal, limits),
            "min_duration_ns": query.min_duration_ns,
        },
        "affected": {
            **_affected(context, query, found, slow, of),
            "estimated": _estimated(estimate_requests(context.engine, where, parameters)),
        },
        "bottlenecks": found_bottlenecks[:RANKED],
        "bottlenecks_total": len(found_bottlenecks),
        "traces": trace_answers(context, worst, baselines, leave_one_out=leave_one_out),
        "waiting_traces": None if counts else count_waiting(context.engine),
        "quality": {
            **_quality(slow, found),
            "roots_not_judged": of - sum(counts.values()),
        },
        "reproduce": _reproduce(query, normal),
    }


def _bounds(query: SlowQuery) -> tuple[int, int]:
    return query.window.start_ns, query.window.end_ns


def _limits(
    context: Context, query: SlowQuery, normal: Normal, roots: PathTable, counts: dict[int, int]
) -> list[RootLimit]:
    """Beyond which duration a root is slow: as asked, else its normal p95, else its own p95."""
    if query.min_duration_ns is not None:
        return [RootLimit(path_id, query.min_duration_ns - 1, "min_duration") for path_id in counts]
    ids = np.array(sorted(counts), np.uint64)
    p95 = estimate(_durations(read_baselines(context, normal, roots), ids), 0.95)
    known = p95.high != NO_BUCKET
    limits = _root_limits(ids[known], p95.value[known], "normal p95")
    if known.all():
        return limits
    own = read_baselines(context, Normal((query.window,), "own"), roots)
    value = quantile(_durations(own, ids), 0.95)
    rest = ~known & (value != NO_BUCKET)
    return limits + _root_limits(ids[rest], value[rest], OWN)


def _durations(baselines: Baselines, path_ids: NDArray[np.uint64]) -> Histograms:
    """Durations of single spans on each path, an empty histogram where nothing is known."""
    key = baselines.operations.key
    at = np.minimum(np.searchsorted(key, path_ids), max(0, len(key) - 1))
    known = key[at] == path_ids if len(key) else np.zeros(len(path_ids), np.bool_)
    return select(baselines.operations.durations, np.where(known, at, -1))


def _root_limits(
    path_ids: NDArray[np.uint64], bucket: NDArray[np.int32], source: str
) -> list[RootLimit]:
    limit_ns = middle_ns(bucket.astype(np.int16)).round().astype(np.int64)
    return [
        RootLimit(path_id, limit, source)
        for path_id, limit in zip(path_ids.tolist(), limit_ns.tolist(), strict=True)
    ]


def _baselines(context: Context, query: SlowQuery, normal: Normal, slow: TraceFacts) -> Baselines:
    """Of the normal windows; with none the whole window is normal, whatever was filtered."""
    windows = normal if normal.windows else Normal((query.window,), "this window")
    return read_baselines(context, windows, slow.paths)


def _root_total(baselines: Baselines, roots: PathTable) -> float:
    paths = baselines.paths
    known = np.isin(paths.path_id, roots.path_id[roots.parent_path_id == 0])
    return float(paths.calls.total[known].sum())


def _rule(query: SlowQuery, normal: Normal, limits: list[RootLimit]) -> str:
    if query.min_duration_ns is not None:
        return f"the root lasts at least {short_duration(query.min_duration_ns)}"
    if not normal.windows:
        return (
            "longer than the p95 of their kind in this very window, "
            "so one in twenty by definition: there is nothing earlier to compare with"
        )
    if any(limit.source == OWN for limit in limits):
        return (
            "the root lasts longer than the normal p95 of its kind "
            "(where too few are known: than its p95 in this window)"
        )
    return "the root lasts longer than the normal p95 of its kind"


def _affected(
    context: Context, query: SlowQuery, found: int, slow: TraceFacts, of: int
) -> dict[str, Any]:
    users = None
    if len(slow) and query.user_attributes:
        users = distinct_users(
            context.engine,
            trace_ids(slow),
            query.user_attributes,
            start_ns=int(slow.start_ns.min()),
            end_ns=int((slow.start_ns + slow.duration_ns).max()),
        )
    return {
        "requests": {"value": found, "exact": True},
        "of": {"value": of, "exact": True},
        "failed": {"value": int(slow.failed.sum()), "exact": found <= len(slow)},
        "users": None if users is None else {"value": users[1], "exact": found <= len(slow)},
        "user_attribute": users[0] if users else ",".join(query.user_attributes),
    }


def _estimated(requests: tuple[float, float] | None) -> dict[str, Any] | None:
    """Of the requests that sampling left out as well; null where it is not known."""
    if requests is None:
        return None
    slow, of = (round(number) for number in requests)
    return {"requests": {"value": slow, "exact": False}, "of": {"value": of, "exact": False}}


def _quality(slow: TraceFacts, found: int) -> dict[str, Any]:
    return {
        "traces_judged": len(slow),
        "sampled": found > len(slow),
        **quality_shares(of_traces(slow)),
    }


def _reproduce(query: SlowQuery, normal: Normal) -> str:
    words = ["tracer", "slow"]
    words += ["--start", rfc3339(query.window.start_ns), "--end", rfc3339(query.window.end_ns)]
    if normal.chosen == "given":
        (given,) = normal.windows
        words += ["--baseline-start", rfc3339(given.start_ns)]
        words += ["--baseline-end", rfc3339(given.end_ns)]
    for flag, value in (("--service", query.service), ("--operation", query.operation)):
        words += [flag, value] if value else []
    if query.min_duration_ns is not None:
        words += ["--min-duration", f"{query.min_duration_ns}ns"]
    return shlex.join([*words, "--limit", str(query.limit)])
