"""A real `tracer serve` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 60.0
TRACER = (sys.executable, "-m", "tracer")
ANY_PORTS = ("--otlp-grpc-port", "0", "--otlp-http-port", "0", "--api-port", "0")


@dataclass
class Server:
    """A running server; `ports` as its ports file says them."""

    popen: subprocess.Popen[bytes]
    ports: dict[str, int]
    directory: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['api']}"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def said(self) -> str:
        """Everything it wrote to standard error."""
        return (self.directory / "stderr").read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; gives its exit code."""
        self.popen.send_signal(how)
        return self.popen.wait(START_S)


def environment() -> dict[str, str]:
    """Ours, without settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TRACER_")}


@contextmanager
def serving(directory: Path, *flags: str) -> Iterator[Server]:
    """A server on `directory/data`, ready; killed at the end if it still runs."""
    ports_file = directory / "ports.json"
    flags = ("--data", str(directory / "data"), "--ports-file", str(ports_file), *flags)
    with (directory / "stderr").open("ab") as errors:
        popen = subprocess.Popen(
            [*TRACER, "serve", *ANY_PORTS, *flags], stderr=errors, env=environment()
        )
    try:
        give_up_s = time.monotonic() + START_S
        while not ports_file.exists():
            assert popen.poll() is None, (directory / "stderr").read_text()
            assert time.monotonic() < give_up_s, "not ready in time"
            time.sleep(0.02)
        yield Server(popen, json.loads(ports_file.read_text()), directory)
    finally:
        popen.kill()
        popen.wait()


def command(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    """A command line in a process of its own."""
    return subprocess.run(
        [*TRACER, *arguments],
        capture_output=True,
        text=True,
        env={**environment(), **options},
        check=False,
        timeout=60,
    )
