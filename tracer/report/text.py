"""`tracer.analysis/1` for people: where the time of each trace went, and what is not normal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.bottlenecks import common_table, rest_of_path, trace_table
from tracer.report.clock_shifts import clocks_text
from tracer.report.commands import again
from tracer.report.doubt import doubt_text
from tracer.report.errors_text import common_errors, trace_errors
from tracer.report.reasons import SYMPTOM
from tracer.report.tables import BAD, DIM, STRONG, Column, draw, plain, table
from tracer.report.waterfall import waterfall

Document = Mapping[str, Any]

MOST_TRACES: Final = 3  # shown in full, slowest first
MOST_LISTED: Final = 10
TRACES: Final = (
    Column("trace", keep_whole=True),
    Column("root"),
    Column("took", is_number=True),
    Column("spans", is_number=True),
    Column("worst"),
)
FLAWS: Final = {  # of one span, of several
    "orphans": ("span whose parent is missing", "spans whose parent is missing"),
    "duplicates": ("copy merged", "copies merged"),
    "overruns": ("span that outlives its parent", "spans that outlive their parent"),
    "starts_before_parent": (
        "span that starts before its parent",
        "spans that start before their parent",
    ),
    "off_path": (
        "span that ran only while its parent did not",
        "spans that ran only while their parent did not",
    ),
    "ends_before_start": ("span that ends before it starts", "spans that end before they start"),
    "cycles": ("cycle cut", "cycles cut"),
    "self_parents": (
        "span that names itself as its parent",
        "spans that name themselves as their parent",
    ),
    "short_trace_ids": ("span with half of its trace id", "spans with half of their trace id"),
    "shared_ids": ("span with a shared id", "spans with a shared id"),
    "dropped": (
        "span that lost attributes, events or links",
        "spans that lost attributes, events or links",
    ),
}
PARENTS_MISSING: Final = {
    "truncated_id": "named by an id that was cut or rounded",
    "late": "late, unfinished or lost",
    "sampled_out": "sampled out",
    "not_instrumented": "not instrumented",
    "unknown": "for a reason the data does not tell",
}


def analysis_text(
    document: Document, *, width: int, colour: bool, most_traces: int = MOST_TRACES
) -> str:
    """The whole report; the slowest `most_traces` traces with a waterfall."""
    return draw(_parts(document, width, most_traces), width=width, colour=colour)


def _parts(document: Document, width: int, most_traces: int) -> Iterator[RenderableType]:
    traces: Sequence[Document] = document["traces"]
    if not traces:
        yield plain("No traces.")
        return
    if len(traces) > 1:
        yield plain(
            f"{fig.counted(len(traces), 'trace')}, {fig.counted(document['span_count'], 'span')}",
            STRONG,
        )
        yield from _common(document["bottlenecks"])
        yield from common_errors(document.get("errors"))
        yield from _listed(traces)
    for trace in traces[:most_traces]:
        if len(traces) > 1:
            yield Text()
        yield from _trace(trace, width)
        if trace["journey"] is not None:
            yield plain(_journey(trace["journey"]))
        if said := clocks_text(trace["clock_shifts"], document["clock_skew"]["max_ns"]):
            yield plain(said, DIM)
    yield Text()
    yield plain(_tolerance(document["tolerance"]), DIM)
    yield plain(_baseline(document["baseline"]), DIM)
    if document["reproduce"]:
        yield again(document["reproduce"])


def _tolerance(tolerance: Document) -> str:
    most = fig.duration(tolerance["ns"])
    if tolerance["rule"] == "fixed":
        return f"Neighbours may overlap by {most}."
    share = fig.percent(tolerance["share"])
    return f"Neighbours may overlap by {share} of their parent, at most {most}."


def _baseline(baseline: Document) -> str:
    return (
        f"Normal means: {baseline['kind']}; an excess needs {baseline['min_traces']} of them with "
        "the same root, a normal p95 needs 72 spans."
    )


def _common(common: Document) -> Iterator[RenderableType]:
    items = common["items"]
    if not items:
        yield plain("Nothing stands out against the baseline.")
        return
    yield Text()
    shown = fig.cut(len(items), common["total"]["value"], "bottleneck")
    yield plain(shown.capitalize(), STRONG)
    yield common_table(items)


def _listed(traces: Sequence[Document]) -> Iterator[RenderableType]:
    yield Text()
    yield plain(f"Slowest {fig.cut(min(MOST_LISTED, len(traces)), len(traces), 'trace')}", STRONG)
    yield table(
        TRACES,
        [
            (
                trace["trace_id"],
                _name(trace["root"]),
                fig.duration(trace["duration_ns"]),
                fig.count(trace["span_count"]),
                _worst(trace),
            )
            for trace in traces[:MOST_LISTED]
        ],
    )


def _name(span: Document) -> str:
    return f"{span['service']} {span['operation']}"


def _worst(trace: Document) -> str:
    found = trace["bottlenecks"]
    if not found:
        return ""
    reason = found[0]["reason"] if found[0]["role"] != SYMPTOM else SYMPTOM
    return _name(found[0]) + (f" ({reason})" if reason else "")


def _trace(trace: Document, width: int) -> Iterator[RenderableType]:
    yield plain(f"Trace {trace['trace_id']}", STRONG)
    state = "failed after" if trace["failed"] else "took"
    yield plain(
        f"{_name(trace['root'])} {state} {fig.duration(trace['duration_ns'])}: "
        f"{fig.counted(trace['span_count'], 'span')} of "
        f"{fig.counted(trace['service_count'], 'service')}, {fig.clock(trace['start'])}",
        BAD if trace["failed"] else "",
    )
    yield Text()
    if trace["outline"] is not None:
        yield from waterfall(trace, width=width)
        yield Text()
    yield from _bottlenecks(trace["bottlenecks"], trace["duration_ns"])
    if said := doubt_text(trace):
        yield plain(said, DIM)
    yield from trace_errors(trace.get("errors"))
    yield from _quality(trace["quality"])


def _journey(journey: Document) -> str:
    """Until everything that the request caused was done."""
    return (
        f"What it caused was done after {fig.duration(journey['duration_ns'])}, "
        f"{fig.duration(journey['queue_ns'])} of it in queues; "
        f"{_name(journey['last'])} ended last."
    )


def _bottlenecks(found: Sequence[Document], duration_ns: int) -> Iterator[RenderableType]:
    if not found:
        yield plain("It took no time.")
        return
    yield plain(_title(found), STRONG)
    yield trace_table(found)
    yield plain(rest_of_path(found, duration_ns), DIM)


def _title(found: Sequence[Document]) -> str:
    if any(item["reason"] for item in found):
        return "Bottlenecks"
    if any(item["excess_ns"] is not None for item in found):
        return "Where the time went (nothing stands out against the baseline)"
    return "Where the time went (too few traces to say what is not normal)"


def _quality(quality: Document) -> Iterator[RenderableType]:
    flaws = ["the root is missing"] if quality["root_missing"] else []
    flaws += [
        f"{fig.count(quality[name])} {one if quality[name] == 1 else several}"
        + (_reasons(quality["parents_missing"]) if name == "orphans" else "")
        for name, (one, several) in FLAWS.items()
        if quality[name]
    ]
    if flaws:
        yield plain(f"Quality: {'; '.join(flaws)}.", DIM)


def _reasons(parents_missing: Mapping[str, int]) -> str:
    """Why parents are missing, where that can be told of any."""
    told = [
        f"{fig.count(parents_missing[name])} {words}"
        for name, words in PARENTS_MISSING.items()
        if parents_missing[name]
    ]
    return "" if parents_missing["unknown"] and len(told) == 1 else f" ({', '.join(told)})"
