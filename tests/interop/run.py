"""Real SDKs against a real tracer: what is stored is what was meant, whatever way it came.

    python -m tests.interop.run

One file describes the traces. A Node.js application and a Python one make them with their SDK and
send them over every protocol, plain and compressed; they are then read back from the API and
compared with the description. Exit code 0: all as described; 1: not; 3: could not judge (no
Node.js, or its packages cannot be installed).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.cli.serving import Server, serving
from tests.interop.normal_form import described, differences, sdk_language, stored
from tracer.report.tables import Column, draw, table

HERE: Final = Path(__file__).resolve().parent
TRACES: Final = HERE / "traces.json"
INSTALL_S: Final = 300.0
SEND_S: Final = 60.0
NODE: Final = "node"
PYTHON: Final = "python"
SENDERS: Final = (
    (NODE, "grpc"),
    (NODE, "http/json"),
    (NODE, "http/protobuf"),
    (PYTHON, "grpc"),
    (PYTHON, "http/protobuf"),
)
COMPRESSIONS: Final = ("none", "gzip")
LANGUAGE: Final = {NODE: "nodejs", PYTHON: "python"}
APP: Final = "tests.interop.python_app"


class CannotJudge(Exception):
    """Something outside tracer is missing."""


@dataclass(frozen=True)
class Row:
    """One application, one protocol."""

    sender: str
    protocol: str
    compression: str
    traces: int
    spans: int
    differences: list[str]


def main() -> int:
    """Install, serve, send, compare, print."""
    with tempfile.TemporaryDirectory(prefix="interop-") as directory:
        try:
            node = installed(Path(directory) / "node")
        except CannotJudge as reason:
            sys.stderr.write(f"cannot judge: {reason}\n")
            return 3
        with serving(Path(directory)) as server:
            rows = [
                judged(server, node, sender, protocol, compression)
                for sender, protocol in SENDERS
                for compression in COMPRESSIONS
            ]
            if code := server.stop():
                sys.stderr.write(f"tracer ended with {code}:\n{server.said()}")
                return 1
    sys.stdout.write(report(rows))
    return 1 if any(row.differences for row in rows) else 0


def installed(directory: Path) -> Path:
    """A copy of the Node.js application with its packages. Raises CannotJudge."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise CannotJudge(f"{tool} is not on the PATH; install Node.js 20 or newer")
    shutil.copytree(HERE / "node", directory, ignore=shutil.ignore_patterns("node_modules"))
    try:
        done = subprocess.run(
            ["npm", "install", "--loglevel=error"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_S,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotJudge(f"npm install took more than {INSTALL_S:.0f} s") from error
    if done.returncode:
        raise CannotJudge(f"npm install failed:\n{done.stderr[-2000:]}")
    return directory / "app.mjs"


def judged(server: Server, node: Path, sender: str, protocol: str, compression: str) -> Row:
    """Sends once and compares what is stored with the description."""
    port = server.ports["otlp_grpc" if protocol == "grpc" else "otlp_http"]
    program = ["node", str(node)] if sender == NODE else [sys.executable, "-m", APP]
    done = subprocess.run(
        [*program, str(TRACES), protocol, compression, f"http://127.0.0.1:{port}"],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=SEND_S,
    )
    if done.returncode:
        failed = f"ended with {done.returncode}: {done.stderr[-2000:]}"
        return Row(sender, protocol, compression, 0, 0, [failed])
    documents = [
        document
        for trace_id in json.loads(done.stdout)
        if (document := read_back(server, trace_id)) is not None
    ]
    arrived = stored(documents)
    wrong = differences(described(json.loads(TRACES.read_text(encoding="utf-8"))), arrived)
    if sdk_language(documents) != {LANGUAGE[sender]}:
        wrong.append(f"SDK language is {sdk_language(documents)}")
    spans = sum(len(trace) for trace in arrived)
    return Row(sender, protocol, compression, len(arrived), spans, wrong)


def read_back(server: Server, trace_id: str) -> dict[str, Any] | None:
    """The trace as OTLP/JSON; None when it is not there. What is acknowledged needs no waiting."""
    answer = httpx.get(f"{server.url}/api/v1/traces/{trace_id}", params={"format": "otlp"})
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    document: dict[str, Any] = answer.json()
    return document


def report(rows: list[Row]) -> str:
    """The table, and below it what differs."""
    columns = (
        Column("sender"),
        Column("protocol"),
        Column("compression"),
        Column("traces", is_number=True),
        Column("spans", is_number=True),
        Column("same?"),
    )
    cells = [
        (
            *(row.sender, row.protocol, row.compression, row.traces, row.spans),
            "NO" if row.differences else "yes",
        )
        for row in rows
    ]
    wrong = "".join(
        f"{row.sender} {row.protocol} {row.compression}: {line}\n"
        for row in rows
        for line in row.differences
    )
    return draw([table(columns, cells)], width=100, colour=False) + wrong


if __name__ == "__main__":
    sys.exit(main())
