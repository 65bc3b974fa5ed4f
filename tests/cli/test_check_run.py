"""`tracer check run`: a real SDK in a process of its own, and what it sent in a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import run

APP = """
import os, sys
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("app")
for _ in range(12):
    with tracer.start_as_current_span("GET /"):
        with tracer.start_as_current_span("inner"):
            pass
provider.shutdown()
sys.exit(int(sys.argv[1]))
"""
QUIET = ("--quiet", "200ms")


@pytest.mark.parametrize(
    ("protocol", "code", "ends"), [("http/protobuf", "0", 0), ("grpc", "3", 4)]
)
def test_what_the_command_exports_is_a_run(
    protocol: str, code: str, ends: int, tmp_path: Path
) -> None:
    out = tmp_path / "run.jsonl"
    done = subprocess.run(
        [
            sys.executable, "-c",
            "import sys; sys.modules.update(dict.fromkeys(('chdb', 'clickhouse_connect')))\n"
            "from tracer.cli.main import run\nsys.exit(run(sys.argv[1:]))",
            "check", "run", "--out", str(out), *QUIET, "--protocol", protocol, "--",
            sys.executable, "-c", APP, code,
        ],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
    )  # fmt: skip
    assert done.returncode == ends, done.stderr
    assert "run.jsonl: 24 spans" in done.stderr
    if ends:
        assert "ended with exit code 3" in done.stderr
    checked = run("check", "--baseline", str(out), "--candidate", str(out), "--json")
    document = json.loads(checked.out)
    assert (checked.code, document["candidate"]["traces"]) == (0, 12)
    assert document["judged_operations"]["items"][0]["path"] == ["shop GET /"]


def test_a_command_that_sends_nothing_cannot_be_judged(tmp_path: Path) -> None:
    """It sees where to send, and keeps what was set."""
    seen = tmp_path / "seen"
    script = (
        "import os, json, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w')); "
        "assert '--quiet' in sys.argv"
    )
    words = ("--quiet", "0", "--", sys.executable, "-c", script, str(seen), "--quiet")
    done = run("check", "run", "--out", str(tmp_path / "run.jsonl"), *words)
    assert (done.code, "no span came" in done.err) == (3, True)
    told = json.loads(seen.read_text())
    endpoint = told["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert told["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == endpoint + "/v1/traces"
    assert endpoint.startswith("http://127.0.0.1:")


WRONG = [
    (["--out", "OUT", "--", "no-such-command"], "'no-such-command' cannot be run"),
    (["--out", "NONE", "--", "true"], "cannot be written"),
    (["--out", "OUT"], "Missing argument 'COMMAND...'"),
    (["--out", "OUT", "--quiet", "soon", "--", "true"], "--quiet: duration 'soon'"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[one[1] for one in WRONG])
def test_what_is_wrong_is_named(arguments: list[str], message: str, tmp_path: Path) -> None:
    known = {"OUT": str(tmp_path / "run.jsonl"), "NONE": str(tmp_path / "none" / "run.jsonl")}
    done = run("check", "run", *(known.get(word, word) for word in arguments))
    assert (done.code, message in done.err) == (2, True)
