"""Health tells the truth about a whole service, also when parts of it hang or lie."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.api.running import client_of
from tests.ingest.arriving import records, request, row
from tests.service.running import a_service, metric, post
from tracer.errors import BadInput, StoreFailure, TracerError, Unavailable
from tracer.ingest.commit import Ack, BlockDone, Committed
from tracer.service import health
from tracer.service.bounded import Bounded
from tracer.service.health import DEGRADED, DOWN, Health, Part
from tracer.service.monitor import Monitor
from tracer.service.serve import Service
from tracer.service.writes import HANGS_S, HOLD_S, Writes
from tracer.units import NS_PER_S

PATIENCE_S = 20
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with a_service(tmp_path_factory.mktemp("data")) as running:
        yield running


def grpc_health(service: Service) -> Any:
    service.monitor.step()
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S).status


def soon(service: Service, part: str) -> None:
    """Waits until the part is ok; answers are kept a moment."""
    give_up_s = time.monotonic() + PATIENCE_S
    while service.ready().document()["parts"][part] != "ok" and time.monotonic() < give_up_s:
        time.sleep(0.05)
    assert service.ready().document()["parts"][part] == "ok"


def test_everything_works(service: Service) -> None:
    assert post(service, request("", "a", start_ns=time.time_ns())).status_code == 200
    told = service.ready()
    assert (told.ready, told.status) == (True, "ok"), told
    assert [part.name for part in told.parts] == [
        "store",
        "disk",
        "commits",
        "receivers",
        "analysis",
    ]
    assert service.live().ready
    assert grpc_health(service) == SERVING
    assert metric(service, "tracer_ready") == 1


def test_an_engine_that_hangs_is_told_at_every_door(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    hangs = Bounded(lambda: gate.wait(PATIENCE_S), name="hangs", keep_s=0)
    monkeypatch.setattr(service.health, "_answers", hangs)
    monkeypatch.setattr(health, "ANSWER_S", 0.1)
    answer = client_of(service).get("/api/v1/health/ready")  # type: ignore[arg-type]
    assert answer.status_code == 503
    assert answer.json()["parts"]["store"].startswith("down: no answer within")
    assert grpc_health(service) == NOT_SERVING
    assert metric(service, "tracer_ready") == 0
    assert metric(service, 'tracer_part_state{part="store"}') == 2
    assert service.live().ready  # a restart is not what an engine needs that is slow for a minute
    gate.set()
    soon(service, "store")
    assert grpc_health(service) == SERVING


def test_questions_that_occupy_every_reader_do_not_hide_the_health(service: Service) -> None:
    engine = service.store.engine
    held = [engine._reader() for _ in range(4)]
    for one in held:
        one.__enter__()
    try:
        told = service.ready()
        assert (told.ready, told.status) == (True, "degraded")
        assert "4 questions are being answered" in str(told.parts[0])
    finally:
        for one in held:
            one.__exit__(None, None, None)
    soon(service, "store")


def test_a_store_that_does_not_take_blocks_is_not_ready(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = service.store.engine
    engine.command("RENAME TABLE otel_traces TO away")
    assert post(service, request("", "b", start_ns=time.time_ns())).status_code == 500
    told = service.ready().document()
    assert told["ready"] is False
    assert told["parts"]["commits"].startswith("down: the last commit failed: the store refused")
    engine.command("RENAME TABLE away TO otel_traces")
    assert not service.ready().ready
    assert post(service, request("", "c", start_ns=time.time_ns())).status_code == 200
    soon(service, "commits")
    soon(service, "store")


def test_a_full_disk(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, status, ready in ((1000, "down", False), (1 << 29, "degraded", True)):
        monkeypatch.setattr(health, "disk_bytes", lambda directory, free=free: (free, 1 << 40))
        told = service.ready()
        assert (told.status, told.ready) == (status, ready)


def test_a_data_directory_that_was_taken_away(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = replace(service.context.settings, data="/does/not/exist")
    monkeypatch.setattr(service.health, "_settings", gone)
    told = service.ready().document()
    assert told["parts"]["disk"].startswith("down: the data directory '/does/not/exist': No such")
    assert told["ready"] is False


def test_a_queue_that_fills(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound, status in ((health.FULL, "down"), (health.FILLING, "degraded")):
        used = int(bound * service.context.settings.queue_bytes) + 1
        monkeypatch.setattr(service.sink, "_held_bytes", used)
        assert service.ready().status == status


def test_analysis_that_lags_or_fails_keeps_the_receivers(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.settler, "lag_ns", lambda: 121 * NS_PER_S)
    told = service.ready()
    assert (told.ready, told.status) == (True, "degraded")
    assert told.document()["parts"]["analysis"].endswith("has waited for 121 s")
    monkeypatch.setattr(service.settler, "alive", lambda: False)
    assert not service.ready().ready
    assert not service.live().ready


def test_failing_analysis_is_told_and_its_lag_grows(service: Service) -> None:
    service.settler._failed(Unavailable("the store is away"))
    told = service.ready().document()
    assert (told["status"], told["ready"]) == ("degraded", True)
    assert "the store is away" in told["parts"]["analysis"]
    service.settler.progress.stepped_s = time.monotonic() - 3600
    assert service.settler.lag_ns() > 3500 * NS_PER_S or not service.settler.progress.failing
    soon(service, "analysis")  # the next step succeeds


def test_a_service_that_drains_is_not_ready_and_finishes(service: Service) -> None:
    # the last test of this module: it does not come back
    service.drain()
    answer = client_of(service).get("/api/v1/health/ready")  # type: ignore[arg-type]
    assert answer.status_code == 503
    assert answer.json()["parts"] == {"service": "down: it is shutting down"}
    assert service.live().ready


def test_changes_of_health_are_logged_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    fine, lags, full = (
        Part("disk"),
        Part("analysis", DEGRADED, "it lags"),
        Part("disk", DOWN, "full"),
    )
    looks = iter([(fine,), (fine, lags), (fine, lags), (full, lags), (fine,), (fine,)])
    told: list[bool] = []
    monitor = Monitor(lambda: Health(next(looks)), told.append)
    caplog.set_level("INFO", "tracer.health")
    for _ in range(6):
        monitor.step()
    assert told == [False, True]
    assert [record.getMessage() for record in caplog.records] == [
        "ready, but analysis is degraded: it lags",
        "not ready: disk is down: full; analysis is degraded: it lags",
        "ready: every part works again",
    ]


class Store:
    """A store with a switch, and a clock."""

    def __init__(self) -> None:
        self.error: TracerError | None = None
        self.now_s = 0.0
        self.writes = Writes(self.write, lambda: self.now_s)

    def write(self) -> None:
        if self.error:
            raise self.error

    def block(self, *outcomes: Ack | TracerError, rows: int = 0) -> None:
        self.writes.watch(
            BlockDone(len(outcomes), 1, Committed(outcomes, rows), 0.0, 0.0, 0.0, rows)
        )

    def trouble(self) -> str:
        return self.writes.trouble(PATIENCE_S)


def test_a_failed_block_is_believed_for_a_while_and_then_tried() -> None:
    store = Store()
    store.error = Unavailable("no space left")
    store.block(store.error, store.error)
    assert store.trouble() == "the last commit failed: no space left"
    store.now_s += HOLD_S
    assert "so does a write of our own: no space left" in store.trouble()
    store.error = None
    store.writes._try._answered_s = float("-inf")  # what was tried is kept two seconds
    assert store.trouble() == ""
    assert store.trouble() == ""


def test_a_block_that_is_stored_ends_the_trouble() -> None:
    store = Store()
    store.block(StoreFailure("type mismatch"))
    assert store.trouble() != ""
    store.block(Ack(1, 0, ""), rows=1)
    assert store.trouble() == ""


def test_requests_that_are_wrong_say_nothing_about_the_store() -> None:
    store = Store()
    store.block(BadInput("garbage"), BadInput("garbage"))
    store.block(Ack(1, 0, ""), StoreFailure("one of many"), rows=1)
    assert store.trouble() == ""


def test_a_write_that_does_not_return_is_told() -> None:
    store, gate, reached = Store(), threading.Event(), threading.Event()

    def hang(block: Any) -> None:
        reached.set()
        gate.wait(PATIENCE_S)

    thread = threading.Thread(target=store.writes.around(hang), args=(records(row()),))
    thread.start()
    assert reached.wait(PATIENCE_S)
    assert store.trouble() == ""
    store.now_s += HANGS_S + 1
    assert store.trouble() == "a commit has been writing for 31 s"
    gate.set()
    thread.join()
    assert store.trouble() == ""
