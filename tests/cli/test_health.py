"""`tracer health`: who is asked, and what its answer is worth to a supervisor."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.cli.running import run
from tests.cli.serving import command, serving
from tracer import errors
from tracer.cli.client import Remote
from tracer.cli.health import address

FULL = {"store": "the disk is full", "receivers": "ok", "analysis": "ok"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TRACER_SERVER", "TRACER_CONFIG", "TRACER_STORE", "TRACER_API_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRACER_DATA", str(tmp_path / "nothing"))


def test_a_running_tracer_is_found_by_its_data_directory_until_it_stops(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        found = command("health", "--data", str(server.data))
        asked = command("health", "--server", server.url, "--json")
        assert server.stop(signal.SIGTERM) == 0
        gone = command("health", "--server", server.url)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[0] == f"{server.url} is ready"
    parts = json.loads(asked.stdout)["parts"]
    assert parts == dict.fromkeys(("store", "disk", "commits", "receivers", "analysis"), "ok")
    assert gone.returncode == 4
    assert "no tracer answers at" in gone.stderr


def answering(status: int, body: dict[str, object]) -> Remote:
    transport = httpx.MockTransport(lambda request: httpx.Response(status, json=body))
    return Remote("http://tracer.example:8000", transport)


def test_one_that_is_not_ready_exits_4_and_says_which_part(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"schema": "tracer.health/1", "ready": False, "parts": FULL}
    monkeypatch.setattr("tracer.cli.client.Remote", lambda url, trust: answering(503, body))
    done = run("health", "--server", "http://tracer.example:8000")
    assert done.code == 4
    assert "is not ready\nstore: the disk is full\n" in done.out


def test_what_answers_without_a_health_document_is_an_error() -> None:
    with pytest.raises(errors.Unavailable, match="HTTP 502"):
        answering(502, {}).health()


def test_nobody_there_exits_4(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, not listening: nothing else can answer there
        monkeypatch.setenv("TRACER_API_PORT", str(free.getsockname()[1]))
        done = run("health")
    assert done.code == 4
    assert "no tracer answers at http://127.0.0.1:" in done.err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("10.1.2.3", "http://10.1.2.3:8000"),
    ],
)
def test_the_settings_say_where_to_ask(
    host: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACER_HOST", host)
    monkeypatch.setenv("TRACER_ALLOW_UNAUTHENTICATED", "true")
    assert address(None, None) == url
    monkeypatch.setenv("TRACER_SERVER", "http://other:8000")
    assert address(None, None) == "http://other:8000"
    assert address("http://named:8000", None) == "http://named:8000"
