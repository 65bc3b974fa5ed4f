"""OTLP requests for tests: plain builders, hypothesis strategies, and a small wire writer for bytes
that no protobuf library would write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tracer.columns.records import SpanRecords

TRACE_ID = bytes(range(16))
SPAN_ID = bytes(range(1, 9))
BASE_NS = 1_700_000_000_000_000_000

# --- builders ---------------------------------------------------------------------------------


def value(thing: Any) -> AnyValue:
    """An AnyValue of a Python value; None is the empty one."""
    match thing:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=thing)
        case int():
            return AnyValue(int_value=thing)
        case float():
            return AnyValue(double_value=thing)
        case str():
            return AnyValue(string_value=thing)
        case bytes():
            return AnyValue(bytes_value=thing)
        case list():
            result = AnyValue()
            result.array_value.SetInParent()
            result.array_value.values.extend(map(value, thing))
            return result
        case dict():
            result = AnyValue()
            result.kvlist_value.SetInParent()
            result.kvlist_value.values.extend(pairs(thing))
            return result
    raise TypeError(thing)


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    """Attributes from a dict."""
    return [KeyValue(key=key, value=value(thing)) for key, thing in attributes.items()]


def span(**fields: Any) -> Span:
    """A valid span; any field may be given, `attributes` as a dict."""
    given = {
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "name": "work",
        "start_time_unix_nano": BASE_NS,
        "end_time_unix_nano": BASE_NS + 1_000_000,
    } | fields
    given["attributes"] = pairs(given.get("attributes", {}))
    return Span(**given)


def request(
    *spans: Span, resource: dict[str, Any] | None = None, scope: dict[str, Any] | None = None
) -> bytes:
    """One serialized request with one resource and one scope."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.extend(pairs(resource or {}))
    scope_spans = group.scope_spans.add(spans=spans)
    scope_spans.scope.attributes.extend(pairs(scope or {}))
    return message.SerializeToString()


# --- reading records back ---------------------------------------------------------------------


def plain(records: SpanRecords) -> pa.RecordBatch:
    """The batch without dictionaries, so that equal content is equal."""
    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in records.batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=records.batch.schema.names)


def rows(records: SpanRecords) -> list[dict[str, Any]]:
    """Every span as a dict of Python values, times as integer ns."""
    batch = plain(records)
    columns = {name: _numbers_for_times(batch.column(name)) for name in batch.schema.names}
    lists = [column.to_pylist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _numbers_for_times(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64())
    if pa.types.is_list(column.type) and pa.types.is_timestamp(column.type.value_type):
        return column.cast(pa.list_(pa.int64()))
    return column


def difference(left: SpanRecords, right: SpanRecords) -> list[str]:
    """Names of the columns in which two batches differ, row by row."""
    one, other = plain(left), plain(right)
    return [name for name in one.schema.names if not one.column(name).equals(other.column(name))]


# --- strategies -------------------------------------------------------------------------------

_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_KEYS = st.sampled_from(
    [
        *("a", "b", "", "service.name", "service.version", "service.namespace"),
        *("deployment.environment", "deployment.environment.name"),
        *("messaging.operation", "messaging.operation.type"),
    ]
)
_TRACE_STATES = st.sampled_from(
    [
        *("", "ot=th:8", "x=1, ot=rv:1;th:c ,y=2", "ot=th:", "ot=th:8x", "ot=th:0;th:8"),
        *("not=th:8", "ot=p:1,ot=th:8", "ot=th:ffffffffffffff", "ot=th:8\n", "ot= th:8"),
        "ot=th:123456789abcdef",
    ]
)
_U32 = st.integers(0, (1 << 32) - 1)
_TIMES = st.one_of(
    st.integers(0, (1 << 64) - 1), st.integers(BASE_NS, BASE_NS + 10), st.just((1 << 63) - 1)
)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(),
    _TEXT,
    st.binary(max_size=6),
)
_THINGS = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=5,
)


def key_values(size: int = 4) -> st.SearchStrategy[list[KeyValue]]:
    """Attribute lists; keys repeat, values are of every type, some pairs have no value."""
    with_value = st.builds(lambda key, thing: KeyValue(key=key, value=value(thing)), _KEYS, _THINGS)
    return st.lists(st.one_of(with_value, st.builds(KeyValue, key=_KEYS)), max_size=size)


def _ids(width: int) -> st.SearchStrategy[bytes]:
    usual = st.binary(min_size=width, max_size=width)
    return st.one_of(usual, usual, usual, st.just(bytes(width)), st.binary(max_size=width + 2))


def spans() -> st.SearchStrategy[Span]:
    """Spans of every sort, one in a few invalid."""
    status = st.builds(
        lambda message, code: {"message": message, "code": code}, _TEXT, st.integers(-1, 4)
    )
    events = st.builds(
        Span.Event,
        time_unix_nano=_TIMES,
        name=_TEXT,
        attributes=key_values(2),
        dropped_attributes_count=_U32,
    )
    links = st.builds(
        Span.Link,
        trace_id=_ids(16),
        span_id=_ids(8),
        trace_state=_TEXT,
        attributes=key_values(2),
        dropped_attributes_count=_U32,
        flags=_U32,
    )
    return st.builds(
        Span,
        trace_id=_ids(16),
        span_id=_ids(8),
        parent_span_id=st.one_of(st.just(b""), _ids(8)),
        trace_state=_TRACE_STATES,
        flags=_U32,
        name=_TEXT,
        kind=st.integers(-1, 7),
        start_time_unix_nano=_TIMES,
        end_time_unix_nano=_TIMES,
        attributes=key_values(),
        dropped_attributes_count=_U32,
        events=st.lists(events, max_size=2),
        dropped_events_count=_U32,
        links=st.lists(links, max_size=2),
        dropped_links_count=_U32,
        status=st.one_of(st.none(), status),
    )


def requests(span: st.SearchStrategy[Span] | None = None) -> st.SearchStrategy[bytes]:
    """Serialized requests with resources and scopes that may be missing."""
    scope = st.builds(
        lambda name, version, attributes, dropped: {
            "name": name,
            "version": version,
            "attributes": attributes,
            "dropped_attributes_count": dropped,
        },
        _TEXT,
        _TEXT,
        key_values(2),
        _U32,
    )
    resource = st.builds(
        lambda attributes, dropped: {"attributes": attributes, "dropped_attributes_count": dropped},
        key_values(),
        _U32,
    )
    scope_spans = st.builds(
        lambda scope, spans, url: {"scope": scope, "spans": spans, "schema_url": url},
        st.one_of(st.none(), scope),
        st.lists(span or spans(), max_size=3),
        _TEXT,
    )
    group = st.builds(
        ResourceSpans,
        resource=st.one_of(st.none(), resource),
        scope_spans=st.lists(scope_spans, max_size=2),
        schema_url=_TEXT,
    )
    return st.lists(group, max_size=2).map(
        lambda groups: ExportTraceServiceRequest(resource_spans=groups).SerializeToString()
    )


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A request with a few bytes flipped, cut, doubled or put in."""
    content = bytearray(draw(requests()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        until = draw(st.integers(at, min(len(content), at + 12)))
        match draw(st.integers(0, 3)):
            case 0:
                content[at:until] = bytes(
                    byte ^ draw(st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]))
                    for byte in content[at:until][:1]
                ) + bytes(content[at + 1 : until])
            case 1:
                del content[at:until]
            case 2:
                content[at:at] = content[at:until]
            case _:
                content[at:at] = draw(st.binary(max_size=4))
    return bytes(content)


# --- wire -------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    """A base-128 varint; negative numbers as 64-bit two's complement."""
    number &= (1 << 64) - 1
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def length_delimited(field: int, content: bytes) -> bytes:
    """A field of wire type 2."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def varint_field(field: int, number: int) -> bytes:
    """A field of wire type 0."""
    return varint(field << 3) + varint(number)


def group_field(field: int, content: bytes, end: int | None = None) -> bytes:
    """A field of wire types 3 and 4; `end` is the field number that closes it."""
    return varint(field << 3 | 3) + content + varint((end or field) << 3 | 4)


def wire_request(span_fields: bytes = b"", resource: Iterable[bytes] = ()) -> bytes:
    """A request with one valid span that ends in the given raw fields; `resource` bodies repeat
    the singular field."""
    whole_span = span().SerializeToString() + span_fields
    group = b"".join(length_delimited(1, body) for body in resource)
    group += length_delimited(2, length_delimited(2, whole_span))
    return length_delimited(1, group)


def wire_attribute(*value_bodies: bytes) -> bytes:
    """Span field 9: the key `k`, and `value` once per given body."""
    pair = length_delimited(1, b"k") + b"".join(length_delimited(2, body) for body in value_bodies)
    return length_delimited(9, pair)
