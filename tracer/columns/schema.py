"""The span schema as one table: what a stored span is, column by column.

DDL (`tracer/store/schema/*.sql`), the Arrow batches that decoding makes and the reader all follow
this table; `tests/meta/test_schema.py` holds them to it. The first block is the layout of the
OpenTelemetry collector's ClickHouse exporter; everything under `EXTRA` is ours, has a default, and
exists so that nothing a span carries over OTLP is lost.

Attribute values are text in the maps (that is the layout's contract); the type of every value that
is not a string stands in the `…Types` map beside it, by key, as one of `ATTRIBUTE_TYPES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

TEXT: Final = pa.string()
WORD: Final = pa.dictionary(pa.int32(), pa.string())  # few distinct values: LowCardinality
TIME: Final = pa.timestamp("ns")  # UTC, no zone in the type
ATTRIBUTES: Final = pa.map_(pa.string(), pa.string())
U32: Final = pa.uint32()
U64: Final = pa.uint64()
F64: Final = pa.float64()

# How a non-string attribute value is written as text:
#   bool   'true' | 'false'          int   decimal           double  shortest round-trip decimal
#   bytes  base64                    array, kvlist  OTLP/JSON of the ArrayValue / KeyValueList
#   empty  '' (an AnyValue with no member set)
ATTRIBUTE_TYPES: Final = ("bool", "int", "double", "bytes", "array", "kvlist", "empty")

# Index = OTLP enum number; numbers outside the enum are stored as their decimal text.
SPAN_KINDS: Final = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUS_CODES: Final = ("Unset", "Ok", "Error")

# Resource attributes that name the machine whose clock a span was timed by, best first. An instance
# id comes last: two processes of one machine share its clock. A page in a browser names nothing,
# and is on another machine than any server.
HOST_KEYS: Final = (
    *("k8s.node.name", "host.id", "host.name", "host.ip", "ip"),
    "service.instance.id",
)
BROWSER: Final = "browser"
BROWSER_SDK: Final = ("telemetry.sdk.language", "webjs")


@dataclass(frozen=True)
class Column:
    """One stored column: its name and type in the engine, in Arrow, and where it comes from."""

    name: str
    arrow: pa.DataType
    clickhouse: str
    source: str


def _list(item: pa.DataType) -> pa.DataType:
    return pa.list_(item)


_LC = "LowCardinality(String)"
_MAP = "Map(LowCardinality(String), String)"
_TYPES = "Map(LowCardinality(String), LowCardinality(String))"

COLLECTOR: Final[tuple[Column, ...]] = (
    Column("Timestamp", TIME, "DateTime64(9)", "span.start_time_unix_nano"),
    Column("TraceId", TEXT, "String", "span.trace_id, 32 lower-case hex"),
    Column("SpanId", TEXT, "String", "span.span_id, 16 lower-case hex"),
    Column("ParentSpanId", TEXT, "String", "span.parent_span_id, 16 hex, '' for none or all zero"),
    Column("TraceState", TEXT, "String", "span.trace_state"),
    Column("SpanName", WORD, _LC, "span.name"),
    Column("SpanKind", WORD, _LC, "span.kind as in SPAN_KINDS"),
    Column("ServiceName", WORD, _LC, "resource attribute service.name, '' if absent"),
    Column("ResourceAttributes", ATTRIBUTES, _MAP, "resource.attributes"),
    Column("ScopeName", TEXT, "String", "scope.name"),
    Column("ScopeVersion", TEXT, "String", "scope.version"),
    Column("SpanAttributes", ATTRIBUTES, _MAP, "span.attributes"),
    Column("Duration", U64, "UInt64", "end - start in ns, 0 when the span ends before it starts"),
    Column("StatusCode", WORD, _LC, "span.status.code as in STATUS_CODES"),
    Column("StatusMessage", TEXT, "String", "span.status.message"),
    Column("Events.Timestamp", _list(TIME), "Array(DateTime64(9))", "event.time_unix_nano"),
    Column("Events.Name", _list(TEXT), f"Array({_LC})", "event.name"),
    Column("Events.Attributes", _list(ATTRIBUTES), f"Array({_MAP})", "event.attributes"),
    Column("Links.TraceId", _list(TEXT), "Array(String)", "link.trace_id, hex"),
    Column("Links.SpanId", _list(TEXT), "Array(String)", "link.span_id, hex"),
    Column("Links.TraceState", _list(TEXT), "Array(String)", "link.trace_state"),
    Column("Links.Attributes", _list(ATTRIBUTES), f"Array({_MAP})", "link.attributes"),
)

EXTRA: Final[tuple[Column, ...]] = (
    Column("TenantId", WORD, _LC, "the receiver's tenant, '' when there is one tenant only"),
    Column("IngestTime", TIME, "DateTime64(9)", "when the committer took the span"),
    Column("Flags", U32, "UInt32", "span.flags"),
    Column("EndsBeforeStartNs", U64, "UInt64", "start - end in ns when the span ends first"),
    Column("DroppedAttributesCount", U32, "UInt32", "span.dropped_attributes_count"),
    Column("DroppedEventsCount", U32, "UInt32", "span.dropped_events_count"),
    Column("DroppedLinksCount", U32, "UInt32", "span.dropped_links_count"),
    Column("SpanAttributeTypes", ATTRIBUTES, _TYPES, "types of span.attributes not strings"),
    Column("ResourceAttributeTypes", ATTRIBUTES, _TYPES, "types of resource.attributes"),
    Column("ResourceDroppedAttributesCount", U32, "UInt32", "resource.dropped_attributes_count"),
    Column("ResourceSchemaUrl", WORD, _LC, "resource_spans.schema_url"),
    Column("ScopeAttributes", ATTRIBUTES, _MAP, "scope.attributes"),
    Column("ScopeAttributeTypes", ATTRIBUTES, _TYPES, "types of scope.attributes"),
    Column("ScopeDroppedAttributesCount", U32, "UInt32", "scope.dropped_attributes_count"),
    Column("ScopeSchemaUrl", WORD, _LC, "scope_spans.schema_url"),
    Column("Events.AttributeTypes", _list(ATTRIBUTES), f"Array({_TYPES})", "types, by event"),
    Column("Events.DroppedAttributesCount", _list(U32), "Array(UInt32)", "event.dropped_…"),
    Column("Links.AttributeTypes", _list(ATTRIBUTES), f"Array({_TYPES})", "types, by link"),
    Column("Links.DroppedAttributesCount", _list(U32), "Array(UInt32)", "link.dropped_…"),
    Column("Links.Flags", _list(U32), "Array(UInt32)", "link.flags"),
    Column("SamplingWeight", F64, "Float64", "adjusted count of tracestate ot=th, 0 = unknown"),
    Column("Environment", WORD, _LC, "deployment.environment.name, else deployment.environment"),
    Column("ServiceNamespace", WORD, _LC, "service.namespace"),
    Column("ServiceVersion", WORD, _LC, "service.version"),
    Column(
        "Host", WORD, _LC, "the first of HOST_KEYS in the resource, else 'browser' for web SDKs"
    ),
    Column("MessagingOperation", WORD, _LC, "messaging.operation.type, else messaging.operation"),
)

SPANS: Final[tuple[Column, ...]] = COLLECTOR + EXTRA


def arrow_schema() -> pa.Schema:
    """The Arrow schema of a batch of span records, in table order."""
    return pa.schema([pa.field(column.name, column.arrow) for column in SPANS])
