"""Bodies of imports: what is taken, and what is too much."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.api.running import Client, FakeService, client_of
from tests.support.engine import LONG
from tracer.errors import BadInput

PROTOBUF = {"Content-Type": "application/x-protobuf"}
LIMIT = 1000


@pytest.fixture
def service() -> FakeService:
    settings = replace(LONG, max_request_bytes=LIMIT)
    return FakeService(SimpleNamespace(settings=settings))


@pytest.fixture
def client(service: FakeService) -> Client:
    return client_of(service)


def test_a_body_is_handed_over_as_it_is(client: Client, service: FakeService) -> None:
    answer = client.post("/api/v1/imports", content=b"x" * LIMIT, headers=PROTOBUF)
    assert answer.json() == {"schema": "tracer.import/1", "spans": LIMIT, "rejected": 0}
    assert service.imported == [b"x" * LIMIT]


async def _pieces() -> AsyncIterator[bytes]:
    for _ in range(11):
        yield b"x" * 100


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_names_the_setting(
    announced: bool, client: Client, service: FakeService
) -> None:
    content = b"x" * (LIMIT + 1) if announced else _pieces()
    answer = client.post("/api/v1/imports", content=content, headers=PROTOBUF)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:tracer:too-large")
    assert "max_request_bytes" in answer.json()["detail"]
    assert service.imported == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain"},
        {**PROTOBUF, "Content-Encoding": "gzip"},
    ],
    ids=str,
)
def test_a_body_of_another_kind_is_refused(
    headers: dict[str, str], client: Client, service: FakeService
) -> None:
    answer = client.post("/api/v1/imports", content=b"x", headers=headers)
    assert (answer.status_code, service.imported) == (400, [])


def test_what_the_service_refuses_is_a_problem(client: Client, service: FakeService) -> None:
    service.failure = BadInput("request does not decode")
    answer = client.post("/api/v1/imports", content=b"x", headers=PROTOBUF)
    assert (answer.status_code, answer.json()["detail"]) == (400, "request does not decode")
