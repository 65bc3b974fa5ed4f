"""From the nested table of parsed requests to the columns of `columns/schema.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tracer.columns.schema import (
    BROWSER,
    BROWSER_SDK,
    HOST_KEYS,
    SPAN_KINDS,
    STATUS_CODES,
    arrow_schema,
)
from tracer.ingest.otlp.arrays import (
    all_zero,
    bytes_of,
    constant_words,
    hex_texts,
    listed,
    offsets_of,
    times,
    words,
)
from tracer.ingest.otlp.attributes import Attributes, attributes, no_maps
from tracer.ingest.otlp.decoded import REASONS, Rejected, Shaped
from tracer.ingest.otlp.sampling import sampling_weights

Rows = NDArray[np.int32]
_TOO_LATE: Final = np.uint64(1 << 63)


@dataclass(frozen=True)
class Nest:
    """The levels of the nested table, each flat, with the parent row of each row below it."""

    resources: pa.StructArray  # ResourceSpans
    scopes: pa.StructArray  # ScopeSpans
    spans: pa.StructArray
    request_of_resource: Rows
    resource_of_scope: Rows
    scope_of_span: Rows

    @classmethod
    def of(cls, table: pa.RecordBatch) -> Nest:
        """Levels of a batch with one row a request; zero-copy."""
        resource_lists = table.column("resource_spans")
        resources = resource_lists.values
        scope_lists = resources.field("scope_spans")
        scopes = scope_lists.values
        span_lists = scopes.field("spans")
        return cls(
            resources,
            scopes,
            span_lists.values,
            _owner(resource_lists),
            _owner(scope_lists),
            _owner(span_lists),
        )

    def attribute_lists(self) -> tuple[pa.ListArray, ...]:
        """Every column of repeated KeyValue, at every level."""
        return (
            self.resources.field("resource").field("attributes"),
            self.scopes.field("scope").field("attributes"),
            self.spans.field("attributes"),
            self.spans.field("events").values.field("attributes"),
            self.spans.field("links").values.field("attributes"),
        )


def shape(nest: Nest, ingest_ns: int, tenant: str) -> Shaped:
    """Span records of the valid spans, the others counted by request and reason."""
    resource_of_span = nest.resource_of_scope[nest.scope_of_span]
    request_of_span = nest.request_of_resource[resource_of_span]
    reason = _reason_of(nest.spans)
    valid = reason < 0
    keep = pa.array(valid)
    spans = nest.spans
    scope_of_span = nest.scope_of_span
    rejected: tuple[Rejected, ...] = ()
    if not valid.all():
        rejected = _count(request_of_span[~valid], reason[~valid])
        spans = spans.filter(keep)
        scope_of_span, resource_of_span = scope_of_span[valid], resource_of_span[valid]
        request_of_span = request_of_span[valid]
    columns = (
        _span_columns(spans)
        | _event_columns(spans.field("events"))
        | _link_columns(spans.field("links"))
        | _spread(_resource_columns(nest.resources), resource_of_span)
        | _spread(_scope_columns(nest.scopes), scope_of_span)
        | {
            "TenantId": constant_words(tenant, len(spans)),
            "IngestTime": times(np.full(len(spans), ingest_ns, np.uint64)),
        }
    )
    schema = arrow_schema()
    batch = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
    return Shaped(batch, request_of_span, rejected)


def _owner(lists: pa.ListArray) -> Rows:
    counts = np.diff(offsets_of(lists))
    return np.repeat(np.arange(len(lists), dtype=np.int32), counts)


def _reason_of(spans: pa.StructArray) -> NDArray[np.int8]:
    """Index of the first rule of `REASONS` that a span breaks, -1 for a valid span."""
    trace_id, span_id = spans.field("trace_id"), spans.field("span_id")
    parent_bytes = np.diff(offsets_of(spans.field("parent_span_id")))
    rules = (
        np.diff(offsets_of(trace_id)) != 16,
        all_zero(trace_id, 16),
        np.diff(offsets_of(span_id)) != 8,
        all_zero(span_id, 8),
        (parent_bytes != 0) & (parent_bytes != 8),
        _numbers(spans, "start_time_unix_nano") >= _TOO_LATE,
        _numbers(spans, "end_time_unix_nano") >= _TOO_LATE,
        _has_late_event(spans.field("events")),
    )
    reason = np.full(len(spans), -1, np.int8)
    for index in reversed(range(len(REASONS))):
        reason[rules[index]] = index
    return reason


def _has_late_event(events: pa.ListArray) -> NDArray[np.bool_]:
    late = np.flatnonzero(_numbers(events.values, "time_unix_nano") >= _TOO_LATE)
    owns = np.zeros(len(events), np.bool_)
    owns[np.searchsorted(offsets_of(events), late, side="right") - 1] = True
    return owns


def _count(request_of: Rows, reason: NDArray[np.int8]) -> tuple[Rejected, ...]:
    kinds, counts = np.unique(
        np.stack([request_of, reason.astype(np.int32)]), axis=1, return_counts=True
    )
    return tuple(
        Rejected(int(request), int(count), REASONS[index])
        for (request, index), count in zip(kinds.T, counts, strict=True)
    )


def _span_columns(spans: pa.StructArray) -> dict[str, pa.Array]:
    start_ns = _numbers(spans, "start_time_unix_nano").view(np.int64)
    end_ns = _numbers(spans, "end_time_unix_nano").view(np.int64)
    lasts_ns = end_ns - start_ns
    parent = spans.field("parent_span_id")
    parent_texts = hex_texts(parent)
    no_parent = all_zero(parent, 8)
    if no_parent.any():
        parent_texts = pc.if_else(pa.array(no_parent), "", parent_texts)
    status = spans.field("status")
    state = spans.field("trace_state")
    pairs = attributes(spans.field("attributes"))
    weights = sampling_weights(state) if len(bytes_of(state)) else np.zeros(len(spans))
    return {
        "Timestamp": times(_numbers(spans, "start_time_unix_nano")),
        "TraceId": hex_texts(spans.field("trace_id")),
        "SpanId": hex_texts(spans.field("span_id")),
        "ParentSpanId": parent_texts,
        "TraceState": state,
        "SpanName": spans.field("name").dictionary_encode(),
        "SpanKind": _enum(spans.field("kind"), SPAN_KINDS),
        "SpanAttributes": pairs.maps(),
        "Duration": pa.array(np.maximum(lasts_ns, 0).view(np.uint64)),
        "StatusCode": _enum(status.field("code"), STATUS_CODES),
        "StatusMessage": status.field("message"),
        "Flags": spans.field("flags"),
        "EndsBeforeStartNs": pa.array(np.maximum(-lasts_ns, 0).view(np.uint64)),
        "DroppedAttributesCount": spans.field("dropped_attributes_count"),
        "DroppedEventsCount": spans.field("dropped_events_count"),
        "DroppedLinksCount": spans.field("dropped_links_count"),
        "SpanAttributeTypes": pairs.types(),
        "SamplingWeight": pa.array(weights),
        "MessagingOperation": _first_of(pairs, ("messaging.operation.type", "messaging.operation")),
    }


def _event_columns(events: pa.ListArray) -> dict[str, pa.Array]:
    offsets, event = offsets_of(events), events.values
    pairs = attributes(event.field("attributes"))
    return {
        "Events.Timestamp": listed(offsets, times(_numbers(event, "time_unix_nano"))),
        "Events.Name": listed(offsets, event.field("name")),
        "Events.Attributes": listed(offsets, pairs.maps()),
        "Events.AttributeTypes": listed(offsets, pairs.types()),
        "Events.DroppedAttributesCount": listed(offsets, event.field("dropped_attributes_count")),
    }


def _link_columns(links: pa.ListArray) -> dict[str, pa.Array]:
    offsets, link = offsets_of(links), links.values
    pairs = attributes(link.field("attributes"))
    return {
        "Links.TraceId": listed(offsets, hex_texts(link.field("trace_id"))),
        "Links.SpanId": listed(offsets, hex_texts(link.field("span_id"))),
        "Links.TraceState": listed(offsets, link.field("trace_state")),
        "Links.Attributes": listed(offsets, pairs.maps()),
        "Links.AttributeTypes": listed(offsets, pairs.types()),
        "Links.DroppedAttributesCount": listed(offsets, link.field("dropped_attributes_count")),
        "Links.Flags": listed(offsets, link.field("flags")),
    }


def _resource_columns(resources: pa.StructArray) -> dict[str, pa.Array]:
    resource = resources.field("resource")
    pairs = attributes(resource.field("attributes"))
    return {
        "ResourceAttributes": pairs.maps(),
        "ResourceAttributeTypes": pairs.types(),
        "ResourceDroppedAttributesCount": resource.field("dropped_attributes_count"),
        "ResourceSchemaUrl": resources.field("schema_url").dictionary_encode(),
        "ServiceName": _first_of(pairs, ("service.name",)),
        "ServiceNamespace": _first_of(pairs, ("service.namespace",)),
        "ServiceVersion": _first_of(pairs, ("service.version",)),
        "Environment": _first_of(pairs, ("deployment.environment.name", "deployment.environment")),
        "Host": _host(pairs),
    }


def _scope_columns(scopes: pa.StructArray) -> dict[str, pa.Array]:
    scope = scopes.field("scope")
    pairs = attributes(scope.field("attributes"))
    return {
        "ScopeName": scope.field("name"),
        "ScopeVersion": scope.field("version"),
        "ScopeAttributes": pairs.maps(),
        "ScopeAttributeTypes": pairs.types(),
        "ScopeDroppedAttributesCount": scope.field("dropped_attributes_count"),
        "ScopeSchemaUrl": scopes.field("schema_url").dictionary_encode(),
    }


def _spread(columns: dict[str, pa.Array], rows: Rows) -> dict[str, pa.Array]:
    """Every column repeated for the spans below each row; empty maps cost nothing."""
    index = pa.array(rows)
    return {
        name: no_maps(len(rows))
        if isinstance(column, pa.MapArray) and len(column.keys) == 0
        else column.take(index)
        for name, column in columns.items()
    }


def _numbers(owner: pa.StructArray, field: str) -> NDArray[np.uint64]:
    numbers: NDArray[np.uint64] = owner.field(field).to_numpy()
    return numbers


def _enum(codes: pa.Int32Array, names: tuple[str, ...]) -> pa.DictionaryArray:
    """Enum numbers as words; numbers that have no name as decimal text."""
    numbers = codes.to_numpy()
    if len(numbers) == 0 or (numbers.min() >= 0 and numbers.max() < len(names)):
        return words(numbers, pa.array(names))
    distinct, index = np.unique(numbers, return_inverse=True)
    texts = [
        names[number] if 0 <= number < len(names) else str(number) for number in distinct.tolist()
    ]
    return words(index, pa.array(texts))


def _host(pairs: Attributes) -> pa.DictionaryArray:
    named = _first_of(pairs, HOST_KEYS).dictionary_decode()
    key, web = BROWSER_SDK
    is_page = pc.and_(pc.equal(named, ""), pc.equal(pairs.first_texts(key), web))
    return pc.if_else(is_page, BROWSER, named).dictionary_encode()


def _first_of(pairs: Attributes, keys: tuple[str, ...]) -> pa.DictionaryArray:
    """Per owner, the first attribute of the first key that is there and not empty."""
    texts = pairs.first_texts(keys[0])
    for key in keys[1:]:
        missing = pc.equal(texts, "")
        texts = pc.if_else(missing, pairs.first_texts(key), texts)
    return texts.dictionary_encode()
