"""A service for the web door: a real store with known spans behind it, no receivers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from api.app import create_app
from tests.support.engine import LONG
from tests.support.records import EPOCH, SECOND, records, span
from tracer.service.context import Context
from tracer.service.health import Health, Part
from tracer.service.importing import import_records, settle_all
from tracer.service.watching import Question
from tracer.settings import Settings
from tracer.store.engine import Engine

NOW = EPOCH + 600 * SECOND
LOCAL = "http://127.0.0.1:8000"


@dataclass
class FakeService:
    """What the routes ask of a running service; `failure` is raised by everything it does."""

    context: Any
    parts: tuple[Part, ...] = (Part("store"),)
    failure: BaseException | None = None
    imported: list[bytes] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def asked(self, question: Question) -> None:
        self.questions.append(question)

    def ready(self) -> Health:
        self._fail()
        return Health(self.parts)

    def live(self) -> Health:
        return self.ready()

    def metrics(self) -> bytes:
        self._fail()
        return b"tracer_spans_accepted_total 3.0\n"

    def import_request(self, body: bytes) -> dict[str, Any]:
        self._fail()
        self.imported.append(body)
        return {"schema": "tracer.import/1", "spans": len(body), "rejected": 0}

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class Client:
    """Asks the application itself, no socket between; errors are answers, as for everybody."""

    def __init__(self, service: FakeService, settings: Settings) -> None:
        self._app = create_app(service, settings=settings)  # type: ignore[arg-type]

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self.request("GET", path, **request)

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self.request("POST", path, **request)

    def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        return asyncio.run(self._ask(method, path, request))

    async def _ask(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=LOCAL) as client:
            return await client.request(method, path, **request)


def client_of(service: FakeService, settings: Settings = LONG) -> Client:
    """A client of the application as it is served on the default port."""
    return Client(service, settings)


def failing(error: BaseException) -> Client:
    """A client of a service that cannot do anything."""
    return client_of(FakeService(None, failure=error))


def context_with(engine: Engine, spans: Iterable[dict[str, Any]]) -> Context:
    """The spans, stored and analysed, ten minutes later."""
    context = Context(engine, LONG, lambda: NOW)
    import_records(context, records(spans))
    settle_all(context)
    return context


def shop(traces: int = 100) -> list[dict[str, Any]]:
    """Requests of 10 ms a second apart; those with a number over 90 wait 100 ms for stock."""
    spans = []
    for number in range(1, traces + 1):
        start = EPOCH + number * SECOND
        wait = 100_000_000 if number > 90 else 2_000_000
        status = "Error" if number == 50 else "Unset"
        spans += [
            span(
                number,
                1,
                start=start,
                duration=8_000_000 + wait,
                StatusCode=status,
                SpanAttributes=[("user.id", f"u{number % 7}")],
            ),
            span(
                number,
                2,
                1,
                start=start + 1_000_000,
                duration=wait,
                service="stock",
                name="SELECT stock",
                kind="Client",
            ),
        ]
    return spans
