"""A tracer that is ended and started again, on the same directory and ports, while clients send."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGABRT, SIGKILL, SIGTERM, Signals
from typing import Final

from tests.cli.serving import Server, serving
from tests.interop.collector import free_ports
from tests.soak.kill import FLAGS

SIGNALS: Final = (SIGKILL, SIGTERM)  # in turn
AWAY_S: Final = (0.2, 3.0)


@dataclass
class Restarts:
    """The tracer of a run, and what became of its processes."""

    directory: Path
    ports: list[int] = field(default_factory=lambda: free_ports(2))
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def urls(self) -> dict[str, str]:
        """Where to export to."""
        grpc, http = self.ports
        return {"grpc": f"http://127.0.0.1:{grpc}", "http": f"http://127.0.0.1:{http}"}

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """One process."""
        (self.directory / "ports.json").unlink(missing_ok=True)  # a killed one leaves its own
        grpc, http = map(str, self.ports)
        flags = (*FLAGS, "--otlp-grpc-port", grpc, "--otlp-http-port", http)
        with serving(self.directory, *flags) as server:
            yield server

    def end(self, server: Server, how: Signals) -> None:
        """Ends the process; one that was asked to must end well."""
        began_s = time.monotonic()
        try:
            code = server.stop(how)
        except subprocess.TimeoutExpired:
            code = server.stop(SIGABRT)  # with PYTHONFAULTHANDLER=1 it says where it stood
        if how == SIGTERM and code:
            self.problems.append(f"tracer ended with {code}: {server.said()[-8000:]}")
        self.lines.append(f"{how.name}, gone after {time.monotonic() - began_s:.1f} s")

    def under_load(self, count: int, seconds: float, seed: int) -> None:
        """`count` lives of `seconds` together, each ended by the next signal."""
        moments = random.Random(seed)
        for number in range(count):
            with self.serving() as server:
                time.sleep(seconds / count * moments.uniform(0.6, 1.4))
                self.end(server, SIGNALS[number % len(SIGNALS)])
            time.sleep(moments.uniform(*AWAY_S))
