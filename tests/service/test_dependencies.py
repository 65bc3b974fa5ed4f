"""Who depends on whom: a shop with a database, a queue, a stranger and a call without answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.running import NOW, context_with
from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, SECOND, span
from tracer.report.dependencies_text import dependencies_text
from tracer.report.dot import dependencies_dot
from tracer.service import dependencies as service
from tracer.service.context import Context, Window
from tracer.service.dependencies import DependencyQuery, dependencies

MS = 1_000_000
WINDOW = Window(EPOCH, NOW)
TRACES = 80
FAILED = 8
KAFKA = [("messaging.system", "kafka"), ("messaging.destination.name", "placed")]


def order(number: int) -> list[dict[str, Any]]:
    """web → pay → bank's database, six times; pay → a stranger; web → queue → mail."""
    bad = {"StatusCode": "Error"} if number <= FAILED else {}

    database = [("db.system.name", "postgresql"), ("db.namespace", "bank")]
    to_pay, stranger = [("peer.service", "pay")], [("server.address", "fraud.test")]
    return [
        one((number, 1, 0), (0, 100), "web: POST /buy", "Server"),
        one((number, 2, 1), (5, 60), "web: POST /pay", "Client", to_pay),
        one((number, 3, 2), (10, 40), "pay: POST /pay", "Server", **bad),
        *(
            one(
                (number, 10 + nth, 3),
                (11 + 4 * nth, 4),
                "pay: SELECT cards",
                "Client",
                [*database, ("db.query.text", f"SELECT * FROM cards WHERE id = {nth}")],
            )
            for nth in range(6)
        ),
        one((number, 4, 3), (36, 10), "pay: GET", "Client", stranger),
        one((number, 5, 1), (70, 5), "web: send placed", "Producer", KAFKA),
        one((number, 6, 5), (90, 50), "mail: process placed", "Consumer", KAFKA),
        # pay was called once more, and no span of it came
        one((number, 7, 1), (80, 10), "web: POST /late", "Client", to_pay),
        one((number, 8, 1), (91, 5), "web: GET", "Client"),
    ]


def one(
    ids: tuple[int, int, int],
    times: tuple[int, int],
    named: str,
    kind: str,
    said: list[tuple[str, str]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A span; `ids` are trace, span, parent; `times` start and ms; `named` service: operation."""
    number, span_id, parent = ids
    owner, _, name = named.partition(": ")
    return span(
        number,
        span_id,
        parent,
        start=EPOCH + number * SECOND + times[0] * MS,
        duration=times[1] * MS,
        service=owner,
        name=name,
        kind=kind,
        Environment="prod",
        SpanAttributes=said or [],
        **more,
    )


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    with fresh_engine() as engine:
        yield context_with(engine, [s for n in range(1, TRACES + 1) for s in order(n)])


def ask(context: Context, name: str | None = None, limit: int = 100) -> dict[str, Any]:
    return dependencies(context, DependencyQuery(WINDOW, name, limit))


def edges(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["from"], one["to"]): one for one in document["edges"]}


def test_nodes_and_edges(context: Context) -> None:
    document = ask(context)
    found = edges(document)
    assert document["schema"] == "tracer.dependencies/1"
    assert {pair: one["calls"]["value"] for pair, one in found.items()} == {
        ("service:prod/web", "service:prod/pay"): 2 * TRACES,
        ("service:prod/pay", "database:prod/postgresql bank"): 6 * TRACES,
        ("service:prod/pay", "peer:prod/fraud.test"): TRACES,
        ("service:prod/web", "queue:prod/kafka placed"): TRACES,
        ("queue:prod/kafka placed", "service:prod/mail"): TRACES,
    }
    assert all(one["calls"]["exact"] for one in found.values())
    kinds = {one["kind"] for one in found.values()}
    assert kinds == {"call", "query", "send", "receive"}
    assert document["quality"]["calls_to_nobody_known"] == TRACES


def test_both_ends_of_a_call_and_what_lies_between(context: Context) -> None:
    pay = edges(ask(context))["service:prod/web", "service:prod/pay"]
    assert pay["answered_share"] == 0.5
    assert pay["error_share"] == FAILED / (2 * TRACES)
    assert pay["server"] == {"n": TRACES, "p50_ns": 40 * MS, "p95_ns": 40 * MS}
    assert pay["client"]["n"] == 2 * TRACES
    assert pay["gap"] == {"n": TRACES, "p50_ns": 20 * MS, "p95_ns": 20 * MS}
    mail = edges(ask(context))["queue:prod/kafka placed", "service:prod/mail"]
    assert (mail["client"], mail["server"]["p50_ns"]) == (None, 50 * MS)


def test_the_time_of_all_edges_is_what_the_entries_do_not_spend(context: Context) -> None:
    found = edges(ask(context))
    spent = {pair[1].partition("/")[2]: one["critical_ns"] // TRACES for pair, one in found.items()}
    assert spent == {
        "pay": (20 + 6 + 10) * MS,
        "postgresql bank": 24 * MS,
        "fraud.test": 10 * MS,
        "kafka placed": 5 * MS,
        "mail": 50 * MS,
    }


def test_the_pattern_and_its_cost(context: Context) -> None:
    (pattern,) = ask(context)["patterns"]["items"]
    assert (pattern["kind"], pattern["calls"], pattern["trace_count"]) == ("n+1", 6, TRACES)
    assert pattern["caller"]["operation"] == "POST /pay"
    assert pattern["callee"]["operation"] == "SELECT cards"
    assert pattern["statement"] == "SELECT * FROM cards WHERE id = <n>"
    assert (pattern["critical_ns"], pattern["saved_ns"]) == (24 * MS, 20 * MS)


def test_chains(context: Context) -> None:
    document = ask(context)
    assert document["cycles"] == []
    assert document["longest_chain"][0] == "service:prod/web"
    assert len(document["longest_chain"]) == 3
    assert document["costliest_chain"] == [
        "service:prod/web", "service:prod/pay", "database:prod/postgresql bank",
    ]  # fmt: skip


def test_one_service_and_few_rows(context: Context) -> None:
    (only,) = ask(context, "mail")["edges"]
    assert only["caller"] == "kafka placed"
    limited = ask(context, limit=1)
    assert (len(limited["edges"]), limited["total"]["edges"]["value"]) == (1, 5)
    assert ask(context, "nobody")["edges"] == []


def test_of_many_traces_a_sample_is_read_and_counts_are_scaled(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "READ", 20)
    document = ask(context)
    assert (document["quality"]["traces_read"], document["quality"]["sampled"]) == (20, True)
    found = edges(document)
    database = found["service:prod/pay", "database:prod/postgresql bank"]["calls"]
    assert database == {"value": 6 * TRACES, "exact": False}
    assert "20 of 80 traces" in dependencies_text(document, width=120, colour=False)


def test_nothing_was_seen(context: Context) -> None:
    empty = dependencies(context, DependencyQuery(Window(0, 1), None, 10))
    assert (empty["edges"], empty["nodes"], empty["patterns"]["items"]) == ([], [], [])
    assert "No calls" in dependencies_text(empty, width=80, colour=False)


def test_the_text_and_the_picture(context: Context) -> None:
    document = ask(context)
    text = dependencies_text(document, width=140, colour=False)
    for words in ("[db] postgresql bank", "[queue] kafka placed", "n+1", "pay POST /pay → pay"):
        assert words in text
    dot = dependencies_dot(document)
    assert dot.startswith("digraph dependencies {\n")
    assert '"database:prod/postgresql bank" [label="postgresql bank", shape=cylinder];' in dot
    assert dot.count(" -> ") == 5


def test_names_cannot_leave_their_quotes_in_the_picture(context: Context) -> None:
    document = ask(context)
    document["nodes"][0]["name"] = 'a"; b \\ \x1b[31mred'
    assert 'label="a\\"; b \\\\ red"' in dependencies_dot(document)


def test_where_spans_are_gone_the_counts_between_services_remain() -> None:
    with fresh_engine() as engine:
        context = context_with(engine, [s for n in range(1, 4) for s in order(n)])
        engine.command("TRUNCATE TABLE otel_traces")
        document = ask(context)
        (only,) = document["edges"]
        assert (only["caller"], only["callee"], only["calls"]["value"]) == ("web", "pay", 3)
        assert (only["client"], only["server"], only["critical_share"]) == (None, None, None)
        assert document["quality"]["spans_read"] == 0
        assert document["quality"]["edges_not_in_the_sample"] == 1
        assert "1 edge not among them" in dependencies_text(document, width=120, colour=False)
