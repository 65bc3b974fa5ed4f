"""Whom attributes name, under old and new names."""

from __future__ import annotations

import pytest

from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, records, span
from tracer.columns.targets import Target, Targets, targets
from tracer.store.targets import read_targets
from tracer.store.writer import write_spans

DB, QUEUE, PEER = "database", "queue", "peer"
KAFKA = "messaging.system=kafka"
# kind of span, its attributes, and whom they name
CASES = [
    ("Client", "db.system.name=postgresql db.namespace=shop", Target(DB, "postgresql shop", False)),
    ("Client", "db.system=mssql db.name=a", Target(DB, "microsoft.sql_server a", False)),
    ("Client", "db.system=redis server.address=r1", Target(DB, "redis r1", False)),
    ("Client", "db.system=redis", Target(DB, "redis", False)),
    ("Producer", f"{KAFKA} messaging.destination.name=o", Target(QUEUE, "kafka o", False)),
    ("Consumer", f"{KAFKA} messaging.destination=o", Target(QUEUE, "kafka o", True)),
    ("Client", f"{KAFKA} messaging.operation.type=receive", Target(QUEUE, "kafka", True)),
    ("Client", "service.peer.name=carrier server.address=h", Target(PEER, "carrier", False)),
    ("Client", "peer.service=carrier", Target(PEER, "carrier", False)),
    ("Client", "server.address=api.test server.port=443", Target(PEER, "api.test", False)),
    ("Client", "net.peer.name=api.test net.peer.port=8443", Target(PEER, "api.test:8443", False)),
    ("Client", "server.port=80", Target(PEER, "", False)),
    ("Client", "", Target(PEER, "", False)),
]


def pairs(said: str) -> list[tuple[str, str]]:
    """`key=value key=value` as attributes."""
    return [(key, value) for key, _, value in (word.partition("=") for word in said.split())]


ASKED = [
    ("db.query.summary=SELECT db.query.text=SELECT*", "SELECT"),
    ("db.statement=SELECT*", "SELECT*"),
    ("url.template=/a/{b}", "/a/{b}"),
    ("", ""),
]


@pytest.fixture(scope="module")
def told() -> Targets:
    """Of the cases in one trace, of what is asked in another; a server calls nobody."""
    spans = [
        span(1, number, kind=kind, SpanAttributes=pairs(said))
        for number, (kind, said, _) in enumerate(CASES, start=1)
    ]
    spans += [
        span(2, number, kind="Client", SpanAttributes=pairs(said))
        for number, (said, _) in enumerate(ASKED, start=1)
    ]
    spans.append(span(1, 99, kind="Server", SpanAttributes=pairs("db.system=redis")))
    with fresh_engine() as engine:
        write_spans(engine, records(spans), imported=True)
        ids = [f"{1:032x}", f"{2:032x}"]
        return targets(read_targets(engine, ids, start_ns=EPOCH, end_ns=EPOCH, limit=100))


def test_whom_stored_spans_name(told: Targets) -> None:
    at = [row for row, trace in enumerate(told.trace_lo.tolist()) if trace == 1]
    found = {int(told.span_id[row]): told.targets[told.target[row]] for row in at}
    assert found == {number: target for number, (_, _, target) in enumerate(CASES, start=1)}


def test_what_stored_spans_ask(told: Targets) -> None:
    at = [row for row, trace in enumerate(told.trace_lo.tolist()) if trace == 2]
    found = [told.statements[told.statement[row]] for row in at]
    assert found == [expected for _, expected in ASKED]
