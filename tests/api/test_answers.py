"""Questions over HTTP to a store with known spans, and that answers are as OpenAPI says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from api import schemas
from tests.api.running import NOW, Client, FakeService, client_of, context_with, shop
from tests.support.engine import fresh_engine
from tracer.ingest.files import read_files
from tracer.units import rfc3339

TRACE = f"{50:032x}"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with fresh_engine() as engine:
        yield client_of(FakeService(context_with(engine, shop())))


def ask(client: Client, path: str, **parameters: Any) -> Any:
    answer = client.get(f"/api/v1{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


DOCUMENTS = [
    ("/traces", schemas.TraceList),
    (f"/traces/{TRACE}", schemas.Trace),
    (f"/traces/{TRACE}/analysis", schemas.Analysis),
    (f"/traces/{TRACE}/analysis?skew_correction=false", schemas.Analysis),
    ("/slow-traces", schemas.SlowTraces),
    ("/services", schemas.Services),
    ("/services/shop/operations", schemas.Operations),
    ("/baselines", schemas.Baselines),
    ("/errors", schemas.Errors),
    ("/dependencies", schemas.Dependencies),
    ("/health/ready", schemas.Health),
]


@pytest.mark.parametrize(("path", "model"), DOCUMENTS, ids=[path for path, _ in DOCUMENTS])
def test_answers_are_as_openapi_says(client: Client, path: str, model: type[BaseModel]) -> None:
    document = ask(client, path)
    model.model_validate(document)
    assert document["schema"].startswith("tracer.")
    assert document["schema"].endswith("/1")


SEARCHES = [
    ({}, 100),
    ({"status": "error"}, 1),
    ({"status": "ok"}, 99),
    ({"min_duration": "50ms"}, 10),
    ({"max_duration": "50ms"}, 90),
    ({"service": "stock"}, 100),
    ({"service": "stock", "operation": "SELECT stock", "min_duration": "100ms"}, 10),
    ({"service": "nobody"}, 0),
    ({"attribute": "user.id=u3"}, 14),
    ({"attribute": ["user.id=u3", "user.id=u4"]}, 0),
    ({"attribute": "user.id="}, 0),
    ({"since": "550s"}, 51),
    ({"start": "-600s", "end": "-590s"}, 9),
    ({"start": rfc3339(NOW - 600 * 10**9), "end": str(NOW // 10**9 - 595)}, 4),
]


@pytest.mark.parametrize(("asked", "count"), SEARCHES, ids=[str(one[0]) for one in SEARCHES])
def test_a_search_finds_what_matches(client: Client, asked: dict[str, Any], count: int) -> None:
    found = ask(client, "/traces", limit=1000, **asked)
    assert found["total"] == {"value": count, "exact": True}
    assert len(found["traces"]) == count


def test_pages_of_a_search_follow_each_other(client: Client) -> None:
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = ask(client, "/traces", limit=30, **cursor)
        seen += [one["trace_id"] for one in page["traces"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"{number:032x}" for number in range(100, 0, -1)]


@pytest.mark.parametrize(
    "position", [b"\xff", b'[1e999, "a"]', b"[" * 30_000, b'[99999999999999999999, ""]', b"[1]"]
)
def test_a_cursor_of_somebody_else_is_refused(client: Client, position: bytes) -> None:
    cursor = base64.urlsafe_b64encode(position).decode()
    answer = client.get("/api/v1/traces", params={"cursor": cursor})
    assert (answer.status_code, "next_cursor" in answer.text) == (400, True)


@pytest.mark.parametrize("trace_id", [TRACE, TRACE.upper(), TRACE[16:]])
def test_a_trace_is_found_by_its_id_as_people_write_it(client: Client, trace_id: str) -> None:
    found = ask(client, f"/traces/{trace_id}")
    assert (found["trace_id"], found["span_count"], len(found["spans"])) == (TRACE, 2, 2)


@pytest.mark.parametrize("path", ["", "?format=otlp", "/analysis"])
def test_a_trace_that_is_not_here(client: Client, path: str) -> None:
    answer = client.get(f"/api/v1/traces/{'ab' * 16}{path}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:tracer:not-found")


@pytest.mark.parametrize(
    "asked",
    [{"params": {"format": "otlp"}}, {"headers": {"Accept": "application/otlp+json"}}],
    ids=["parameter", "header"],
)
def test_a_trace_as_otlp(client: Client, asked: dict[str, Any]) -> None:
    found = client.get(f"/api/v1/traces/{TRACE}", **asked).json()
    spans = [
        span
        for resource in found["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert sorted(span["spanId"] for span in spans) == [f"{1:016x}", f"{2:016x}"]


def test_services_and_operations(client: Client) -> None:
    names = {one["service"] for one in ask(client, "/services")["services"]}
    assert names == {"shop", "stock"}
    (operation,) = ask(client, "/services/stock/operations")["operations"]
    assert (operation["operation"], operation["spans"]) == ("SELECT stock", 100)
    missing = client.get("/api/v1/services/nobody/operations")
    assert missing.status_code == 404


def test_baselines_are_bounded(client: Client) -> None:
    assert len(ask(client, "/baselines", limit=1)["baselines"]) == 1
    rows = ask(client, "/baselines", service="stock")["baselines"]
    assert {row["service"] for row in rows} == {"stock"}


def test_errors_are_bounded(client: Client) -> None:
    (error,) = ask(client, "/errors")["errors"]
    assert (error["service"], error["exemplars"][0]["trace_id"]) == ("shop", TRACE)
    assert ask(client, "/errors", service="stock")["errors"] == []
    assert client.get("/api/v1/errors", params={"limit": 0}).status_code == 400


def test_an_export_holds_every_trace_of_its_range(client: Client) -> None:
    answer = client.get("/api/v1/export", params={"since": "1h"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = answer.text.splitlines()
    ids = {
        span["traceId"]
        for line in lines
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    assert ids == {f"{number:032x}" for number in range(1, 101)}
    assert client.get("/api/v1/export").text == answer.text
    nothing = client.get("/api/v1/export", params={"start": "0", "end": "1"})
    assert (nothing.status_code, nothing.text) == (200, "")


def test_two_ranges_are_compared(client: Client) -> None:
    found = ask(
        client,
        "/compare",
        start=rfc3339(NOW - 509 * 10**9),
        end=rfc3339(NOW),
        baseline_start=rfc3339(NOW - 600 * 10**9),
        baseline_end=rfc3339(NOW - 509 * 10**9),
    )
    schemas.Comparison.model_validate(found)
    assert (found["schema"], found["status"]) == ("tracer.compare/1", "ok")
    assert found["changed_paths"]["items"][0]["operation"] == "SELECT stock"
    wrong = client.get("/api/v1/compare", params={"baseline_version": "1"})
    assert (wrong.status_code, wrong.json()["type"]) == (400, "urn:tracer:bad-query")


def test_the_slowest_part_is_named(client: Client) -> None:
    found = ask(
        client,
        "/slow-traces",
        start=rfc3339(NOW - 510 * 10**9),
        end=rfc3339(NOW),
        baseline_start=rfc3339(NOW - 600 * 10**9),
        baseline_end=rfc3339(NOW - 510 * 10**9),
    )
    worst = found["bottlenecks"][0]
    assert (worst["service"], worst["operation"]) == ("stock", "SELECT stock")
    assert worst["role"] == "cause"


EXPORTS = {
    None: "application/x-ndjson",
    "otlp": "application/x-ndjson",
    "jaeger": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}


@pytest.mark.parametrize(("form", "media_type"), EXPORTS.items())
def test_exports_are_files_that_are_read_again(
    client: Client, tmp_path: Path, form: str | None, media_type: str
) -> None:
    answer = client.get("/api/v1/export", params={"format": form} if form else {})
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    (tmp_path / "export").write_bytes(answer.content)
    assert len(read_files([tmp_path / "export"], ingest_ns=1).records) == 200


def test_an_export_of_another_kind_is_a_problem(client: Client) -> None:
    answer = client.get("/api/v1/export", params={"format": "xml"})
    assert (answer.status_code, "format" in answer.text) == (400, True)
