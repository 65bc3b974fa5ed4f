"""The roles apart, each in a process of its own, against one store by URL."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import set_span_in_context

from tests.cli.serving import ANY_PORTS, Server, command, serving
from tests.support.clickhouse_http import PASSWORD
from tests.support.server import new_database, server_url
from tracer.store.engine import open_server

WAIT_S = 45.0
SHORT = ("--settle", "500ms", "--clock-allowance", "200ms", "--member-expiry", "3s")


def _exported(receiver: Server, service: str) -> str:
    """Id of an exported trace: a root of two seconds that waits for its query."""
    provider = TracerProvider(resource=Resource({"service.name": service}))
    exporter = OTLPSpanExporter(f"127.0.0.1:{receiver.ports['otlp_grpc']}", insecure=True)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    end_ns = time.time_ns()
    root = tracer.start_span("GET /cart", start_time=end_ns - 2_000_000_000)
    query = tracer.start_span(
        "SELECT", set_span_in_context(root), start_time=end_ns - 1_900_000_000
    )
    query.end(end_ns - 100_000_000)
    root.end(end_ns)
    provider.shutdown()
    return f"{root.get_span_context().trace_id:032x}"


def _asked(server: Server, path: str) -> Any:
    return httpx.get(f"{server.url}/api/v1{path}", timeout=30).raise_for_status().json()


def _analysis(server: Server) -> str:
    return str(_asked(server, "/health/ready")["parts"]["analysis"])


def _until(found: Callable[[], bool], *servers: Server) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while not found():
        assert time.monotonic() < give_up_s, "\n".join(server.said() for server in servers)
        time.sleep(0.2)


def test_three_processes_receive_analyse_and_answer(tmp_path: Path) -> None:
    url = server_url(new_database())

    def run(stack: ExitStack, role: str, name: str) -> Server:
        directory = tmp_path / name
        directory.mkdir()
        flags = ("--role", role, "--store", url, *SHORT)
        return stack.enter_context(serving(directory, *flags))

    def shows(server: Server, service: str, trace_id: str) -> bool:
        path = f"/api/v1/slow-traces?service={service}&min_duration=1s&since=1h"
        answer = httpx.get(f"{server.url}{path}", timeout=30)
        if answer.status_code == 404:  # nobody knows the service yet
            return False
        traces = answer.raise_for_status().json()["traces"]
        return [one["trace_id"] for one in traces] == [trace_id]

    with ExitStack() as stack:
        receiver = run(stack, "receive", "receiver")
        analyser = run(stack, "analyse", "analyser")
        answerer = run(stack, "query", "answerer")
        assert set(receiver.ports) == {"otlp_grpc", "otlp_http", "api"}
        assert set(analyser.ports) == set(answerer.ports) == {"api"}
        for server, parts in (
            (receiver, {"store", "commits", "receivers", "analysis"}),
            (analyser, {"store", "analysis"}),
            (answerer, {"store", "analysis"}),
        ):
            health = _asked(server, "/health/ready")
            assert (health["ready"], set(health["parts"])) == (True, parts)
        trace_id = _exported(receiver, "first")
        _until(lambda: shows(answerer, "first", trace_id), receiver, analyser, answerer)
        assert _asked(answerer, f"/traces/{trace_id}")["span_count"] == 2
        assert "tracer_spans_accepted_total 2.0" in httpx.get(f"{receiver.url}/metrics").text
        assert "tracer_traces_analysed_total 1.0" in httpx.get(f"{analyser.url}/metrics").text
        refused = httpx.get(f"{receiver.url}/api/v1/slow-traces")
        assert (refused.status_code, "--role query" in refused.json()["detail"]) == (404, True)

        # Without an analyser everything is ready, and says that answers grow old.
        assert analyser.stop() == 0
        for server in (receiver, answerer):
            _until(lambda server=server: _analysis(server).startswith("degraded: nobody"), server)
            assert _asked(server, "/health/ready")["ready"]
        # What a receiver leaves behind when it is killed holds nobody up for long.
        receiver.stop(signal.SIGKILL)
        other = run(stack, "receive", "other")
        trace_id = _exported(other, "second")
        analyser = run(stack, "analyse", "next")
        _until(lambda: shows(answerer, "second", trace_id), other, analyser, answerer)
        _until(lambda: _analysis(answerer) == "ok", answerer)
        for server in (other, analyser, answerer):
            assert server.stop() == 0
            assert PASSWORD not in server.said()
    with closing(open_server(url)) as engine:
        engine.command(f"DROP DATABASE `{engine.database}`")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--role", "analyse"], "the embedded store belongs to one process"),
        (["--role", "think"], "role 'think' is unknown"),
    ],
)
def test_a_role_that_cannot_be_is_refused(flags: list[str], said: str, tmp_path: Path) -> None:
    done = command("serve", *ANY_PORTS, "--data", str(tmp_path / "data"), *flags)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_store_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    url = f"clickhouse://me:hunter2@127.0.0.1:{port}/d"
    done = command("serve", *ANY_PORTS, "--ports-file", str(tmp_path / "ports"), "--store", url)
    assert done.returncode == 4
    assert f"store clickhouse://127.0.0.1:{port}/d cannot be used" in done.stderr
    assert "hunter2" not in done.stderr


def test_questions_need_a_schema_and_make_none(tmp_path: Path) -> None:
    url = server_url(new_database())
    done = command("serve", *ANY_PORTS, "--role", "query", "--store", url)
    assert (done.returncode, "no schema yet" in done.stderr) == (4, True), done.stderr
    assert PASSWORD not in done.stderr
