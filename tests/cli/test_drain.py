"""SIGTERM under load: what was acknowledged is stored, what was not may be sent again."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.cli.serving import Server, command, serving
from tracer.ingest.otlp.grpc_server import TRACE_SERVICE

SENDERS = 4
PATIENCE_S = 20.0
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def request(trace_id: bytes) -> bytes:
    """One trace of 20 spans, now."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    spans = group.scope_spans.add().spans
    for number in range(1, 21):
        now = time.time_ns()
        spans.add(
            trace_id=trace_id,
            span_id=number.to_bytes(8, "big"),
            name="pay",
            start_time_unix_nano=now,
            end_time_unix_nano=now + 1000,
        )
    return message.SerializeToString()


@dataclass
class Account:
    """What one sender was told."""

    acknowledged: list[str] = field(default_factory=list)
    told: str = ""  # how it ended


def over_grpc(server: Server) -> Iterator[Callable[[bytes], str]]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{server.ports['otlp_grpc']}", options) as channel:
        ask = channel.unary_unary(f"/{TRACE_SERVICE}/Export")

        def send(body: bytes) -> str:
            try:
                ask(body, timeout=PATIENCE_S)
            except grpc.RpcError as error:
                return str(error.code().name)
            return ""

        yield send


def over_http(server: Server) -> Iterator[Callable[[bytes], str]]:
    url = f"http://127.0.0.1:{server.ports['otlp_http']}/v1/traces"
    with httpx.Client(timeout=PATIENCE_S, trust_env=False, headers=PROTOBUF) as client:

        def send(body: bytes) -> str:
            try:
                code = client.post(url, content=body).status_code
            except httpx.TransportError:
                return "disconnected"
            return "" if code == 200 else str(code)

        yield send


def keep_sending(sends: Iterator[Callable[[bytes], str]], account: Account) -> None:
    for send in sends:
        while not account.told:
            trace_id = os.urandom(16)
            account.told = send(request(trace_id))
            if not account.told:
                account.acknowledged.append(trace_id.hex())


def stored(data: Path) -> dict[str, int]:
    """Spans by trace id, as an export of the directory has them."""
    done = command("export", "--data", str(data), "--since", "1h")
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = {}
    for line in done.stdout.splitlines():
        for group in json.loads(line)["resourceSpans"]:
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    counts[span["traceId"]] = counts.get(span["traceId"], 0) + 1
    return counts


def test_what_was_acknowledged_under_load_is_stored(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        ways = {over_grpc: "UNAVAILABLE", over_http: "disconnected"}
        accounts = [(Account(), way) for way in ways for _ in range(SENDERS)]
        threads = [
            threading.Thread(target=keep_sending, args=(way(server), account))
            for account, way in accounts
        ]
        for thread in threads:
            thread.start()
        give_up_s = time.monotonic() + PATIENCE_S
        while any(len(account.acknowledged) < 5 for account, _ in accounts):
            assert time.monotonic() < give_up_s, accounts
            time.sleep(0.01)
        assert server.stop() == 0
        for thread in threads:
            thread.join()
        assert len(server.said().splitlines()) == 1, server.said()
        found = stored(server.data)
    for account, way in accounts:
        assert account.told in (ways[way], "503")
        assert [found.get(one) for one in account.acknowledged] == [20] * len(account.acknowledged)


def test_it_says_that_it_drains_and_finishes_what_was_begun(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        where = f"127.0.0.1:{server.ports['otlp_grpc']}"
        with (
            grpc.insecure_channel(where) as channel,
            socket.create_connection(("127.0.0.1", server.ports["otlp_http"])) as begun,
        ):
            watched = health_pb2_grpc.HealthStub(channel).Watch(
                health_pb2.HealthCheckRequest(service=TRACE_SERVICE), timeout=PATIENCE_S
            )
            assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
            body = request(b"\xab" * 16)
            begun.sendall(
                b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body[:100]
            )
            wait_until_begun(server)
            server.popen.terminate()
            assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert readiness(server) == 503
            with pytest.raises(OSError):
                until_refused(server.ports["otlp_http"])
            begun.sendall(body[100:])
            answer = begun.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in answer.lower()
            with pytest.raises(grpc.RpcError) as ended:
                next(watched)
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
            assert server.popen.wait(PATIENCE_S) == 0
        assert stored(server.data) == {"ab" * 16: 20}


def wait_until_begun(server: Server) -> None:
    """A second request on another connection is answered after the first was seen."""
    for send in over_http(server):
        assert send(b"") == ""


def readiness(server: Server) -> int:
    return httpx.get(f"{server.url}/api/v1/health/ready", trust_env=False).status_code


def until_refused(port: int) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_s:
        socket.create_connection(("127.0.0.1", port)).close()
        time.sleep(0.01)
