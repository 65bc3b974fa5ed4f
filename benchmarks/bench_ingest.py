"""Acknowledged and stored spans per second over OTLP/gRPC, against a plain receiver.

The server, the load and the check of what was stored are processes of their own, on the machine
that this runs on: the load generator's share of the processors is part of the number. A rate only
counts when as many spans are in the store as were acknowledged.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import psutil

ROOT: Final = Path(__file__).resolve().parents[1]
TRACER: Final = ("tracer", "serve", "--otlp-http-port", "0", "--api-port", "0")
PLAIN: Final = ("benchmarks.plain_receiver",)
PLAIN_STREAMS: Final = 16  # twice its threads: more only wait longer
START_S: Final = 60.0
STOP_S: Final = 120.0
COUNT: Final = """
import sys
from tracer.settings import Settings
from tracer.store.store import open_store
store = open_store(Settings(data=sys.argv[1]))
print(store.engine.rows("SELECT count() FROM otel_traces")[0][0])
store.close()
"""


@dataclass(frozen=True)
class Measured:
    """One receiver under one load."""

    load: dict[str, Any]  # what the load generator printed
    stored: int
    peak_rss_bytes: int
    cpu_s: float  # of the receiver, while the load ran

    @property
    def spans_per_s(self) -> float:
        """Acknowledged spans over the time from the first request to the last answer."""
        return float(self.load["accepted"] / self.load["seconds"])


def run(seconds: float = 30.0, streams: int = 128, warm_up_s: float = 3.0) -> list[dict[str, Any]]:
    """One row per number; `reference` is the plain receiver's, `ratio` is how often better."""
    ours = measure(TRACER, seconds, streams, warm_up_s)
    plain = measure(PLAIN, seconds, min(streams, PLAIN_STREAMS), warm_up_s)
    rows = [
        _row("ingest.grpc.rate", ours.spans_per_s, "spans/s", plain.spans_per_s, higher=True),
        _row("ingest.grpc.cpu", _cpu_us(ours), "us/span", _cpu_us(plain), higher=False),
        _row("ingest.grpc.peak_rss", _mib(ours), "MiB", _mib(plain), higher=False),
    ]
    for name in ("wait_p50_s", "wait_p99_s"):
        rows.append(
            _row(f"ingest.grpc.{name}", ours.load[name], "s", plain.load[name], higher=False)
        )
    return rows


def measure(
    module: tuple[str, ...], seconds: float, streams: int, warm_up_s: float = 0.0
) -> Measured:
    """Load on a receiver with an empty store.

    Raises RuntimeError when it does not start, answers errors, or stored other than it said.
    """
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as directory:
        data = str(Path(directory) / "data")
        with _serving(module, data, Path(directory) / "log") as (process, port):
            warm = _load(port, warm_up_s, streams)["accepted"] if warm_up_s else 0
            with _sampled(process) as sample:
                load = _load(port, seconds, streams)
        stored = int(_python("-c", COUNT, data))
        if stored != load["accepted"] + warm:
            raise RuntimeError(f"{load['accepted'] + warm} spans acknowledged, {stored} stored")
        return Measured(load, stored, sample.peak_rss_bytes, sample.cpu_s)


@contextmanager
def _serving(module: tuple[str, ...], data: str, log: Path) -> Iterator[tuple[psutil.Process, int]]:
    """A receiver as a child process, once it listens; ended with SIGTERM, which must be clean."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", *module, "--data", data, "--otlp-grpc-port", str(port)]
    with log.open("wb") as output:
        child = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_until_ready(child, port, log)
        yield psutil.Process(child.pid), port
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        try:
            code = child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
    if code:
        raise RuntimeError(f"{module[0]} ended with {code}: {_tail(log)}")


def _wait_until_ready(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ready = grpc.channel_ready_future(channel)
        deadline_s = time.monotonic() + START_S
        while not ready.done():
            if child.poll() is not None or time.monotonic() > deadline_s:
                ready.cancel()
                raise RuntimeError(f"the receiver did not start: {_tail(log)}")
            time.sleep(0.05)


def _load(port: int, seconds: float, streams: int) -> dict[str, Any]:
    load: dict[str, Any] = json.loads(
        _python(
            *("-m", "benchmarks.loadgen", "--target", f"127.0.0.1:{port}"),
            *("--seconds", str(seconds), "--streams", str(streams)),
        )
    )
    if load["errors"] or load["rejected"]:
        raise RuntimeError(f"not all load was accepted: {load}")
    return load


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{arguments[:2]} failed: {done.stderr[-2000:]}")
    return done.stdout


class _Sample:
    """Peak memory and processor time of a process, while it is looked at."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._before_s = self._spent_s()
        self.peak_rss_bytes = 0
        self.cpu_s = 0.0

    def look(self) -> None:
        """Look once."""
        self.peak_rss_bytes = max(self.peak_rss_bytes, self._process.memory_info().rss)
        self.cpu_s = self._spent_s() - self._before_s

    def _spent_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def _sampled(process: psutil.Process, every_s: float = 0.25) -> Iterator[_Sample]:
    sample = _Sample(process)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every_s):
            sample.look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield sample
    finally:
        ended.set()
        watcher.join()
        sample.look()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _cpu_us(measured: Measured) -> float:
    return measured.cpu_s / measured.load["accepted"] * 1e6


def _mib(measured: Measured) -> float:
    return measured.peak_rss_bytes / (1 << 20)


def _row(name: str, value: float, unit: str, reference: float, *, higher: bool) -> dict[str, Any]:
    ratio = value / reference if higher else reference / value
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


if __name__ == "__main__":
    for one in run(float(os.environ.get("BENCH_SECONDS", "30"))):
        print(json.dumps(one))
