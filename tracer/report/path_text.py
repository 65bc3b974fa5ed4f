"""`tracer.critical-path/1` for people: the tree of call paths, with shares of the time by band."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.commands import again, see_trace
from tracer.report.safe import safe_text
from tracer.report.slow_text import FLAWS
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


class _Line:
    """One line of the tree: a path, or how many are left out below one."""

    def __init__(self, depth: int, path: Document | None, rest: int, shares: Document) -> None:
        self.depth = depth
        self.path = path
        self.rest = rest
        self.shares = shares  # by band


def _lines(document: Document) -> list[_Line]:
    """Paths worth a line, each followed by its children, then by the rest of them as one."""
    paths = document["paths"]
    bands = [one["name"] for one in document["bands"]]
    below: dict[int | None, list[int]] = {}
    for at, one in enumerate(paths):
        if at == 0 or max(one["bands"][band]["share"] or 0 for band in bands) >= WORTH:
            below.setdefault(one["parent"], []).append(at)

    def rest(parent: int | None, depth: int) -> Iterator[_Line]:
        count = document["total"]["value"] if parent is None else paths[parent]["paths_below"]
        left = dict.fromkeys(bands, 1.0)
        if parent is not None:
            of = paths[parent]["bands"]
            left = {band: (of[band]["share"] or 0) - (of[band]["own_share"] or 0) for band in bands}
        for child in below.get(parent, []):
            count -= paths[child]["paths_below"] + 1
            for band in bands:
                left[band] -= paths[child]["bands"][band]["share"] or 0
        if count:
            shares = {band: max(0.0, value) for band, value in left.items()}
            yield _Line(depth, None, count, _known(document, shares))

    lines: list[_Line] = []
    stack = [*rest(None, 0), *(_path_line(paths, at) for at in reversed(below.get(None, [])))]
    while stack:
        line = stack.pop()
        lines.append(line)
        if line.path is not None:
            at = line.rest
            stack += rest(at, line.depth + 1)
            stack += [_path_line(paths, child) for child in reversed(below.get(at, []))]
    return lines


def _path_line(paths: Sequence[Document], at: int) -> _Line:
    """`rest` is the place of the path."""
    shares = {band: numbers["share"] for band, numbers in paths[at]["bands"].items()}
    return _Line(paths[at]["depth"], paths[at], at, shares)


def _known(document: Document, shares: dict[str, float]) -> dict[str, float | None]:
    """No share of a band that has no time."""
    metric = document["metric"]
    return {
        one["name"]: shares[one["name"]] if one[f"{metric}_ns"] else None
        for one in document["bands"]
    }


def _rows(document: Document, lines: Sequence[_Line], width: int) -> Iterator[list[object]]:
    bands = document["bands"]
    room = max(LEAST_LABEL, width - 8 * (len(bands) + 1) - (16 if width >= 100 else 0))
    blank = ["", "", ""]
    yield ["roots", *(fig.total(one["roots"]) for one in bands), *blank]
    yield ["mean duration", *(fig.duration(one["mean_duration_ns"]) for one in bands), *blank]
    for line in lines:
        indent = "  " * min(line.depth, MOST_INDENT)
        shares = [fig.percent(line.shares[one["name"]]) for one in bands]
        if line.path is None:
            label = plain(f"{indent}… {fig.count(line.rest)} more", DIM)
            yield [label, *(plain(share, DIM) for share in shares), *blank]
            continue
        of = line.path["bands"][document["band"]]
        name = safe_text(f"{line.path['service']} {line.path['operation']}")
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
    yield plain(f"Where it is spent itself, {_band_words(band)}", STRONG)
    for number, at in enumerate(found, 1):
        share = fig.percent(paths[at]["bands"][band]["own_share"])
        yield plain(f"{number}. {' › '.join(_chain(paths, at))}: {share}")
        for word in ("typical", "worst"):
            one = paths[at]["exemplars"][word]
            told = f"{word} {fig.duration(one['spent_ns'])}: "
            if document["window"] and document["reproduce"]:  # of a file `tracer trace` knows none
                yield see_trace(document["reproduce"], one["trace_id"], told)
            else:
                yield plain(f"   {told}trace {one['trace_id']}")
    yield Text()


def _chain(paths: Sequence[Document], at: int) -> list[str]:
    chain: list[str] = []
    place: int | None = at
    while place is not None:
        chain.append(f"{paths[place]['service']} {paths[place]['operation']}")
        place = paths[place]["parent"]
    names = chain[::-1]
    return names if len(names) <= MOST_INDENT else [names[0], "…", *names[-MOST_INDENT + 2 :]]


def _quality(quality: Document) -> str:
    """What is not as it should be, or how much was summed."""
    said = []
    if quality["one_in"] > 1:
        said.append(f"one root in {fig.count(quality['one_in'])} was summed, taken by trace id")
    if quality["roots_left_out"]:
        said.append(f"{fig.counted(quality['roots_left_out'], 'root')} of rare kinds left out")
    said += [
        f"{fig.percent(quality[name])} of the roots {words}"
        for name, words in FLAWS.items()
        if quality[name]
    ]
    if quality["duplicates"]:
        said.append(f"{fig.count(quality['duplicates'])} copies of spans merged")
    if quality["sampling"] != "stored spans":
        said.append(f"weighted by sampling ({quality['sampling']})")
    return "; ".join(said) or f"nothing unusual ({fig.counted(quality['roots'], 'root')} summed)"
