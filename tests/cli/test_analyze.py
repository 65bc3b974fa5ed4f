"""`tracer analyze` on files: no server, no data directory, no server parts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.cli.test_data import NORMAL, TRACES, otlp_line
from tracer.cli.main import SERVER_PARTS


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("files") / "traces.jsonl"
    path.write_text("".join(otlp_line(number) for number in range(1, TRACES + 1)))
    return str(path)


def test_the_document(file: str) -> None:
    done = run("analyze", file, "--json")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert document["schema"] == "tracer.analysis/1"
    assert document["trace_count"] == len(document["traces"]) == TRACES
    assert document["bottlenecks"]["items"][0]["operation"] == "SELECT stock"
    assert document["bottlenecks"]["items"][0]["trace_count"] == TRACES - NORMAL
    assert document["clock_skew"] == {"corrected": True, "max_ns": 300 * 10**9}
    assert document["notes"] == []
    assert document["reproduce"] == f"tracer analyze {file}"


def test_the_text_draws_as_many_traces_as_asked(file: str) -> None:
    for limit in (1, 2):
        done = run("analyze", file, "--limit", str(limit))
        assert (done.code, done.err) == (0, "")
        assert done.out.count("█ critical path") == limit
        assert "\x1b" not in done.out


def test_the_same_command_gives_the_same_answer(file: str) -> None:
    arguments = ("analyze", file, "--json", "--overlap-tolerance", "0", "--no-skew-correction")
    first, second = run(*arguments), run(*arguments)
    assert first == second
    assert json.loads(first.out)["tolerance"] == {"rule": "fixed", "ns": 0}
    assert json.loads(first.out)["reproduce"] == (
        f"tracer analyze {file} --overlap-tolerance 0 --no-skew-correction"
    )


WRONG = [
    (["/does/not/exist.json"], "/does/not/exist.json does not exist"),
    (["FILE", "--overlap-tolerance", "1"], "--overlap-tolerance: duration '1'"),
    (["FILE", "--overlap-tolerance=-1ms"], "--overlap-tolerance: duration '-1ms'"),
    (["FILE", "--max-clock-skew", "1"], "--max-clock-skew: duration '1'"),
    (["FILE", "--format", "jaeger"], "is OTLP JSON, not Jaeger JSON"),
    (["FILE", "--format", "xml"], "'xml' is not one of"),
    (["FILE", "--limit", "0"], "--limit"),
    ([], "FILES"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(one) for one, _ in WRONG])
def test_what_is_wrong_is_named(arguments: list[str], message: str, file: str) -> None:
    done = run("analyze", *(file if word == "FILE" else word for word in arguments))
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_spans_that_were_not_taken_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text(otlp_line(1) + otlp_line(2).replace(f"{1:016x}", "0" * 16))
    done = run("analyze", str(path), "--json")
    assert done.code == 0
    (rejected,) = json.loads(done.out)["notes"]
    assert rejected in done.err
    assert rejected.startswith(f"{path}: 1 span rejected: ")


def test_it_works_without_the_server_parts(file: str) -> None:
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(SERVER_PARTS)!r}))\n"
        "from tracer.cli.main import run\n"
        f"assert run(['analyze', {file!r}, '--limit', '1']) == 0\n"
        "sys.exit(run(['services', '--server', 'http://127.0.0.1:1']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "SELECT stock" in done.stdout
    assert done.stderr == (
        "tracer: this needs the server parts: pip install 'tracer-analyzer[server]'\n"
    )
