"""`tracer.dependencies/1` for people."""

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

MOST_PATTERNS: Final = 8
EDGES: Final = (
    Column("caller"),
    Column("callee"),
    Column("calls", is_number=True),
    Column("per s", is_number=True),
    Column("errors", is_number=True),
    Column("caller p50", is_number=True, is_spare=True),
    Column("caller p95", is_number=True),
    Column("callee p95", is_number=True),
    Column("gap p95", is_number=True),
    Column("of the time", is_number=True),
)
PATTERNS: Final = (
    Column("#", is_number=True),
    Column("pattern"),
    Column("where"),
    Column("calls", is_number=True),
    Column("traces", is_number=True),
    Column("on path", is_number=True),
    Column("saves up to", is_number=True),
    Column("of the trace", is_number=True, is_spare=True),
)
LEGEND: Final = (
    "caller, callee: how long one call takes at either end; gap: their difference, the network and "
    "queues; of the time: share of all critical time that is spent there or on the way. "
    "A p95 needs 72 calls"
)
SIGNS: Final = {"database": "[db] ", "queue": "[queue] ", "peer": "[peer] "}


def dependencies_text(document: Document, *, width: int, colour: bool) -> str:
    """The whole report."""
    return draw(_parts(document), width=width, colour=colour)


def _parts(document: Document) -> Iterator[RenderableType]:
    edges = document["edges"]
    yield plain(f"Dependencies, {fig.moments(document['window'])}", STRONG)
    if not edges:
        whose = f" of {document['service']}" if document["service"] else ""
        yield plain(
            f"No calls{whose} were seen in this range; widen it with --since or --start and --end"
        )
        return
    nodes = {node["id"]: node for node in document["nodes"]}
    yield plain(fig.cut(len(edges), document["total"]["edges"]["value"], "edge").capitalize())
    yield table(EDGES, (_edge(one, nodes) for one in edges))
    yield plain(LEGEND, DIM)
    yield Text()
    yield from _patterns(document)
    yield from _shape(document, nodes)
    yield plain(f"Quality: {_quality(document['quality'])}", DIM)
    if document["reproduce"]:
        yield again(document["reproduce"])


def _edge(one: Document, nodes: Mapping[str, Document]) -> list[object]:
    client, server, gap = one["client"], one["server"], one["gap"]
    errors = fig.percent(one["error_share"])
    about = "" if one["calls"]["exact"] else "~"
    return [
        _name(nodes[one["from"]]),
        _name(nodes[one["to"]]),
        f"{about}{fig.count(one['calls']['value'])}",
        f"{one['rate_per_s']:.3g}",
        plain(errors, BAD) if one["error_share"] else errors,
        fig.duration(client and client["p50_ns"]),
        fig.duration(client and client["p95_ns"]),
        fig.duration(server and server["p95_ns"]),
        fig.duration(gap and gap["p95_ns"]),
        fig.percent(one["critical_share"]),
    ]


def _name(node: Document) -> str:
    return f"{SIGNS.get(node['kind'], '')}{node['name']}"


def _patterns(document: Document) -> Iterator[RenderableType]:
    found: Sequence[Document] = document["patterns"]["items"][:MOST_PATTERNS]
    if not found:
        yield plain("No costly pattern of calling was found.")
        yield Text()
        return
    of = document["patterns"]["total"]["value"]
    yield plain(f"{fig.cut(len(found), of, 'pattern').capitalize()}, dearest first", STRONG)
    yield table(PATTERNS, ([str(at), *_pattern(one)] for at, one in enumerate(found, start=1)))
    yield plain(
        "on path, saves up to: mean of a trace that has it. A serial fan-out can be made parallel "
        "only where the calls do not need each other's answers",
        DIM,
    )
    if document["reproduce"]:
        yield see_trace(document["reproduce"], found[0]["exemplars"][0]["trace_id"])
    yield Text()


def _pattern(one: Document) -> list[object]:
    caller, callee = one["caller"], one["callee"]
    where = f"{caller['service']} {caller['operation']}"
    if callee is not None:
        where += f" → {callee['service']} {callee['operation']}"
    return [
        one["kind"],
        where,
        fig.count(one["calls"]),
        fig.count(one["trace_count"]),
        fig.duration(one["critical_ns"]),
        fig.duration(one["saved_ns"]),
        fig.percent(one["saved_share"]),
    ]


def _shape(document: Document, nodes: Mapping[str, Document]) -> Iterator[RenderableType]:
    def way(ids: Sequence[str]) -> str:
        return " → ".join(_name(nodes[one]) if one in nodes else one for one in ids)

    for group in document["cycles"]:
        yield plain(f"Cycle: {way(group)} depend on each other", BAD)
    if len(document["longest_chain"]) > 2:
        yield plain(f"Longest chain: {way(document['longest_chain'])}")
    chain = document["costliest_chain"]
    if len(chain) > 2 and chain != document["longest_chain"]:
        yield plain(f"Costliest chain: {way(chain)}")
    yield Text()


def _quality(quality: Document) -> str:
    read, of = quality["traces_read"], quality["traces"]
    counted = "counts between services are of all traces; times and patterns of"
    said = [f"{counted} {fig.count(read)} of {fig.counted(of, 'trace')}"]
    if quality["calls_to_nobody_known"]:
        calls = fig.counted(quality["calls_to_nobody_known"], "call")
        said.append(f"{calls} of those do not say whom they reach")
    if quality["edges_not_in_the_sample"]:
        said.append(f"{fig.counted(quality['edges_not_in_the_sample'], 'edge')} not among them")
    said += flaws_said(quality, "the traces")
    return "; ".join(said)
