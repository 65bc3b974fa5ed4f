"""Spans that arrive twice under one id: copies are merged, halves of a shared id are split.

A retried export delivers a span again; the copies (same trace, id, service and side) become one:
the one that ends last, then the one with the largest hash of its content. Zipkin lets the client
and the server of a call share one id: such halves stay two spans, and the server's half becomes the
child of the client's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.packing import Rows, run_starts
from tracer.columns.hashing import Hashes, hash_text, mix
from tracer.columns.spans import (
    KIND_CLIENT,
    KIND_CONSUMER,
    KIND_PRODUCER,
    KIND_SERVER,
    SpanColumns,
)


@dataclass(frozen=True)
class Merged:
    """Rows of the input that remain, grouped by (trace, span id), calling halves first.

    `position` maps every entry of `rows` to its place in the grouping it came from. `copies` counts
    what was merged into each, itself not included; `shared` marks those whose id others bear too.
    """

    rows: Rows
    position: Rows
    copies: NDArray[np.int64]
    shared: NDArray[np.bool_]


def merge(spans: SpanColumns, rows: Rows, same_id: NDArray[np.bool_]) -> Merged:
    """`rows` are grouped by (trace, span id); `same_id[i]` says that rows i and i + 1 are equal."""
    copies = np.zeros(len(rows), dtype=np.int64)
    shared = np.zeros(len(rows), dtype=np.bool_)
    if not same_id.any():
        return Merged(rows, np.arange(len(rows), dtype=np.intp), copies, shared)
    in_run = np.zeros(len(rows), dtype=np.bool_)
    in_run[:-1] |= same_id
    in_run[1:] |= same_id
    at = np.flatnonzero(in_run)
    run = np.cumsum(np.concatenate(([True], ~same_id)))[at]

    suspects = spans.take(rows[at])
    content = _content_hash(suspects)
    called = np.isin(suspects.kind, (KIND_SERVER, KIND_CONSUMER))
    calling = np.isin(suspects.kind, (KIND_CLIENT, KIND_PRODUCER))
    service = _service_hash(suspects)
    best_first = np.lexsort((~content, -suspects.end_ns, service, called, run))
    first = run_starts(run[best_first], called[best_first], service[best_first])
    extra = np.diff(np.append(first, len(at))) - 1
    kept = best_first[first]

    caller_first = np.lexsort((content[kept], called[kept], ~calling[kept], run[kept]))
    kept, extra = kept[caller_first], extra[caller_first]
    # a run's places are refilled from its head; what is left over of it falls away
    head = run_starts(run[kept])
    size = np.diff(np.append(head, len(kept)))
    nth = np.arange(len(kept)) - np.repeat(head, size)
    place = np.repeat(at[run_starts(run)], size) + nth
    merged_rows = rows.copy()
    merged_rows[place] = rows[at[kept]]
    copies[place] = extra
    shared[place] = np.repeat(size, size) > 1
    remains = ~in_run
    remains[place] = True
    position = np.flatnonzero(remains)
    return Merged(merged_rows[position], position, copies[position], shared[position])


def _service_hash(spans: SpanColumns) -> Hashes:
    names = np.array([hash_text(service) for service in spans.services], dtype=np.uint64)
    return names[spans.service]


def _content_hash(spans: SpanColumns) -> Hashes:
    """A hash of everything a span says, independent of the batch it came in."""
    operations = np.array([hash_text((name,)) for name in spans.operations], dtype=np.uint64)
    versions = np.array([hash_text((name,)) for name in spans.versions], dtype=np.uint64)
    hosts = np.array([hash_text((name,)) for name in spans.hosts], dtype=np.uint64)
    content = mix(_service_hash(spans), operations[spans.operation])
    content = mix(mix(content, versions[spans.version]), hosts[spans.host])
    for column in (spans.parent_span_id, spans.start_ns, spans.end_ns, spans.weight):
        content = mix(content, column.view(np.uint64))
    for small in (spans.kind, spans.status, spans.sends_message, spans.dropped):
        content = mix(content, small.astype(np.uint64))
    return content
