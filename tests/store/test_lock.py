"""One process owns a directory, and the other is told which."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.disks import fill, make_read_only, small_disk
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


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"pid": 1', "\x00" * 40, "null", "{}"])
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


@pytest.mark.parametrize("text", ["", "not json", "[1]", "null", "{}"])
def test_an_owner_whose_file_was_overwritten_is_still_an_owner(tmp_path: Path, text: str) -> None:
    lock = DirectoryLock(tmp_path, "http://127.0.0.1:8000")
    (tmp_path / LOCK_NAME).write_text(text)
    with pytest.raises(PathInUse, match="in use by another process;"):
        DirectoryLock(tmp_path, "")
    assert owner_api(tmp_path) == ""
    lock.release()


def test_a_directory_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).mkdir()
    with pytest.raises(Unavailable, match=rf"{LOCK_NAME} is a directory .* remove it"):
        DirectoryLock(tmp_path, "")


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "gone" / "x")
    with pytest.raises(Unavailable, match=r"cannot be written .*--data"):
        DirectoryLock(tmp_path, "")


def test_no_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may do everything, so the refusal is made up; the error is the kernel's."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(Unavailable, match=r"written \(Permission denied\); give a writable"):
        DirectoryLock(tmp_path, "")


def test_the_lock_of_a_successor_is_not_taken_away(tmp_path: Path) -> None:
    """Somebody removed our file by hand, and another process made a new one."""
    first = DirectoryLock(tmp_path, "first")
    (tmp_path / LOCK_NAME).unlink()
    second = DirectoryLock(tmp_path, "second")
    first.release()
    assert owner_api(tmp_path) == "second"
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        make_read_only(disk)
        with pytest.raises(Unavailable, match=r"Read-only file system.*--data"):
            DirectoryLock(disk / "data", "")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk / "data").mkdir()
        filler = fill(disk)
        with pytest.raises(Unavailable, match=r"is full; make room.*--disk-budget"):
            DirectoryLock(disk / "data", "")
        filler.unlink()
        DirectoryLock(disk / "data", "").release()
