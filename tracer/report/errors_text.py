"""Failures for people: `tracer.errors/1`, and the errors in a trace or a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from tracer.report import figures as fig
from tracer.report.commands import again, see_trace
from tracer.report.quality_text import flaws_said
from tracer.report.tables import BAD, DIM, STRONG, Column, draw, plain, table

Document = Mapping[str, Any]

MOST_OF_TRACE: Final = 5
MOST_MESSAGE: Final = 120
OUTCOMES: Final = {
    "unhandled": "unhandled",
    "handled": "handled: the caller did not fail",
    "retried": "retried: the same call was made again",
    "outlived": "after its caller was gone",
    "superseded": "its caller failed later, for another reason",
}
GROUPS: Final = (
    Column("#", is_number=True),
    Column("service operation"),
    Column("error"),
    Column("count", is_number=True),
    Column("of its calls", is_number=True),
    Column("traces", is_number=True, is_spare=True),
    Column("unhandled", is_number=True),
    Column("last seen", keep_whole=True, is_spare=True),
)
LEGEND: Final = (
    "Counted where it began: the deepest span that failed. unhandled: it reached the root of its "
    "request; the rest was retried, handled, or nobody waited for it"
)


def errors_text(document: Document, *, width: int, colour: bool) -> str:
    """The whole answer of `tracer errors`."""
    return draw(_parts(document), width=width, colour=colour)


def _parts(document: Document) -> Iterator[RenderableType]:
    yield plain(f"Errors, {fig.moments(document['window'])}", STRONG)
    found, quality = document["errors"], document["quality"]
    yield plain(_read(quality))
    if not found:
        yield plain(_nothing(document))
        return
    yield Text()
    yield from groups_table(found, document["total"]["value"])
    yield Text()
    for number, one in enumerate(found[:MOST_OF_TRACE], start=1):
        yield from _way(number, one)
        if one["exemplars"] and document["reproduce"]:
            yield see_trace(document["reproduce"], one["exemplars"][0]["trace_id"])
    yield Text()
    yield plain(f"Quality: {_quality(quality)}", DIM)
    if document["reproduce"]:
        yield again(document["reproduce"])


def _read(quality: Document) -> str:
    traces = fig.counted(quality["traces_with_errors"], "trace")
    return f"Failing spans in {traces} ({fig.counted(quality['roots'], 'root')} analysed)"


def _quality(quality: Document) -> str:
    said = []
    if quality["sampled"]:
        read = fig.counted(quality["traces_read"], "trace")
        said.append(f"only {read} with errors read, taken by their id: counts are of those")
    if quality["rules"] != "status and attributes":
        said.append("spans of unset status were not looked at: the range has too many spans")
    if quality["root_missing"]:
        said.append(f"{fig.counted(quality['root_missing'], 'trace')} without a root")
    said += flaws_said({**quality, "root_missing_share": 0}, "the traces")
    return "; ".join(said) or "nothing unusual"


def groups_table(found: Sequence[Document], of: int) -> Iterator[RenderableType]:
    """Faults over many traces, largest first."""
    yield plain(fig.cut(len(found), of, "error").capitalize(), STRONG)
    yield table(GROUPS, ([str(at), *_group(one)] for at, one in enumerate(found, start=1)))
    yield plain(LEGEND, DIM)


def _group(one: Document) -> list[object]:
    unhandled = one["outcomes"]["unhandled"]
    return [
        f"{one['service']} {one['operation']}",
        plain(_says(one), BAD if unhandled else ""),
        fig.count(one["count"]),
        fig.percent(one["share_of_operation"]),
        fig.count(one["trace_count"]),
        fig.count(unhandled),
        fig.clock(one["last_seen"]),
    ]


def _nothing(document: Document) -> str:
    """A service that is not there has no errors either: the answer must not sound like health."""
    if document["service"]:
        return f"No error began in {document['service']}; tracer services lists the names."
    failed = document["quality"]["traces_with_errors"]
    return "No error began." if failed else "No span failed."


def _says(one: Document) -> str:
    """Type and message, cut."""
    kind = one["type"].rpartition(".")[2] or one["type"]  # without its module
    words = f"{kind}: {one['message']}" if one["message"] else kind
    return words if len(words) <= MOST_MESSAGE else words[: MOST_MESSAGE - 1] + "…"


def _way(number: int, one: Document) -> Iterator[RenderableType]:
    if one["exemplars"]:
        yield plain(f"{number}. {chain_words(one['exemplars'][0])}")
        said = one["exemplars"][0]["message"]
        if said and said != one["message"]:
            yield plain(f"   e.g. {said}", DIM)


def chain_words(error: Document) -> str:
    """`bank POST /pay → payment POST /pay → …`, and what became of it."""
    chain = [f"{span['service']} {span['operation']}" for span in error["chain"]]
    if error["chain_hidden"]:
        half = len(chain) // 2
        chain.insert(half, f"({fig.count(error['chain_hidden'])} more)")
    return f"{' → '.join(chain)} ({OUTCOMES[error['outcome']]})"


def trace_errors(errors: Document | None) -> Iterator[RenderableType]:
    """The errors of one trace, unhandled ones first."""
    if not errors or not errors["items"]:
        return
    items, of = errors["items"], errors["total"]["value"]
    alike: dict[tuple[str, str], list[Document]] = {}
    for one in items:
        alike.setdefault((_says(one), chain_words(one)), []).append(one)
    yield Text()
    yield plain(
        f"{fig.counted(of, 'error')}, from where it began upwards "
        f"({fig.counted(errors['failed_spans'], 'failing span')})",
        STRONG,
    )
    for (says, way), same in list(alike.items())[:MOST_OF_TRACE]:
        times = f" ×{fig.count(len(same))}" if len(same) > 1 else ""
        yield plain(f"{says}{times}", BAD if same[0]["outcome"] == "unhandled" else "")
        yield plain(f"  {way}")
    hidden = of - sum(len(same) for same in list(alike.values())[:MOST_OF_TRACE])
    if hidden:
        yield plain(f"{fig.count(hidden)} more (--json has {fig.count(len(items))})", DIM)


def common_errors(errors: Document | None) -> Iterator[RenderableType]:
    """The errors of all traces of a file."""
    if errors and errors["items"]:
        yield Text()
        yield from groups_table(errors["items"], errors["total"]["value"])
