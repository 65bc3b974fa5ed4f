"""Numbers that a whole service counts, through its real doors."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.ingest.arriving import request
from tests.service.running import JSON, a_service, families, metric, post
from tracer.errors import StoreFailure, Unavailable
from tracer.ingest.otlp.grpc_server import TRACE_SERVICE
from tracer.service.bounded import Bounded
from tracer.service.serve import Service

PATIENCE_S = 20
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """After one export over each transport, and some that were refused."""
    with a_service(tmp_path_factory.mktemp("data")) as running:
        now_ns = time.time_ns()
        with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
            export = channel.unary_unary(f"/{TRACE_SERVICE}/Export")
            export(request("zero", "one", "two", start_ns=now_ns), timeout=PATIENCE_S)
            with pytest.raises(grpc.RpcError):
                export(b"\xff\xff", timeout=PATIENCE_S)
        assert post(running, request("zero", "one", start_ns=now_ns)).status_code == 200
        assert post(running, b'{"resourceSpans": []}', JSON).status_code == 200
        assert post(running, b"{", JSON).status_code == 400
        assert post(running, b"", "text/html").status_code == 415
        yield running


COUNTED = [
    ('tracer_receiver_requests_total{transport="grpc"}', 2),
    ('tracer_receiver_requests_total{transport="http/protobuf"}', 2),
    ('tracer_receiver_requests_total{transport="http/json"}', 2),
    ('tracer_receiver_accepted_spans_total{transport="grpc"}', 2),
    ('tracer_receiver_accepted_spans_total{transport="http/protobuf"}', 1),
    ('tracer_receiver_rejected_spans_total{reason="span_id is all zero",transport="grpc"}', 1),
    ('tracer_receiver_refused_requests_total{reason="bad_input",transport="grpc"}', 1),
    ('tracer_receiver_refused_requests_total{reason="bad_input",transport="http/json"}', 1),
    (
        'tracer_receiver_refused_requests_total{reason="invalid_argument",'
        'transport="http/protobuf"}',
        1,
    ),
    ('tracer_receiver_refused_requests_total{reason="queue_full",transport="grpc"}', 0),
    ('tracer_receiver_request_bytes_total{transport="http/json"}', 22),
    ('tracer_receiver_request_duration_seconds_count{transport="grpc"}', 2),
    ("tracer_spans_accepted_total", 3),
    ('tracer_spans_rejected_total{reason="span_id is all zero"}', 2),
    ("tracer_requests_committed_total", 3),
    ('tracer_commits_total{outcome="failed"}', 0),
    ("tracer_block_rows_sum", 3),
    ("tracer_queue_bytes", 0),
    ("tracer_queue_limit_bytes", 256 * 2**20),
    ("tracer_queue_requests", 0),
    ("tracer_engine_up", 1),
    ("tracer_engine_readers", 4),
]


@pytest.mark.parametrize(("series", "value"), COUNTED, ids=[series for series, _ in COUNTED])
def test_what_came_in_is_counted(service: Service, series: str, value: float) -> None:
    assert metric(service, series) == value


def test_every_block_has_its_stages(service: Service) -> None:
    commits = metric(service, 'tracer_commits_total{outcome="stored"}')
    assert commits
    for stage in ("decode", "write"):
        series = f'tracer_commit_stage_duration_seconds_count{{stage="{stage}"}}'
        assert metric(service, series) == commits


def test_the_engine_tells_of_its_tables(service: Service) -> None:
    text = service.metrics().decode()
    assert 'tracer_table_parts{table="otel_traces"}' in text
    assert (metric(service, "tracer_engine_memory_bytes") or 0) > 0
    assert (metric(service, "tracer_disk_size_bytes") or 0) > 0
    assert 'tracer_build_info{engine="' in text


def test_the_page_lists_every_metric_as_it_is_printed(service: Service) -> None:
    page = (ROOT / "tracer" / "OPERATIONS.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", page, re.MULTILINE)
    listed = {name: (kind, meaning) for name, kind, _, meaning in rows}
    printed = families(service)
    assert printed == listed
    labels = {name: set(re.findall(r"`(\w+)`", text)) for name, _, text, _ in rows}
    for name, told in re.findall(r"^(\w+)\{(.*)\} ", service.metrics().decode(), re.MULTILINE):
        family = name if name in printed else re.sub(r"_(bucket|count|sum)$", "", name)
        assert set(re.findall(r'(?:^|,)(\w+)="', told)) - {"le"} == labels[family], name


def test_alerts_ask_for_metrics_that_exist(service: Service) -> None:
    rules = (ROOT / "deploy" / "prometheus" / "rules.yaml").read_text()
    asked = set(re.findall(r"tracer_\w+", rules))
    assert len(asked) > 5
    assert asked <= set(families(service))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_nothing_against_the_alerts() -> None:
    rules = ROOT / "deploy" / "prometheus" / "rules.yaml"
    checked = subprocess.run(
        ["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_nothing_against_it(service: Service) -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=service.metrics(),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_a_store_that_refuses_is_counted_as_failed(tmp_path: Path) -> None:
    with a_service(tmp_path) as running:
        running.store.engine.command("DROP TABLE otel_traces")
        answer = post(running, request("", "a", start_ns=time.time_ns()))
        assert answer.status_code == 500
        assert metric(running, 'tracer_commits_total{outcome="failed"}') == 1
        refused = 'tracer_receiver_refused_requests_total{reason="store_failure",'
        assert metric(running, f'{refused}transport="http/protobuf"}}') == 1


def test_a_scrape_does_not_wait_for_an_engine_that_hangs() -> None:
    asked, gate = [], threading.Event()

    def hang() -> int:
        asked.append(1)
        assert gate.wait(PATIENCE_S)
        return 7

    bounded = Bounded(hang, name="hang", keep_s=3600)
    for _ in range(3):
        with pytest.raises(Unavailable, match="no answer within"):
            bounded.ask(0.01)
    assert (len(asked), bounded.last) == (1, None)
    gate.set()
    assert (bounded.ask(PATIENCE_S), bounded.ask(0), bounded.last, len(asked)) == (7, 7, 7, 1)


def test_an_answer_is_asked_for_again_once_it_is_old_and_its_error_is_raised() -> None:
    answers = iter((1, StoreFailure("gone"), 3))

    def question() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    bounded = Bounded(question, name="question", keep_s=-1)
    assert bounded.ask(PATIENCE_S) == 1
    with pytest.raises(StoreFailure, match="gone"):
        bounded.ask(PATIENCE_S)
    assert bounded.last == 1
    assert bounded.ask(PATIENCE_S) == 3
