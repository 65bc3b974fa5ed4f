"""Health, metrics and the pages for people."""

from __future__ import annotations

import re

import pytest

from tests.api.running import FakeService, client_of
from tracer.service.health import DEGRADED, DOWN, Part


@pytest.mark.parametrize("path", ["/api/v1/health/live", "/api/v1/health/ready"])
def test_health_says_what_is_wrong(path: str) -> None:
    service = FakeService(None)
    client = client_of(service)
    answer = client.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    service.parts = (Part("store"), Part("analysis", DEGRADED, "it lags"))
    answer = client.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    service.parts = (Part("disk", DOWN, "it is full"), Part("analysis", DEGRADED, "it lags"))
    answer = client.get(path)
    assert answer.status_code == 503
    assert answer.json() == {
        "schema": "tracer.health/1",
        "ready": False,
        "status": "down",
        "parts": {"disk": "down: it is full", "analysis": "degraded: it lags"},
    }


def test_metrics_are_prometheus_text() -> None:
    answer = client_of(FakeService(None)).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.text == "tracer_spans_accepted_total 3.0\n"


def test_pages_need_nothing_from_other_hosts() -> None:
    client = client_of(FakeService(None))
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert not re.search(r"<script|https?://", page.text)


def test_the_links_of_the_home_page_lead_somewhere() -> None:
    client = client_of(FakeService(None))
    paths = set(client.get("/openapi.json").json()["paths"])
    links = re.findall(r'href="(/[^"?]*)', client.get("/").text)
    assert len(links) > 5
    assert set(links) <= paths | {"/docs", "/openapi.json"}


def test_the_docs_name_every_endpoint_and_parameter() -> None:
    client = client_of(FakeService(None))
    page = client.get("/docs").text
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}" in page
            assert all(f"<code>{one['name']}<" in page for one in operation.get("parameters", ()))


def test_openapi_promises_problems_and_bounds_every_list() -> None:
    document = client_of(FakeService(None)).get("/openapi.json").json()
    asked = {path: one["get"] for path, one in document["paths"].items() if "get" in one}
    for name in ("traces", "slow-traces", "critical-path", "baselines"):
        path = f"/api/v1/{name}"
        limit = next(one for one in asked[path]["parameters"] if one["name"] == "limit")
        assert limit["schema"]["maximum"] <= 1000
        assert "application/problem+json" in asked[path]["responses"]["default"]["content"]
    assert "HTTPValidationError" not in str(document)
