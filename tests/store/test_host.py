"""Hosts of stored spans: what was written comes back, and parts from before have one too."""

from __future__ import annotations

import pytest

from tests.ingest.test_decode_host import HOSTS
from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, records, span
from tracer.store.activity import read_spans
from tracer.store.writer import write_spans


def test_hosts_come_back_as_codes() -> None:
    with fresh_engine() as engine:
        write_spans(engine, records([span(1, 1, Host="n1"), span(1, 2, 1, Host="n2")]))
        spans = read_spans(engine, [f"{1:032x}"], start_ns=0, end_ns=2**62, after_ns=None)
    hosts = {
        int(one): spans.hosts[code]
        for one, code in zip(spans.span_id, spans.host.tolist(), strict=True)
    }
    assert hosts == {1: "n1", 2: "n2"}


def test_the_engine_names_the_hosts_of_others_rows_alike() -> None:
    with fresh_engine() as engine:
        for number, (resource, _) in enumerate(HOSTS):
            pairs = ", ".join(f"'{key}', '{value}'" for key, value in resource.items())
            engine.command(
                "INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ResourceAttributes) "
                f"VALUES (fromUnixTimestamp64Nano({EPOCH}), 'aa', '{number:016x}', map({pairs}))"
            )
        rows = engine.rows("SELECT SpanId, Host FROM otel_traces ORDER BY SpanId")
    assert [row[1] for row in rows] == [host for _, host in HOSTS]


@pytest.mark.parametrize("host", ["", "n1"])
def test_a_block_of_one_host(host: str) -> None:
    """A column that is empty everywhere is still sent: its default is an expression."""
    with fresh_engine() as engine:
        attributes = [("host.name", "not this one")]
        write_spans(engine, records([span(1, 1, Host=host, ResourceAttributes=attributes)]))
        assert engine.rows("SELECT Host FROM otel_traces")[0][0] == host
