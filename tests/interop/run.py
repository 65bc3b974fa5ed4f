"""Real SDKs against a real tracer: what is stored is what was meant, whatever way it came.

    python -m tests.interop.run [plain | restarts [collector|sdk] [--restarts 5] …]

Without a word both are done; what follows `restarts` is described in its module.

One file describes the traces. A Node.js application and a Python one make them with their SDK and
send them over every protocol, plain and compressed; they are then read back from the API and
compared with the description. Exit code 0: all as described; 1: not; 3: could not judge (no
Node.js, or its packages cannot be installed).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.cli.serving import Server, serving
from tests.interop import restarts
from tests.interop.normal_form import described, differences, sdk_language, stored
from tests.interop.outside import HERE, CannotJudge, node_application
from tracer.report.tables import Column, draw, table

TRACES: Final = HERE / "traces.json"
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


@dataclass(frozen=True)
class Row:
    """One application, one protocol."""

    sender: str
    protocol: str
    compression: str
    traces: int
    spans: int
    differences: list[str]


def main(arguments: Sequence[str]) -> int:
    """What is asked for; the worst exit code, and what cannot be judged is not the worst."""
    match arguments:
        case ["plain"]:
            return plain()
        case ["restarts", *rest]:
            return restarts.main(rest)
        case []:
            codes = plain(), restarts.main([])
            return next((code for code in (1, 3) if code in codes), 0)
    sys.stderr.write(f"{' '.join(arguments)}: not known; there are plain and restarts\n")
    return 2


def plain() -> int:
    """Install, serve, send, compare, print."""
    with tempfile.TemporaryDirectory(prefix="interop-") as directory:
        try:
            node = node_application(Path(directory) / "node") / "app.mjs"
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
    sys.exit(main(sys.argv[1:]))
