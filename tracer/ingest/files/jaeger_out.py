"""Spans as Jaeger's JSON: the way back from `jaeger`, as far as Jaeger goes.

Jaeger has no place for fractions of a microsecond, scope attributes, attributes of links, schema
URLs and dropped counts. Values that are arrays or maps become their JSON text. A link to a span of
the same trace is a second reference there, and may be taken for the parent where that is missing.
Source: opentelemetry-collector-contrib, pkg/translator/jaeger.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import orjson

from tracer.columns.records import SpanRecords
from tracer.ingest.files.fields import NS_PER_US
from tracer.ingest.otlp.encode import Pairs, Row, rows

_END: Final = b'],"total":0,"limit":0,"offset":0,"errors":null}\n'
_REFERENCE: Final = "opentracing.ref_type"
_WARNINGS: Final = "@jaeger@warnings"
_REFERENCES: Final = {"child_of": "CHILD_OF", "follows_from": "FOLLOWS_FROM"}
_I64: Final = range(-(1 << 63), 1 << 63)


def to_jaeger(parts: Iterable[SpanRecords]) -> Iterator[bytes]:
    """One answer of Jaeger's API. Every trace MUST be whole in one of the parts."""
    before = b'{"data":['
    for records in parts:
        traces: dict[str, list[Row]] = {}
        for row in rows(records):
            traces.setdefault(row["TraceId"], []).append(row)
        for trace_id, spans in traces.items():
            yield before + orjson.dumps(_trace(trace_id, spans))
            before = b","
    yield (b"" if before == b"," else before) + _END


def _trace(trace_id: str, spans: list[Row]) -> Row:
    processes: dict[bytes, tuple[str, Row]] = {}
    written: list[Row] = []
    for row in spans:
        process = _process(row)
        name, _ = processes.setdefault(orjson.dumps(process), (f"p{len(processes) + 1}", process))
        written.append(_span(row, name))
    return {
        "traceID": trace_id,
        "spans": written,
        "processes": dict(processes.values()),
        "warnings": None,
    }


def _process(row: Row) -> Row:
    tags = _tags(row["ResourceAttributes"], row["ResourceAttributeTypes"])
    name = row["ServiceName"]
    named = {"key": "service.name", "type": "string", "value": name}
    if named in tags:
        tags.remove(named)
    return {"serviceName": name, "tags": tags}


def _span(row: Row, process: str) -> Row:
    tags = _tags(row["SpanAttributes"], row["SpanAttributeTypes"])
    parent_kind = _taken(tags, _REFERENCE) if row["ParentSpanId"] else ""
    warnings = _warnings(row)
    if warnings:
        tags = [tag for tag in tags if tag["key"] != _WARNINGS]
    return {
        "traceID": row["TraceId"],
        "spanID": row["SpanId"],
        "flags": row["Flags"] & 1,
        "operationName": row["SpanName"],
        "references": _references(row, parent_kind),
        "startTime": row["Timestamp"] // NS_PER_US,
        "duration": row["Duration"] // NS_PER_US,
        "tags": [*tags, *_fields(row)],
        "logs": list(_logs(row)),
        "processID": process,
        "warnings": warnings or None,
    }


def _fields(row: Row) -> list[Row]:
    """Tags for what OpenTelemetry has fields for."""
    kind = row["SpanKind"].lower()
    failed = row["StatusCode"] == "Error"
    texts = {
        "span.kind": "" if kind == "unspecified" else kind,
        "otel.status_code": row["StatusCode"].upper() if row["StatusCode"] != "Unset" else "",
        "otel.status_description": row["StatusMessage"],
        "otel.scope.name": row["ScopeName"],
        "otel.scope.version": row["ScopeVersion"],
        "w3c.tracestate": row["TraceState"],
    }
    tags = [_text(key, text) for key, text in texts.items() if text]
    return [*tags, {"key": "error", "type": "bool", "value": True}] if failed else tags


def _references(row: Row, parent_kind: str) -> list[Row]:
    references = []
    if row["ParentSpanId"]:
        kind = _REFERENCES.get(parent_kind, "CHILD_OF")
        references.append(_reference(kind, row["TraceId"], row["ParentSpanId"]))
    for trace_id, span_id, pairs in zip(
        row["Links.TraceId"], row["Links.SpanId"], row["Links.Attributes"], strict=True
    ):
        kind = _REFERENCES.get(dict(pairs).get(_REFERENCE, ""), "FOLLOWS_FROM")
        references.append(_reference(kind, trace_id, span_id))
    return references


def _reference(kind: str, trace_id: str, span_id: str) -> Row:
    return {"refType": kind, "traceID": trace_id, "spanID": span_id}


def _logs(row: Row) -> Iterator[Row]:
    for time_ns, name, pairs, types in zip(
        row["Events.Timestamp"],
        row["Events.Name"],
        row["Events.Attributes"],
        row["Events.AttributeTypes"],
        strict=True,
    ):
        named = [_text("event", name)] if name else []
        yield {"timestamp": time_ns // NS_PER_US, "fields": [*named, *_tags(pairs, types)]}


def _warnings(row: Row) -> list[str]:
    """What Jaeger had said about a span that came from there."""
    kinds = dict(row["SpanAttributeTypes"])
    if kinds.get(_WARNINGS) != "array":
        return []
    values = orjson.loads(dict(row["SpanAttributes"])[_WARNINGS])["values"]
    return [str(value.get("stringValue", "")) for value in values]


def _tags(pairs: Pairs, types: Pairs) -> list[Row]:
    kinds = dict(types)
    return [_tag(key, text, kinds.get(key, "")) for key, text in pairs]


def _tag(key: str, text: str, kind: str) -> Row:
    """A typed tag; a text that cannot be of the type stays one."""
    write = _TYPED.get(kind)
    if write is not None:
        try:
            jaeger, value = write(text)
            return {"key": key, "type": jaeger, "value": value}
        except ValueError:
            pass
    return _text(key, text)


def _text(key: str, text: str) -> Row:
    return {"key": key, "type": "string", "value": text}


def _bool(text: str) -> tuple[str, Any]:
    if text not in ("true", "false"):
        raise ValueError(text)
    return "bool", text == "true"


def _int(text: str) -> tuple[str, Any]:
    if str(int(text)) != text or int(text) not in _I64:
        raise ValueError(text)
    return "int64", int(text)


def _double(text: str) -> tuple[str, Any]:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)  # JSON has no number for it
    return "float64", value


_TYPED: Final[dict[str, Callable[[str], tuple[str, Any]]]] = {
    "bool": _bool,
    "int": _int,
    "double": _double,
    "bytes": lambda text: ("binary", text),
}


def _taken(tags: list[Row], key: str) -> str:
    """Takes the first text tag of the key; '' if there is none."""
    for tag in tags:
        if tag["key"] == key and tag["value"] in _REFERENCES:
            tags.remove(tag)
            return str(tag["value"])
    return ""
