"""Questions to a filled store: trace by id, slow traces, and how fast the service is ready.

The reference of a lookup is the same query without the time bounds that `otel_traces_trace_id_ts`
gives: what a reader of the plain layout pays when it only knows the id.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks import corpus
from tracer.ingest.otlp.decode import decode
from tracer.service.context import Context, Window
from tracer.service.importing import settle_all
from tracer.service.slow import SlowQuery, slow_traces
from tracer.settings import Settings
from tracer.store.engine import Engine
from tracer.store.reader import read_trace
from tracer.store.store import open_store
from tracer.store.writer import write_spans

SPANS: Final = int(os.environ.get("BENCH_LOOKUP_SPANS", "2000000"))
LOOKUPS: Final = 300
REQUESTS: Final = 96
START_S: Final = 60.0


def run() -> list[dict[str, Any]]:
    """One row per number; times are of one question at a time in this process."""
    with tempfile.TemporaryDirectory(prefix="tracer-bench-") as directory:
        store = open_store(Settings(data=directory))
        try:
            rows = _questions(Context(store.engine, Settings(data=directory), time.time_ns))
        finally:
            store.close()
        return [*rows, _ready(directory)]


def _questions(context: Context) -> list[dict[str, Any]]:
    now_ns = time.time_ns()
    templates = corpus.requests(REQUESTS, base_ns=now_ns)
    stored = 0
    while stored < SPANS:
        bodies = [corpus.again(body, stored) for body in templates]
        records = decode(bodies, ingest_ns=time.time_ns()).records
        write_spans(context.engine, records)
        stored += len(records)
    began = time.perf_counter()
    settle_all(context)
    settle_s = time.perf_counter() - began
    ids = [
        str(row[0])
        for row in context.engine.rows(
            "SELECT TraceId FROM otel_traces_trace_id_ts "
            f"ORDER BY cityHash64(TraceId) LIMIT {LOOKUPS}"
        )
    ]
    random.Random(1).shuffle(ids)
    bounded = _times(lambda one: read_trace(context.engine, one, limit=10_000), ids)
    plain = _times(lambda one: _by_id_only(context.engine, one), ids[:60])
    window = Window(now_ns - 600 * 10**9, now_ns + 60 * 10**9)
    asked = SlowQuery(window, window, None, None, None, 10, ())
    slow = _times(lambda _: slow_traces(context, asked), ids[:10])
    disk = dict(
        context.engine.rows(
            "SELECT table, sum(bytes_on_disk) FROM system.parts "
            "WHERE active AND database = currentDatabase() GROUP BY table"
        )
    )
    return [
        _row("settle: read, analyse, write facts and rollups", stored / settle_s, "spans/s"),
        _row("trace by id, p50", _at(bounded, 0.5), "ms", _at(plain, 0.5)),
        _row("trace by id, p99", _at(bounded, 0.99), "ms", _at(plain, 0.99)),
        _row(f"slow traces with baselines, {stored} spans, p50", _at(slow, 0.5), "ms"),
        _row("stored bytes a span, raw spans", disk["otel_traces"] / stored, "B"),
        _row("stored bytes a span, all tables", sum(disk.values()) / stored, "B"),
    ]


def _by_id_only(engine: Engine, trace_id: str) -> None:
    engine.arrow("SELECT * FROM otel_traces WHERE TraceId = {id:String}", {"id": trace_id})


def _times(ask: Callable[[str], object], ids: list[str]) -> list[float]:
    ask(ids[0])
    times = []
    for one in ids:
        began = time.perf_counter()
        ask(one)
        times.append((time.perf_counter() - began) * 1e3)
    return sorted(times)


def _at(sorted_ms: list[float], share: float) -> float:
    return sorted_ms[min(len(sorted_ms) - 1, int(share * len(sorted_ms)))]


def _ready(directory: str) -> dict[str, Any]:
    """Seconds from the start of `tracer serve` on the filled store until it says it is ready."""
    ports = Path(directory) / "ports.json"
    command = [sys.executable, "-m", "tracer", "serve", "--data", directory]
    command += ["--otlp-grpc-port", "0", "--otlp-http-port", "0", "--api-port", "0"]
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--ports-file", str(ports)], stderr=subprocess.DEVNULL
    ) as server:
        while not ports.exists() or not _is_json(ports):
            if server.poll() is not None or time.perf_counter() - began > START_S:
                server.kill()
                raise RuntimeError("tracer serve did not become ready")
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        server.send_signal(signal.SIGTERM)
    return _row("process start to ready, embedded", seconds, "s")


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True


def _row(name: str, value: float, unit: str, reference: float | None = None) -> dict[str, Any]:
    ratio = None if reference is None else reference / value
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}
