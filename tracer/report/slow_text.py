"""`tracer.slow-traces/1` for people: what is slow, what is to blame, which traces show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.commands import again, see_trace
from tracer.report.quality_text import flaws_said
from tracer.report.reasons import SYMPTOM, reason_words
from tracer.report.tables import BAD, DIM, STRONG, Column, draw, plain, table
from tracer.report.waiting import waiting_line

Document = Mapping[str, Any]

MOST_BOTTLENECKS: Final = 8  # drawn; the document has more
SMALL_SHARE: Final = 0.01  # of the excess: not worth a row
BOTTLENECKS = (
    Column("#", is_number=True),
    Column("service operation"),
    Column("reason"),
    Column("now", is_number=True),
    Column("usual", is_number=True),
    Column("excess", is_number=True),
    Column("share", is_number=True),
    Column("traces", is_number=True),
    Column("normal p95", is_number=True, is_spare=True),
    Column("deviation", is_number=True, is_spare=True),
)
LEGEND: Final = (
    "now, usual: median time on the critical path in an affected trace, and in a normal one; "
    "excess: mean time beyond usual"
)
TRACES = (
    Column("trace", keep_whole=True),
    Column("root"),
    Column("took", is_number=True),
    Column("normal p95", is_number=True),
    Column("deviation", is_number=True, is_spare=True),
    Column("spans", is_number=True, is_spare=True),
    Column("start", keep_whole=True, is_spare=True),
)


def slow_text(document: Document, *, width: int, colour: bool) -> str:
    """The whole report; without commands when the document has none to repeat it."""
    return draw(_parts(document), width=width, colour=colour)


def _parts(document: Document) -> Iterator[RenderableType]:
    yield plain(f"Slow traces, {fig.moments(document['window'])}", STRONG)
    yield plain(f"Slow means: {document['rule']['slow_means']}")
    yield plain(_baseline(document["baseline"]))
    yield plain(_affected(document["affected"]))
    if document["waiting_traces"]:
        yield plain(waiting_line(document["waiting_traces"]))
    yield Text()
    yield from _bottlenecks(document)
    yield from _traces(document)
    yield plain(f"Quality: {_quality(document['quality'])}", DIM)
    if document["reproduce"]:
        yield again(document["reproduce"])


def _baseline(baseline: Document) -> str:
    if baseline["start"] is None:
        itself = "each trace with the others of this range" if baseline["leave_one_out"] else "–"
        return f"Compared with: {itself}, for want of traces before it"
    traces = fig.counted(baseline["traces"], "trace")
    return f"Compared with: {baseline['chosen']}, {fig.moments(baseline)}, {traces}"


def _affected(affected: Document) -> str:
    requests, of, failed = affected["requests"], affected["of"], affected["failed"]
    share = f" ({fig.percent(requests['value'] / of['value'])})" if of["value"] else ""
    line = f"Affected: {fig.total(requests)} of {fig.total_of(of, 'request')}{share}"
    if failed["value"]:
        line += f", {fig.total(failed)} of them failed"
    if affected["users"] is None:
        keys = affected["user_attribute"].replace(",", " or ")
        return f"{line}; users unknown (no {keys} on the spans)"
    return f"{line}, {fig.total_of(affected['users'], 'user')} ({affected['user_attribute']})"


def _bottlenecks(document: Document) -> Iterator[RenderableType]:
    found = document["bottlenecks"]
    if not found:
        yield plain("No bottleneck stands out.")
        yield Text()
        return
    shown = _worth_a_row(found)
    yield plain("Bottlenecks, worst first", STRONG)
    yield table(BOTTLENECKS, ([str(at), *_bottleneck(one)] for at, one in enumerate(shown, 1)))
    if more := document["bottlenecks_total"] - len(shown):
        yield plain(_folded(shown, more, listed=len(found) - len(shown)), DIM)
    yield plain(LEGEND, DIM)
    yield Text()
    worst = found[0]
    yield plain(f"1. {' › '.join([*worst['path']])}")
    yield plain(f"   normal: {_normal(worst)}")
    if worst["exemplar_trace_ids"] and document["reproduce"]:
        yield see_trace(document["reproduce"], worst["exemplar_trace_ids"][0])
    yield Text()


def _worth_a_row(found: Sequence[Document]) -> Sequence[Document]:
    """The worst, and what else has a share worth naming; all where no share is known."""
    worst = found[0]
    if not worst["share_of_excess"]:
        return found[:MOST_BOTTLENECKS]
    least_ns = SMALL_SHARE * worst["total_excess_ns"] / worst["share_of_excess"]
    large = [one for one in found[1:] if one["total_excess_ns"] >= least_ns]
    return [worst, *large][:MOST_BOTTLENECKS]


def _folded(shown: Sequence[Document], more: int, *, listed: int) -> str:
    """What the rows above leave out. Shares are of the causes' excess, so those sum to one."""
    shares = [one["share_of_excess"] for one in shown if one["share_of_excess"] is not None]
    together = max(0.0, 1 - sum(shares))
    line = f"{fig.count(more)} more"
    if shares and together > 1e-6:
        line += f", together {fig.percent(together)} of the excess"
    elif shares:
        line += ", symptoms of these" if more > 1 else ", a symptom of these"
    return f"{line} (--json has {'them' if listed >= more else fig.count(listed)})"


def _bottleneck(one: Document) -> list[object]:
    is_cause = one["role"] != SYMPTOM
    words = reason_words(
        one["reason"],
        one["role"],
        calls=one["calls"],
        usual_calls=one["usual_calls"],
        duration_ns=one["duration_ns"],
        expected_p95_ns=one["expected_p95_ns"],
    )
    return [
        plain(f"{one['service']} {one['operation']}", STRONG if is_cause else ""),
        plain(words, BAD if is_cause else ""),
        fig.duration(one["critical_ns"]),
        fig.duration(one["usual_ns"]),
        fig.duration(one["excess_ns"]),
        fig.percent(one["share_of_excess"]),
        fig.count(one["traces"]),
        fig.duration(one["expected_p95_ns"]),
        fig.deviation(one["deviation_percent"]),
    ]


def _normal(one: Document) -> str:
    baseline = one["baseline"]
    known = (
        f"{fig.counted(baseline['traces_n_eff'], 'trace')}, "
        f"{fig.counted(baseline['spans_n_eff'], 'span')}"
    )
    return f"{_usually(one)} (n={known})"


def _usually(one: Document) -> str:
    if one["usual_ns"] is None:
        return "not known"
    if one["usual_ns"] > 0:
        return f"usually {fig.duration(one['usual_ns'])} a trace on the critical path"
    if one["usual_calls"] == 0:
        return "usually not called"
    return "usually off the critical path (hidden behind parallel work)"


def _traces(document: Document) -> Iterator[RenderableType]:
    shown = document["traces"]
    if not shown:
        return
    of = document["affected"]["requests"]["value"]
    yield plain(f"{fig.cut(len(shown), of, 'slow trace').capitalize()}, slowest first", STRONG)
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


def _quality(quality: Document) -> str:
    """What is not as it should be, or how much was judged."""
    judged = fig.counted(quality["traces_judged"], "trace")
    said = [f"only {judged} judged, taken by their id"] if quality["sampled"] else []
    said += flaws_said(quality, "the traces")
    return "; ".join(said) or f"nothing unusual ({judged} judged)"
