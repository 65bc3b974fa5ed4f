"""SQLite behind a service: one file, one connection a request, one span a statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from tracer.demo import instrument, pace
from tracer.demo.failure import Failure

ROUND_TRIP_MS: Final = 3.0  # SQLite has no network; the databases it stands for have one
BUSY_S: Final = 10.0

Row = tuple[Any, ...]


class Database:
    """An open connection whose statements are spans. Use it in one thread."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def run(self, operation: str, collection: str, text: str, *values: str | int) -> list[Row]:
        """Run one statement and commit it; all rows. What the engine refuses is a Failure."""
        try:
            with instrument.db_span(operation, collection, text, self._name):
                pace.work(ROUND_TRIP_MS, spread=0.15)
                return self._connection.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise Failure(500, f"{operation} {collection}: {error}") from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection that commits every statement, and waits for locks."""
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    connection.execute("PRAGMA automatic_index = off")  # a missing index stays missing
    return connection


@contextmanager
def session(path: Path) -> Iterator[Database]:
    """A database for the length of one request."""
    with closing(connect(path)) as connection:
        yield Database(connection, path.stem)


def create(path: Path, script: str) -> None:
    """Make the file; readers and the writer do not block each other. An existing one is kept."""
    if path.exists():
        return
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("PRAGMA synchronous = off")
        connection.executescript(f"BEGIN; {script} COMMIT;")
