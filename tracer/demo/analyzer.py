"""The analyzer as its users know it: a command to start, an HTTP API to ask."""

from __future__ import annotations

import shlex
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import urlencode

from tracer.demo import environment
from tracer.demo.children import DemoFailure
from tracer.demo.loopback import HOST, Json, send

DEFAULT_PORTS: Final = {"grpc": 4317, "http/protobuf": 4318, "api": 8000}
ASK_S: Final = 60.0
LIMIT: Final = 5  # traces in the report


@dataclass(frozen=True)
class Period:
    """Half-open, UTC nanoseconds; between the two parts the fault is being switched on."""

    baseline_start_ns: int
    baseline_end_ns: int
    start_ns: int
    end_ns: int

    def as_words(self) -> dict[str, str]:
        """The four moments under the names that the API and the command line give them."""
        return {
            "start": rfc3339(self.start_ns),
            "end": rfc3339(self.end_ns),
            "baseline-start": rfc3339(self.baseline_start_ns),
            "baseline-end": rfc3339(self.baseline_end_ns),
        }


def rfc3339(moment_ns: int) -> str:
    """UTC, to the millisecond below."""
    moment = datetime.fromtimestamp(moment_ns // 1_000_000 / 1e3, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def choose_ports() -> dict[str, int]:
    """The default ports where they are free, others where not; all different."""
    with ExitStack() as held:
        probes = {name: held.enter_context(socket.socket()) for name in DEFAULT_PORTS}
        return {name: _bind(probe, DEFAULT_PORTS[name]) for name, probe in probes.items()}


def _bind(probe: socket.socket, wanted: int) -> int:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, wanted))
    except OSError:
        probe.bind((HOST, 0))
    return int(probe.getsockname()[1])


def serve_command(
    program: Sequence[str], data: Path, ports: Mapping[str, int], settle_s: float
) -> list[str]:
    """What starts the server on its data directory."""
    flags = {
        "--data": str(data),
        "--host": HOST,
        "--otlp-grpc-port": str(ports["grpc"]),
        "--otlp-http-port": str(ports["http/protobuf"]),
        "--api-port": str(ports["api"]),
        "--settle": f"{settle_s:g}s",
    }
    return [*program, "serve", *(word for flag in flags.items() for word in flag)]


def is_ready(api_port: int) -> bool:
    """Whether it takes spans and answers questions."""
    try:
        status, _ = send(api_port, "GET", "/api/v1/health/ready", timeout_s=2.0)
    except OSError:
        return False
    return status == 200


def slow_traces(api_port: int, period: Period) -> Json:
    """The report on a period. Raises DemoFailure when there is no answer."""
    words = {name.replace("-", "_"): moment for name, moment in period.as_words().items()}
    path = f"/api/v1/slow-traces?{urlencode({**words, 'limit': LIMIT})}"
    try:
        status, report = send(api_port, "GET", path, timeout_s=ASK_S)
    except OSError as error:
        raise DemoFailure(f"GET {path}: {error!r}") from error
    if status != 200:
        raise DemoFailure(f"GET {path} answered {status}: {report}")
    return report


def slow_command(program: Sequence[str], source: Sequence[str], period: Period) -> list[str]:
    """What prints the report on a terminal; `source` is `--server URL` or `--data DIR`."""
    flags = [word for name, at in period.as_words().items() for word in (f"--{name}", at)]
    return [*program, "slow", *source, *flags, "--limit", str(LIMIT)]


def export_command(program: Sequence[str], url: str, period: Period, file: Path) -> list[str]:
    """What writes everything from the start of the baseline on as OTLP JSON lines."""
    moments = ["--start", rfc3339(period.baseline_start_ns), "--end", rfc3339(period.end_ns)]
    return [*program, "export", "--server", url, *moments, "--output", str(file)]


def run_command(command: Sequence[str], output: TextIO) -> None:
    """Run one to its end, its stdout to `output`. Raises DemoFailure when it fails."""
    output.flush()
    code = subprocess.run(
        command,
        check=False,
        env=environment.clean(),
        stdin=subprocess.DEVNULL,
        stdout=output,
    ).returncode
    if code != 0:
        raise DemoFailure(f"{shlex.join(command)}: exit code {code}")
