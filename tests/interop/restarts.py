"""Real exporters while tracer is restarted: nothing acknowledged is lost, nothing counted twice.

    python -m tests.interop.restarts [collector|sdk] [--restarts 5] [--seconds 60] [--seed N]

Two runs. In one, senders export to a real OpenTelemetry Collector, which passes everything on over
gRPC and over HTTP; in the other the SDKs of Python and Node.js export by themselves. Meanwhile
tracer is ended five times, by SIGKILL and SIGTERM in turn, and started again. At the end every span
of an export that was acknowledged must be read once, and facts and minutes must be what the raw
spans say. Exit code 0: they are; 1: not; 3: a client could not be had (no Go, no Node.js).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Final

from tests.cli.serving import Server
from tests.interop import collector
from tests.interop.outcome import Kept, Told, drawn, judge
from tests.interop.outside import HERE, CannotJudge, node_application
from tests.interop.restarting import Restarts
from tests.soak import ledger, stored
from tests.soak.kill import export, settled
from tracer.service.open import open_context
from tracer.settings import Settings

ROOT: Final = HERE.parents[1]
LAST_S: Final = 5.0  # of traffic after the last start
FLUSH_S: Final = 180.0
PYTHON: Final = ("grpc", "http/protobuf")
NODE: Final = ("grpc", "http/protobuf", "http/json")


@dataclass(frozen=True)
class Options:
    """What is asked for; rates are spans a second and client."""

    restarts: int
    seconds: float
    seed: int
    collector_rate: int
    sdk_rate: int


@dataclass
class Client:
    """A sender as a process; its ledgers are in `directory`."""

    name: str
    directory: Path
    popen: subprocess.Popen[bytes]
    made: int = 0

    def finish(self) -> str:
        """No more spans; waits until it is rid of all. What went wrong, or ''."""
        said, _ = self.popen.communicate(timeout=FLUSH_S)
        self.made = int(said or 0)
        if self.popen.returncode == 0:
            return ""
        return f"{self.name} ended with {self.popen.returncode}: {self.errors()[-2000:]}"

    def errors(self) -> str:
        """What it wrote to standard error."""
        return (self.directory / "stderr").read_text(encoding="utf-8")

    def spans(self, of: str) -> list[str]:
        """The spans in one of its ledgers, which need not be there."""
        path = self.directory / of
        return [span for one in ledger.read(path) for span in one.spans] if path.exists() else []


def main(arguments: Sequence[str]) -> int:
    """Every run that can be judged, a table each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("runs", nargs="*", default=[], help=" or ".join(RUNS))
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000)
    parser.add_argument("--collector-rate", type=int, default=2_000)
    parser.add_argument("--sdk-rate", type=int, default=500)
    asked = vars(parser.parse_args(arguments))
    names = asked.pop("runs") or list(RUNS)
    if unknown := set(names) - RUNS.keys():
        parser.error(f"no run is called {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}")
    codes = [_judged(name, Options(**asked)) for name in names]
    return next((code for code in (1, 3) if code in codes), 0)


def _judged(name: str, options: Options) -> int:
    sys.stdout.write(f"{name}: {options.restarts} restarts, seed {options.seed}\n")
    with tempfile.TemporaryDirectory(prefix="restarts-") as directory:
        try:
            told, kept, tracer = RUNS[name](Path(directory), options)
        except CannotJudge as reason:
            sys.stderr.write(f"cannot judge {name}: {reason}\n")
            return 3
    rows, problems = judge(told, kept)
    problems += tracer.problems
    sys.stdout.write(drawn(rows, kept.found) + f"ended: {'; '.join(tracer.lines)}\n")
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


def through_collector(directory: Path, options: Options) -> tuple[list[Told], Kept, Restarts]:
    """What the collector accepted, it alone has: it must bring all of it to tracer."""
    binary = collector.program()
    tracer = Restarts(directory)
    with ExitStack() as running:
        agent = running.enter_context(collector.collecting(binary, directory, tracer.urls))
        clients = [
            running.enter_context(_soak_sender(directory, way, agent.ports[way], options))
            for way in collector.WAYS
        ]
        accepted: dict[str, list[str]] = {}

        def finish() -> None:
            tracer.problems += [wrong for client in clients if (wrong := client.finish())]
            for way, client in zip(collector.WAYS, clients, strict=True):
                accepted[way] = client.spans("acknowledged")
            if not agent.drained({way: len(spans) for way, spans in accepted.items()}):
                tracer.problems.append(f"the collector does not empty: {agent.log.read_text()}")
            given_up.update(agent.failed())
            if code := agent.stop():
                tracer.problems.append(f"the collector ended with {code}")

        given_up: dict[str, int] = {}
        kept = _sent(tracer, options, finish)
    told = [
        Told(f"collector {way}", len(spans), spans, given_up[way])
        for way, spans in accepted.items()
    ]
    return told, kept, tracer


def from_sdks(directory: Path, options: Options) -> tuple[list[Told], Kept, Restarts]:
    """What the SDK calls a success must be there; what it gives up may be."""
    tracer = Restarts(directory)
    node = node_application(directory / "node")
    python = (sys.executable, "-m", "tests.interop.steady_python")
    programs = [(f"python {way}", python, way) for way in PYTHON]
    programs += [(f"node {way}", ("node", str(node / "steady.mjs")), way) for way in NODE]
    with ExitStack() as running:
        clients = []
        for name, program, way in programs:
            url = tracer.urls["grpc" if way == "grpc" else "http"]
            into = directory / name.replace("/", "-").replace(" ", "-")
            command = (*program, way, url, str(into), str(options.sdk_rate))
            clients.append(running.enter_context(_client(name, into, command)))

        def finish() -> None:
            tracer.problems += [wrong for client in clients if (wrong := client.finish())]

        kept = _sent(tracer, options, finish)
        told = []
        for client in clients:
            failed = client.spans("failed")
            told.append(
                Told(client.name, client.made, client.spans("acknowledged"), len(failed), failed)
            )
            if failed:
                last = (client.errors().strip().splitlines() or ["it does not say why"])[-1]
                sys.stdout.write(f"{client.name} gave up on {len(failed)} spans: {last}\n")
    return told, kept, tracer


RUNS: Final[dict[str, Callable[[Path, Options], tuple[list[Told], Kept, Restarts]]]] = {
    "collector": through_collector,
    "sdk": from_sdks,
}


def _sent(tracer: Restarts, options: Options, finish: Callable[[], None]) -> Kept:
    """Restarts under load, then all that the last process has once the clients are done."""
    tracer.under_load(options.restarts, options.seconds, options.seed)
    with tracer.serving() as server:
        time.sleep(LAST_S)
        finish()
        ended_s = time.time()
        read = export(server)
        if not settled(server, ended_s):
            tracer.problems.append("analysis did not come to rest")
        _end(tracer, server)
    with open_context(Settings(data=str(tracer.directory / "data"))) as context:
        again = context.engine.rows(
            "SELECT concat(TraceId, '-', SpanId), count() FROM otel_traces "
            "GROUP BY TraceId, SpanId HAVING count() > 1"
        )
        rows = {str(span): int(count) for span, count in again}
        return Kept(read, rows, stored.compare(context.engine))


def _end(tracer: Restarts, server: Server) -> None:
    tracer.end(server, SIGTERM)
    if "Traceback" in server.said():
        tracer.problems.append(f"tracer wrote a traceback: {server.said()[-2000:]}")


@contextmanager
def _soak_sender(directory: Path, way: str, port: int, options: Options) -> Iterator[Client]:
    """Traces in pieces, sent until the collector takes them; none is sent twice on purpose."""
    name = f"sender {way}"
    into = directory / name.replace("/", "-").replace(" ", "-")
    seed = options.seed + collector.WAYS.index(way)
    command = (
        *(sys.executable, "-m", "tests.soak.sender", f"127.0.0.1:{port}"),
        *(str(into / "acknowledged"), str(options.collector_rate), str(seed), "0"),
    )
    with _client(name, into, command) as client:
        yield client


@contextmanager
def _client(name: str, directory: Path, command: Sequence[str]) -> Iterator[Client]:
    directory.mkdir()
    with (directory / "stderr").open("wb") as errors:
        popen = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
    try:
        yield Client(name, directory, popen)
    finally:
        popen.kill()
        popen.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
