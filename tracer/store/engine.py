"""The storage engine behind one small door: opened by path or URL, spoken to in SQL and Arrow.

This is the only file that knows the embedded engine from a server. A handle serialises its calls,
so writes have a handle of their own and reads take one from a small pool.
"""

from __future__ import annotations

import contextlib
import queue
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from tracer.errors import BadSetting, StoreFailure, TracerError, Unavailable

READERS = 4
ASIDE_S = 2  # longest question of health and metrics
DATABASE = "tracer"
# Engine defaults are made for servers with the machine to themselves.
CACHES = {
    "mark_cache_size": 256 * 2**20,
    "index_mark_cache_size": 64 * 2**20,
    "uncompressed_cache_size": 0,
    "index_uncompressed_cache_size": 0,
    "primary_index_cache_size": 128 * 2**20,
}
SESSION_SETTINGS = {"max_query_size": 64 * 2**20}  # long lists of ids are part of the query
READ_SETTINGS = {
    "max_execution_time": 60,
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_string_as_string": 1,
    "do_not_merge_across_partitions_select_final": 1,
}
# Codes of the engine that mean "not now" and not "never": memory, disk, too many parts, time-outs.
_TRANSIENT = {159, 160, 202, 209, 210, 241, 243, 252, 319, 425, 999, 1000}
_TRANSIENT_WORDS = ("No space left on device", "Cannot write", "NOT_ENOUGH_SPACE", "Read-only")
_CODE = re.compile(r"Code:\s*(\d+)")


_LISTS = re.compile(r"\{(\w+):(Ids|Keys)\}")
_PLAIN_LIST = re.compile(r"[0-9a-f,]*")


def spell_out(sql: str, parameters: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    """Our own parameter types for long lists: `{name:Ids}` of hex text, `{name:Keys}` of integers.

    They become a literal list, with which the engine can use its primary key. Hex digits and commas
    need no quoting; the client would quote an array one by one, at more than the cost of the query.
    """
    values = dict(parameters or {})
    literals: dict[str, str] = {}
    for name, kind in set(_LISTS.findall(sql)):
        text = ",".join(map(str, values.pop(name)))
        if not _PLAIN_LIST.fullmatch(text):
            raise StoreFailure(f"parameter {name} holds something that is no id")
        quoted = "'" + text.replace(",", "','") + "'"
        literals[name] = f"({quoted})" if kind == "Ids" else f"({text or '0'})"
    return _LISTS.sub(lambda match: literals[match[1]], sql), values


def translate(error: Exception) -> TracerError:
    """The engine's error in our words: Unavailable when a retry can help, else StoreFailure."""
    text = str(error)
    match = _CODE.search(text)
    code = int(match[1]) if match else 0
    first_line = text.strip().splitlines()[0][:500] if text.strip() else type(error).__name__
    if code in _TRANSIENT or any(word in text for word in _TRANSIENT_WORDS):
        return Unavailable(f"the store cannot do this now: {first_line}", retry_after_s=2.0)
    return StoreFailure(f"the store refused: {first_line}")


class Engine:
    """Open handles on one database of one engine. Thread-safe; `close` when done."""

    def __init__(self, connect: dict[str, Any], database: str) -> None:
        self._connect = connect
        self._database = database
        self._write_settings: dict[str, Any] = {"async_insert": 0}
        if connect.get("interface") != "chdb":
            self._write_settings = {"async_insert": 1, "wait_for_async_insert": 1}
        with _speaking():
            first = clickhouse_connect.get_client(**connect)
            first.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
            first.database = database
        self._writer = first
        self._writing = threading.Lock()
        self._asides: list[Aside] = []
        self._readers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(READERS):
            self._readers.put(None)  # opened on first use

    def command(self, sql: str) -> None:
        """Runs a statement that gives no rows, on the writing handle."""
        with self._writing, _speaking():
            self._writer.command(sql)

    def insert(
        self, table: str, batch: pa.Table, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Appends `batch` to `table` as one block: all of it or nothing."""
        with self._writing, _speaking():
            self._writer.insert_arrow(
                table, batch, settings={**self._write_settings, **(settings or {})}
            )

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Rows as Arrow columns; LowCardinality columns come as dictionaries."""
        spelled, values = spell_out(sql, parameters)
        with self._reader() as reader, _speaking():
            table: pa.Table = reader.query_arrow(spelled, parameters=values, settings=READ_SETTINGS)
            return table

    def rows(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Sequence[Any]]:
        """Rows as Python values, for small answers."""
        spelled, values = spell_out(sql, parameters)
        with self._reader() as reader, _speaking():
            result: Sequence[Sequence[Any]] = reader.query(
                spelled, parameters=values, settings=dict(READ_SETTINGS)
            ).result_rows
            return result

    def aside(self) -> Aside:
        """A handle apart from the pool, for health and metrics; closed with the engine."""
        self._asides.append(Aside(self._open_reader))
        return self._asides[-1]

    def busy_readers(self) -> int:
        """How many questions are being answered; `READERS` means that the next one waits."""
        return READERS - self._readers.qsize()

    def _open_reader(self) -> Any:
        reader = clickhouse_connect.get_client(**self._connect, settings=SESSION_SETTINGS)
        reader.database = self._database
        return reader

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Any]:
        reader = self._readers.get()
        try:
            if reader is None:
                with _speaking():
                    reader = self._open_reader()
            yield reader
        finally:
            self._readers.put(reader)

    def close(self) -> None:
        """Waits for running calls, then closes every handle."""
        for aside in self._asides:
            aside.close()
        for _ in range(READERS):
            reader = self._readers.get()
            if reader is not None:
                reader.close()
        with self._writing:
            self._writer.close()


class Aside:
    """One handle for small questions that must be answered while all readers are busy."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._asking = threading.Lock()
        self._handle: Any = None
        self._closed = False

    def rows(self, sql: str) -> Sequence[Sequence[Any]]:
        """Rows as Python values; the engine gives up after `ASIDE_S`."""
        with self._asking, _speaking():
            if self._closed:
                raise Unavailable("the store is closed")
            if self._handle is None:
                self._handle = self._connect()
            result: Sequence[Sequence[Any]] = self._handle.query(
                sql, settings={"max_execution_time": ASIDE_S}
            ).result_rows
            return result

    def close(self) -> None:
        """Waits for the running question."""
        with self._asking:
            self._closed = True
            if self._handle is not None:
                self._handle.close()
                self._handle = None


@contextlib.contextmanager
def _speaking() -> Iterator[None]:
    try:
        yield
    except (ClickHouseError, pa.ArrowException, RuntimeError) as error:
        raise translate(error) from error


def open_embedded(directory: Path, *, memory_bytes: int, database: str = DATABASE) -> Engine:
    """The engine in this process, on `directory`. One path per process; hold the lock first."""
    directory.mkdir(parents=True, exist_ok=True)
    options = {**CACHES, "max_server_memory_usage": memory_bytes}
    connect = {"interface": "chdb", "path": str(directory), "chdb_options": options}
    return Engine(connect, database)


def open_server(url: str) -> Engine:
    """A ClickHouse server by URL, `clickhouse://user:password@host:8123/database`."""
    parts = urlsplit(url)
    if parts.scheme not in ("clickhouse", "clickhouses", "http", "https") or not parts.hostname:
        raise BadSetting(
            f"store {url!r} is not a ClickHouse URL; "
            "write clickhouse://user:password@host:8123/database"
        )
    try:
        port = parts.port
    except ValueError as error:
        raise BadSetting(f"store {url!r} has no valid port; a port is 1..65535") from error
    secure = parts.scheme in ("clickhouses", "https")
    connect = {
        "interface": "https" if secure else "http",
        "host": parts.hostname,
        "port": port or (8443 if secure else 8123),
        "username": parts.username or "default",
        "password": parts.password or "",
    }
    return Engine(connect, parts.path.strip("/") or DATABASE)


def disk_bytes(directory: Path) -> tuple[int, int]:
    """Free and all bytes of the disk that holds `directory`; raises Unavailable without one."""
    try:
        usage = shutil.disk_usage(directory)
    except OSError as error:
        raise Unavailable(f"the data directory {str(directory)!r}: {error.strerror}") from error
    return usage.free, usage.total


def free_bytes(directory: Path) -> int:
    """Free bytes on the disk that holds `directory`."""
    return disk_bytes(directory)[0]
