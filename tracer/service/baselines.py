"""What is normal for an operation: by itself, and as called from each of its callers."""

from __future__ import annotations

from typing import Any

from tracer.service.catalog import IDENTITY, quality_of
from tracer.service.context import Context, Window
from tracer.service.histogram_rows import read_grouped
from tracer.service.normal import DAY_NS
from tracer.units import rfc3339

OPERATION = (*IDENTITY, "Operation", "SpanKind")
CALLER = (*OPERATION, "CallerServiceName", "CallerOperation")


def baselines(
    context: Context,
    *,
    service: str | None,
    operation: str | None,
    window: Window | None,
    limit: int,
) -> dict[str, Any]:
    """Document `tracer.baselines/1`, at most `limit` rows, most spans first.

    The window is the last 24 h when none is given. `p95_ns` is null below 72 effective samples.
    """
    now = context.now_ns()
    range_ = window or Window(max(0, now - DAY_NS), now)
    rows = []
    for depth, columns in (("operation", OPERATION), ("caller", CALLER)):
        grouped = read_grouped(context, range_, columns, service=service, operation=operation)
        for row, key in enumerate(grouped.keys):
            rows.append(
                {
                    **dict(
                        zip(
                            ("service", "namespace", "environment", "tenant", "operation"),
                            key,
                            strict=False,
                        )
                    ),
                    "kind": key[5].lower(),
                    "caller": _caller(key),
                    "depth": depth,
                    "n": round(grouped.spans[row]),
                    **grouped.numbers(row),
                }
            )
    rows.sort(key=lambda one: (-one["n"], one["service"], one["operation"], one["depth"]))
    return {
        "schema": "tracer.baselines/1",
        "as_of": rfc3339(now),
        "window": range_.document(),
        "total": {"value": len(rows), "exact": True},
        "baselines": rows[:limit],
        "quality": quality_of(context, range_),
    }


def _caller(key: tuple[str, ...]) -> dict[str, str] | None:
    if len(key) <= len(OPERATION) or not key[6]:
        return None
    return {"service": key[6], "operation": key[7]}
