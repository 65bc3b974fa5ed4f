"""Hostile requests through both receivers of a real tracer: no crash, no hang, no wrong answer.

    python -m tests.fuzz.run [--requests 1000000] [--seed N] [--streams 400] [--minutes M]

Half of them go over gRPC, a quarter each over HTTP as protobuf and as JSON. What must be answered
is said by `expected`, which knows nothing of tracer's decoders. Afterwards tracer must still run
and take spans, its memory must be bounded, it must have logged no traceback, and the store must
hold exactly the spans that were taken. Exit code 0: all of that; 1: not.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import httpx
import psutil

from tests.cli.serving import Server, serving
from tests.fuzz.expected import Sums
from tests.fuzz.sample import GRPC, HTTP
from tests.fuzz.worker import Plan, Tally, work
from tracer.service.open import open_context
from tracer.settings import Settings

FLAGS: Final = ("--settle", "5s", "--root-wait", "10s", "--log-level", "warning")
PORTS: Final = {GRPC: "otlp_grpc", HTTP: "otlp_http"}
MOST_RSS: Final = 4 << 30  # the engine alone may use half of it
LOOK_S: Final = 1.0
AFTER: Final = 50  # requests per transport that are sent once all is over,
AFTER_STREAMS: Final = 10  # this many at a time: each waits for a block


@dataclass(frozen=True)
class Asked:
    """What a run is to do."""

    requests: int
    seed: int
    streams: int
    longest_s: float


@dataclass
class Memory:
    """Resident memory of a process while it works."""

    process: psutil.Process
    over: threading.Event = field(default_factory=threading.Event)
    rss: list[int] = field(default_factory=list)

    def watch(self) -> None:
        """Looks again and again until it is over, or the process is."""
        while not self.over.wait(LOOK_S):
            try:
                self.rss.append(self.process.memory_info().rss)
            except psutil.NoSuchProcess:
                return

    def quarters(self) -> list[int]:
        """The most in each quarter of the time, in MiB."""
        size = max(1, len(self.rss) // 4)
        return [max(self.rss[at : at + size]) >> 20 for at in range(0, len(self.rss), size)][:4]


@dataclass
class Outcome:
    """Everything a run found."""

    tallies: dict[str, Tally]
    problems: list[str]
    lines: list[str]


def main(arguments: Sequence[str]) -> int:
    """Send, judge, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000)
    parser.add_argument("--streams", type=int, default=400)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end then, if not done")
    args = parser.parse_args(arguments)
    sys.stdout.write(f"seed {args.seed}, {args.requests} requests\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        asked = Asked(args.requests, args.seed, args.streams, 60 * args.minutes)
        outcome = fuzz(Path(name), asked)
    sys.stdout.write(drawn(outcome))
    return 1 if outcome.problems else 0


def fuzz(directory: Path, asked: Asked) -> Outcome:
    """One server, one worker process a transport."""
    with serving(directory, *FLAGS) as server:
        memory = Memory(psutil.Process(server.popen.pid))
        watching = threading.Thread(target=memory.watch)
        watching.start()
        began_s = time.monotonic()
        try:
            tallies = _sent(server, asked)
            took_s = time.monotonic() - began_s
            used_s = sum(memory.process.cpu_times()[:2])
            problems = _still_well(server, tallies, asked.seed)
        finally:
            memory.over.set()
            watching.join()
        if code := server.stop():
            problems.append(f"tracer ended with {code}")
        if "Traceback" in server.said():
            problems.append(f"tracer wrote a traceback:\n{server.said()[-4000:]}")
    told = sum((tally.stored for tally in tallies.values()), Sums())
    kept = stored(directory / "data")
    if kept != told:
        problems.append(f"the store has {kept}, taken were {told}")
    if memory.rss and max(memory.rss) > MOST_RSS:
        problems.append(f"memory grew to {max(memory.rss) >> 20} MiB")
    for tally in tallies.values():
        problems += [f"{count} × {sort}" for sort, count in tally.wrong.most_common()]
    requests = sum(tally.requests for tally in tallies.values())
    clients_s = sum(tally.used_s for tally in tallies.values())
    lines = [
        f"{requests} requests in {took_s:.0f} s ({used_s:.0f} s of processor time in tracer, "
        f"{clients_s:.0f} s in clients)",
        f"{kept.spans} spans stored, {told.spans} taken",
        f"resident memory by quarters of the run: {memory.quarters()} MiB",
        f"tracer wrote {len(server.said().splitlines())} lines to standard error",
    ]
    return Outcome(tallies, problems, lines)


def _sent(server: Server, asked: Asked) -> dict[str, Tally]:
    now_ns = time.time_ns()
    plans = [
        Plan(
            *(transport, server.ports[port], asked.requests // 2, asked.seed, now_ns),
            *(asked.streams, asked.longest_s),
        )
        for transport, port in PORTS.items()
    ]
    with ProcessPoolExecutor(len(plans), mp_context=get_context("spawn")) as pool:
        return {
            plan.transport: tally for plan, tally in zip(plans, pool.map(work, plans), strict=True)
        }


def _still_well(server: Server, tallies: dict[str, Tally], seed: int) -> list[str]:
    """Sends a few more; those count like all others."""
    if server.popen.poll() is not None:
        return [f"tracer is gone: {server.said()[-4000:]}"]
    problems = []
    for transport, port in PORTS.items():
        plan = Plan(transport, server.ports[port], AFTER, ~seed, time.time_ns(), AFTER_STREAMS)
        after = work(plan)
        tallies[transport].stored += after.stored
        tallies[transport].wrong += after.wrong
        if not after.answers["accepted"]:
            problems.append(f"{transport} takes nothing any more: {dict(after.answers)}")
    told = httpx.get(f"{server.url}/metrics").raise_for_status().text
    failures = re.search(r"^tracer_analysis_failures\S* (\S+)$", told, re.MULTILINE)
    if not failures or float(failures[1]):
        problems.append(f"analysis failed: {failures and failures[0]}")
    return problems


def stored(data: Path) -> Sums:
    """What a stopped tracer left behind."""
    with open_context(Settings(data=str(data))) as context:
        ((spans, ids, durations_ns),) = context.engine.rows(
            "SELECT count(), sum(reinterpretAsUInt64(unhex(SpanId))), sum(Duration) "
            "FROM otel_traces"
        )
    return Sums(int(spans), int(ids), int(durations_ns))


def drawn(outcome: Outcome) -> str:
    """Answers by transport, known differences, then what is wrong with the bytes that show it."""
    lines = []
    for transport, tally in outcome.tallies.items():
        counts = ", ".join(f"{count} {answer}" for answer, count in tally.answers.most_common(8))
        lines.append(f"{transport}: {counts}")
        lines += [f"  come again: {count} × {why}" for why, count in tally.retried.items()]
        lines += [f"  known: {count} × {why}" for why, count in tally.known.items()]
    lines += outcome.lines
    for tally in outcome.tallies.values():
        for one in tally.shown:
            said = one.got.message or one.got.problem
            lines.append(f"{one.sort}\n  {one.sample}: {said}\n  {one.sample.body.hex()}")
    return "\n".join([*lines, *outcome.problems]) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
