"""`tracer path` on files, on a data directory, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.cli.serving import command
from tests.cli.test_data import MOMENTS, NORMAL, TRACES, otlp_line
from tests.report.test_flame import stacks, stacks_of
from tracer.cli.main import SERVER_PARTS
from tracer.cli.path import LIMITS, MOST
from tracer.report.path_json import DEFAULT_PATHS, FORMATS, MOST_PATHS

OWN_NS = TRACES * 1_000_000
CALL_NS = NORMAL * 5_000_000 + (TRACES - NORMAL) * 200_000_000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("files") / "traces.jsonl"
    path.write_text("".join(otlp_line(number) for number in range(1, TRACES + 1)))
    return str(path)


def test_the_document(file: str) -> None:
    done = run("path", file, "--json", "--band", "99+", "--operation", "SELECT stock")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert (document["schema"], document["band"]) == ("tracer.critical-path/1", "99-100")
    assert document["traces"] == {"value": TRACES, "exact": True}
    root, call = (one["bands"]["all"] for one in document["paths"])
    assert (root["critical_ns"], call["critical_ns"]) == (OWN_NS, CALL_NS)
    assert document["notes"] == []
    assert document["reproduce"] == (
        f"tracer path {file} --operation 'SELECT stock' --band 99+ --limit 100"
    )


def test_the_text(file: str) -> None:
    done = run("path", file)
    assert (done.code, done.err) == (0, "")
    assert f"Critical path of {TRACES} traces\n" in done.out
    assert "  shop SELECT stock" in done.out
    assert "\x1b" not in done.out


def test_flame_graphs(file: str) -> None:
    flat = stacks(run("path", file, "--format", "folded").out)
    assert flat == {
        ("shop·GET /",): OWN_NS,
        ("shop·GET /", "shop·SELECT stock"): CALL_NS,
    }
    scope = json.loads(run("path", file, "--format", "speedscope").out)
    assert stacks_of(scope, 0) == flat


def test_a_data_directory_gives_the_same(file: str, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    assert command("import", file, "--data", data).returncode == 0
    done = command("path", *MOMENTS, "--data", data, "--format", "folded")
    assert done.returncode == 0, done.stderr
    assert done.stdout == run("path", file, "--format", "folded").out
    text = command("path", *MOMENTS, "--data", data, "--limit", "1", COLUMNS="80")
    assert "  … 1 more" in text.stdout
    assert f"typical 1ms: tracer trace {1:032x} --data {data}" in text.stdout
    assert f"--metric critical --band all --limit 1 --data {data}" in text.stdout


WRONG = [
    (["FILE", "--since", "1h"], "--since"),
    (["FILE", "--server", "http://127.0.0.1:1"], "--server"),
    (["FILE", "--band", "p95"], "band 'p95'"),
    (["FILE", "--metric", "wall"], "metric 'wall'"),
    (["FILE", "--format", "svg"], "'svg' is not one of"),
    (["FILE", "--limit", "1001"], "--limit"),
    (["FILE", "--service", "nobody"], "'nobody'"),
    (["/does/not/exist.json"], "/does/not/exist.json does not exist"),
    (["FILE", "--file-format", "jaeger"], "is OTLP JSON, not Jaeger JSON"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(one) for one, _ in WRONG])
def test_what_is_wrong_is_named(arguments: list[str], message: str, file: str) -> None:
    done = run("path", *(file if word == "FILE" else word for word in arguments))
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_the_options_are_those_of_the_document() -> None:
    assert set(LIMITS) == {"text", *FORMATS}
    assert (MOST, LIMITS["json"]) == (MOST_PATHS, DEFAULT_PATHS)


def test_files_need_no_server_parts(file: str) -> None:
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(SERVER_PARTS)!r}))\n"
        "from tracer.cli.main import run\n"
        f"sys.exit(run(['path', {file!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "SELECT stock" in done.stdout
