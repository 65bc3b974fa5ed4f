"""One process owns a data directory: a lock file that says who.

The engine itself only says that it could not start; this file names the owner. The kernel's lock
on it decides (it vanishes with its process), the text in it only informs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from pathlib import Path
from typing import IO

from tracer.errors import PathInUse, Unavailable

LOCK_NAME = "tracer.lock"


class DirectoryLock:
    """Held from construction until `release`. Raises PathInUse when another process holds it."""

    def __init__(self, directory: Path, api_url: str) -> None:
        self._path = directory / LOCK_NAME
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = _locked(self._path)
            _write(self._file, json.dumps({"pid": os.getpid(), "api": api_url}))
        except BlockingIOError as error:
            raise PathInUse(
                f"data directory {directory} is in use by {describe_owner(directory)}; "
                "ask that one with --server URL, or give another --data"
            ) from error
        except OSError as error:
            raise _unusable(directory, error) from error

    def release(self) -> None:
        """Removes the file and lets go; calling it twice is harmless."""
        if self._file.closed:
            return
        if _is_at(self._file, self._path):  # else somebody took it away, and another may be there
            self._path.unlink(missing_ok=True)
        self._file.close()


def _write(file: IO[str], text: str) -> None:
    """Replaces what is in the file; lets go of it when that fails."""
    try:
        file.truncate(0)
        file.write(text)
        file.flush()
    except BaseException:
        with contextlib.suppress(OSError):  # closing flushes again what did not fit
            file.close()
        raise


def _unusable(directory: Path, error: OSError) -> Unavailable:
    """What is in the way of a lock, and the fix."""
    if error.errno == errno.ENOSPC:
        return Unavailable(
            f"the disk of data directory {directory} is full; make room, then bound the store "
            "with --disk-budget or a shorter --retention-raw"
        )
    if error.errno == errno.EISDIR:
        return Unavailable(
            f"{directory / LOCK_NAME} is a directory and must be a file; remove it, "
            "or give another --data"
        )
    return Unavailable(
        f"data directory {directory} cannot be written ({error.strerror}); "
        "give a writable one with --data"
    )


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether the open file is the one that has this name now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _locked(path: Path) -> IO[str]:
    """The file at `path`, locked. Raises BlockingIOError when another process holds it."""
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # An owner that ended since it was opened took the file away: what is locked is not it.
            if _is_at(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def owner_api(directory: Path) -> str:
    """API address of the process that holds `directory` now, '' when nobody does."""
    path = directory / LOCK_NAME
    if not path.exists():
        return ""
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return str(_read(path).get("api", ""))
    except FileNotFoundError:
        return ""  # released since
    except OSError as error:
        raise Unavailable(
            f"data directory {directory} cannot be read ({error.strerror}); "
            "name another with --data, or a running tracer with --server"
        ) from error
    return ""


def describe_owner(directory: Path) -> str:
    """'process 123 (API http://…)', as far as the lock file can be read."""
    owner = _read(directory / LOCK_NAME)
    if not owner.get("pid"):
        return "another process"
    api = f" (API {owner['api']})" if owner.get("api") else ""
    return f"process {owner.get('pid')}{api}"


def _read(path: Path) -> dict[str, object]:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}
