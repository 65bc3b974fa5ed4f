"""`tracer.services/1`, `tracer.operations/1` and `tracer.baselines/1` for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType

from tracer.report import figures as fig
from tracer.report.tables import BAD, DIM, STRONG, Column, draw, plain, table

Document = Mapping[str, Any]

SERVICES = (
    Column("service"),
    Column("namespace", is_spare=True),
    Column("environment", is_spare=True),
    Column("operations", is_number=True, is_spare=True),
    Column("spans", is_number=True),
    Column("errors", is_number=True),
    Column("p50", is_number=True),
    Column("p95", is_number=True),
)
OPERATIONS = (
    Column("operation"),
    Column("kind", is_spare=True),
    Column("spans", is_number=True),
    Column("errors", is_number=True),
    Column("p50", is_number=True),
    Column("p95", is_number=True),
    Column("interval of p95", is_number=True, is_spare=True),
    Column("example trace", keep_whole=True, is_spare=True),
)
BASELINES = (
    Column("service"),
    Column("operation"),
    Column("kind", is_spare=True),
    Column("called by"),
    Column("n", is_number=True),
    Column("p50", is_number=True),
    Column("p95", is_number=True),
    Column("interval of p95", is_number=True, is_spare=True),
)


def services_text(document: Document, *, width: int, colour: bool) -> str:
    """A row a service."""
    rows = document["services"]
    head = plain(f"{fig.count(len(rows))} services", STRONG)
    body = table(SERVICES, (_service(row) for row in rows))
    return draw([head, body] if rows else [_nothing("services")], width=width, colour=colour)


def operations_text(document: Document, *, width: int, colour: bool) -> str:
    """A row an operation."""
    rows = document["operations"]
    head = plain(f"{document['service']}: {fig.count(len(rows))} operations", STRONG)
    body = table(OPERATIONS, (_operation(row) for row in rows))
    return draw([head, body] if rows else [_nothing("operations")], width=width, colour=colour)


def baselines_text(document: Document, *, width: int, colour: bool) -> str:
    """A row an operation and caller."""
    return draw(_baseline_parts(document), width=width, colour=colour)


def _service(row: Document) -> list[object]:
    return [
        row["service"],
        row["namespace"],
        row["environment"],
        fig.count(row["operations"]),
        fig.count(row["spans"]),
        _errors(row["error_share"]),
        fig.duration(row["p50_ns"]),
        fig.duration(row["p95_ns"]),
    ]


def _operation(row: Document) -> list[object]:
    return [
        row["operation"],
        row["kind"],
        fig.count(row["spans"]),
        _errors(row["error_share"]),
        fig.duration(row["p50_ns"]),
        fig.duration(row["p95_ns"]),
        fig.interval(row["p95_interval_ns"]),
        row["exemplar_trace_id"] or fig.NONE,
    ]


def _baseline_parts(document: Document) -> Iterator[RenderableType]:
    rows = document["baselines"]
    if not rows:
        yield _nothing("baselines")
        return
    window = document.get("window")
    when = f", {fig.moments(window)}" if window else ""
    shown = fig.cut(len(rows), document["total"]["value"], "rows")
    yield plain(f"What is normal{when}: {shown}", STRONG)
    yield table(BASELINES, (_baseline(row) for row in rows))
    if any(row["p95_ns"] is None for row in rows):
        yield plain(f"{fig.NONE}: not enough data for a p95 that can be trusted", DIM)


def _baseline(row: Document) -> list[object]:
    return [
        row["service"],
        row["operation"],
        row["kind"],
        _caller(row),
        fig.count(row["n"]),
        fig.duration(row["p50_ns"]),
        fig.duration(row["p95_ns"]),
        fig.interval(row["p95_interval_ns"]),
    ]


def _caller(row: Document) -> str:
    if row["depth"] == "operation":
        return "anybody"
    caller = row["caller"]
    return f"{caller['service']} {caller['operation']}" if caller else "nobody"


def _errors(share: float) -> object:
    return plain(fig.percent(share), BAD) if share > 0 else fig.percent(share)


def _nothing(things: str) -> RenderableType:
    return plain(f"No {things} were seen in this range; widen it with --since or --start and --end")
