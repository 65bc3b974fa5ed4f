"""Who depends on whom: services, and the databases, queues and strangers they speak to.

Counts and error shares between services are of all traces, from the same histograms as `tracer
services`. What a histogram cannot tell — whom a call without answer speaks to, how long both ends
of one call took, what a way of calling costs — comes from the spans of a sample of traces
(decisions/012).
"""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.analyse import analyse
from tracer.analysis.critical_path import critical_ns
from tracer.analysis.flaws import of_traces
from tracer.analysis.forest import Forest
from tracer.analysis.patterns import patterns
from tracer.analysis.service_graph import Edge, EdgeCalls, Names, Node, edge_calls
from tracer.analysis.services import Calls, calls, inclusive_ns, of_rows
from tracer.analysis.templates import template
from tracer.columns.schema import SPAN_KINDS
from tracer.columns.spans import ServiceIdentity
from tracer.columns.targets import SERVICE, Targets, targets
from tracer.report.dependencies_json import Flow, Sample, dependencies_document
from tracer.service.context import Context, Window
from tracer.store import rollups
from tracer.store.activity import read_bounds, read_spans
from tracer.store.targets import read_targets, sampled_traces
from tracer.units import rfc3339

READ: Final = 2_000  # traces whose spans are read
SPANS_READ: Final = 400_000  # of those traces together
Operation = tuple[ServiceIdentity, str, str]


@dataclass(frozen=True)
class DependencyQuery:
    """`service`: only what it calls and what calls it."""

    window: Window
    service: str | None
    limit: int


@dataclass
class _Counted:
    """What the histograms of the window say."""

    edges: dict[Edge, list[float]] = field(default_factory=dict)  # spans, of them failed
    operations: Counter[Operation] = field(default_factory=Counter)


def dependencies(context: Context, query: DependencyQuery) -> dict[str, Any]:
    """Document `tracer.dependencies/1`: at most `limit` edges, most calls first."""
    start_ns, end_ns = query.window.start_ns, query.window.end_ns
    counted = _counted(context, query.window)
    ids, of = sampled_traces(context.engine, start_ns, end_ns, limit=READ, spans=SPANS_READ)
    sample = _sample(context, ids, counted) if ids else None
    flows = _flows(counted, sample, of / max(1, len(ids)))
    if query.service is not None:
        flows = {
            edge: flow
            for edge, flow in flows.items()
            if query.service in (edge.source.identity.name, edge.drain.identity.name)
        }
    return dependencies_document(
        flows,
        sample,
        as_of=rfc3339(context.now_ns()),
        window=query.window.document(),
        seconds=(min(end_ns, max(context.now_ns(), start_ns + 1)) - start_ns) / 1e9,
        service=query.service,
        limit=query.limit,
        traces=(len(ids), of),
        reproduce=_reproduce(query),
    )


def _counted(context: Context, window: Window) -> _Counted:
    table = rollups.read_operations(
        context.engine, rollups.Window(window.start_ns, window.end_ns), "1", {}
    )
    names = ("TenantId", "Environment", "ServiceNamespace", "ServiceName", "Operation", "SpanKind")
    columns = [table[name].cast("string").to_pylist() for name in (*names, "Outcome")]
    callers = table["CallerServiceName"].cast("string").to_pylist()
    spans = table["Spans"].to_pylist()
    rows = list(zip(*columns, strict=True))
    known = Names([ServiceIdentity(*row[:4]) for row in rows])
    counted = _Counted()
    for row, caller, count in zip(rows, callers, spans, strict=True):
        identity = ServiceIdentity(*row[:4])
        counted.operations[identity, row[4], row[5]] += count
        if caller and caller != identity.name:
            edge = Edge(known.service(caller, identity), Node(SERVICE, identity))
            sums = counted.edges.setdefault(edge, [0.0, 0.0])
            sums[0] += count
            sums[1] += count if row[6] == "error" else 0.0
    return counted


def _sample(context: Context, trace_ids: list[str], counted: _Counted) -> Sample:
    low, high = read_bounds(context.engine, trace_ids)
    spans = read_spans(context.engine, trace_ids, start_ns=low, end_ns=high, after_ns=None)
    told = _without_values(
        targets(
            read_targets(context.engine, trace_ids, start_ns=low, end_ns=high, limit=2 * SPANS_READ)
        )
    )
    found_out = analyse(spans, max_skew_ns=context.max_skew_ns)
    forest = found_out.forest
    critical = critical_ns(found_out.sections, len(forest))
    target, statement = of_rows(forest, told)
    made = calls(forest, target)
    known = [identity for identity, _, _ in counted.operations]
    found = edge_calls(forest, made, told.targets, critical, known)
    return Sample(
        forest=forest,
        calls=made,
        edge_calls=found,
        patterns=patterns(
            forest,
            inclusive_ns(forest, critical),
            target=_whom(forest, made, found),
            statement=statement,
        ),
        statement=statement,
        statements=told.statements,
        told=of_traces(found_out.facts),
    )


def _without_values(told: Targets) -> Targets:
    """Statements that differ by their values alone are one: else each of an n+1 is another."""
    texts = [template(text) for text in told.statements]
    distinct = tuple(sorted(set(texts)))
    code = np.array([distinct.index(text) for text in texts], np.intp)
    return replace(told, statement=code[told.statement], statements=distinct)


def _whom(forest: Forest, made: Calls, found: EdgeCalls) -> NDArray[np.intp]:
    """A number for whom each row of the forest calls, -1 where it calls nobody that is known."""
    drains = {node: at for at, node in enumerate(sorted({edge.drain for edge in found.edges}))}
    number = np.array([drains[edge.drain] for edge in found.edges], np.intp)
    whom = np.full(len(forest), -1)
    rows = np.flatnonzero((made.caller >= 0) & (found.edge >= 0))
    to = number[found.edge[rows]]
    whom[made.caller[rows]] = to
    answered = made.callee[rows] >= 0
    whom[made.callee[rows[answered]]] = to[answered]
    return whom


def _flows(counted: _Counted, sample: Sample | None, scale: float) -> dict[Edge, Flow]:
    """All edges: those counted everywhere, and those only the sample knows, scaled to all."""
    flows = {
        edge: Flow(spans, spans, failed, True) for edge, (spans, failed) in counted.edges.items()
    }
    if sample is None:
        return flows
    is_exact = scale == 1.0
    for edge, (count, failed) in _unanswered(counted, sample, scale).items():
        before = flows.get(edge, Flow(0.0, 0.0, 0.0, True))
        flows[edge] = Flow(before.calls + count, before.answered, before.failed + failed, is_exact)
    return flows


def _unanswered(counted: _Counted, sample: Sample, scale: float) -> dict[Edge, tuple[float, float]]:
    """Calls and failed ones by edge that no span of the other side was counted for.

    What share of an operation's spans goes where is taken from the sample, how many spans there
    are from the histograms.
    """
    forest, made, found = sample.forest, sample.calls, sample.edge_calls
    spans = forest.spans
    is_one_sided = (made.callee < 0) | (made.caller < 0)
    rows = np.flatnonzero((found.edge >= 0) & is_one_sided)
    end = np.where(made.caller[rows] >= 0, made.caller[rows], made.callee[rows])
    width = max(1, len(spans.operations)), len(SPAN_KINDS)

    def coded(row: Any) -> Any:
        whole = spans.service[row].astype(np.int64) * width[0] + spans.operation[row]
        return whole * width[1] + spans.kind[row]

    every = Counter(coded(np.arange(len(forest))).tolist())
    key = np.column_stack([found.edge[rows], coded(end)])
    distinct, first, number, count = np.unique(
        key, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    failed = np.bincount(number.reshape(-1), found.failed[rows], minlength=len(distinct))
    total: dict[Edge, tuple[float, float]] = {}
    for at, (edge, code) in enumerate(distinct.tolist()):
        row = int(end[first[at]])
        identity = spans.services[spans.service[row]]
        name = spans.operations[spans.operation[row]], SPAN_KINDS[spans.kind[row]]
        seen = counted.operations.get((identity, *name), 0.0) or every[code] * scale
        factor = seen / every[code]
        calls_before, failed_before = total.get(found.edges[edge], (0.0, 0.0))
        total[found.edges[edge]] = (
            calls_before + float(count[at]) * factor,
            failed_before + float(failed[at]) * factor,
        )
    return total


def _reproduce(query: DependencyQuery) -> str:
    words = ["tracer", "dependencies"]
    words += ["--start", rfc3339(query.window.start_ns), "--end", rfc3339(query.window.end_ns)]
    words += ["--service", query.service] if query.service else []
    return shlex.join([*words, "--limit", str(query.limit)])
