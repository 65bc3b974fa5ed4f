"""Which Host and Origin headers are let in."""

from __future__ import annotations

import pytest

from tests.api.running import FakeService, client_of
from tracer.settings import Settings

OURS = Settings(allowed_hosts=("tracer.example",))
OPEN = Settings(host="0.0.0.0", allow_unauthenticated=True)

HOSTS = [
    (OURS, "127.0.0.1:8000", 200),
    (OURS, "localhost", 200),
    (OURS, "LOCALHOST:1", 200),
    (OURS, "[::1]:8000", 200),
    (OURS, "tracer.example:8000", 200),
    (OURS, "evil.example", 421),
    (OURS, "localhost.evil.example", 421),
    (OURS, "192.0.2.7:8000", 421),
    (OURS, "", 421),
    (OURS, "[::1", 421),
    (OURS, "127.0.0.1:8000@evil.example", 421),
    (OPEN, "192.0.2.7:8000", 200),
    (OPEN, "[2001:db8::1]:8000", 200),
    (OPEN, "evil.example", 421),
]


@pytest.mark.parametrize(("settings", "host", "status"), HOSTS)
def test_only_our_names_are_answered(settings: Settings, host: str, status: int) -> None:
    client = client_of(FakeService(None), settings)
    answer = client.get("/api/v1/health/live", headers={"Host": host})
    assert answer.status_code == status
    if status == 421:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "--allowed-hosts" in answer.json()["detail"]


ORIGINS = [
    (None, 400),  # let in; there is nothing to import
    ("http://127.0.0.1:8000", 400),
    ("http://127.0.0.1:9000", 403),
    ("http://evil.example", 403),
    ("null", 403),
    ("http://[::1", 403),
]


@pytest.mark.parametrize(("origin", "status"), ORIGINS)
def test_writes_come_from_our_own_pages_or_from_programs(origin: str | None, status: int) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = client_of(FakeService(None)).post("/api/v1/imports", headers=headers)
    assert answer.status_code == status


def test_reads_from_elsewhere_are_answered_but_not_shared() -> None:
    answer = client_of(FakeService(None)).get(
        "/api/v1/health/live", headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
