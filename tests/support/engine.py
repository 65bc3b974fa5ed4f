"""The embedded engine for tests: one directory per process, one database per test."""

from __future__ import annotations

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tracer.settings import Settings
from tracer.store.engine import Engine, open_embedded
from tracer.store.migrate import migrate
from tracer.store.retention import apply_retention
from tracer.units import duration_ns

_names = itertools.count()
_AGES = duration_ns("10000d")  # tests have fixed times: nothing may age away
LONG = Settings(
    retention_raw=_AGES, retention_facts=_AGES, retention_minutes=_AGES, retention_hours=_AGES
)


@cache
def _directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="tracer-tests-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@cache
def _keep_alive() -> Engine:
    """The engine shuts down with its last handle: this one keeps it up between tests."""
    return open_embedded(_directory(), memory_bytes=2 * 2**30, database="keep")


@contextmanager
def fresh_engine() -> Iterator[Engine]:
    """An engine on an empty database with the newest schema."""
    _keep_alive()
    name = f"test_{next(_names)}"
    opened = open_embedded(_directory(), memory_bytes=2 * 2**30, database=name)
    try:
        migrate(opened)
        apply_retention(opened, LONG)
        yield opened
        opened.command(f"DROP DATABASE `{name}`")
    finally:
        opened.close()


def another_handle(engine: Engine) -> Engine:
    """A second engine on the database of a fresh one, as another process on a server has."""
    return open_embedded(_directory(), memory_bytes=2 * 2**30, database=engine.database)
