"""`tracer check` on files: verdicts, exit codes, and input of every bad kind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import Done, run
from tests.cli.test_data import otlp_line
from tracer.cli.main import SERVER_PARTS

COUNT = 40


def lines(first: int, *, wait_ns: int = 5_000_000, name: str = "GET /", count: int = COUNT) -> str:
    """Traces as in test_data, the query as long as said and a little more with every trace."""
    made = []
    for number in range(first, first + count):
        document = json.loads(otlp_line(number))
        root, call = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
        start = int(root["startTimeUnixNano"])
        spent = wait_ns + number % 7 * 50_000
        root["name"] = name
        call["endTimeUnixNano"] = str(start + spent)
        root["endTimeUnixNano"] = str(start + spent + 1_000_000)
        made.append(json.dumps(document) + "\n")
    return "".join(made)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of main, three like it, three of which one query is slow."""
    directory = tmp_path_factory.mktemp("checked")
    for number in range(3):
        first = 1 + 100 * number
        (directory / f"main{number}.jsonl").write_text(lines(first))
        (directory / f"same{number}.jsonl").write_text(lines(first + 50))
        (directory / f"slow{number}.jsonl").write_text(lines(first + 50, wait_ns=20_000_000))
    (directory / "empty.jsonl").write_text("")
    (directory / "one.jsonl").write_text(lines(1, count=1))
    (directory / "cut.jsonl").write_text(lines(1)[:-40])
    (directory / "renamed.jsonl").write_text(lines(1, name="GET /index"))
    (directory / "budget.txt").write_text("shop SELECT *: max p95 < 2ms\n")
    (directory / "budget.bad").write_text("shop SELECT\n")
    return directory


def check(files: Path, baseline: str, candidate: str, *more: str) -> Done:
    """Names of files apart by blanks."""
    sides = [
        [flag, *(str(files / name) for name in names.split())]
        for flag, names in (("--baseline", baseline), ("--candidate", candidate))
    ]
    return run("check", *sides[0], *sides[1], *more)


def every(name: str) -> str:
    return " ".join(f"{name}{number}.jsonl" for number in range(3))


def test_verdicts_are_exit_codes(files: Path) -> None:
    same = check(files, every("main"), every("same"))
    assert (same.code, same.out.split(":")[0]) == (0, "pass")
    slow = check(files, every("main"), every("slow"), "--json", "--github")
    assert slow.code == 1
    document = json.loads(slow.out)
    assert (document["verdict"], document["blocks"]) == ("regression", "runs")
    assert document["candidate"]["traces_by_run"] == [COUNT] * 3
    first = document["regressions"][0]
    assert (first["operation"], first["role"]) == ("SELECT stock", "cause")
    assert first["after"] == pytest.approx(20_150_000, rel=0.02)
    assert slow.err.startswith("::error title=shop SELECT stock::")
    again = run(*document["reproduce"].split()[1:], "--json")
    assert (again.code, again.out) == (1, slow.out)


def test_reports_are_written(files: Path, tmp_path: Path) -> None:
    junit, markdown = tmp_path / "check.xml", tmp_path / "check.md"
    more = ("--junit", str(junit), "--markdown", str(markdown))
    assert check(files, "main0.jsonl", "slow0.jsonl", *more).code == 1
    assert 'message="critical time a request rose from' in junit.read_text()
    assert markdown.read_text().startswith("### ❌ Latency regression")
    nowhere = str(tmp_path / "none" / "check.xml")
    failed = check(files, "main0.jsonl", "same0.jsonl", "--junit", nowhere)
    assert (failed.code, "cannot be written" in failed.err) == (2, True)


def test_a_recorded_baseline_gives_the_verdict_of_its_files(files: Path, tmp_path: Path) -> None:
    paths = [str(files / name) for name in every("main").split()]
    one, other, both = (tmp_path / name for name in ("one.json", "other.json", "both.json"))
    record = ("check", "record")
    assert run(*record, *paths[:2], "-o", str(one), "--commit", "4f2c1d0").code == 0
    assert run(*record, *paths[:2], "-o", str(other), "--commit", "4f2c1d0").code == 0
    assert one.read_bytes() == other.read_bytes()
    merged = run(*record, str(one), paths[2], "-o", str(both))
    assert "3 runs, 120 traces, 240 spans" in merged.out
    for name in ("same", "slow"):
        direct = json.loads(check(files, every("main"), every(name), "--json").out)
        kept = json.loads(check(files, str(both), every(name), "--json").out)
        assert kept["baseline"]["recorded"] == {"commit": "4f2c1d0"}
        assert kept["verdict"] == direct["verdict"]
        assert kept["regressions"] == direct["regressions"]


NOT_JUDGED = [
    ("one.jsonl", "no kind of request is there 10 times on both sides"),
    ("renamed.jsonl", "the baseline has 'shop GET /', the candidate 'shop GET /index'"),
]


@pytest.mark.parametrize(("candidate", "message"), NOT_JUDGED)
def test_what_cannot_be_judged_exits_with_3(files: Path, candidate: str, message: str) -> None:
    done = check(files, "main0.jsonl", candidate)
    assert done.code == 3
    assert message in done.out.replace("\n", " ")


def test_what_is_whole_of_a_cut_file_is_judged(files: Path) -> None:
    done = check(files, "main0.jsonl", "cut.jsonl")
    assert done.code == 0
    assert "the last line (40) is cut off" in done.out.replace("\n", " ")


def test_a_budget_holds_for_what_did_not_change(files: Path) -> None:
    done = check(files, "main0.jsonl", "same0.jsonl", "--budget", str(files / "budget.txt"))
    assert done.code == 1
    assert "the limit is 'max p95 < 2ms'" in done.out.replace("\n", " ")


WRONG = [
    (["--baseline", "main0.jsonl"], "give --candidate FILE too"),
    (["--candidate", "main0.jsonl"], "give --baseline FILE too"),
    (["--baseline", "main0.jsonl", "--candidate", "none.jsonl"], "none.jsonl does not exist"),
    (["--baseline", "main0.jsonl", "--candidate", "empty.jsonl"], "empty.jsonl is empty"),
    (["--baseline", "main0.jsonl", "--candidate", "budget.txt"], "budget.txt"),
    (
        ["--baseline", "main0.jsonl", "--candidate", "same0.jsonl", "--budget", "budget.bad"],
        "line 1: 'shop SELECT' is not 'PATTERN: max p95 < 300ms'",
    ),
    (
        ["--baseline", "main0.jsonl", "--candidate", "same0.jsonl", "--budget", "none"],
        "none cannot be read",
    ),
    (
        ["--baseline", "main0.jsonl", "--candidate", "same0.jsonl", "--min-excess", "much"],
        "--min-excess: duration 'much'",
    ),
    (["record", "main0.jsonl"], "Missing option '-o'"),
    (["main0.jsonl"], "No such command"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(one) for one, _ in WRONG])
def test_what_is_wrong_is_named(arguments: list[str], message: str, files: Path) -> None:
    done = run(
        "check",
        *(str(files / word) if "." in word or word == "none" else word for word in arguments),
    )
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_another_version_of_a_baseline_is_named(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    assert run("check", "record", str(files / "main0.jsonl"), "-o", str(path)).code == 0
    path.write_bytes(path.read_bytes().replace(b"baseline/1", b"baseline/9"))
    done = check(files, str(path), "same0.jsonl")
    assert (done.code, "this tracer reads 'tracer.check-baseline/1'" in done.err) == (2, True)


def test_a_check_needs_no_server_parts(files: Path) -> None:
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(SERVER_PARTS)!r}))\n"
        "from tracer.cli.main import run\n"
        f"sys.exit(run(['check', '--baseline', {str(files / 'main0.jsonl')!r}, "
        f"'--candidate', {str(files / 'slow0.jsonl')!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "SELECT stock" in done.stdout
