"""`tracer.services/1`, `tracer.operations/1` and `tracer.baselines/1` for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from tracer.report import figures as fig
from tracer.report.quality_text import flaws_said
from tracer.report.tables import BAD, DIM, STRONG, Column, draw, plain, table
from tracer.report.waiting import waiting_line

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
    head = plain(fig.counted(len(rows), "service"), STRONG)
    body = _filled(SERVICES, [_service(row) for row in rows])
    nothing = [_nothing("services")]
    if document["waiting_traces"]:
        nothing = [plain(waiting_line(document["waiting_traces"]))]
    return draw([head, body, *_quality(document)] if rows else nothing, width=width, colour=colour)


def operations_text(document: Document, *, width: int, colour: bool) -> str:
    """A row an operation."""
    rows = document["operations"]
    head = plain(f"{document['service']}: {fig.counted(len(rows), 'operation')}", STRONG)
    body = table(OPERATIONS, (_operation(row) for row in rows))
    parts = [head, body, *_quality(document)] if rows else [_nothing("operations")]
    return draw(parts, width=width, colour=colour)


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


def _filled(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> RenderableType:
    """The table without the spare columns that no row has a word for."""
    kept = [
        at for at, one in enumerate(columns) if not one.is_spare or any(row[at] for row in rows)
    ]
    return table([columns[at] for at in kept], ([row[at] for at in kept] for row in rows))


def _baseline_parts(document: Document) -> Iterator[RenderableType]:
    found = document["baselines"]
    if not found:
        yield _nothing("baselines")
        return
    rows = _without_repeats(found)
    window = document.get("window")
    when = f", {fig.moments(window)}" if window else ""
    of = document["total"]["value"] - (len(found) - len(rows))
    yield plain(f"What is normal{when}: {fig.cut(len(rows), of, 'row')}", STRONG)
    yield table(BASELINES, (_baseline(row) for row in rows))
    if any(row["p95_ns"] is None for row in rows):
        yield plain(f"{fig.NONE}: not enough data for a p95 that can be trusted", DIM)
    yield from _quality(document)


def _without_repeats(rows: Sequence[Document]) -> list[Document]:
    """All but the sums over callers of an operation that has one caller: they say the same."""
    callers = Counter(_identity(row) for row in rows if row["depth"] == "caller")
    return [row for row in rows if row["depth"] == "caller" or callers[_identity(row)] != 1]


def _identity(row: Document) -> tuple[str, ...]:
    names = ("service", "namespace", "environment", "tenant", "operation", "kind")
    return tuple(row[name] for name in names)


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
    return f"{caller['service']} {caller['operation']}" if caller else "(root)"


def _errors(share: float) -> object:
    return plain(fig.percent(share), BAD) if share > 0 else fig.percent(share)


def _quality(document: Document) -> Iterator[RenderableType]:
    """What is not as it should be with the traces of the range; older servers do not tell."""
    if said := flaws_said(document.get("quality", {}), "the traces"):
        yield plain(f"Quality: {'; '.join(said)}.", DIM)


def _nothing(things: str) -> RenderableType:
    return plain(f"No {things} were seen in this range; widen it with --since or --start and --end")
