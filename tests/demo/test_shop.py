"""The real shop, exporting to a collector in memory: what its traces say, fault by fault."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.demo.collector import Collector, Seen, collecting
from tracer.demo import topology
from tracer.demo.children import DemoFailure
from tracer.demo.faults import BY_NAME, Fault
from tracer.demo.loopback import Json, send
from tracer.demo.services.catalog import SHOWN
from tracer.demo.shop import Shop

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)
WHO = {"x-tenant-id": "acme", "x-user-id": "customer-7"}


class Customer:
    """Asks the frontend, and finds the trace of each request by the user id that it sent."""

    def __init__(self, shop: Shop, collector: Collector) -> None:
        self.shop = shop
        self.collector = collector
        self._asked = 0

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, str]:
        """Status, and the user id that marks the trace."""
        self._asked += 1
        user = f"customer-{id(self)}-{self._asked}"
        headers = {**WHO, "x-user-id": user}
        port = self.shop.port("frontend")
        status, _ = send(port, method, path, body, headers=headers, timeout_s=20.0)
        return status, user

    def trace(self, user: str, *wanted: str) -> list[Seen]:
        """The spans of that request, once it has its root and the wanted span names."""

        def of_request(spans: list[Seen]) -> list[Seen]:
            mine = {
                span.trace_id
                for span in spans
                if not span.parent_id and span.attributes.get("user.id") == user
            }
            return [span for span in spans if span.trace_id in mine]

        def complete(spans: list[Seen]) -> bool:
            found = of_request(spans)
            present = {span.span_id for span in found}
            whole = all(span.parent_id in present or not span.parent_id for span in found)
            return bool(found) and whole and set(wanted) <= {span.name for span in found}

        return of_request(self.collector.wait_for(complete))


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customer]:
    with collecting() as collector:
        shop = Shop(tmp_path_factory.mktemp("shop"), collector.ports, flush_ms=100)
        try:
            shop.start()
            yield Customer(shop, collector)
        finally:
            shop.end()


def named(spans: list[Seen], service: str, name: str) -> list[Seen]:
    return [span for span in spans if span.operation == (service, name)]


def buy() -> Json:
    return {"cart_id": "c", "customer": "customer-3"}


def test_a_page_is_one_trace_through_both_transports(customer: Customer) -> None:
    status, user = customer.ask("GET", "/?category=3")
    spans = customer.trace(user, "SELECT products", "rank candidates")
    assert status == 200
    roots = [span for span in spans if not span.parent_id]
    assert [root.operation for root in roots] == [("frontend", "GET /")]
    (listed,) = named(spans, "catalog", "GET /products")
    (statement,) = named(spans, "catalog", "SELECT products")
    (called,) = named(spans, "frontend", "GET /products")
    assert [span.kind for span in (roots[0], called, listed, statement)] == [
        SERVER,
        CLIENT,
        SERVER,
        CLIENT,
    ]
    chain = [span.span_id for span in (roots[0], called, listed)]
    assert [span.parent_id for span in (called, listed, statement)] == chain
    assert {listed.transport, called.transport} == {"grpc", "http/protobuf"}


def test_spans_follow_the_conventions(customer: Customer) -> None:
    _, user = customer.ask("GET", "/product/12")
    spans = customer.trace(user, "SELECT reviews", "rank candidates")
    root = next(span for span in spans if not span.parent_id)
    assert root.resource["service.namespace"] == topology.NAMESPACE
    assert root.resource["deployment.environment.name"] == topology.ENVIRONMENT
    assert root.resource["service.version"] == topology.BY_NAME["frontend"].version
    assert root.resource["service.instance.id"]
    expected = {
        "http.request.method": "GET",
        "http.route": "/product/{product_id}",
        "url.path": "/product/12",
        "http.response.status_code": "200",
        "server.address": "127.0.0.1",
        "tenant.id": "acme",
        "user.id": user,
    }
    assert expected.items() <= root.attributes.items()
    (statement,) = named(spans, "catalog", "SELECT reviews")
    expected = {
        "db.system.name": "sqlite",
        "db.operation.name": "SELECT",
        "db.collection.name": "reviews",
    }
    assert expected.items() <= statement.attributes.items()
    assert statement.attributes["db.query.text"].startswith("SELECT")
    servers = [span for span in spans if span.kind == SERVER]
    assert {span.attributes["tenant.id"] for span in servers} == {"acme"}


def test_an_order_is_worked_on_later_in_the_same_trace(customer: Customer) -> None:
    status, user = customer.ask("POST", "/buy", buy())
    spans = customer.trace(user, "INSERT shipments", "process order-placed")
    assert status == 200
    (sent,) = named(spans, "orders", "send order-placed")
    (processed,) = [
        span for span in named(spans, "fulfilment", "process order-placed") if span.parent_id
    ]
    assert (sent.kind, processed.kind) == (PRODUCER, CONSUMER)
    assert processed.parent_id == sent.span_id
    assert processed.links == ((sent.trace_id, sent.span_id),)
    assert sent.attributes["messaging.operation.type"] == "send"
    assert processed.attributes["messaging.destination.name"] == "order-placed"


def test_ten_orders_share_a_manifest_that_links_to_all_of_them(customer: Customer) -> None:
    for _ in range(10):
        customer.ask("POST", "/buy", buy())

    def whole_manifests(spans: list[Seen]) -> list[Seen]:
        sent = named(spans, "orders", "send order-placed")
        senders = {(span.trace_id, span.span_id) for span in sent}
        processed = named(spans, "fulfilment", "process order-placed")
        return [span for span in processed if not span.parent_id and set(span.links) <= senders]

    spans = customer.collector.wait_for(lambda seen: bool(whole_manifests(seen)))
    manifest = whole_manifests(spans)[0]
    assert len(set(manifest.links)) == 10
    assert len({trace_id for trace_id, _ in manifest.links} | {manifest.trace_id}) == 11


def turned(
    customer: Customer, fault: Fault, method: str, path: str, body: Json | None
) -> list[Seen]:
    """The trace of one request under a fault; the fault is off again afterwards."""
    customer.shop.turn(fault, True)
    try:
        _, user = customer.ask(method, path, body)
    finally:
        customer.shop.turn(fault, False)
    return customer.trace(user, fault.operation)


@pytest.mark.parametrize("fault", BY_NAME.values(), ids=BY_NAME.keys())
def test_under_every_fault_the_blamed_operation_is_in_the_trace(
    customer: Customer, fault: Fault
) -> None:
    page = fault.service in {"catalog", "recommendations"}
    request = ("GET", "/product/5", None) if page else ("POST", "/buy", buy())
    assert named(turned(customer, fault, *request), fault.service, fault.operation)


def test_n_plus_one_is_many_statements_until_it_is_off(customer: Customer) -> None:
    counts = {}
    for on in (True, False):
        customer.shop.turn(BY_NAME["n-plus-one"], on)
        _, user = customer.ask("GET", "/product/9")
        spans = customer.trace(user, "SELECT reviews", "rank candidates")
        counts[on] = len(named(spans, "catalog", "SELECT reviews"))
    assert counts == {True: SHOWN, False: 1}


def test_a_hanging_carrier_fails_the_order_from_the_bottom_up(customer: Customer) -> None:
    spans = turned(customer, BY_NAME["downstream-error"], "POST", "/buy", buy())
    (attempt,) = named(spans, "shipping", "GET /rates")
    assert attempt.failed and attempt.events == ("exception",)
    assert attempt.attributes["error.type"] == "timeout"
    failed = {span.operation for span in spans if span.failed and span.kind == SERVER}
    assert failed == {
        ("shipping", "GET /quotes"),
        ("checkout", "POST /checkouts"),
        ("frontend", "POST /buy"),
    }


def test_a_retry_storm_is_sibling_attempts_with_their_number(customer: Customer) -> None:
    fault = BY_NAME["retry-storm"]
    attempts: list[Seen] = []
    for _ in range(20):  # three of four attempts fail: a storm without a retry is a rare one
        attempts = named(turned(customer, fault, "POST", "/buy", buy()), "payment", fault.operation)
        if len(attempts) > 1:
            break
    numbers = [span.attributes.get("http.request.resend_count", "0") for span in attempts]
    assert sorted(numbers) == [str(number) for number in range(len(attempts))]
    assert len({span.parent_id for span in attempts}) == 1
    assert all(span.failed for span in sorted(attempts, key=lambda span: span.start_ns)[:-1])


def test_a_new_version_takes_over_without_a_failed_request(customer: Customer) -> None:
    fault, statuses, over = BY_NAME["slow-version"], [], threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            item = {"cart_id": "c", "product_id": 5}
            statuses.append(customer.ask("POST", "/cart", item)[0])

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        spans = turned(customer, fault, "POST", "/buy", buy())
    finally:
        over.set()
        asking.join()
    (merged,) = named(spans, "cart", fault.operation)
    assert merged.resource["service.version"] == fault.new_version
    assert set(statuses) == {200}


def test_a_fault_of_another_process_is_refused(customer: Customer) -> None:
    wrong = Fault("lock-wait", "", "cart", "GET /carts/{cart_id}", switched_in="cart")
    with pytest.raises(DemoFailure, match="cart refused"):
        customer.shop.turn(wrong, True)
