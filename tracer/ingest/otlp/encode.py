"""Span records to OTLP/JSON: the way back, with nothing lost that OTLP can say.

Values get their types back from the types maps. What OTLP has no place for (tenant, ingest time,
derived columns) is not written: decoding makes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import pyarrow as pa

from tracer.columns.records import SpanRecords
from tracer.columns.schema import SPAN_KINDS, STATUS_CODES
from tracer.ingest.otlp.texts import double_json, double_text

Row = dict[str, Any]
Pairs = list[tuple[str, str]]

_RESOURCE: Final = (
    "ResourceAttributes",
    "ResourceAttributeTypes",
    "ResourceDroppedAttributesCount",
    "ResourceSchemaUrl",
)
_SCOPE: Final = (
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "ScopeAttributeTypes",
    "ScopeDroppedAttributesCount",
    "ScopeSchemaUrl",
)


def to_otlp_json(records: SpanRecords) -> dict[str, Any]:
    """TracesData as OTLP/JSON, grouped by resource and scope in the order they first appear."""
    resources: dict[str, tuple[Row, dict[str, Row]]] = {}
    for row in rows(records):
        resource, scopes = resources.setdefault(_key(row, _RESOURCE), (_resource_spans(row), {}))
        scope_key = _key(row, _SCOPE)
        if scope_key not in scopes:
            scopes[scope_key] = _scope_spans(row)
            resource["scopeSpans"].append(scopes[scope_key])
        scopes[scope_key]["spans"].append(_span(row))
    return {"resourceSpans": [resource for resource, _ in resources.values()]}


def to_otlp_lines(records: SpanRecords, max_spans_per_line: int = 1024) -> Iterator[bytes]:
    """JSON lines, each a TracesData of at most so many spans, each ending in a newline."""
    for first in range(0, len(records), max_spans_per_line):
        part = SpanRecords(records.batch.slice(first, max_spans_per_line))
        yield orjson.dumps(to_otlp_json(part), option=orjson.OPT_APPEND_NEWLINE)


def rows(records: SpanRecords) -> Iterator[Row]:
    """Every span as a dict of Python values by column, times as integers."""
    names = records.batch.schema.names
    columns = [_values(column) for column in records.batch.columns]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _values(column: pa.Array) -> list[Any]:
    """Python values; times as integers, because a datetime cannot hold nanoseconds."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    elif pa.types.is_list(column.type) and pa.types.is_timestamp(column.type.value_type):
        column = column.cast(pa.list_(pa.int64()))
    values: list[Any] = column.to_pylist()
    return values


def _key(row: Row, names: tuple[str, ...]) -> str:
    return repr([row[name] for name in names])


def _resource_spans(row: Row) -> Row:
    resource = {
        "attributes": _attributes(row["ResourceAttributes"], row["ResourceAttributeTypes"]),
        "droppedAttributesCount": row["ResourceDroppedAttributesCount"],
    }
    return {
        "resource": _filled(resource),
        "scopeSpans": [],
        **_filled({"schemaUrl": row["ResourceSchemaUrl"]}),
    }


def _scope_spans(row: Row) -> Row:
    scope = {
        "name": row["ScopeName"],
        "version": row["ScopeVersion"],
        "attributes": _attributes(row["ScopeAttributes"], row["ScopeAttributeTypes"]),
        "droppedAttributesCount": row["ScopeDroppedAttributesCount"],
    }
    return {
        "scope": _filled(scope),
        "spans": [],
        **_filled({"schemaUrl": row["ScopeSchemaUrl"]}),
    }


def _span(row: Row) -> Row:
    start_ns = row["Timestamp"]
    status = {
        "message": row["StatusMessage"],
        "code": _number(row["StatusCode"], STATUS_CODES),
    }
    return {
        "traceId": row["TraceId"],
        "spanId": row["SpanId"],
        **_filled(
            {
                "traceState": row["TraceState"],
                "parentSpanId": row["ParentSpanId"],
                "flags": row["Flags"],
                "name": row["SpanName"],
                "kind": _number(row["SpanKind"], SPAN_KINDS),
            }
        ),
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + row["Duration"] - row["EndsBeforeStartNs"]),
        **_filled(
            {
                "attributes": _attributes(row["SpanAttributes"], row["SpanAttributeTypes"]),
                "droppedAttributesCount": row["DroppedAttributesCount"],
                "events": _events(row),
                "droppedEventsCount": row["DroppedEventsCount"],
                "links": _links(row),
                "droppedLinksCount": row["DroppedLinksCount"],
                "status": _filled(status),
            }
        ),
    }


def _events(row: Row) -> list[Row]:
    return [
        {
            "timeUnixNano": str(time_ns),
            **_filled(
                {
                    "name": name,
                    "attributes": _attributes(pairs, types),
                    "droppedAttributesCount": dropped,
                }
            ),
        }
        for time_ns, name, pairs, types, dropped in zip(
            row["Events.Timestamp"],
            row["Events.Name"],
            row["Events.Attributes"],
            row["Events.AttributeTypes"],
            row["Events.DroppedAttributesCount"],
            strict=True,
        )
    ]


def _links(row: Row) -> list[Row]:
    return [
        {
            "traceId": trace_id,
            "spanId": span_id,
            **_filled(
                {
                    "traceState": trace_state,
                    "attributes": _attributes(pairs, types),
                    "droppedAttributesCount": dropped,
                    "flags": flags,
                }
            ),
        }
        for trace_id, span_id, trace_state, pairs, types, dropped, flags in zip(
            row["Links.TraceId"],
            row["Links.SpanId"],
            row["Links.TraceState"],
            row["Links.Attributes"],
            row["Links.AttributeTypes"],
            row["Links.DroppedAttributesCount"],
            row["Links.Flags"],
            strict=True,
        )
    ]


def _filled(fields: Row) -> Row:
    """Without the fields that have their default: missing means the same in OTLP/JSON."""
    return {key: value for key, value in fields.items() if value}


def _number(word: str, names: tuple[str, ...]) -> int:
    return names.index(word) if word in names else int(word)


def _attributes(pairs: Pairs, types: Pairs) -> list[Row]:
    """KeyValues. Of a key that stands there twice, the n-th type goes to the first value, after
    the one before it, that can be of that type."""
    open_types: dict[str, list[str]] = {}
    for key, type_name in types:
        open_types.setdefault(key, []).append(type_name)
    written: list[Row] = []
    for key, text in pairs:
        value = None
        if open_types.get(key):
            value = _typed(text, open_types[key][0])
            if value is not None:
                del open_types[key][0]
        written.append({"key": key, "value": {"stringValue": text} if value is None else value})
    return written


def _typed(text: str, type_name: str) -> Row | None:
    """The AnyValue of that type whose text this is; None when the text cannot be of that type."""
    try:
        return _TYPED[type_name](text)
    except (ValueError, KeyError):
        return None


def _bool(text: str) -> Row:
    return {"boolValue": {"true": True, "false": False}[text]}


def _int(text: str) -> Row:
    if str(int(text)) != text:
        raise ValueError(text)
    return {"intValue": text}


def _double(text: str) -> Row:
    value = float(text)
    if double_text(value) != text:
        raise ValueError(text)
    return {"doubleValue": double_json(value)}


def _empty(text: str) -> Row:
    if text:
        raise ValueError(text)
    return {}


_TYPED: Final[dict[str, Callable[[str], Row]]] = {
    "bool": _bool,
    "int": _int,
    "double": _double,
    "bytes": lambda text: {"bytesValue": text},
    "array": lambda text: {"arrayValue": orjson.loads(text)},
    "kvlist": lambda text: {"kvlistValue": orjson.loads(text)},
    "empty": _empty,
}
