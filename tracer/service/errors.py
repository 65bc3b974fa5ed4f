"""What fails, where it begins, and how far it reaches: errors over many traces.

traces with a failing span in the window → their spans → origins → grouped, counted, shared out
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Final

from tracer.analysis.analyse import analyse
from tracer.analysis.error_groups import group_errors
from tracer.analysis.errors import errors
from tracer.analysis.failures import failures
from tracer.analysis.flaws import of_traces
from tracer.columns.flaws import NOBODY
from tracer.columns.spans import SpanColumns
from tracer.report.errors_json import group_documents, with_shares
from tracer.report.quality import quality_shares
from tracer.service.catalog import IDENTITY
from tracer.service.context import Context, Window
from tracer.service.histogram_rows import read_grouped
from tracer.store import errors as stored
from tracer.store import rollups
from tracer.store.activity import read_bounds, read_spans
from tracer.units import rfc3339

JUDGED: Final = 2_000  # traces with errors whose spans are read; more are sampled by their id
SPANS_READ: Final = 200_000  # of those traces together
SPANS_LOOKED_AT: Final = 2_000_000  # in the window; beyond, the status alone tells who failed
OPERATION = (*IDENTITY, "Operation", "SpanKind")


@dataclass(frozen=True)
class ErrorQuery:
    """`service`: errors that began there."""

    window: Window
    service: str | None
    limit: int


@dataclass(frozen=True)
class _Found:
    """Traces that were read, of all that have errors."""

    spans: SpanColumns | None
    bounds: tuple[int, int]
    trace_ids: list[str]
    of: int
    rules: str


def error_groups(context: Context, query: ErrorQuery) -> dict[str, Any]:
    """Document `tracer.errors/1`: at most `limit` groups, most origins first."""
    read = _read(context, query)
    scale = read.of / max(1, len(read.trace_ids))  # to all traces with errors
    rows: list[dict[str, Any]] = []
    total = 0
    told = NOBODY
    if read.spans is not None:
        analysed = analyse(read.spans, max_skew_ns=context.max_skew_ns)
        forest, told = analysed.forest, of_traces(analysed.facts)
        found = errors(forest, failures(_symptoms(context, read)))
        groups = group_errors(
            forest,
            found,
            (query.window.start_ns, query.window.end_ns),
            service=query.service,
            most=query.limit,
        )
        total = groups.total
        rows = group_documents(forest, found, groups.groups)
        rows = _shared_out(context, query.window, rows, scale)
        _add_stacks(context, read, rows)
    return {
        "schema": "tracer.errors/1",
        "as_of": rfc3339(context.now_ns()),
        "window": query.window.document(),
        "service": query.service,
        "total": {"value": total, "exact": len(read.trace_ids) == read.of},
        "errors": rows,
        "quality": {
            "roots": rollups.count_traces(
                context.engine, rollups.Window(query.window.start_ns, query.window.end_ns)
            ),
            "traces_with_errors": read.of,
            "traces_read": len(read.trace_ids),
            "sampled": len(read.trace_ids) < read.of,
            "rules": read.rules,
            "root_missing": told.root_missing,
            **quality_shares(told),
        },
        "reproduce": _reproduce(query),
    }


def _read(context: Context, query: ErrorQuery) -> _Found:
    start_ns, end_ns = query.window.start_ns, query.window.end_ns
    few = stored.count_spans(context.engine, start_ns, end_ns) <= SPANS_LOOKED_AT
    sized, of = stored.failing_traces(
        context.engine,
        stored.BY_ATTRIBUTES if few else stored.BY_STATUS,
        start_ns,
        end_ns,
        service=query.service,
        limit=JUDGED,
    )
    rules = "status and attributes" if few else "status only"
    trace_ids: list[str] = []
    total = 0
    for trace_id, size in sized:
        total += size
        if trace_ids and total > SPANS_READ:
            break
        trace_ids.append(trace_id)
    if not trace_ids:
        return _Found(None, (start_ns, end_ns), [], 0, rules)
    bounds = read_bounds(context.engine, trace_ids)
    spans = read_spans(
        context.engine, trace_ids, start_ns=bounds[0], end_ns=bounds[1], after_ns=None
    )
    return _Found(spans, bounds, trace_ids, of, rules)


def _symptoms(context: Context, read: _Found) -> Any:
    return stored.read_symptoms(
        context.engine,
        read.trace_ids,
        start_ns=read.bounds[0],
        end_ns=read.bounds[1],
        limit=SPANS_READ,
    )


def _shared_out(
    context: Context, window: Window, rows: list[dict[str, Any]], scale: float
) -> list[dict[str, Any]]:
    """The groups with their shares of all spans in the window, not of those that were read."""
    grouped = read_grouped(context, window, OPERATION)
    by_operation = dict(zip(grouped.keys, grouped.spans, strict=True))
    by_service: dict[tuple[str, ...], float] = {}
    for key, spans in by_operation.items():
        by_service[key[:4]] = by_service.get(key[:4], 0.0) + spans
    shared = []
    for row in rows:
        identity = (row["service"], row["namespace"], row["environment"], row["tenant"])
        operation = (*identity, row["operation"], row["kind"].capitalize())
        shared.append(
            with_shares(
                {**row, "estimated_count": round(row["estimated_count"] * scale)},
                operation_spans=round(by_operation.get(operation, 0.0)),
                service_spans=round(by_service.get(identity, 0.0)),
                scale=scale,
            )
        )
    return shared


def _add_stacks(context: Context, read: _Found, rows: list[dict[str, Any]]) -> None:
    firsts = [
        (row["exemplars"][0]["trace_id"], row["exemplars"][0]["span_id"])
        for row in rows
        if row["exemplars"]
    ]
    stacks = stored.stack_traces(
        context.engine, firsts, start_ns=read.bounds[0], end_ns=read.bounds[1]
    )
    for row, key in zip(rows, firsts, strict=True):
        row["stacktrace"] = stacks.get(key)


def _reproduce(query: ErrorQuery) -> str:
    words = ["tracer", "errors"]
    words += ["--start", rfc3339(query.window.start_ns), "--end", rfc3339(query.window.end_ns)]
    words += ["--service", query.service] if query.service else []
    return shlex.join([*words, "--limit", str(query.limit)])
