"""The server size of the store for tests: a process that speaks ClickHouse's HTTP interface.

`TRACER_TEST_STORE` names a real server by URL; without it the stand-in is started.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from tests.support.clickhouse_http import PASSWORD, USER
from tests.support.engine import LONG
from tracer.store.engine import Engine, open_server
from tracer.store.migrate import migrate
from tracer.store.retention import apply_retention

_names = itertools.count()


@dataclass
class StandIn:
    """A running stand-in; `stop` is as sudden as a power cut."""

    popen: subprocess.Popen[bytes]
    port: int

    def url(self, database: str, *, scheme: str = "clickhouse", more: str = "") -> str:
        """Its URL, credentials and all."""
        account = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
        return f"{scheme}://{account}@127.0.0.1:{self.port}/{database}{more}"

    def stop(self) -> None:
        """Kill it and wait for its end."""
        self.popen.kill()
        self.popen.communicate()


def start_stand_in(directory: Path, port: int = 0, certificate: str = "") -> StandIn:
    """A stand-in on `directory`; whoever starts it stops it."""
    popen = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.support.clickhouse_http"),
            *(str(directory), str(port), *([certificate] if certificate else [])),
        ],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert popen.stdout is not None
    return StandIn(popen, int(popen.stdout.readline()))


@contextmanager
def stand_in(directory: Path, port: int = 0, certificate: str = "") -> Iterator[StandIn]:
    """A stand-in for the length of a `with` block."""
    running = start_stand_in(directory, port, certificate)
    try:
        yield running
    finally:
        running.stop()


@cache
def _shared() -> StandIn:
    directory = Path(tempfile.mkdtemp(prefix="tracer-server-"))
    running = start_stand_in(directory)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(running.stop)
    return running


def server_url(database: str) -> str:
    """A database, to be made, on the server that this run of the tests has."""
    given = os.environ.get("TRACER_TEST_STORE", "")
    if not given:
        return _shared().url(database)
    parts = urlsplit(given)
    return urlunsplit((parts.scheme, parts.netloc, f"/{database}", parts.query, ""))


def new_database() -> str:
    """A name no other test has."""
    return f"tracer_test_{os.getpid()}_{next(_names)}"


@contextmanager
def fresh_server_engine() -> Iterator[Engine]:
    """An engine on an empty database of the server, with the newest schema."""
    name = new_database()
    opened = open_server(server_url(name))
    try:
        migrate(opened)
        apply_retention(opened, LONG)
        yield opened
        opened.command(f"DROP DATABASE `{name}`")
    finally:
        opened.close()
