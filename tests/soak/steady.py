"""Minutes of steady traffic with analysis on: does tracer keep up, in bounded memory?

    python -m tests.soak.steady [--minutes 10] [--rate 100000]

The load generator of the benchmarks sends over gRPC from a process of its own on the same machine.
Exit code 0: everything acknowledged is stored once and analysed; 1: it is not. The numbers stand in
a table beside what is asked of them; whether a machine reaches them is not an error.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from tests.cli.serving import Server, serving
from tests.soak.scrape import scraped
from tracer.report.tables import Column, draw, table
from tracer.service.open import open_context
from tracer.settings import Settings

ROOT: Final = Path(__file__).resolve().parents[2]
STREAMS: Final = 32
LOOK_EVERY_S: Final = 5.0
SETTLE_S: Final = 10.0  # the default
LAG_ALLOWED_S: Final = SETTLE_S + 5
RSS_ALLOWED: Final = 1.5 * 2**30
SLOPE_ALLOWED: Final = 1.0  # % of RSS a minute, over the second half
CATCH_UP_S: Final = 180.0


@dataclass
class Looked:
    """The server, looked at again and again while the load runs."""

    at_s: list[float] = field(default_factory=list)
    rss_bytes: list[int] = field(default_factory=list)
    lag_s: list[float] = field(default_factory=list)
    queue_bytes: list[float] = field(default_factory=list)
    cpu_s: float = 0.0

    def slope(self) -> float:
        """% of RSS a minute over the second half, by least squares."""
        half = len(self.at_s) // 2
        minutes, rss = np.array(self.at_s[half:]) / 60, np.array(self.rss_bytes[half:], float)
        if len(minutes) < 2:
            return 0.0
        return float(np.polyfit(minutes, rss, 1)[0] / rss.mean() * 100)


def main() -> int:
    """Serve, load, look, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=100_000)
    args = parser.parse_args()
    return run(args.minutes, args.rate)


def run(minutes: float, rate: float) -> int:
    """The exit code; prints the table."""
    with tempfile.TemporaryDirectory(prefix="steady-") as name:
        directory = Path(name)
        with serving(directory, "--log-level", "warning") as server:
            load, looked = loaded(server, minutes * 60, rate)
            end_lag_s = _lag_s(server)
            caught_up = _catches_up(server)
            code = server.stop()
            said = server.said()
        stored, analysed = counted(directory / "data")
    problems = [
        *([f"tracer ended with {code}: {said[-2000:]}"] if code else []),
        *([f"{load['errors']} answered with an error"] if load["errors"] else []),
        *(["analysis did not catch up"] if not caught_up else []),
        *(_differs("stored", stored, load["accepted"])),
        *(_differs("analysed", analysed, load["accepted"])),
    ]
    sys.stdout.write(drawn(rate, load, looked, end_lag_s, (stored, analysed)))
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


def loaded(server: Server, seconds: float, rate: float) -> tuple[dict[str, Any], Looked]:
    """What the load generator printed, and what was seen meanwhile."""
    command = [
        *(sys.executable, "-m", "benchmarks.loadgen"),
        *("--target", f"127.0.0.1:{server.ports['otlp_grpc']}", "--streams", str(STREAMS)),
        *("--seconds", str(seconds), "--rate", str(rate)),
    ]
    looked = Looked()
    process = psutil.Process(server.popen.pid)
    before = process.cpu_times()
    began_s = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as sender:
        while sender.poll() is None:
            time.sleep(LOOK_EVERY_S)
            now = scraped(server)
            looked.at_s.append(time.monotonic() - began_s)
            looked.rss_bytes.append(process.memory_info().rss)
            looked.lag_s.append(now["tracer_analysis_lag_seconds"])
            looked.queue_bytes.append(now["tracer_queue_bytes"])
        output = sender.stdout.read() if sender.stdout else b""
    after = process.cpu_times()
    looked.cpu_s = after.user + after.system - before.user - before.system
    load: dict[str, Any] = json.loads(output)
    return load, looked


def _lag_s(server: Server) -> float:
    return scraped(server)["tracer_analysis_lag_seconds"]


def _catches_up(server: Server) -> bool:
    give_up_s = time.monotonic() + CATCH_UP_S
    while _lag_s(server) > 0:
        if time.monotonic() > give_up_s:
            return False
        time.sleep(1)
    return True


def counted(data: Path) -> tuple[int, int]:
    """Spans stored, and spans in facts."""
    with open_context(Settings(data=str(data))) as context:
        stored = context.engine.rows("SELECT count() FROM otel_traces")[0][0]
        analysed = context.engine.rows(
            "SELECT sum(SpanCount) FROM tracer_facts FINAL WHERE IsDeleted = 0"
        )[0][0]
    return int(stored), int(analysed)


def _differs(what: str, found: int, acknowledged: int) -> list[str]:
    return [] if found == acknowledged else [f"{acknowledged} acknowledged, {found} {what}"]


def drawn(
    rate: float,
    load: dict[str, Any],
    looked: Looked,
    end_lag_s: float,
    counts: tuple[int, int],
) -> str:
    """The table of numbers, asked and seen."""
    stored, analysed = counts
    seen = load["accepted"] / load["seconds"]
    peak, slope = max(looked.rss_bytes), looked.slope()
    rows: Sequence[Sequence[object]] = (
        ("acknowledged, spans/s", f"{rate:,.0f}", f"{seen:,.0f}", _yes(seen >= 0.99 * rate)),
        ("acknowledged, spans", "", f"{load['accepted']:,}", ""),
        ("stored, spans", "the same", f"{stored:,}", _yes(stored == load["accepted"])),
        ("analysed, spans", "the same", f"{analysed:,}", _yes(analysed == load["accepted"])),
        ("wait for an answer, p50 ms", "", f"{load['wait_p50_s'] * 1e3:,.0f}", ""),
        ("wait for an answer, p99 ms", "", f"{load['wait_p99_s'] * 1e3:,.0f}", ""),
        ("queue, peak MiB", "", f"{max(looked.queue_bytes) / 2**20:,.0f}", ""),
        (
            "analysis lag at the end, s",
            f"<= {LAG_ALLOWED_S:.0f}",
            f"{end_lag_s:.1f}",
            _yes(end_lag_s <= LAG_ALLOWED_S),
        ),
        ("analysis lag, worst, s", "", f"{max(looked.lag_s):.1f}", ""),
        (
            "RSS, peak MiB",
            f"<= {RSS_ALLOWED / 2**20:,.0f}",
            f"{peak / 2**20:,.0f}",
            _yes(peak <= RSS_ALLOWED),
        ),
        (
            "RSS slope, 2nd half, %/min",
            f"< {SLOPE_ALLOWED:g}",
            f"{slope:+.2f}",
            _yes(slope < SLOPE_ALLOWED),
        ),
        (
            "processor, us a span",
            "",
            f"{looked.cpu_s / load['accepted'] * 1e6:.1f}",
            "",
        ),
    )
    columns = (
        Column("what"),
        Column("asked", is_number=True),
        Column("seen", is_number=True),
        Column("reached?"),
    )
    return draw([table(columns, rows)], width=100, colour=False)


def _yes(reached: bool) -> str:
    return "yes" if reached else "NO"


if __name__ == "__main__":
    sys.exit(main())
