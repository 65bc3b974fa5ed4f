"""`tracer.compare/1` for people: the verdict, the numbers, and what each change is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.commands import again
from tracer.report.compare_verdict import TITLES, signed, times
from tracer.report.quality_text import flaws_said
from tracer.report.tables import BAD, DIM, STRONG, Column, draw, plain, table

Document = Mapping[str, Any]

MOST_STRATA: Final = 5
NUMBERS: Final = (
    Column("number"),
    Column("baseline", is_number=True),
    Column("candidate", is_number=True),
    Column("change", is_number=True),
    Column("95 % interval", is_number=True),
    Column("traffic", is_number=True, is_spare=True),
    Column("named paths", is_number=True, is_spare=True),
    Column("selection", is_number=True, is_spare=True),
)
PARTS: Final = (
    Column("part of the change"),
    Column("change", is_number=True),
    Column("95 % interval", is_number=True),
    Column("calls"),
    Column("self time a call"),
    Column("on the path", is_spare=True),
)
CHANGED: Final = (Column("changed, per request"), Column("what"), Column("p", is_number=True))
STRATA: Final = (
    Column("kind of request"),
    Column("share before", is_number=True),
    Column("after", is_number=True),
    Column("traces", is_number=True, is_spare=True),
)
LEGEND: Final = (
    "traffic: other kinds of requests; selection: other requests sit there now, no path is proven "
    "to be to blame; all parts sum to the change"
)


def compare_text(document: Document, *, width: int, colour: bool, statistic: str | None) -> str:
    """`statistic` is drawn in full; None: the one the verdict speaks of."""
    return draw(_parts(document, statistic), width=width, colour=colour)


def _parts(document: Document, statistic: str | None) -> Iterator[RenderableType]:
    verdict = document["verdict"]
    is_bad = verdict["direction"] == "slower"
    yield plain(verdict["text"], BAD if is_bad else STRONG)
    yield Text()
    for side in ("baseline", "candidate"):
        yield plain(f"{side.capitalize()}: {_side(document[side])}")
    yield Text()
    yield table(NUMBERS, [_number(one) for one in document["statistics"]])
    yield plain(LEGEND, DIM)
    yield Text()
    shown = statistic or verdict["statistic"]
    one = next(one for one in document["statistics"] if one["statistic"] == shown)
    yield plain(f"What the change of the {TITLES[shown]} is made of", STRONG)
    yield table(PARTS, [*_rows(one)])
    yield Text()
    yield from _changed(document["changed_paths"])
    yield from _strata(document["strata"])
    for note in document.get("notes", ()):
        yield plain(f"Note: {note}", DIM)
    if document["reproduce"]:
        yield again(document["reproduce"])


def _side(side: Document) -> str:
    """Where a set is from, and how large it is."""
    said = [fig.moments(side["window"])] if side.get("window") else []
    if side.get("files"):
        said.append(", ".join(side["files"]))
    if side.get("version") is not None:
        said.append(f"version {side['version'] or '(none)'}")
    said.append(fig.counted(side["traces"], "trace"))
    if side["sampling"] != "stored spans":
        said.append(
            f"worth {fig.count(side['traces_n_eff'])} equal ones, sampling {side['sampling']}"
        )
    if side.get("mixed_versions"):
        said.append(f"{fig.counted(side['mixed_versions'], 'trace')} of several versions left out")
    quality = side.get("quality", {})
    said += flaws_said({**quality, "sampling": "stored spans"}, "them")  # told above
    return ", ".join(said)


def _number(one: Document) -> list[object]:
    named_ns = sum(path["change_ns"] for path in one["paths"]) + one["other_paths_ns"]
    bounds = one["change_interval_ns"]
    is_sure = bounds is not None and (bounds[0] > 0 or bounds[1] < 0)
    style = STRONG if is_sure else ""
    return [
        TITLES[one["statistic"]],
        fig.duration(one["before_ns"]),
        fig.duration(one["after_ns"]),
        plain(signed(one["change_ns"]), style),
        _bounds(bounds),
        signed(one["mix_ns"]),
        signed(named_ns),
        signed(one["selection_ns"]),
    ]


def _rows(one: Document) -> Iterator[Sequence[object]]:
    nothing = fig.NONE
    if one["mix_ns"]:
        yield "traffic", signed(one["mix_ns"]), nothing, "", "", ""
    for kind in one["mix"][:MOST_STRATA] if one["mix_ns"] else ():
        if kind["is_named"]:
            yield f"  {_kind(kind)}", signed(kind["change_ns"]), nothing, "", _shares(kind), ""
    for path in one["paths"]:
        before, after = path["before"], path["after"]
        yield (
            plain(f"{path['service']} {path['operation']}", STRONG),
            signed(path["change_ns"]),
            _bounds(path["change_interval_ns"]),
            _pair(times(before["calls"]), times(after["calls"])),
            _pair(
                fig.duration(before["self_ns_per_call"]), fig.duration(after["self_ns_per_call"])
            ),
            _pair(fig.percent(before["critical_share"]), fig.percent(after["critical_share"])),
        )
    if one["other_paths_ns"]:
        more = one["paths_total"]["value"] - len(one["paths"])
        yield fig.counted(more, "more path"), signed(one["other_paths_ns"]), nothing, "", "", ""
    yield "selection", signed(one["selection_ns"]), nothing, "", "", ""
    yield (
        plain("= change", STRONG),
        signed(one["change_ns"]),
        _bounds(one["change_interval_ns"]),
        "",
        "",
        "",
    )


def _changed(changed: Document) -> Iterator[RenderableType]:
    items = changed["items"]
    if not items:
        yield plain("No call path changed by more than chance.", DIM)
        return
    yield plain(f"Changed {fig.cut(len(items), changed['total']['value'], 'call path')}", STRONG)
    yield table(CHANGED, [row for item in items for row in _factors(item)])


def _factors(item: Document) -> Iterator[Sequence[object]]:
    for factor in item["factors"]:
        name, before, after = factor["factor"], factor["before"], factor["after"]
        if name == "calls":
            words = f"called {_pair(times(before), times(after))}"
        elif name == "self_ns_per_call":
            words = f"{_pair(fig.duration(before), fig.duration(after))} a call"
        else:
            words = f"{_pair(fig.percent(before), fig.percent(after))} of its time on the path"
        p = factor["p_value"]
        yield f"{item['service']} {item['operation']}", words, "<0.001" if p < 1e-3 else f"{p:.3f}"


def _strata(strata: Document) -> Iterator[RenderableType]:
    items, total = strata["items"], strata["total"]["value"]
    if total < 2:
        return
    shown = items[:MOST_STRATA]
    yield Text()
    yield plain(fig.cut(len(shown), total, "request kind").capitalize(), STRONG)
    yield table(
        STRATA,
        [
            (
                _kind(one),
                fig.percent(one["share_before"]),
                fig.percent(one["share_after"]),
                " → ".join(fig.count(n) for n in one["traces_n_eff"]),
            )
            for one in shown
        ],
    )


def _kind(one: Document) -> str:
    failed = " (failed)" if one["outcome"] == "error" else ""
    return f"{one['service']} {one['operation']}{failed}"


def _shares(kind: Document) -> str:
    return f"{fig.percent(kind['share_before'])} → {fig.percent(kind['share_after'])} of traffic"


def _pair(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _bounds(bounds: Sequence[int] | None) -> str:
    return fig.NONE if bounds is None else f"{signed(bounds[0])} … {signed(bounds[1])}"
