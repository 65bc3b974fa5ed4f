"""`tracer.dependencies/1`: nodes, edges, patterns of calling, cycles and chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.chains import cycles, heaviest_chain
from tracer.analysis.forest import Forest
from tracer.analysis.pattern_groups import PatternGroup, group_patterns
from tracer.analysis.patterns import KINDS, SERIAL_FAN_OUT, Patterns
from tracer.analysis.service_graph import Edge, EdgeCalls, Node
from tracer.analysis.services import Calls
from tracer.columns.flaws import NOBODY, Flaws
from tracer.columns.ids import span_id_text, trace_id_text
from tracer.columns.schema import SPAN_KINDS
from tracer.columns.targets import DATABASE, QUEUE
from tracer.report.quality import quality_shares

MOST_IN_GRAPH: Final = 5_000  # edges that cycles and chains are looked for among
LEAST_FOR_P95: Final = 72  # below, a p95 has no upper bound
MOST_STATEMENT: Final = 120

Document = dict[str, Any]


class Flow(NamedTuple):
    """What goes over an edge: counts of the whole window."""

    calls: float
    answered: float  # of them with a span of the other side
    failed: float
    is_exact: bool


@dataclass(frozen=True)
class Sample:
    """Traces whose spans were read."""

    forest: Forest
    calls: Calls
    edge_calls: EdgeCalls
    patterns: Patterns
    statement: NDArray[np.intp]  # by span, -1 for none
    statements: tuple[str, ...]
    told: Flaws


def dependencies_document(
    flows: Mapping[Edge, Flow],
    sample: Sample | None,
    *,
    as_of: str,
    window: Mapping[str, Any],
    seconds: float,
    service: str | None,
    limit: int,
    traces: tuple[int, int],
    reproduce: str,
) -> Document:
    """The whole document; `traces`: how many were read, of how many. `seconds`: to make rates."""
    listed = sorted(flows, key=lambda edge: (-flows[edge].calls, edge))
    shown = listed[:limit]
    nodes = sorted({node for edge in shown for node in edge})
    incoming = _incoming(flows)
    main = listed[:MOST_IN_GRAPH]
    spent = _spent(sample)
    cost = {edge: spent[edge] for edge in main if spent.get(edge)}
    return {
        "schema": "tracer.dependencies/1",
        "as_of": as_of,
        "window": window,
        "service": service,
        "total": {
            "edges": {"value": len(listed), "exact": traces[0] == traces[1]},
            "nodes": {
                "value": len({node for edge in listed for node in edge}),
                "exact": traces[0] == traces[1],
            },
        },
        "nodes": [_node(node, incoming) for node in nodes],
        "edges": [_edge(edge, flows[edge], sample, seconds) for edge in shown],
        "patterns": _patterns(sample, service),
        "cycles": [[node_id(node) for node in group] for group in cycles(main)],
        "longest_chain": _ids(heaviest_chain(dict.fromkeys(main, 1))),
        "costliest_chain": _ids(heaviest_chain(cost)),
        "quality": _quality(flows, sample, traces),
        "reproduce": reproduce,
    }


def _ids(nodes: list[Node]) -> list[str]:
    return [node_id(node) for node in nodes]


def node_id(node: Node) -> str:
    """Readable and unique: kind, tenant, environment and namespace where there are any, name."""
    return f"{node.kind}:{'/'.join(part for part in node.identity if part)}"


def _incoming(flows: Mapping[Edge, Flow]) -> dict[Node, tuple[float, float]]:
    """Calls and failed ones by who answers."""
    sums: dict[Node, tuple[float, float]] = {}
    for edge, flow in flows.items():
        calls, failed = sums.get(edge.drain, (0.0, 0.0))
        sums[edge.drain] = calls + flow.calls, failed + flow.failed
    return sums


def _node(node: Node, incoming: Mapping[Node, tuple[float, float]]) -> Document:
    calls, failed = incoming.get(node, (0.0, 0.0))
    return {
        "id": node_id(node),
        "kind": node.kind,
        "name": node.identity.name,
        "namespace": node.identity.namespace,
        "environment": node.identity.environment,
        "tenant": node.identity.tenant,
        "calls": round(calls),
        "error_share": failed / calls if calls else None,
    }


def _edge(edge: Edge, flow: Flow, sample: Sample | None, seconds: float) -> Document:
    return {
        "from": node_id(edge.source),
        "to": node_id(edge.drain),
        "caller": edge.source.identity.name,
        "callee": edge.drain.identity.name,
        "kind": _kind(edge),
        "calls": {"value": round(flow.calls), "exact": flow.is_exact},
        "rate_per_s": flow.calls / seconds,
        "answered_share": flow.answered / flow.calls if flow.calls else None,
        "error_share": flow.failed / flow.calls if flow.calls else None,
        **_measured(edge, sample),
    }


def _kind(edge: Edge) -> str:
    if edge.source.kind == QUEUE:
        return "receive"
    return {QUEUE: "send", DATABASE: "query"}.get(edge.drain.kind, "call")


def _measured(edge: Edge, sample: Sample | None) -> Document:
    """What the sample says of one edge; null where it has no such call."""
    nothing: Document = {
        "client": None,
        "server": None,
        "gap": None,
        "critical_ns": None,
        "critical_share": None,
        "operations": [],
        "exemplar_trace_id": None,
    }
    if sample is None or edge not in sample.edge_calls.edges:
        return nothing
    found, forest = sample.edge_calls, sample.forest
    at = found.edges.index(edge)
    rows = np.flatnonzero(found.edge == at)  # never empty
    client, server = found.client_ns[rows], found.server_ns[rows]
    pair = (client >= 0) & (server >= 0)
    spans = forest.spans
    of_all = int((spans.end_ns[forest.roots] - spans.start_ns[forest.roots]).sum())
    slowest = rows[np.lexsort((rows, -np.maximum(client, server)))[0]]
    end = sample.calls.caller[rows]
    end = np.where(end >= 0, end, sample.calls.callee[rows])
    names, times = np.unique(spans.operation[end], return_counts=True)
    ranked = sorted(zip((-times).tolist(), names.tolist(), strict=True))[:3]
    row = int(sample.calls.caller[slowest])
    row = row if row >= 0 else int(sample.calls.callee[slowest])
    return {
        "client": _quantiles(client[client >= 0]),
        "server": _quantiles(server[server >= 0]),
        "gap": _quantiles((client - server)[pair]),
        "critical_ns": int(found.spent_ns[at]),
        "critical_share": int(found.spent_ns[at]) / of_all if of_all else None,
        "operations": [spans.operations[code] for _, code in ranked],
        "exemplar_trace_id": _trace_id(forest, row),
    }


def _quantiles(values: NDArray[np.int64]) -> Document | None:
    if not len(values):
        return None
    ordered = np.sort(values)
    many = len(ordered) >= LEAST_FOR_P95
    return {
        "n": len(ordered),
        "p50_ns": int(ordered[(len(ordered) - 1) // 2]),
        "p95_ns": int(ordered[-(-95 * len(ordered) // 100) - 1]) if many else None,
    }


def _patterns(sample: Sample | None, service: str | None) -> Document:
    if sample is None:
        return {"total": {"value": 0, "exact": True}, "items": []}
    found = group_patterns(sample.forest, sample.patterns, sample.statement, service=service)
    return {
        "total": {"value": found.total, "exact": True},
        "items": [_pattern(sample, one) for one in found.groups],
    }


def _pattern(sample: Sample, group: PatternGroup) -> Document:
    forest = sample.forest
    statement = int(sample.statement[group.callee])
    is_fan_out = group.kind == SERIAL_FAN_OUT
    return {
        "kind": KINDS[group.kind],
        "caller": _span(forest, group.caller),
        "callee": None if is_fan_out else _span(forest, group.callee),
        "statement": (
            sample.statements[statement][:MOST_STATEMENT] or None
            if statement >= 0 and not is_fan_out
            else None
        ),
        "calls": group.calls,
        "count": group.count,
        "trace_count": group.trace_count,
        "critical_ns": group.critical_ns // group.trace_count,
        "saved_ns": group.saved_ns // group.trace_count,
        "total_critical_ns": group.critical_ns,
        "total_saved_ns": group.saved_ns,
        "saved_share": group.saved_ns / group.traces_ns if group.traces_ns else None,
        "exemplars": [
            {
                "trace_id": _trace_id(forest, row),
                "span_id": span_id_text(int(forest.spans.span_id[row])),
            }
            for row in group.exemplars
        ],
    }


def _span(forest: Forest, row: int) -> Document:
    spans = forest.spans
    return {
        "service": spans.services[spans.service[row]].name,
        "operation": spans.operations[spans.operation[row]],
        "kind": SPAN_KINDS[int(spans.kind[row])].lower(),
    }


def _trace_id(forest: Forest, row: int) -> str:
    return trace_id_text(int(forest.spans.trace_hi[row]), int(forest.spans.trace_lo[row]))


def _spent(sample: Sample | None) -> dict[Edge, int]:
    if sample is None:
        return {}
    found = sample.edge_calls
    return dict(zip(found.edges, found.spent_ns.tolist(), strict=True))


def _quality(
    flows: Mapping[Edge, Flow], sample: Sample | None, traces: tuple[int, int]
) -> Document:
    read, of = traces
    seen = set(sample.edge_calls.edges) if sample else set()
    nowhere = spans = 0
    if sample is not None:
        spans = len(sample.forest)
        nowhere = int((sample.edge_calls.edge < 0).sum())
    return {
        "traces": of,
        "traces_read": read,
        "spans_read": spans,
        "sampled": read < of,
        "calls_to_nobody_known": nowhere,
        "edges_not_in_the_sample": sum(edge not in seen for edge in flows),
        **quality_shares(sample.told if sample else NOBODY),
        "sampling": "stored spans",  # counts are of what is stored, whatever was left out before
    }
