"""One process owns a directory, and the other is told which."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracer.errors import PathInUse, Unavailable
from tracer.store.lock import LOCK_NAME, DirectoryLock, owner_api


def test_a_second_owner_is_told_who_has_it(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path, "http://127.0.0.1:8000")
    with pytest.raises(PathInUse) as caught:
        DirectoryLock(tmp_path, "")
    for word in (str(tmp_path), str(os.getpid()), "http://127.0.0.1:8000", "--server", "--data"):
        assert word in str(caught.value)
    assert owner_api(tmp_path) == "http://127.0.0.1:8000"
    lock.release()
    lock.release()
    assert list(tmp_path.iterdir()) == []
    assert owner_api(tmp_path) == ""


def test_a_killed_owner_leaves_nothing_that_hinders(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from tracer.store.lock import DirectoryLock;"
        "lock = DirectoryLock(pathlib.Path(sys.argv[1]), 'x'); print('held', flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        child.send_signal(signal.SIGKILL)
    assert (tmp_path / LOCK_NAME).exists()
    assert owner_api(tmp_path) == ""
    DirectoryLock(tmp_path, "").release()


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"pid": 1'])
def test_a_damaged_lock_file_is_no_obstacle(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK_NAME).write_text(text)
    DirectoryLock(tmp_path, "").release()


def test_a_file_that_was_taken_away_while_it_was_locked_is_not_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last owner removes it between the opening and the locking of the next one."""
    locked = fcntl.flock

    def too_late(file: object, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", locked)
        (tmp_path / LOCK_NAME).unlink()
        locked(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", too_late)
    lock = DirectoryLock(tmp_path, "")
    with pytest.raises(PathInUse):
        DirectoryLock(tmp_path, "")
    lock.release()


def test_a_lock_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).mkdir()
    with pytest.raises(Unavailable, match="--data"):
        owner_api(tmp_path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="--data"):
        DirectoryLock(tmp_path / "file", "")
