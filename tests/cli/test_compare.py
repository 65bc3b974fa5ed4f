"""`tracer compare` on files and on a data directory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.cli.serving import command
from tests.cli.test_data import NORMAL, START_NS, TRACES, otlp_line
from tracer.cli.main import SERVER_PARTS
from tracer.units import NS_PER_S, rfc3339


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A hundred fast traces, and twenty slow ones."""
    directory = tmp_path_factory.mktemp("compared")
    before, after = directory / "before.jsonl", directory / "after.jsonl"
    before.write_text("".join(otlp_line(number) for number in range(1, NORMAL + 1)))
    after.write_text("".join(otlp_line(number) for number in range(NORMAL + 1, TRACES + 1)))
    return str(before), str(after)


def test_files_are_compared(files: tuple[str, str]) -> None:
    before, after = files
    done = run("compare", "--baseline", before, "--candidate", after, "--json")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert document["schema"] == "tracer.compare/1"
    assert document["baseline"]["files"] == [before]
    quality = document["candidate"]["quality"]
    assert quality.pop("sampling") == "stored spans"
    assert set(quality.values()) == {0}
    p50 = document["statistics"][0]
    assert (p50["before_ns"], p50["after_ns"]) == (6_000_000, 201_000_000)
    assert [path["operation"] for path in p50["paths"]] == ["SELECT stock"]
    assert p50["paths"][0]["self_ns"] == p50["change_ns"] == 195_000_000
    assert document["reproduce"] == (
        f"tracer compare --baseline {before} --candidate {after} --limit 20"
    )
    text = run("compare", "--baseline", before, "--candidate", after, "--statistic", "p50").out
    assert "What the change of the p50 is made of" in text
    assert "`shop SELECT stock` taking 200ms a call instead of 5ms" in text.replace("\n", " ")


def test_what_cannot_be_compared_exits_with_3(files: tuple[str, str], tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text(otlp_line(1) + otlp_line(2))
    done = run("compare", "--baseline", files[0], "--candidate", str(few))
    assert done.code == 3
    assert "not compared: no kind of request has 10 traces in both sets" in done.out


WRONG = [
    (["--baseline", "BEFORE"], "give --candidate FILE too"),
    (["--candidate", "AFTER"], "give --baseline FILE too"),
    (["--baseline", "BEFORE", "--candidate", "none.json"], "none.json does not exist"),
    (["--baseline", "BEFORE", "--candidate", "AFTER", "--since", "1h"], "--since is about stored"),
    (["--baseline", "BEFORE", "--candidate", "AFTER", "--data", "d"], "--data is about stored"),
    (["--baseline", "BEFORE", "--candidate", "AFTER", "--service", "x"], "passes through 'x'"),
    (["--format", "otlp"], "--format is about files"),
    (["--limit", "0"], "--limit"),
    (["--statistic", "p42"], "'p42' is not one of"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(one) for one, _ in WRONG])
def test_what_is_wrong_is_named(arguments: list[str], message: str, files: tuple[str, str]) -> None:
    known = {"BEFORE": files[0], "AFTER": files[1]}
    done = run("compare", *(known.get(word, word) for word in arguments))
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_files_are_compared_without_the_server_parts(files: tuple[str, str]) -> None:
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(SERVER_PARTS)!r}))\n"
        "from tracer.cli.main import run\n"
        f"sys.exit(run(['compare', '--baseline', {files[0]!r}, '--candidate', {files[1]!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "SELECT stock" in done.stdout


def test_a_data_directory_is_asked(files: tuple[str, str], tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    assert command("import", *files, "--data", data).returncode == 0
    change = START_NS + (NORMAL + 1) * NS_PER_S
    done = command(
        "compare", "--start", rfc3339(change), "--end", rfc3339(change + 60 * NS_PER_S),
        "--baseline-start", rfc3339(START_NS), "--baseline-end", rfc3339(change),
        "--data", data, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["baseline"]["traces"] == NORMAL
    assert document["reproduce"].endswith(f"--data {data}")
    assert "`shop SELECT stock` taking 200ms" in document["verdict"]["text"]
