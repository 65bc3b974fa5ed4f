"""Exports from web pages: whom a browser lets send, and read the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.ingest.test_grpc_server import Answers, receivers
from tests.ingest.test_http_server import JSON, PROTOBUF, open_client, post, status
from tracer.errors import BadSetting, Unavailable
from tracer.ingest.commit import Ack
from tracer.ingest.otlp.cors import Cors

SHOP = "https://shop.example.com"
ALLOW = "access-control-allow-origin"


def open_pages(answer: Any, *origins: str, **more: Any) -> Iterator[httpx.Client]:
    running = receivers(Answers(answer), cors=Cors(origins, ("X-Team",)), **more)
    with open_client(running) as client:
        yield client
    running.stop(0)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    def identify(headers: Any) -> str | None:
        return None if headers.get("x-team") == "unknown" else "somebody"

    yield from open_pages(Ack(0, 0, ""), "https://*.example.com", identify=identify)


@pytest.fixture(scope="module")
def full() -> Iterator[httpx.Client]:
    yield from open_pages(Unavailable("full", 2), "*")


@pytest.fixture(scope="module")
def closed() -> Iterator[httpx.Client]:
    yield from open_pages(Ack(0, 0, ""))


def preflight(client: httpx.Client, origin: str, headers: str = "") -> httpx.Response:
    asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    if headers:
        asking["Access-Control-Request-Headers"] = headers
    return client.options("/v1/traces", headers=asking)


def test_a_preflight_is_answered(client: httpx.Client) -> None:
    wanted = "content-type,Content-Encoding, traceparent,x-team,x-secret"
    answer = preflight(client, SHOP, wanted)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert answer.headers[ALLOW] == SHOP
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == (
        "content-type, content-encoding, traceparent, x-team"
    )
    assert answer.headers["access-control-max-age"] == "7200"
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_preflight_from_elsewhere_is_refused(client: httpx.Client) -> None:
    answer = preflight(client, "https://example.org", "content-type")
    assert answer.status_code == 403
    assert "--cors-allowed-origins" in status(answer).message
    assert answer.headers["vary"] == "Origin"
    assert ALLOW not in answer.headers


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_answers_can_be_read_by_the_page(client: httpx.Client, kind: str) -> None:
    answer = post(client, b"{}", kind, origin=SHOP)
    assert (answer.status_code, answer.headers[ALLOW]) == (200, SHOP)
    assert answer.headers["vary"] == "Origin"


def test_errors_can_be_read_by_the_page(client: httpx.Client, full: httpx.Client) -> None:
    for answer, code in (
        (post(client, b"", "text/plain", origin=SHOP), 415),
        (post(client, b"", x_team="unknown", origin=SHOP), 401),
        (client.post("/v1/logs", headers={"Origin": SHOP}), 404),
        (post(full, b"", origin=SHOP), 503),
    ):
        assert (answer.status_code, answer.headers[ALLOW]) == (code, SHOP)
    assert answer.headers["access-control-expose-headers"] == "Retry-After"


def test_other_pages_cannot_read(client: httpx.Client) -> None:
    for more in ({}, {"origin": "https://example.org"}, {"origin": "null"}):
        answer = post(client, b"", **more)
        assert (answer.status_code, answer.headers["vary"]) == (200, "Origin")
        assert ALLOW not in answer.headers


def test_it_is_off_by_default(closed: httpx.Client) -> None:
    assert preflight(closed, SHOP).status_code == 405
    answer = post(closed, b"", origin=SHOP)
    assert answer.status_code == 200
    assert not {"vary", ALLOW} & set(answer.headers)


@pytest.mark.parametrize(
    ("pattern", "origin", "fits"),
    [
        ("https://a.example", "https://a.example", True),
        ("https://A.example", "https://a.EXAMPLE", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example:8443", "https://a.example:8443", True),
        ("https://*.example", "https://a.b.example", True),
        ("https://*.example", "https://.example", False),
        ("https://*.example", "https://example", False),
        ("https://*.example", "https://evil.org/.example", False),
        ("https://*.example", "https://evil.org:1@a.example", False),
        ("https://*.example", "https://a.example.evil.org", False),
        ("https://*.example", "https://axexample", False),
        ("http://[::1]:3000", "http://[::1]:3000", True),
        ("*", "https://anything.org", True),
        ("*", "null", True),
        ("*", "", False),
    ],
)
def test_which_origins_fit(pattern: str, origin: str, fits: bool) -> None:
    assert Cors((pattern,)).allows(origin) == fits


@pytest.mark.parametrize(
    "origin",
    ["example.com", "https://", "https://*.*.com", "https://a/b", "https://a?", "http://a:*"],
)
def test_what_is_no_origin_is_named(origin: str) -> None:
    with pytest.raises(BadSetting) as caught:
        Cors((SHOP, origin))
    assert f"cors_allowed_origins {origin!r}" in str(caught.value)
