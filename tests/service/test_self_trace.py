"""tracer traced by tracer: spans of its work arrive elsewhere and never make more of themselves."""

from __future__ import annotations

import builtins
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.running import client_of
from tests.ingest.arriving import request
from tests.service.running import a_service, metric, post
from tracer.errors import BadSetting
from tracer.service.serve import Service
from tracer.telemetry.self_trace import open_self_trace
from tracer.units import duration_ns

PATIENCE_S = 20
SETTLE = duration_ns("100ms")
TRACE_ID, SPAN_ID = "ab" * 16, "cd" * 8
SPANS = """
SELECT SpanName, TraceId, SpanId, ParentSpanId, SpanAttributes
FROM otel_traces WHERE ServiceName = 'tracer'
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")


def free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


def spans_of_tracers(service: Service) -> list[dict[str, Any]]:
    names = ("name", "trace_id", "span_id", "parent", "attributes")
    return [dict(zip(names, row, strict=True)) for row in service.store.engine.rows(SPANS)]


def shop(service: Service, number: int) -> None:
    body = request("", f"GET /{number}", start_ns=time.time_ns())
    assert post(service, body).status_code == 200


def wait_for(service: Service, *names: str) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while set(names) - {one["name"] for one in spans_of_tracers(service)}:
        assert time.monotonic() < give_up_s, spans_of_tracers(service)
        time.sleep(0.05)


def comes_to(expected: Callable[[], float], told: Callable[[], float]) -> None:
    """Waits until the two are equal, and looks again a second later: more would have come."""
    for pause_s in (1.0, 0.0):
        give_up_s = time.monotonic() + PATIENCE_S
        while expected() != told():
            assert time.monotonic() < give_up_s, (expected(), told())
            time.sleep(0.05)
        time.sleep(pause_s)


def steps(service: Service) -> float:
    return metric(service, "tracer_analysis_step_duration_seconds_count") or 0


def test_another_tracer_shows_commits_analysis_and_questions(tmp_path: Path) -> None:
    with (
        a_service(tmp_path / "b") as other,
        a_service(
            tmp_path / "a", self_trace=f"http://127.0.0.1:{other.grpc_port}", settle=SETTLE
        ) as service,
    ):
        shop(service, 1)
        parent = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}
        client = client_of(service)  # type: ignore[arg-type]
        assert client.get("/api/v1/services", headers=parent).status_code == 200
        assert client.get("/metrics").status_code == 200
        wait_for(other, "commit", "decode", "write", "analyse", "GET /api/v1/services")
        spans = spans_of_tracers(other)
        by_name = {one["name"]: one for one in spans}
        commit, write = by_name["commit"], by_name["write"]
        assert (write["trace_id"], write["parent"]) == (commit["trace_id"], commit["span_id"])
        assert by_name["decode"]["parent"] == commit["span_id"]
        assert commit["attributes"]["tracer.spans"] == "1"
        assert int(commit["attributes"]["tracer.bytes"]) > 0
        question = by_name["GET /api/v1/services"]
        assert (question["trace_id"], question["parent"]) == (TRACE_ID, SPAN_ID)
        assert not [one for one in spans if "metrics" in one["name"]]
        assert spans_of_tracers(service) == []


def test_a_tracer_that_exports_to_itself_stores_nothing_of_it(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with a_service(
        tmp_path, otlp_grpc_port=port, self_trace=f"http://127.0.0.1:{port}", settle=SETTLE
    ) as service:
        for number in range(8):
            shop(service, number)
        comes_to(
            lambda: 8 * 3 + steps(service),
            lambda: metric(service, "tracer_own_spans_dropped_total") or 0,
        )
        assert spans_of_tracers(service) == []


def test_two_tracers_that_export_to_each_other_come_to_rest(tmp_path: Path) -> None:
    here, there = free_ports(2)
    here_url, there_url = f"http://127.0.0.1:{here}", f"http://127.0.0.1:{there}"
    with (
        a_service(tmp_path / "a", otlp_grpc_port=here, self_trace=there_url, settle=SETTLE) as one,
        a_service(
            tmp_path / "b", otlp_grpc_port=there, self_trace=here_url, settle=SETTLE
        ) as other,
    ):
        shop(one, 1)
        shop(other, 2)
        wait_for(one, "commit", "analyse")
        wait_for(other, "commit", "analyse")
        for at in (one, other):
            comes_to(lambda: 3, lambda at=at: len(commits(at)))
        assert Counter(commits(one)) == Counter(commits(other)) == dict(commit=1, decode=1, write=1)


def commits(service: Service) -> list[str]:
    return [one["name"] for one in spans_of_tracers(service) if one["name"] != "analyse"]


def test_without_the_sdk_the_setting_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry.sdk"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadSetting, match=r"tracer-analyzer\[telemetry\]"):
        open_self_trace("http://127.0.0.1:4317", "x")
