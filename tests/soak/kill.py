"""Kills a busy tracer again and again, and counts what is left.

    python -m tests.soak.kill [--rounds 3] [--rate 20000] [--seed N]

A sender exports over gRPC and retries like an SDK; it writes down what was acknowledged. The server
is killed with SIGKILL at a random moment and started again on the same directory. At the end every
acknowledged span must be there once, and facts and closed minutes must be what the raw spans say.
Exit code 0: they are; 1: they are not, or something ended as it should not.
"""

from __future__ import annotations

import argparse
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import Final

import httpx
import orjson

from tests.cli.serving import Server, serving
from tests.soak import ledger, stored, verdict

ROOT: Final = Path(__file__).resolve().parents[2]
SETTLE_S: Final = 2
FLAGS: Final = ("--settle", f"{SETTLE_S}s", "--root-wait", "4s", "--log-level", "warning")
BUSY_S: Final = (3.0, 10.0)  # a kill comes so long after the start
AWAY_S: Final = (0.2, 6.0)  # and the start so long after a kill
LAST_S: Final = 5.0  # of traffic after the last start
SENDER_S: Final = 120.0
STILL_S: Final = 6.0  # settled: nothing to do for so long
SETTLED_S: Final = 120.0


@dataclass
class Run:
    """What happened."""

    lived_s: list[float] = field(default_factory=list)
    kills_ns: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def main() -> int:
    """Kill, wait, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000)
    args = parser.parse_args()
    return kill(args.rounds, args.rate, args.seed)


def kill(rounds: int, rate: float, seed: int) -> int:
    """The exit code; prints what happened."""
    sys.stdout.write(f"seed {seed}, {rounds} kills, {rate:.0f} spans/s wanted\n")
    run = Run()
    with tempfile.TemporaryDirectory(prefix="crash-") as name:
        directory = Path(name)
        exported = kill_and_export(directory, rounds, rate, seed, run)
        entries = list(ledger.read(directory / "ledger"))
        found = stored.examine(directory / "data")
    judged = verdict.judge(run.kills_ns, entries, exported, found)
    problems = run.problems + judged.problems
    sys.stdout.write(verdict.drawn(judged, run.lived_s))
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


def kill_and_export(directory: Path, rounds: int, rate: float, seed: int, run: Run) -> Counter[str]:
    """All rounds; how often each span is in an export, read while the last server runs."""
    moments = random.Random(seed)
    port = free_port()
    with sending(directory, port, rate, seed) as sender:
        for _ in range(rounds):
            with serving_on(directory, port) as server:
                _kill(server, moments.uniform(*BUSY_S), run)
            time.sleep(moments.uniform(*AWAY_S))
        with serving_on(directory, port) as server:
            time.sleep(LAST_S)
            end(sender, run)
            ended_s = time.time()
            exported = export(server)
            if not settled(server, ended_s):
                run.problems.append(f"analysis did not come to rest: {_progress(server)}")
            if code := server.stop():
                run.problems.append(f"tracer ended with {code}: {server.said()[-2000:]}")
            if (server.data / "tracer.lock").exists():
                run.problems.append("the lock file was left behind")
    return exported


def free_port() -> str:
    """A port that every server of the run listens on, so that the sender finds it again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def serving_on(directory: Path, port: str) -> Iterator[Server]:
    (directory / "ports.json").unlink(missing_ok=True)  # a killed server leaves its own
    with serving(directory, *FLAGS, "--otlp-grpc-port", port) as server:
        yield server


def _kill(server: Server, after_s: float, run: Run) -> None:
    time.sleep(after_s)
    run.kills_ns.append(time.time_ns())
    run.lived_s.append(after_s)
    server.stop(SIGKILL)


@contextmanager
def sending(
    directory: Path, port: str, rate: float, seed: int
) -> Iterator[subprocess.Popen[bytes]]:
    """The sender as a process of its own."""
    popen = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.soak.sender", f"127.0.0.1:{port}"),
            *(str(directory / "ledger"), str(rate), str(seed)),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield popen
    finally:
        popen.kill()
        popen.wait()


def end(sender: subprocess.Popen[bytes], run: Run) -> None:
    """No more traces; waits until all that were made are acknowledged."""
    _, errors = sender.communicate(timeout=SENDER_S)
    if sender.returncode:
        run.problems.append(f"the sender: {errors.decode()[-2000:]}")


def export(server: Server) -> Counter[str]:
    """How often each span is read back."""
    found: Counter[str] = Counter()
    with httpx.stream("GET", f"{server.url}/api/v1/export", timeout=SENDER_S) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            found.update(
                f"{span['traceId']}-{span['spanId']}"
                for group in orjson.loads(line)["resourceSpans"]
                for scope in group["scopeSpans"]
                for span in scope["spans"]
            )
    return found


def settled(server: Server, ended_s: float) -> bool:
    """Waits until the last minute has closed and analysis has had nothing to do for a while."""
    time.sleep(max(0.0, ended_s // 60 * 60 + 60 + 2 * SETTLE_S + 1 - time.time()))
    give_up_s = time.monotonic() + SETTLED_S
    before, since_s = "", time.monotonic()
    while time.monotonic() - since_s < STILL_S:
        if time.monotonic() > give_up_s:
            return False
        now = _progress(server)
        if now != before:
            before, since_s = now, time.monotonic()
        time.sleep(0.5)
    return True


def _progress(server: Server) -> str:
    """The counters and the lag of analysis, as the server says them."""
    told = ("tracer_traces_analysed", "tracer_rollups", "tracer_analysis_lag")
    lines = httpx.get(f"{server.url}/metrics", timeout=SENDER_S).text.splitlines()
    return "\n".join(line for line in lines if line.startswith(told))


if __name__ == "__main__":
    sys.exit(main())
