"""Large requests in parts: the same spans, and one answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.ingest.arriving import NOW_NS, Store, decode, request, span_names
from tests.ingest.sinks import PATIENCE_S, a_sink
from tracer.columns.records import SpanRecords
from tracer.errors import BadInput, Unavailable
from tracer.ingest import commit as committing
from tracer.ingest.otlp.split import split


def flat(message: ExportTraceServiceRequest) -> Iterator[tuple[bytes, ...]]:
    """Every span with all that stands above it."""
    for group in message.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                yield (
                    group.resource.SerializeToString(),
                    group.schema_url.encode(),
                    scope.scope.SerializeToString(),
                    scope.schema_url.encode(),
                    span.SerializeToString(),
                )


@given(st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=4), st.integers(1, 2_000))
def test_parts_have_the_same_spans_in_the_same_order(
    shape: list[list[int]], part_bytes: int
) -> None:
    message = ExportTraceServiceRequest()
    number = 0
    for at, scopes in enumerate(shape):
        group = message.resource_spans.add(schema_url=f"resource {at}")
        group.resource.attributes.add(key="service.name").value.string_value = f"s{at}"
        for spans in scopes:
            scope = group.scope_spans.add(schema_url=f"scope {number}")
            scope.scope.name = f"library {number}"
            for _ in range(spans):
                number += 1
                scope.spans.add(span_id=number.to_bytes(8, "big"), name="x" * (number * 7 % 50))
    parts = [
        ExportTraceServiceRequest.FromString(part)
        for part in split(message.SerializeToString(), part_bytes)
    ]
    assert [one for part in parts for one in flat(part)] == list(flat(message))
    counts = [sum(1 for _ in flat(part)) for part in parts]
    assert len(set(counts[:-1])) <= 1  # but for the last, all have the same number
    assert 0 not in counts


@pytest.fixture
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of more than a hundred bytes are large."""
    monkeypatch.setattr(committing, "PART_BYTES", 100)


NAMES = [f"span {number}" for number in range(12)]


@pytest.mark.usefixtures("short_parts")
def test_a_large_request_is_written_in_parts_and_acknowledged_once() -> None:
    store = Store()
    with a_sink(store) as sink:
        small = sink.offer(request("small"))
        ack = sink.offer(request(*NAMES, "", "")).result(PATIENCE_S)
        assert small.result(PATIENCE_S).accepted == 1
    assert store.names() == ["small", *NAMES]
    assert len(store.blocks) > 3
    assert (ack.accepted, ack.rejected) == (12, 2)
    assert ack.message == "2 rejected: the span has no name"


@pytest.mark.usefixtures("short_parts")
def test_a_part_that_cannot_be_stored_now_fails_the_whole_request() -> None:
    away = [True]

    def before(block: SpanRecords) -> None:
        if away[0] and "span 7" in span_names(block):
            raise Unavailable("the store is away")

    store = Store(before)
    with a_sink(store) as sink:
        with pytest.raises(Unavailable, match="away"):
            sink.offer(request(*NAMES)).result(PATIENCE_S)
        away[0] = False
        assert sink.offer(request(*NAMES)).result(PATIENCE_S).accepted == 12
    assert set(store.names()) == set(NAMES)
    assert store.names()[-12:] == NAMES


@pytest.mark.usefixtures("short_parts")
def test_a_large_request_that_does_not_decode_is_refused_alone() -> None:
    store = Store()
    with a_sink(store) as sink, pytest.raises(BadInput, match="not an OTLP trace request"):
        sink.offer(b"\xff" * 200).result(PATIENCE_S)
    assert decode([request("a")], ingest_ns=NOW_NS).refused == {}
    assert store.blocks == []
