"""`tracer.slow-traces/1` for people: what is slow, what is to blame, which traces show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.tables import BAD, DIM, STRONG, Column, draw, plain, table

Document = Mapping[str, Any]

MOST_BOTTLENECKS: Final = 8  # drawn; the document has more
BOTTLENECKS = (
    Column("#", is_number=True),
    Column("service"),
    Column("operation"),
    Column("took", is_number=True),
    Column("normal p95", is_number=True),
    Column("deviation", is_number=True),
    Column("reason"),
    Column("share", is_number=True, is_spare=True),
    Column("traces", is_number=True, is_spare=True),
    Column("excess a trace", is_number=True, is_spare=True),
)
TRACES = (
    Column("trace", keep_whole=True),
    Column("root"),
    Column("took", is_number=True),
    Column("normal p95", is_number=True),
    Column("deviation", is_number=True),
    Column("spans", is_number=True, is_spare=True),
    Column("start", keep_whole=True, is_spare=True),
)


def slow_text(document: Document, *, width: int, colour: bool) -> str:
    """The whole report."""
    return draw(_parts(document), width=width, colour=colour)


def _parts(document: Document) -> Iterator[RenderableType]:
    yield plain(f"Slow traces, {fig.moments(document['window'])}", STRONG)
    yield plain(f"Slow means: {document['rule']['slow_means']}")
    yield plain(_baseline(document["baseline"]))
    yield plain(_affected(document["affected"]))
    yield Text()
    yield from _bottlenecks(document)
    yield from _traces(document)
    yield from quality_lines(document["quality"])
    yield plain(f"Again: {document['reproduce']}", DIM)


def _baseline(baseline: Document) -> str:
    if baseline["start"] is None:
        itself = "each trace with the others of this range" if baseline["leave_one_out"] else "–"
        return f"Compared with: {itself}, for want of traces before it"
    moments, traces = fig.moments(baseline), fig.count(baseline["traces"])
    return f"Compared with: {baseline['chosen']}, {moments}, {traces} traces"


def _affected(affected: Document) -> str:
    requests, of = affected["requests"], affected["of"]
    share = f" ({fig.percent(requests['value'] / of['value'])})" if of["value"] else ""
    line = f"Affected: {fig.total(requests)} of {fig.total(of)} requests{share}"
    if affected["users"] is None:
        keys = affected["user_attribute"].replace(",", " or ")
        return f"{line}; users unknown (no {keys} on the spans)"
    return f"{line}, {fig.total(affected['users'])} users ({affected['user_attribute']})"


def _bottlenecks(document: Document) -> Iterator[RenderableType]:
    found = document["bottlenecks"]
    if not found:
        yield plain("No bottleneck stands out.")
        yield Text()
        return
    shown = found[:MOST_BOTTLENECKS]
    title = fig.cut(len(shown), len(found), "bottlenecks")
    yield plain(f"{title[0].upper()}{title[1:]}, worst first", STRONG)
    yield table(BOTTLENECKS, ([str(at), *_bottleneck(one)] for at, one in enumerate(shown, 1)))
    yield Text()
    worst = found[0]
    yield plain(f"1. {' › '.join([*worst['path']])}")
    yield plain(f"   normal: {_normal(worst['baseline'])}")
    if worst["exemplar_trace_ids"]:
        yield plain(f"   see: tracer trace {worst['exemplar_trace_ids'][0]}")
    yield Text()


def _bottleneck(one: Document) -> list[object]:
    is_cause = one["role"] == "cause"
    return [
        one["service"],
        plain(one["operation"], STRONG if is_cause else ""),
        fig.duration(one["duration_ns"]),
        fig.duration(one["expected_p95_ns"]),
        plain(fig.deviation(one["deviation_percent"]), BAD if is_cause else ""),
        one["reason"] or fig.NONE if is_cause else one["role"],
        fig.percent(one["share_of_excess"]),
        fig.count(one["traces"]),
        fig.duration(one["excess_ns"]),
    ]


def _normal(baseline: Document) -> str:
    return (
        f"usually {fig.duration(baseline['usual_ns'])} a trace "
        f"(n={fig.count(baseline['traces_n_eff'])} traces, "
        f"{fig.count(baseline['spans_n_eff'])} spans)"
    )


def _traces(document: Document) -> Iterator[RenderableType]:
    shown = document["traces"]
    if not shown:
        return
    of = document["affected"]["requests"]["value"]
    yield plain(f"{fig.cut(len(shown), of, 'slow traces').capitalize()}, slowest first", STRONG)
    yield table(TRACES, (_trace(one) for one in shown))
    yield Text()


def _trace(one: Document) -> list[object]:
    return [
        one["trace_id"],
        f"{one['root']['service']} {one['root']['operation']}",
        fig.duration(one["duration_ns"]),
        fig.duration(one["expected_p95_ns"]),
        fig.deviation(one["deviation_percent"]),
        fig.count(one["span_count"]),
        fig.clock(one["start"]),
    ]


def quality_lines(quality: Document) -> Iterator[RenderableType]:
    """What the answer rests on, as one line."""
    facts = [
        f"{name.replace('_', ' ')} {_figure(name, value)}"
        for name, value in quality.items()
        if isinstance(value, int | float | str)
    ]
    if facts:
        yield plain(f"Quality: {', '.join(facts)}", DIM)


def _figure(name: str, value: float | str | bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("share"):
        return fig.percent(value)
    return fig.duration(value) if name.endswith("_ns") else fig.count(value)
