"""A real OpenTelemetry Collector between senders and tracer, built here from its Go modules.

`collector.yaml` lists the modules; the collector's own builder fetches and compiles them, which
takes minutes the first time. The program is then kept in the user's cache directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.interop.outside import HERE, CannotJudge, need, run_tool

MANIFEST: Final = HERE / "collector.yaml"
BUILDER: Final = "go.opentelemetry.io/collector/cmd/builder"
BUILD_S: Final = 1800.0
START_S: Final = 30.0
DRAIN_S: Final = 120.0
HOST: Final = "127.0.0.1"
WAYS: Final = ("grpc", "http/protobuf", "http/json")  # to tracer, a pipeline each
# The collector's counters; a suffix may follow, and the exporter stands among the labels.
_COUNTER: Final = re.compile(
    r'^otelcol_exporter_(sent|send_failed|enqueue_failed)_spans\w*\{.*?exporter="([^"]+)".*\} (\S+)'
)


def program() -> Path:
    """The collector, built when it is not there yet. Raises CannotJudge."""
    text = MANIFEST.read_text(encoding="utf-8")
    digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracer-interop"
    kept = cache / f"collector-{digest}"
    if not kept.exists():
        need("go", "install Go 1.25 or newer to build the collector")
        version = re.search(r"^  version: (\S+)", text, re.MULTILINE)
        assert version, f"{MANIFEST.name} has no dist.version"
        with tempfile.TemporaryDirectory(prefix="collector-") as name:
            shutil.copy(MANIFEST, name)  # where it stands, the result is put
            builder = ["go", "run", f"{BUILDER}@v{version[1]}", "--config", MANIFEST.name]
            run_tool(builder, Path(name), BUILD_S)
            cache.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(name) / "built" / "collector", kept.with_suffix(".new"))
        kept.with_suffix(".new").rename(kept)
    return kept


@dataclass
class Collector:
    """A running collector; `ports` take OTLP over gRPC, one a way to tracer."""

    popen: subprocess.Popen[bytes]
    ports: dict[str, int]
    telemetry_port: int
    log: Path

    def failed(self) -> dict[str, int]:
        """Spans given up on, by way; as the collector counts them."""
        return {
            way: counts["send_failed"] + counts["enqueue_failed"]
            for way, counts in self._counts().items()
        }

    def drained(self, accepted: Mapping[str, int]) -> bool:
        """Waits until it has passed on, or given up on, everything that it accepted."""
        give_up_s = time.monotonic() + DRAIN_S
        while time.monotonic() < give_up_s:
            counts = self._counts()
            if all(sum(counts[way].values()) >= accepted[way] for way in WAYS):
                return True
            time.sleep(0.2)
        return False

    def stop(self) -> int:
        """Asks it to end; it sends what it still has. Gives its exit code."""
        self.popen.terminate()
        return self.popen.wait(DRAIN_S)

    def _counts(self) -> dict[str, dict[str, int]]:
        counts = {way: dict.fromkeys(("sent", "send_failed", "enqueue_failed"), 0) for way in WAYS}
        answer = httpx.get(f"http://{HOST}:{self.telemetry_port}/metrics")
        for line in answer.raise_for_status().text.splitlines():
            if found := _COUNTER.match(line):
                way = found[2].partition("/")[2].replace("-", "/")
                counts[way][found[1]] += int(float(found[3]))
        return counts


@contextmanager
def collecting(binary: Path, directory: Path, tracer: Mapping[str, str]) -> Iterator[Collector]:
    """A collector that takes spans; `tracer` has the URLs `grpc` and `http`. Ended at the end."""
    ports = dict(zip(WAYS, free_ports(len(WAYS)), strict=True))
    (telemetry_port,) = free_ports(1)
    config = directory / "collector.json"  # JSON is YAML
    config.write_text(json.dumps(_config(ports, telemetry_port, tracer)), encoding="utf-8")
    log = directory / "collector.log"
    with log.open("wb") as errors:
        popen = subprocess.Popen([binary, "--config", config], stderr=errors, stdout=errors)
    try:
        collector = Collector(popen, ports, telemetry_port, log)
        _wait_until_ready(collector)
        yield collector
    finally:
        popen.kill()
        popen.wait()


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    probes = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _config(ports: Mapping[str, int], telemetry: int, tracer: Mapping[str, str]) -> dict[str, Any]:
    """Its defaults, but for how long it tries: as long as a test runs."""
    patience = {
        "retry_on_failure": {
            "enabled": True,
            "initial_interval": "500ms",
            "max_interval": "5s",
            "max_elapsed_time": "10m",
        },
        "sending_queue": {"enabled": True, "queue_size": 10_000},
    }
    reader = {"pull": {"exporter": {"prometheus": {"host": HOST, "port": telemetry}}}}
    names = {way: way.replace("/", "-") for way in WAYS}
    return {
        "receivers": {
            f"otlp/{names[way]}": {"protocols": {"grpc": {"endpoint": f"{HOST}:{port}"}}}
            for way, port in ports.items()
        },
        "processors": {"batch": {}},
        "exporters": {
            "otlp_grpc/grpc": {"endpoint": tracer["grpc"], "tls": {"insecure": True}, **patience},
            "otlp_http/http-protobuf": {"endpoint": tracer["http"], **patience},
            "otlp_http/http-json": {"endpoint": tracer["http"], "encoding": "json", **patience},
        },
        "service": {
            "telemetry": {"metrics": {"level": "normal", "readers": [reader]}},
            "pipelines": {
                f"traces/{names[way]}": {
                    "receivers": [f"otlp/{names[way]}"],
                    "processors": ["batch"],
                    "exporters": [f"{'otlp_grpc' if way == 'grpc' else 'otlp_http'}/{names[way]}"],
                }
                for way in WAYS
            },
        },
    }


def _wait_until_ready(collector: Collector) -> None:
    give_up_s = time.monotonic() + START_S
    while time.monotonic() < give_up_s and collector.popen.poll() is None:
        try:
            collector.failed()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise CannotJudge(f"the collector does not start:\n{collector.log.read_text()[-2000:]}")
