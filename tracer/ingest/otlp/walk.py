"""The obvious decoder: walk protobuf objects, one row a span. The oracle of the fast one, and what
runs where the columnar parser is not installed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tracer.columns.schema import (
    BROWSER,
    BROWSER_SDK,
    HOST_KEYS,
    SPAN_KINDS,
    STATUS_CODES,
    arrow_schema,
)
from tracer.ingest.otlp.decoded import REASONS, Rejected, Shaped
from tracer.ingest.otlp.sampling import sampling_weight
from tracer.ingest.otlp.texts import array_text, bytes_text, double_text, kvlist_text

Row = dict[str, Any]
Pairs = list[tuple[str, str]]
_TOO_LATE: Final = 1 << 63


def decode_walk(requests: Sequence[bytes], ingest_ns: int, tenant: str) -> Shaped:
    """Requests that the judge has passed, to span records."""
    rows: list[Row] = []
    request_of: list[int] = []
    rejected: Counter[tuple[int, int]] = Counter()
    for number, request in enumerate(requests):
        for group in ExportTraceServiceRequest.FromString(request).resource_spans:
            resource = _resource_row(group) | {"TenantId": tenant, "IngestTime": ingest_ns}
            for scope_spans in group.scope_spans:
                scope = _scope_row(scope_spans)
                for span in scope_spans.spans:
                    reason = _reason(span)
                    if reason is None:
                        rows.append(_span_row(span) | resource | scope)
                        request_of.append(number)
                    else:
                        rejected[number, reason] += 1
    return Shaped(
        pa.RecordBatch.from_pylist(rows, schema=arrow_schema()),
        np.array(request_of, np.int32),
        tuple(
            Rejected(number, count, REASONS[reason])
            for (number, reason), count in sorted(rejected.items())
        ),
    )


def _reason(span: Span) -> int | None:
    """Index of the first rule of `REASONS` that the span breaks."""
    rules = (
        len(span.trace_id) != 16,
        not any(span.trace_id),
        len(span.span_id) != 8,
        not any(span.span_id),
        len(span.parent_span_id) not in (0, 8),
        span.start_time_unix_nano >= _TOO_LATE,
        span.end_time_unix_nano >= _TOO_LATE,
        any(event.time_unix_nano >= _TOO_LATE for event in span.events),
    )
    return rules.index(True) if any(rules) else None


def _span_row(span: Span) -> Row:
    lasts_ns = span.end_time_unix_nano - span.start_time_unix_nano
    pairs, types = _attributes(span.attributes)
    return {
        "Timestamp": span.start_time_unix_nano,
        "TraceId": span.trace_id.hex(),
        "SpanId": span.span_id.hex(),
        "ParentSpanId": span.parent_span_id.hex() if any(span.parent_span_id) else "",
        "TraceState": span.trace_state,
        "SpanName": span.name,
        "SpanKind": _enum(span.kind, SPAN_KINDS),
        "SpanAttributes": pairs,
        "Duration": max(lasts_ns, 0),
        "StatusCode": _enum(span.status.code, STATUS_CODES),
        "StatusMessage": span.status.message,
        "Flags": span.flags,
        "EndsBeforeStartNs": max(-lasts_ns, 0),
        "DroppedAttributesCount": span.dropped_attributes_count,
        "DroppedEventsCount": span.dropped_events_count,
        "DroppedLinksCount": span.dropped_links_count,
        "SpanAttributeTypes": types,
        "SamplingWeight": sampling_weight(span.trace_state),
        "MessagingOperation": _first(pairs, "messaging.operation.type", "messaging.operation"),
        **_events_row(span.events),
        **_links_row(span.links),
    }


def _events_row(events: Iterable[Span.Event]) -> Row:
    pairs = [_attributes(event.attributes) for event in events]
    return {
        "Events.Timestamp": [event.time_unix_nano for event in events],
        "Events.Name": [event.name for event in events],
        "Events.Attributes": [texts for texts, _ in pairs],
        "Events.AttributeTypes": [types for _, types in pairs],
        "Events.DroppedAttributesCount": [event.dropped_attributes_count for event in events],
    }


def _links_row(links: Iterable[Span.Link]) -> Row:
    pairs = [_attributes(link.attributes) for link in links]
    return {
        "Links.TraceId": [link.trace_id.hex() for link in links],
        "Links.SpanId": [link.span_id.hex() for link in links],
        "Links.TraceState": [link.trace_state for link in links],
        "Links.Attributes": [texts for texts, _ in pairs],
        "Links.AttributeTypes": [types for _, types in pairs],
        "Links.DroppedAttributesCount": [link.dropped_attributes_count for link in links],
        "Links.Flags": [link.flags for link in links],
    }


def _resource_row(group: ResourceSpans) -> Row:
    pairs, types = _attributes(group.resource.attributes)
    return {
        "ResourceAttributes": pairs,
        "ResourceAttributeTypes": types,
        "ResourceDroppedAttributesCount": group.resource.dropped_attributes_count,
        "ResourceSchemaUrl": group.schema_url,
        "ServiceName": _first(pairs, "service.name"),
        "ServiceNamespace": _first(pairs, "service.namespace"),
        "ServiceVersion": _first(pairs, "service.version"),
        "Environment": _first(pairs, "deployment.environment.name", "deployment.environment"),
        "Host": _host(pairs),
    }


def _scope_row(scope_spans: ScopeSpans) -> Row:
    scope = scope_spans.scope
    pairs, types = _attributes(scope.attributes)
    return {
        "ScopeName": scope.name,
        "ScopeVersion": scope.version,
        "ScopeAttributes": pairs,
        "ScopeAttributeTypes": types,
        "ScopeDroppedAttributesCount": scope.dropped_attributes_count,
        "ScopeSchemaUrl": scope_spans.schema_url,
    }


def _attributes(pairs: Iterable[KeyValue]) -> tuple[Pairs, Pairs]:
    """The texts of all values, and the types of those that are not strings."""
    texts: Pairs = []
    types: Pairs = []
    for pair in pairs:
        text, type_name = _text(pair.value)
        texts.append((pair.key, text))
        if type_name:
            types.append((pair.key, type_name))
    return texts, types


def _text(value: AnyValue) -> tuple[str, str]:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value, ""
        case "bool_value":
            return ("true" if value.bool_value else "false"), "bool"
        case "int_value":
            return str(value.int_value), "int"
        case "double_value":
            return double_text(value.double_value), "double"
        case "bytes_value":
            return bytes_text(value.bytes_value), "bytes"
        case "array_value":
            return array_text(value.array_value), "array"
        case "kvlist_value":
            return kvlist_text(value.kvlist_value), "kvlist"
        case _:
            return "", "empty"


def _first(pairs: Pairs, *keys: str) -> str:
    """The first attribute of the first key that is there and not empty, '' for none."""
    for key in keys:
        text = next((text for name, text in pairs if name == key), "")
        if text:
            return text
    return ""


def _host(pairs: Pairs) -> str:
    key, web = BROWSER_SDK
    return _first(pairs, *HOST_KEYS) or (BROWSER if _first(pairs, key) == web else "")


def _enum(number: int, names: tuple[str, ...]) -> str:
    return names[number] if 0 <= number < len(names) else str(number)
