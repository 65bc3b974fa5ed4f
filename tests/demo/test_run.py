"""The whole command, with the analyzer's part played by `fake_tracer.py`; how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.demo import fake_tracer
from tracer.demo import analyzer, keeper

ROOT = Path(__file__).parents[2]
DEMO = f"""
import json, sys
from pathlib import Path
from tracer.demo.run import run
options = json.loads(sys.argv[1])
options |= {{name: Path(options[name]) for name in ("record", "data") if name in options}}
program = (sys.executable, {str(Path(fake_tracer.__file__))!r})
sys.exit(run(program=program, warm_up_s=0.5, settle_s=0, **options))
"""


@contextmanager
def demo(scratch: Path, **options: object) -> Iterator[subprocess.Popen[str]]:
    """The demo as a process with its own temporary directory; killed if it is still there."""
    popen = subprocess.Popen(
        [sys.executable, "-c", DEMO, json.dumps(options)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield popen
    finally:
        popen.kill()
        popen.wait()
        for stream in (popen.stdout, popen.stderr):
            assert stream
            stream.close()


def read_until(popen: subprocess.Popen[str], words: str) -> str:
    """What it said on stderr up to a line with these words."""
    said = ""
    assert popen.stderr
    for line in popen.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without saying {words!r}:\n{said}")


def gone(processes: list[psutil.Process], scratch: Path) -> bool:
    """Whether all of them end and their directory goes, soon."""
    psutil.wait_procs(processes, timeout=15)
    give_up_s = time.monotonic() + 10
    while any(scratch.iterdir()) and time.monotonic() < give_up_s:
        time.sleep(0.05)
    return not any(p.is_running() for p in processes) and not any(scratch.iterdir())


def test_the_report_names_the_fault_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    scratch, record = tmp_path / "scratch", tmp_path / "record.jsonl"
    scratch.mkdir()
    options = {"fault": "downstream-error", "json_output": True, "normal_s": 1.0, "fault_s": 1.5}
    with demo(scratch, **options, record=str(record)) as popen:
        read_until(popen, "the shop goes on")
        family = psutil.Process(popen.pid).children(recursive=True)
        popen.send_signal(signal.SIGINT)
        output, _ = popen.communicate(timeout=30)
        assert popen.returncode == 0
        assert gone(family, scratch)
    document = json.loads(output)
    blamed = document["report"]["bottlenecks"][0]
    assert document["schema"] == "tracer.demo/1"
    assert document["injected"] == {
        "fault": "downstream-error",
        "service": blamed["service"],
        "operation": blamed["operation"],
    }
    assert len(family) > 13
    assert json.loads(record.read_text())


ONCE = {"fault": "downstream-error", "once": True, "normal_s": 0.5, "fault_s": 1.0}


def test_once_says_how_to_keep_the_traces_and_no_command_for_a_server_that_is_gone(
    tmp_path: Path,
) -> None:
    with demo(tmp_path, **ONCE) as popen:
        output, _ = popen.communicate(timeout=60)
    assert popen.returncode == 0
    assert "without commands" in output
    assert "--data DIR keeps them" in output
    assert "tracer services" not in output
    assert "API and web page" not in output


def test_once_with_a_directory_gives_commands_on_it(tmp_path: Path) -> None:
    scratch, data = tmp_path / "scratch", tmp_path / "data"
    scratch.mkdir()
    with demo(scratch, **ONCE, data=str(data)) as popen:
        output, _ = popen.communicate(timeout=60)
    assert popen.returncode == 0
    assert f"slow asks {data} with commands" in output
    assert f"  tracer services --data {data}" in output
    assert "--server" not in output


@pytest.mark.parametrize(
    ("phase", "number", "code"),
    [("starting tracer", signal.SIGTERM, 130), ("starting the shop", signal.SIGKILL, -9)],
)
def test_nothing_is_left_when_it_is_stopped_while_it_starts(
    tmp_path: Path, phase: str, number: signal.Signals, code: int
) -> None:
    with demo(tmp_path) as popen:
        read_until(popen, phase)
        family = psutil.Process(popen.pid).children(recursive=True)
        popen.send_signal(number)
        assert popen.wait(30) == code
        assert gone(family, tmp_path)
    assert family


def test_a_server_that_does_not_start_is_a_failure_with_its_last_words(
    tmp_path: Path,
) -> None:
    scratch, data = tmp_path / "scratch", tmp_path / "data"
    scratch.mkdir()
    data.mkdir()  # the fake insists on making its own
    with demo(scratch, data=str(data)) as popen:
        _, said = popen.communicate(timeout=30)
        assert popen.returncode == 4
    assert "tracer serve ended with code 1" in said
    assert "FileExistsError" in said
    assert not any(scratch.iterdir())


def test_a_taken_port_is_replaced_by_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.create_server((analyzer.HOST, 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(analyzer, "DEFAULT_PORTS", {"api": taken})
        assert analyzer.choose_ports()["api"] != taken
    assert analyzer.choose_ports()["api"] == taken


def test_the_keeper_removes_its_directory_when_its_stdin_closes(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", keeper.__name__, str(scratch), "sleep", "60"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as popen:
        assert popen.stdin
        popen.stdin.close()
        assert popen.wait(15) != 0  # as the command ended
    assert not scratch.exists()


def test_the_keeper_leaves_the_log_when_the_command_ends_by_itself(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        keeper.__name__,
        str(tmp_path),
        sys.executable,
        "-c",
        "exit(7)",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as popen:
        assert popen.wait(15) == 7
    assert tmp_path.exists()
