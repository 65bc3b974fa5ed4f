"""`tracer.check/1` for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.check_words import TITLES, change, figure
from tracer.report.commands import again
from tracer.report.quality_text import flaws_said
from tracer.report.tables import BAD, DIM, STRONG, Column, draw, plain, table

Document = Mapping[str, Any]

WORSE: Final = (
    Column("#", is_number=True),
    Column("service operation"),
    Column("what"),
    Column("before", is_number=True),
    Column("after", is_number=True),
    Column("change", is_number=True, is_spare=True),
    Column("p", is_number=True, is_spare=True),
)
BETTER: Final = (Column("better"), Column("what"), Column("before"), Column("after"))
MOST_SHOWN: Final = 5  # of what is not the answer


def check_text(document: Document, *, width: int, colour: bool) -> str:
    """The verdict, what is worse, and how it was judged."""
    return draw(_parts(document), width=width, colour=colour)


def _parts(document: Document) -> Iterator[RenderableType]:
    yield plain(document["summary"], STRONG if document["verdict"] == "pass" else BAD)
    for one in document["unjudged"][1:] if document["verdict"] == "could-not-judge" else ():
        yield plain(f"also: {one['text']}")
    if document["verdict"] == "regression":
        for one in document["unjudged"]:
            yield plain(f"not judged: {one['text']}")
    yield Text()
    entries = document["regressions"]
    if entries:
        total = document["regressions_total"]["value"]
        yield plain(f"Worse, causes first: {fig.cut(len(entries), total, 'subject')}", STRONG)
        yield table(WORSE, [row for at, one in enumerate(entries, 1) for row in _rows(at, one)])
        for at, one in enumerate(entries, 1):
            if one["role"] == "cause":
                yield plain(f"{at}. {one['reason']}")
                if one["path"] and len(one["path"]) > 1:
                    yield plain(f"   {' › '.join(one['path'])}", DIM)
        yield Text()
    better = document["improvements"]["items"][:MOST_SHOWN]
    if better:
        yield table(BETTER, [_better(one) for one in better])
        yield Text()
    for name, title in (("new_paths", "New call paths"), ("vanished_paths", "Vanished")):
        found = document[name]
        shown = [" › ".join(one["path"]) for one in found["items"][:MOST_SHOWN]]
        if shown:
            more = found["total"]["value"] - len(shown)
            rest = f", and {more:,} more" if more else ""
            yield plain(f"{title}: {'; '.join(shown)}{rest}")
    for side in ("baseline", "candidate"):
        flaws = flaws_said(document[side]["quality"], "the traces")
        if flaws:
            yield plain(f"{side.capitalize()}: {', '.join(flaws)}", DIM)
    yield plain(_how(document), DIM)
    for note in document["notes"]:
        yield plain(f"Note: {note}", DIM)
    yield again(document["reproduce"])


def _rows(at: int, entry: Document) -> Iterator[list[object]]:
    name = f"{entry['service']} {entry['operation']}"
    if entry["scope"] == "operation":
        name += " (all callers)"
    if entry["role"] == "symptom":
        name += " (follows)"
    measures = entry["measures"]
    if not measures:
        before, after = (figure(entry["unit"], entry[side]) for side in ("before", "after"))
        what = "new" if entry["is_new"] else f"{TITLES[entry['measure']]} over its limit"
        yield [at, name, what, before, after, change(entry["before"], entry["after"]), ""]
    for number, one in enumerate(measures):
        p = one["p_value"]
        yield [
            "" if number else at,
            "" if number else plain(name, STRONG if entry["role"] == "cause" else ""),
            TITLES[one["measure"]],
            figure(one["unit"], one["before"]),
            figure(one["unit"], one["after"]),
            change(one["before"], one["after"]),
            "<0.001" if p < 1e-3 else f"{p:.3f}",
        ]


def _better(one: Document) -> list[object]:
    return [
        f"{one['service']} {one['operation']}",
        TITLES[one["measure"]],
        figure(one["unit"], one["before"]),
        figure(one["unit"], one["after"]),
    ]


def _how(document: Document) -> str:
    rules = document["rules"]
    blocks = (
        "between runs and between requests" if document["blocks"] == "runs" else "between requests"
    )
    return (
        f"{fig.counted(rules['tests'], 'number')} tested; worse: more than chance {blocks} "
        f"(one false alarm in {1 / rules['level']:.0f} checks at most), by "
        f"{fig.percent(rules['min_ratio'])} and {fig.duration(rules['min_excess_ns'])}"
    )
