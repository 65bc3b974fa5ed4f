"""`tracer.critical-path/1` for people: the tree of call paths, with shares of the time by band."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.commands import again, see_trace
from tracer.report.path_names import path_names
from tracer.report.quality_text import flaws_said
from tracer.report.safe import safe_text
from tracer.report.tables import BAD, DIM, STRONG, Column, draw, plain, table
from tracer.report.waiting import waiting_line

Document = Mapping[str, Any]

WORTH: Final = 0.005  # of the time of some band: less is not worth a line
MOST_OWN: Final = 3  # call paths whose traces are named
MOST_INDENT: Final = 12
LEAST_LABEL: Final = 24
TITLES: Final = {"all": "all", "99-100": "99+"}
OWN, CALLS, ERRORS = "own", "calls", "errors"
METRICS: Final = {"critical": "time on the critical path", "self": "self time"}


def path_text(document: Document, *, width: int, colour: bool) -> str:
    """The whole report; without commands when the document has none to repeat it."""
    return draw(_parts(document, width), width=width, colour=colour)


def _parts(document: Document, width: int) -> Iterator[RenderableType]:
    yield plain(_title(document), STRONG)
    if not document["paths"]:
        yield plain(
            waiting_line(document["waiting_traces"])
            if document["waiting_traces"]
            else "No traces were seen in this range; widen it with --since or --start and --end"
        )
        return
    yield plain(_what(document))
    yield Text()
    lines = _lines(document)
    yield table(_columns(document), _rows(document, lines, width))
    yield plain(
        "shares of the time of a band, with all below; own: without, of "
        f"{_band_words(document['band'])}; calls: of a root that has the path; "
        "bands: how long a root lasted among its kind, in percentiles",
        DIM,
    )
    yield Text()
    yield from _exemplars(document)
    yield plain(f"Quality: {_quality(document['quality'])}", DIM)
    if document["reproduce"]:
        yield again(document["reproduce"])


def _title(document: Document) -> str:
    when = f", {fig.moments(document['window'])}" if document["window"] else ""
    through = " ".join(word for word in (document["service"], document["operation"]) if word)
    name = "Critical path" if document["metric"] == "critical" else "Self time"
    parts = fig.counted(document["traces"]["value"], "trace")
    if document["fragments"]["value"]:
        parts += f" and {fig.counted(document['fragments']['value'], 'asynchronous part')}"
    return f"{name} of {parts}{f' through {through}' if through else ''}{when}"


def _what(document: Document) -> str:
    total, shown = document["total"], len(document["paths"])
    line = f"{METRICS[document['metric']].capitalize()} by call path, widest first in "
    line += f"{_band_words(document['band'])}: {fig.total_of(total, 'path')}"
    return line if shown == total["value"] else f"{line}, of these the widest {fig.count(shown)}"


def _band_words(name: str) -> str:
    if name == "all":
        return "all roots"
    low, high = name.split("-")
    return f"roots beyond their p{low}" if high == "100" else f"roots from p{low} to p{high}"


def _columns(document: Document) -> list[Column]:
    bands = [Column(_head(one["name"]), is_number=True) for one in document["bands"]]
    own = Column(OWN, is_number=True)
    calls = Column(CALLS, is_number=True, is_spare=True)
    errors = Column(ERRORS, is_number=True, is_spare=True)
    return [Column("service operation", keep_whole=True), *bands, own, calls, errors]


def _head(name: str) -> str:
    return TITLES.get(name, name.replace("-", "–"))


class _Line(NamedTuple):
    """One line of the tree: the path at a place in the list, or what is left out below one."""

    depth: int
    shares: Mapping[str, float | None]  # by band
    at: int | None
    left_out: int = 0


def _lines(document: Document) -> list[_Line]:
    """Paths worth a line, each followed by its children, then by the rest of them as one."""
    paths = document["paths"]
    bands = [one["name"] for one in document["bands"]]
    below: dict[int | None, list[int]] = {}
    for at, one in enumerate(paths):
        if at == 0 or max(one["bands"][band]["share"] or 0 for band in bands) >= WORTH:
            below.setdefault(one["parent"], []).append(at)

    lines: list[_Line] = []
    stack = _children(document, below, None)[::-1]
    while stack:
        line = stack.pop()
        lines.append(line)
        if line.at is not None:
            stack += _children(document, below, line.at)[::-1]
    return lines


def _children(
    document: Document, below: Mapping[int | None, Sequence[int]], parent: int | None
) -> list[_Line]:
    paths = document["paths"]
    children = below.get(parent, [])
    depth = 0 if parent is None else paths[parent]["depth"] + 1
    lines = [_Line(depth, _shares(paths[at]), at) for at in children]
    count = document["total"]["value"] if parent is None else paths[parent]["paths_below"]
    count -= sum(paths[at]["paths_below"] + 1 for at in children)
    if not count:
        return lines
    left: dict[str, float | None] = {}
    for band in document["bands"]:
        name = band["name"]
        whole = 1.0
        if parent is not None:
            of = paths[parent]["bands"][name]
            whole = (of["share"] or 0) - (of["own_share"] or 0)
        known = sum(line.shares[name] or 0 for line in lines)
        has_time = band[f"{document['metric']}_ns"] > 0
        left[name] = max(0.0, whole - known) if has_time else None
    return [*lines, _Line(depth, left, None, count)]


def _shares(path: Document) -> dict[str, float | None]:
    return {band: numbers["share"] for band, numbers in path["bands"].items()}


def _rows(document: Document, lines: Sequence[_Line], width: int) -> Iterator[list[object]]:
    bands = document["bands"]
    room = max(LEAST_LABEL, width - 8 * (len(bands) + 1) - (16 if width >= 100 else 0))
    blank = ["", "", ""]
    yield ["roots", *(fig.total(one["roots"]) for one in bands), *blank]
    yield ["mean duration", *(fig.duration(one["mean_duration_ns"]) for one in bands), *blank]
    names = path_names(document["paths"], " ")
    for line in lines:
        indent = "  " * min(line.depth, MOST_INDENT)
        shares = [fig.percent(line.shares[one["name"]]) for one in bands]
        if line.at is None:
            label = plain(f"{indent}… {fig.count(line.left_out)} more", DIM)
            yield [label, *(plain(share, DIM) for share in shares), *blank]
            continue
        of = document["paths"][line.at]["bands"][document["band"]]
        name = safe_text(names[line.at])
        errors = fig.percent(of["error_share"])
        yield [
            plain(_fit(indent + name, room), "" if line.depth else STRONG),
            *shares,
            plain(fig.percent(of["own_share"]), STRONG if (of["own_share"] or 0) >= 0.1 else ""),
            fig.NONE if of["calls_per_root"] is None else f"{of['calls_per_root']:.3g}",
            plain(errors, BAD) if of["error_share"] else errors,
        ]


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _exemplars(document: Document) -> Iterator[RenderableType]:
    """The paths that take most themselves, and a typical and the worst trace of each."""
    band, paths = document["band"], document["paths"]
    own = [(one["bands"][band]["own_share"] or 0, -at) for at, one in enumerate(paths)]
    most = [-at for share, at in sorted(own, reverse=True)[:MOST_OWN] if share >= WORTH]
    found = [at for at in most if paths[at]["exemplars"]]
    if not found:
        return
    names = path_names(paths, " ")
    yield plain(f"Where it is spent itself, {_band_words(band)}", STRONG)
    for number, at in enumerate(found, 1):
        share = fig.percent(paths[at]["bands"][band]["own_share"])
        yield plain(f"{number}. {' › '.join(_chain(paths, names, at))}: {share}")
        for word in ("typical", "worst"):
            one = paths[at]["exemplars"][word]
            told = f"{word} {fig.duration(one['spent_ns'])}: "
            if document["window"] and document["reproduce"]:  # of a file `tracer trace` knows none
                yield see_trace(document["reproduce"], one["trace_id"], told)
            else:
                yield plain(f"   {told}trace {one['trace_id']}")
    yield Text()


def _chain(paths: Sequence[Document], names: Sequence[str], at: int) -> list[str]:
    chain: list[str] = []
    place: int | None = at
    while place is not None:
        chain.append(names[place])
        place = paths[place]["parent"]
    chain.reverse()
    return chain if len(chain) <= MOST_INDENT else [chain[0], "…", *chain[-MOST_INDENT + 2 :]]


def _quality(quality: Document) -> str:
    """What is not as it should be, or how much was summed."""
    said = []
    if quality["one_in"] > 1:
        said.append(f"one root in {fig.count(quality['one_in'])} was summed, taken by trace id")
    if quality["roots_left_out"]:
        said.append(f"{fig.counted(quality['roots_left_out'], 'root')} of rare kinds left out")
    said += flaws_said(quality, "the roots")
    return "; ".join(said) or f"nothing unusual ({fig.counted(quality['roots'], 'root')} summed)"
