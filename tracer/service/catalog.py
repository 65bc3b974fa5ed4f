"""Which services and operations there are, and how they do."""

from __future__ import annotations

from typing import Any

from tracer.errors import NotFound
from tracer.report.quality import window_quality
from tracer.service.context import Context, Window
from tracer.service.histogram_rows import read_grouped
from tracer.store.activity import count_waiting
from tracer.store.flaws import read_flaws

MOST_ROWS = 1_000  # of one answer; the total says when there are more
IDENTITY = ("ServiceName", "ServiceNamespace", "Environment", "TenantId")


def services(context: Context, window: Window) -> dict[str, Any]:
    """Document `tracer.services/1`; durations are those of single spans."""
    grouped = read_grouped(context, window, IDENTITY)
    by_operation = read_grouped(context, window, (*IDENTITY, "Operation"))
    return {
        "schema": "tracer.services/1",
        "window": window.document(),
        "total": {"value": len(grouped.keys), "exact": True},
        "quality": quality_of(context, window),
        "waiting_traces": None if grouped.keys else count_waiting(context.engine),
        "services": [
            {
                **_identity(key),
                "operations": sum(one[: len(IDENTITY)] == key for one in by_operation.keys),
                **grouped.numbers(row),
            }
            for row, key in enumerate(grouped.keys[:MOST_ROWS])
        ],
    }


def operations(context: Context, service: str, window: Window) -> dict[str, Any]:
    """Document `tracer.operations/1`. Raises NotFound when the service sent nothing then."""
    grouped = read_grouped(context, window, (*IDENTITY, "Operation", "SpanKind"), service=service)
    if not grouped.keys:
        raise NotFound(
            f"service {service!r} has no analysed spans in this range; "
            "widen it with since, or see tracer services"
        )
    return {
        "schema": "tracer.operations/1",
        "service": service,
        "window": window.document(),
        "quality": quality_of(context, window),
        "total": {"value": len(grouped.keys), "exact": True},
        "operations": [
            {
                **_identity(key),
                "operation": key[len(IDENTITY)],
                "kind": key[len(IDENTITY) + 1].lower(),
                **grouped.numbers(row),
                "exemplar_trace_id": grouped.exemplar[row],
            }
            for row, key in enumerate(grouped.keys[:MOST_ROWS])
        ],
    }


def quality_of(context: Context, window: Window) -> dict[str, Any]:
    """Of all traces of the range, as far as their facts are kept."""
    return window_quality(read_flaws(context.engine, window.start_ns, window.end_ns))


def _identity(key: tuple[str, ...]) -> dict[str, str]:
    return dict(
        zip(("service", "namespace", "environment", "tenant"), key[: len(IDENTITY)], strict=True)
    )
