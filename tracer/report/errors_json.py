"""Failures as documents: what became of each origin in a trace, and faults over many traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tracer.analysis.error_groups import ErrorGroup
from tracer.analysis.errors import FATES, UNHANDLED, Errors
from tracer.analysis.forest import Forest
from tracer.columns.hashing import hash_text
from tracer.columns.ids import span_id_text, trace_id_text
from tracer.columns.schema import SPAN_KINDS
from tracer.units import rfc3339

MOST_OF_TRACE: Final = 20  # origins listed by trace
MOST_CHAIN: Final = 20  # spans listed of a chain: the lower half, then the upper

Document = dict[str, Any]


def with_errors(document: Mapping[str, Any], forest: Forest, found: Errors) -> Document:
    """`tracer.analysis/1` with `errors` in every trace."""
    by_trace = _by_trace(forest, found)
    nothing = {"failed_spans": 0, "total": _total(0), "items": []}
    return {
        **document,
        "traces": [
            {**trace, "errors": by_trace.get(trace["trace_id"], nothing)}
            for trace in document["traces"]
        ],
    }


def group_documents(forest: Forest, found: Errors, groups: list[ErrorGroup]) -> list[Document]:
    """The groups, with their shares of the spans in the forest."""
    spans = forest.spans
    of_service = np.bincount(spans.service, minlength=len(spans.services))
    documents = []
    for group in groups:
        same = (
            (spans.service == spans.service[group.row])
            & (spans.operation == spans.operation[group.row])
            & (spans.kind == spans.kind[group.row])
        )
        documents.append(
            with_shares(
                _group(forest, found, group),
                operation_spans=int(same.sum()),
                service_spans=int(of_service[spans.service[group.row]]),
            )
        )
    return documents


def with_shares(
    group: Document, *, operation_spans: int, service_spans: int, scale: float = 1.0
) -> Document:
    """The group with its share of its operation's spans, and of its service's.

    `scale`: how many times more traces with errors there are than were read.
    """

    def share(of: int) -> float | None:
        return min(1.0, group["count"] * scale / of) if of else None

    return {
        **group,
        "operation_spans": operation_spans,
        "share_of_operation": share(operation_spans),
        "service_spans": service_spans,
        "share_of_service": share(service_spans),
    }


def _group(forest: Forest, found: Errors, group: ErrorGroup) -> Document:
    reason = found.failures.reasons[group.reason]
    identity = forest.spans.services[forest.spans.service[group.row]]
    named = _named(forest, group.row)
    key = (*identity, named["operation"], named["kind"], reason.type, reason.template)
    return {
        "id": f"{hash_text(key):016x}",
        "service": identity.name,
        "namespace": identity.namespace,
        "environment": identity.environment,
        "tenant": identity.tenant,
        "operation": named["operation"],
        "kind": named["kind"],
        "type": reason.type,
        "message": reason.template,
        "count": group.count,
        "estimated_count": round(group.weight),
        "trace_count": group.trace_count,
        "outcomes": {fate: group.fates.get(fate, 0) for fate in FATES},
        "first_seen_ns": group.first_ns,
        "first_seen": rfc3339(group.first_ns),
        "last_seen_ns": group.last_ns,
        "last_seen": rfc3339(group.last_ns),
        "reaches": [{**_named(forest, row), "count": count} for row, count in group.reached],
        "exemplars": [_exemplar(forest, found, member) for member in group.exemplars],
    }


def _exemplar(forest: Forest, found: Errors, member: int) -> Document:
    row = int(found.propagation.row[member])
    start_ns = int(forest.spans.start_ns[row])
    return {
        "trace_id": trace_id_text(int(forest.spans.trace_hi[row]), int(forest.spans.trace_lo[row])),
        **_error(forest, found, member),
        "start_ns": start_ns,
        "start": rfc3339(start_ns),
    }


def _by_trace(forest: Forest, found: Errors) -> dict[str, Document]:
    """`errors` of the traces that have any, by trace id."""
    spread, spans = found.propagation, forest.spans
    trace = forest.trace_row[spread.row]
    origin = np.flatnonzero(spread.is_origin)
    is_handled = spread.fate[origin] != UNHANDLED
    origin = origin[
        np.lexsort((spread.row[origin], spans.start_ns[spread.row[origin]], is_handled))
    ]
    failed = np.bincount(trace, minlength=len(forest.main_root)).tolist()
    members: dict[int, list[int]] = {}
    for member in origin.tolist():
        members.setdefault(int(trace[member]), []).append(member)
    documents = {}
    for number, listed in members.items():
        row = int(forest.main_root[number])
        trace_id = trace_id_text(int(spans.trace_hi[row]), int(spans.trace_lo[row]))
        documents[trace_id] = {
            "failed_spans": failed[number],
            "total": _total(len(listed)),
            "items": [_error(forest, found, member) for member in listed[:MOST_OF_TRACE]],
        }
    return documents


def _error(forest: Forest, found: Errors, member: int) -> Document:
    """An origin, what it says, and the way it took."""
    spread = found.propagation
    reason = found.failures.reasons[int(found.reason[member])]
    way = [member]
    while (above := int(spread.up[way[-1]])) >= 0:
        way.append(above)
    half = MOST_CHAIN // 2
    shown = way if len(way) <= MOST_CHAIN else way[:half] + way[-half:]
    return {
        **_span(forest, int(spread.row[member])),
        "type": reason.type,
        "message": reason.message,
        "outcome": FATES[int(spread.fate[member])],
        "chain": [_span(forest, int(spread.row[one])) for one in shown],
        "chain_hidden": len(way) - len(shown),
    }


def _span(forest: Forest, row: int) -> Document:
    return {"span_id": span_id_text(int(forest.spans.span_id[row])), **_named(forest, row)}


def _named(forest: Forest, row: int) -> Document:
    spans = forest.spans
    return {
        "service": spans.services[spans.service[row]].name,
        "operation": spans.operations[spans.operation[row]],
        "kind": SPAN_KINDS[int(spans.kind[row])].lower(),
    }


def _total(value: int) -> Document:
    return {"value": value, "exact": True}
