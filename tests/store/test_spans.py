"""What is written comes back, column by column, and once."""

from __future__ import annotations

import pyarrow as pa

from tests.support.records import EPOCH, SECOND, records, span
from tracer.columns.schema import SPANS
from tracer.store.activity import read_activity, read_spans
from tracer.store.engine import Engine
from tracer.store.reader import read_trace
from tracer.store.writer import write_spans

FULL = span(
    0xA1,
    1,
    start=EPOCH + 5,
    duration=123,
    TraceState="ot=th:8",
    ResourceAttributes=[("service.name", "shop"), ("host.name", "h\n1")],
    SpanAttributes=[("http.response.status_code", "200"), ("k", "v"), ("k", "again")],
    SpanAttributeTypes=[("http.response.status_code", "int")],
    StatusCode="Error",
    StatusMessage="boom ☃",
    Events__Timestamp=[EPOCH + 6, EPOCH + 7],
    Events__Name=["exception", ""],
    Events__Attributes=[[("exception.type", "E")], []],
    Events__AttributeTypes=[[], []],
    Events__DroppedAttributesCount=[0, 3],
    Links__TraceId=["ab" * 16],
    Links__SpanId=["cd" * 8],
    Links__TraceState=["x=y"],
    Links__Attributes=[[("why", "batch")]],
    Links__AttributeTypes=[[]],
    Links__DroppedAttributesCount=[1],
    Links__Flags=[257],
    TenantId="acme",
    Flags=0x301,
    EndsBeforeStartNs=0,
    DroppedAttributesCount=1,
    DroppedEventsCount=2,
    DroppedLinksCount=4_000_000_000,
    ResourceAttributeTypes=[],
    ResourceDroppedAttributesCount=7,
    ResourceSchemaUrl="https://schema/1",
    ScopeName="lib",
    ScopeVersion="1.2",
    ScopeAttributes=[("a", "1")],
    ScopeAttributeTypes=[("a", "int")],
    ScopeDroppedAttributesCount=9,
    ScopeSchemaUrl="https://schema/2",
    SamplingWeight=2.0,
    Environment="prod",
    ServiceNamespace="web",
    ServiceVersion="1.0",
    MessagingOperation="send",
)


def test_every_column_of_the_schema_round_trips(engine: Engine) -> None:
    written = records([FULL])
    write_spans(engine, written)
    read = read_trace(engine, f"{0xA1:032x}", limit=10)
    for spec in SPANS:
        assert _plain(read.batch.column(spec.name)) == _plain(written.batch.column(spec.name)), (
            spec.name
        )


def test_a_span_stored_twice_is_read_once(engine: Engine) -> None:
    write_spans(engine, records([FULL]))
    write_spans(engine, records([FULL]))
    assert len(read_trace(engine, f"{0xA1:032x}", limit=10)) == 1


def test_spans_of_one_id_from_two_services_are_both_kept(engine: Engine) -> None:
    write_spans(engine, records([span(1, 1, service="a"), span(1, 1, service="b")]))
    assert len(read_trace(engine, f"{1:032x}", limit=10)) == 2


def test_an_unknown_trace_is_empty(engine: Engine) -> None:
    assert len(read_trace(engine, "0" * 31 + "1", limit=10)) == 0


def test_times_at_the_edges_of_the_clock_are_kept_by_an_import(engine: Engine) -> None:
    year_2200 = 7_258_118_400 * SECOND
    write_spans(
        engine,
        records([span(1, 1, start=1), span(1, 2, 1, start=year_2200)]),
        imported=True,
    )
    read = read_trace(engine, f"{1:032x}", limit=10)
    assert read.batch.column("Timestamp").cast(pa.int64()).to_pylist() == [1, year_2200]


def test_activity_says_what_came_when_and_columns_are_integers(engine: Engine) -> None:
    ids = [f"{n:032x}" for n in range(1, 20_001)]
    write_spans(
        engine,
        records(
            span(n, n, start=EPOCH + n, duration=n, ingest=EPOCH + SECOND) for n in range(1, 20_001)
        ),
    )
    write_spans(engine, records([span(1, 77, 1, ingest=EPOCH + 2 * SECOND, kind="Client")]))
    seen = read_activity(engine, after_ns=EPOCH, until_ns=EPOCH + SECOND)
    assert seen.trace_id.tolist() == ids
    assert seen.has_root.all()
    late = read_activity(engine, after_ns=EPOCH + SECOND, until_ns=EPOCH + 2 * SECOND)
    assert (late.trace_id.tolist(), late.has_root.tolist()) == ([ids[0]], [False])

    spans = read_spans(engine, ids, start_ns=EPOCH, end_ns=EPOCH + 10**6, after_ns=None)
    assert len(spans) == 20_001
    assert sorted(spans.span_id.tolist())[:3] == [1, 2, 3]
    assert spans.services[spans.service[0]].name == "shop"


def _plain(column: pa.Array) -> list[object]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values: list[object] = column.to_pylist()
    return values
