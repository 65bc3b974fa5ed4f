"""Exit codes, messages and help of the command line as a whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import click
import pytest

from tests.cli import boom
from tracer import __version__, errors
from tracer.cli import main


@pytest.fixture
def run_boom(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Runs a command that does what it is given."""
    monkeypatch.setitem(main.COMMANDS, "boom", "tests.cli.boom")

    def run(action: Callable[[], object]) -> int:
        boom.act.append(action)
        return main.run(["boom"])

    return run


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def action() -> NoReturn:
        raise error

    return action


@pytest.mark.parametrize("kind", errors.CODES, ids=lambda kind: kind.__name__)
def test_each_error_has_its_exit_code(
    kind: type[errors.TracerError],
    run_boom: Callable[[Callable[[], object]], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_boom(raising(kind("the thing; the fix"))) == errors.CODES[kind].exit
    assert capsys.readouterr() == ("", "tracer: the thing; the fix\n")


def test_a_message_that_repeats_a_page_loses_its_middle(
    run_boom: Callable[[Callable[[], object]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_boom(raising(errors.BadQuery(f"id {'9' * 30_000!r} is none; the fix")))
    shown = capsys.readouterr().err
    assert shown.startswith("tracer: id '999")
    assert shown.endswith("999' is none; the fix\n")
    assert len(shown) < errors.MOST_CHARACTERS + 20


CODES = [
    (lambda: None, 0),
    (lambda: 3, 3),
    (raising(KeyboardInterrupt()), 130),
    (raising(click.UsageError("no")), 2),
    (raising(click.FileError("x")), 2),
    (raising(ModuleNotFoundError("no", name="clickhouse_connect.driver")), 2),
    (raising(ModuleNotFoundError("no", name="tracer.nothing")), 4),
    (raising(ZeroDivisionError("1/0")), 4),
    (raising(OSError(28, "No space left on device")), 4),
]


@pytest.mark.parametrize(("action", "code"), CODES, ids=[str(i) for i in range(len(CODES))])
def test_exit_codes(
    action: Callable[[], object], code: int, run_boom: Callable[[Callable[[], object]], int]
) -> None:
    assert run_boom(action) == code


def test_a_missing_server_part_names_the_extra(
    run_boom: Callable[[Callable[[], object]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_boom(raising(ModuleNotFoundError("No module named 'chdb'", name="chdb")))
    assert "pip install 'tracer-analyzer[server]'" in capsys.readouterr().err


def test_an_uncaught_error_is_one_line_unless_debugging(
    run_boom: Callable[[Callable[[], object]], int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TRACER_DEBUG", raising=False)
    run_boom(raising(ValueError("a\nb")))
    assert capsys.readouterr().err == (
        "tracer: internal error: ValueError: a b (TRACER_DEBUG=1 shows where)\n"
    )
    monkeypatch.setenv("TRACER_DEBUG", "1")
    run_boom(raising(ValueError("a")))
    assert "in raising" not in (shown := capsys.readouterr().err)
    assert "Traceback" in shown


@pytest.mark.parametrize(
    "arguments",
    [["slwo"], ["slow", "--since"], ["slow", "--limit", "0"], ["slow", "--nope"], ["trace"]],
    ids=" ".join,
)
def test_usage_errors_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 2
    assert "Error: " in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_help_lists_every_command_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in main.COMMANDS:
        line = next(line for line in shown.splitlines() if line.split()[:1] == [name])
        assert len(line.split()) > 4
    assert "Exit codes: 0 ok" in shown


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_explains_itself_with_one_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run([name, "--help"]) == 0
    assert capsys.readouterr().out.count(f"Example: tracer {name}") == 1


ANSWERS_JSON = [name for name in main.COMMANDS if name != "serve"]


@pytest.mark.parametrize("name", ANSWERS_JSON)
def test_every_command_that_answers_has_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main.run([name, "--help"])
    assert "--json" in capsys.readouterr().out


HEAVY = "chdb clickhouse_connect fastapi grpc httpx prometheus_client uvicorn rich numpy pyarrow"


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from tracer.cli.main import run; run(['--help']); "
        f"sys.exit(' '.join(set('{HEAVY}'.split()) & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_that_leaves_is_not_an_error_to_talk_about() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tracer", "serve", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout and child.stderr
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141
