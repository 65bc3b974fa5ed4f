"""`tracer demo`: normal traffic, then a fault, then the report that should name it.

serve ready -> shop -> warm up | normal_s | fault on, fault_s | analysed -> report
                               baseline    candidate
"""

from __future__ import annotations

import importlib.util
import json
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from types import FrameType
from typing import Final

from tracer.demo import analyzer, children, environment, faults
from tracer.demo.analyzer import Period
from tracer.demo.children import Child, DemoFailure
from tracer.demo.faults import Fault
from tracer.demo.loopback import HOST, Json
from tracer.demo.progress import say, tick
from tracer.demo.shop import FLUSH_MS, Shop

START_S: Final = 60.0
ANALYSED_S: Final = 2.0  # from settled to analysed, on a busy machine
REPORT_S: Final = 30.0  # how long an empty report is asked for again
KEEPER_GRACE_S: Final = 30.0  # longer than the keeper gives the server and the directory
PROGRAM: Final = (sys.executable, "-m", "tracer")


@dataclass(frozen=True)
class Demo:
    """What runs; `ports` as in analyzer.DEFAULT_PORTS."""

    shop: Shop
    server: Child
    ports: dict[str, int]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.ports['api']}"

    def check(self) -> None:
        """Raises DemoFailure when a process has ended."""
        children.check((self.server, *self.shop.processes))


def run(
    *,
    fault: str | None = None,
    once: bool = False,
    json_output: bool = False,
    record: Path | None = None,
    data: Path | None = None,
    normal_s: float = 30.0,
    fault_s: float = 25.0,
    warm_up_s: float = 3.0,
    settle_s: float = 3.0,
    per_s: float = 16.0,
    seed: int = 1,
    program: Sequence[str] = PROGRAM,
) -> int:
    """Run the demo to its report, then until Ctrl-C unless `once`. Gives the exit code.

    `record` takes the traces as OTLP JSON lines, `data` keeps the store; without it everything is
    in a temporary directory that goes when we go. `program` is the analyzer's command. Call it in
    the main thread: it takes SIGTERM and SIGHUP for Ctrl-C meanwhile.
    """
    chosen = faults.BY_NAME.get(fault or faults.DEFAULT)
    if chosen is None:
        say(f"no fault is called {fault!r}; there are:\n{faults.describe()}")
        return 2
    if missing := _missing():
        say(f"{missing} is not installed; pip install 'tracer-analyzer[demo]' brings it")
        return 2
    reported = False
    try:
        with _signals_as_ctrl_c(), _running(data, program, settle_s) as demo:
            demo.shop.start_load(per_s, seed)
            _wait(demo, warm_up_s, "warming up")
            period = _provoke(demo, chosen, normal_s, fault_s)
            report = _ask(demo, period, settle_s)
            tick("")
            if json_output:
                _print_json(chosen, report)
            else:
                words, go_on = _next_steps(demo.url, period, data, once=once)
                _print_text(chosen, report, [*program, *words], go_on)
            if record:
                command = analyzer.export_command(program, demo.url, period, record)
                analyzer.run_command(command, sys.stderr)
                say(f"traces recorded in {record}")
            reported = True
            if not once:
                say("the shop goes on, with its fault; Ctrl-C ends it")
                _wait(demo, float("inf"), "fault on")
    except KeyboardInterrupt:
        say("ended")
        return 0 if reported else 130
    except DemoFailure as failure:
        say(f"the demo failed: {failure}")
        return 4
    return 0


def _missing() -> str:
    """The first module of the demo's extra that is not here, or ''."""
    needed = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.grpc", "uvicorn")
    for module in needed:
        try:
            found = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            return module
    return ""


@contextmanager
def _signals_as_ctrl_c() -> Iterator[None]:
    """The first signal interrupts; later ones are not heard, so that ending is not interrupted.

    Under nohup a closed terminal is no signal.
    """
    hang_up = () if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else (signal.SIGHUP,)
    heard = (signal.SIGINT, signal.SIGTERM, *hang_up)

    def interrupt(number: int, frame: FrameType | None) -> None:
        for one in heard:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _running(data: Path | None, program: Sequence[str], settle_s: float) -> Iterator[Demo]:
    """Server and shop; both end, and the scratch directory goes, however the block is left."""
    scratch = Path(tempfile.mkdtemp(prefix="tracer-demo-"))
    ports = analyzer.choose_ports()
    shop = Shop(scratch, ports)
    server: Child | None = None
    try:
        command = analyzer.serve_command(program, data or scratch / "data", ports, settle_s)
        server = children.start(
            "tracer serve",
            "tracer.demo.keeper",
            (str(scratch), *command),
            environment=environment.clean(),
            log=scratch / "serve.log",
        )
        demo = Demo(shop, server, ports)
        _say_ports(ports)
        _await_server(demo)
        say("starting the shop…")
        shop.start()
        yield demo
    finally:
        tick("ending…")
        shop.end()
        if server:
            children.end((server,), KEEPER_GRACE_S)
        rmtree(scratch, ignore_errors=True)
        tick("")


def _say_ports(ports: dict[str, int]) -> None:
    for name, port in analyzer.DEFAULT_PORTS.items():
        if ports[name] != port:
            say(f"port {port} ({name}) is taken; using {ports[name]}")
    say(
        f"starting tracer: API http://{HOST}:{ports['api']}, OTLP/gRPC {ports['grpc']}, "
        f"OTLP/HTTP {ports['http/protobuf']}"
    )


def _await_server(demo: Demo) -> None:
    give_up_s = time.monotonic() + START_S
    while not analyzer.is_ready(demo.ports["api"]):
        demo.check()
        if time.monotonic() > give_up_s:
            raise DemoFailure(f"tracer serve is not ready after {START_S:g} s")
        time.sleep(0.1)


def _provoke(demo: Demo, fault: Fault, normal_s: float, fault_s: float) -> Period:
    """Normal traffic, then the fault; it stays on."""
    say(f"normal traffic, {normal_s:g} s…")
    baseline_start_ns = time.time_ns()
    _wait(demo, normal_s, "normal traffic")
    say(f"{_fared(demo)}\nfault on: {fault.name}: {fault.sentence}, {fault_s:g} s…")
    baseline_end_ns = time.time_ns()
    demo.shop.turn(fault, True)
    start_ns = time.time_ns()
    _wait(demo, fault_s, "fault on")
    end_ns = time.time_ns()
    say(_fared(demo))
    return Period(baseline_start_ns, baseline_end_ns, start_ns, end_ns)


def _wait(demo: Demo, seconds: float, phase: str, over: Callable[[], bool] = lambda: False) -> None:
    """Wait, watching the processes, until the time or `over` comes."""
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0 and not over():
        demo.check()
        left = "" if left_s == float("inf") else f"{left_s:3.0f} s to go · "
        tick(f"{phase} · {left}{_fared(demo)}")
        time.sleep(min(0.25, left_s))


def _fared(demo: Demo) -> str:
    tally = demo.shop.load_tally()
    if not tally:
        return "no request answered yet"
    return "{answered} requests, {failed} failed, latest p95 {p95_ms:.0f} ms".format(**tally)


def _ask(demo: Demo, period: Period, settle_s: float) -> Json:
    """The report, once the last traces of the period have settled."""
    say("waiting for the last traces to settle…")
    _wait(demo, FLUSH_MS / 1e3 + settle_s + ANALYSED_S, "settling")
    report: Json = {}

    def found() -> bool:
        report.update(analyzer.slow_traces(demo.ports["api"], period))
        return bool(report.get("bottlenecks"))

    _wait(demo, REPORT_S, "analysing", found)
    return report


def _print_json(fault: Fault, report: Json) -> None:
    injected = {"fault": fault.name, "service": fault.service, "operation": fault.operation}
    document = {"schema": "tracer.demo/1", "injected": injected, "report": report}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def first_cause(report: Json) -> tuple[str, str] | None:
    """Service and operation that a report blames most, if it blames any."""
    causes = [one for one in report.get("bottlenecks", []) if one.get("role") != "symptom"]
    return (causes[0]["service"], causes[0]["operation"]) if causes else None


def _print_text(fault: Fault, report: Json, command: Sequence[str], go_on: Sequence[str]) -> None:
    """The report, what it should have found, and what can be done next."""
    analyzer.run_command(command, sys.stdout)
    named = first_cause(report)
    agrees = named == (fault.service, fault.operation)
    verdict = "names it first" if agrees else f"names {' · '.join(named) if named else 'nothing'}"
    lines = [
        "",
        f"Injected: {fault.name} in {fault.service} · {fault.operation} ({fault.sentence}).",
        f"The report {verdict}.",
        "",
        *go_on,
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _next_steps(
    url: str, period: Period, data: Path | None, *, once: bool
) -> tuple[list[str], list[str]]:
    """The words after `tracer` for the report, and lines with commands that will be answered."""
    source = ["--data", str(data)] if once and data else ["--server", url]
    words = analyzer.slow_command((), source, period)
    if once and not data:
        gone = "The traces go with the demo; tracer demo --once --data DIR keeps them."
        return [*words, "--no-commands"], [gone]
    commands = [["tracer", *words], ["tracer", "services", *source]]
    go_on = [f"  {shlex.join(command)}" for command in commands]
    if once:
        return words, [f"The traces stay in {data}:", *go_on]
    return words, [f"API and web page: {url}", *go_on, f"  curl '{url}/api/v1/services'"]
