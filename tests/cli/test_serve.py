"""`tracer serve` as a process: ready, asked, stopped, and what keeps it from starting."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.cli.serving import ANY_PORTS, TRACER, Server, command, serving
from tracer.store.lock import LOCK_NAME

WAIT_S = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that analyses at once, with one exported trace."""
    with serving(tmp_path_factory.mktemp("serve"), "--settle", "200ms") as running:
        yield running


def exported(server: Server) -> str:
    """The id of a trace that an SDK exported."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    exporter = OTLPSpanExporter(f"127.0.0.1:{server.ports['otlp_grpc']}", insecure=True)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    otel = provider.get_tracer("test")
    with (
        otel.start_as_current_span("GET /\x1b[31mcart") as root,
        otel.start_as_current_span("SELECT"),
    ):
        trace_id = f"{root.get_span_context().trace_id:032x}"
    provider.shutdown()
    return trace_id


@pytest.fixture(scope="module")
def trace_id(server: Server) -> str:
    """A trace that was exported and has been analysed."""
    known = exported(server)
    give_up_s = time.monotonic() + WAIT_S
    while not (services := asked(server, "/services")["services"]):
        assert time.monotonic() < give_up_s, "not analysed in time"
        time.sleep(0.1)
    assert services[0]["service"] == "shop"
    return known


def asked(server: Server, path: str) -> Any:
    return httpx.get(f"{server.url}/api/v1{path}").raise_for_status().json()


def test_it_says_once_where_it_is(server: Server) -> None:
    (line,) = server.said().splitlines()
    assert line.startswith("tracer is ready: ")
    assert all(str(port) in line for port in server.ports.values())
    assert set(server.ports) == {"otlp_grpc", "otlp_http", "api"}


def test_it_is_ready_when_it_says_so(server: Server) -> None:
    assert asked(server, "/health/ready")["ready"] is True
    assert "tracer_spans_accepted_total" in httpx.get(f"{server.url}/metrics").text


@pytest.mark.parametrize(
    "arguments",
    [
        *(["services"], ["services", "shop"], ["baseline"], ["slow"], ["storage"]),
        *(["errors"], ["dependencies"]),
    ],
)
def test_commands_ask_it(server: Server, trace_id: str, arguments: list[str]) -> None:
    text = command(*arguments, "--server", server.url)
    assert (text.returncode, text.stderr) == (0, "")
    document = json.loads(command(*arguments, "--server", server.url, "--json").stdout)
    assert document["schema"].startswith("tracer.")


def test_the_variable_and_the_lock_lead_to_it(server: Server, trace_id: str) -> None:
    by_variable = command("services", "--json", TRACER_SERVER=server.url)
    by_lock = command("services", "--json", "--data", str(server.data))
    for done in (by_variable, by_lock):
        assert json.loads(done.stdout)["services"][0]["service"] == "shop"


def test_a_trace_is_shown_without_what_its_names_would_do(server: Server, trace_id: str) -> None:
    text = command("trace", trace_id.upper(), "--server", server.url)
    assert text.returncode == 0, text.stderr
    assert "GET /cart" in text.stdout
    assert "\x1b" not in text.stdout
    document = json.loads(command("trace", trace_id, "--server", server.url, "--json").stdout)
    assert (document["trace_id"], document["span_count"]) == (trace_id, 2)
    assert document["analysis"]["schema"] == "tracer.analysis/1"
    otlp = json.loads(command("trace", trace_id, "--server", server.url, "--otlp").stdout)
    assert list(otlp) == ["resourceSpans"]


def test_a_trace_that_is_not_there(server: Server) -> None:
    done = command("trace", "ab" * 16, "--server", server.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tracer: trace {'ab' * 16} is not here")


def test_what_is_exported_can_be_imported(server: Server, trace_id: str, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    done = command("export", "--server", server.url, "--output", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert trace_id in file.read_text()
    assert command("export", "--server", server.url).stdout == file.read_text()
    done = command("import", str(file), "--server", server.url, "--json")
    assert json.loads(done.stdout)["spans"] == 2
    assert asked(server, f"/traces/{trace_id}")["span_count"] == 2  # nothing is doubled


def test_an_export_without_end_ends_nowhere_near_the_file(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text("precious")
    done = command("export", "--start", "soon", "--server", server.url, "--output", str(file))
    assert done.returncode == 2
    assert "start: time 'soon'" in done.stderr
    assert [file.read_text(), *tmp_path.iterdir()] == ["precious", file]


def test_a_second_one_on_the_same_data_names_the_first(server: Server) -> None:
    done = command("serve", *ANY_PORTS, "--data", str(server.data))
    assert (done.returncode, done.stdout) == (4, "")
    assert f"in use by process {server.popen.pid} (API {server.url})" in done.stderr


@pytest.mark.parametrize("flag", ["--api-port", "--otlp-grpc-port", "--otlp-http-port"])
def test_a_port_that_is_taken_names_the_flag(flag: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = dict(zip(ANY_PORTS[::2], ANY_PORTS[1::2], strict=True))
        flags |= {flag: str(taken.getsockname()[1]), "--data": str(tmp_path / "data")}
        done = command("serve", *(word for pair in flags.items() for word in pair))
    assert done.returncode == 4
    assert "is taken" in done.stderr
    assert flag in done.stderr
    assert not (tmp_path / "data" / LOCK_NAME).exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_and_leaves_nothing_behind(how: signal.Signals, tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        assert (running.data / LOCK_NAME).exists()
        assert running.stop(how) == 0
        assert not (running.data / LOCK_NAME).exists()
        assert not (tmp_path / "ports.json").exists()
        assert len(running.said().splitlines()) == 1


def test_whoever_reads_json_reads_nothing_else(tmp_path: Path) -> None:
    flags = ("--log-format", "json")
    with serving(tmp_path, *flags) as running:
        url = f"http://127.0.0.1:{running.ports['otlp_http']}/v1/traces"
        for _ in range(20):
            answer = httpx.post(url, content=b"{", headers={"content-type": "application/json"})
            assert answer.status_code == 400
        second = command("serve", *ANY_PORTS, "--data", str(running.data), *flags)
        assert running.stop() == 0
    told = [json.loads(line) for line in running.said().splitlines()]
    assert [one["level"] for one in told] == ["info", "warning", "warning"]
    assert told[0]["message"].startswith("tracer is ready")
    assert told[2]["repeated"] == 19
    assert second.returncode == 4
    assert "in use" in json.loads(second.stderr)["message"]


def test_what_was_acknowledged_is_there_after_it_was_killed(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        trace_id = exported(running)
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL
        found = command("trace", trace_id, "--data", str(running.data), "--json")
    assert json.loads(found.stdout)["span_count"] == 2


def test_a_signal_while_it_starts_ends_it_as_well(tmp_path: Path) -> None:
    lock = tmp_path / "data" / LOCK_NAME
    with (tmp_path / "stderr").open("wb") as errors:
        starting = subprocess.Popen(
            [*TRACER, "serve", *ANY_PORTS, "--data", str(tmp_path / "data")], stderr=errors
        )
    give_up_s = time.monotonic() + WAIT_S
    while not lock.exists() and time.monotonic() < give_up_s:
        time.sleep(0.005)
    starting.terminate()
    assert starting.wait(WAIT_S) == 0
    assert not lock.exists()
    assert (tmp_path / "stderr").read_text() == ""
