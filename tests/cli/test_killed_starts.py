"""Killed again and again while it starts for the first time, it starts all the same."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.cli.serving import ANY_PORTS, START_S, TRACER, command, environment, serving
from tests.cli.test_data import otlp_line


def killed_at(data: Path, tables: int) -> None:
    """Starts it and kills it as soon as so many tables are defined."""
    with subprocess.Popen(
        [*TRACER, "serve", *ANY_PORTS, "--data", str(data)],
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as starting:
        give_up_s = time.monotonic() + START_S
        while len([*data.glob("store/metadata/tracer/*.sql")]) < tables:
            assert starting.poll() is None
            assert time.monotonic() < give_up_s
        starting.kill()


def test_a_start_that_was_killed_is_taken_up(tmp_path: Path) -> None:
    for tables in (0, 2, 8):
        killed_at(tmp_path / "data", tables)
    with serving(tmp_path) as running:
        (tmp_path / "traces.jsonl").write_text(otlp_line(1))
        done = command("import", str(tmp_path / "traces.jsonl"), "--server", running.url)
        assert done.returncode == 0, done.stderr
        assert len(running.said().splitlines()) == 1
