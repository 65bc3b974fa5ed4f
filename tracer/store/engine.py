"""The storage engine behind one small door: opened by path or URL, spoken to in SQL and Arrow.

This is the only file that knows the embedded engine from a server. A handle serialises its calls,
so writes have a handle of their own and reads take one from a small pool.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import queue
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import clickhouse_connect
import pyarrow as pa
import urllib3
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from tracer.errors import StoreFailure, TracerError, Unavailable
from tracer.store.damage import MOST_AT_ONCE, DamagedError, as_damage, set_aside
from tracer.store.url import StoreUrl, parse_store_url

READERS = 4
ASIDE_S = 2  # longest question of health and metrics
DATABASE = "tracer"
# Engine defaults are made for servers with the machine to themselves.
FRUGAL = {
    "mark_cache_size": 256 * 2**20,
    "index_mark_cache_size": 64 * 2**20,
    "uncompressed_cache_size": 0,
    "index_uncompressed_cache_size": 0,
    "primary_index_cache_size": 128 * 2**20,
    "background_merges_mutations_concurrency_ratio": 1,  # two merges, as there are two threads
}
SESSION_SETTINGS = {"max_query_size": 64 * 2**20}  # long lists of ids are part of the query
READ_SETTINGS = {
    "max_execution_time": 60,
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_string_as_string": 1,
    "do_not_merge_across_partitions_select_final": 1,
}
# Inserts over a network: how often one whose answer was lost is sent again, and after what pauses.
REPEATS_S = (0.2, 1.0)
HANDSHAKE_S = 10.0  # a server that takes longer for its version is not there
# What a cluster needs to keep our promises: an insert returns once its shards have it and not once
# it is queued for them, subqueries see all shards, and a rollup is computed over all of them.
CLUSTER_SETTINGS = {
    "distributed_foreground_insert": 1,
    "distributed_product_mode": "global",
    "parallel_distributed_insert_select": 0,
}
# Codes of the engine that mean "not now" and not "never".
_TRANSIENT = {
    *(159, 160, 202, 209, 210, 236, 241, 243, 252, 394, 425, 745),  # busy, memory, disk, time-outs
    *(198, 225, 242, 279, 285, 286, 319, 517, 999, 1000),  # replicas, the keeper, the network
}
_NOT_LET_IN = {192, 193, 497, 516}  # user, password, grants
_TRANSIENT_WORDS = ("No space left on device", "Cannot write", "NOT_ENOUGH_SPACE", "Read-only")
_AWAY_WORDS = ("HTTP status 429", "HTTP status 502", "HTTP status 503", "HTTP status 504")
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
    if is_lost(error):
        return Unavailable(f"the store is away: {_reason(error)}", retry_after_s=2.0)
    if code in _NOT_LET_IN:
        # Not the sender's fault: what it sends can be stored once the account is put right.
        return Unavailable(
            f"the store does not let tracer in, check the account in --store: {first_line}",
            retry_after_s=10.0,
        )
    if damage := as_damage(code, text, first_line):
        return damage
    if code in _TRANSIENT or any(word in text for word in _TRANSIENT_WORDS):
        return Unavailable(f"the store cannot do this now: {first_line}", retry_after_s=2.0)
    return StoreFailure(f"the store refused: {first_line}")


def is_lost(error: BaseException) -> bool:
    """Whether the answer never came: what was asked may have been done or not."""
    if isinstance(error, HTTPError):
        return True
    return isinstance(error, ClickHouseError) and (
        isinstance(error.__cause__, HTTPError) or any(word in str(error) for word in _AWAY_WORDS)
    )


def _reason(error: BaseException) -> str:
    """What the network said, without the request that it was said about."""
    lost = error if isinstance(error, HTTPError) else error.__cause__ or error
    inner = getattr(lost, "reason", None) or lost
    return str(inner).strip().splitlines()[0].rpartition(">: ")[2][:300] or type(inner).__name__


class Engine:
    """Open handles on one database of one engine. Thread-safe; `close` when done.

    `server` is None for the engine in this process.
    """

    def __init__(
        self,
        connect: dict[str, Any],
        database: str,
        *,
        server: StoreUrl | None = None,
        create: bool = True,
    ) -> None:
        self.cluster = server.cluster if server else ""
        self.database = database
        self._connect = connect
        self._server = server
        self._write_settings: dict[str, Any] = {"async_insert": 0}
        if server and server.async_insert:
            self._write_settings = {
                "async_insert": 1,
                "wait_for_async_insert": 1,
                "async_insert_deduplicate": 1,
            }
        self._session_settings = {
            **SESSION_SETTINGS,
            **(CLUSTER_SETTINGS if self.cluster else {}),
        }
        with _speaking():
            first = self._open()
            if create:
                everywhere = f" ON CLUSTER `{self.cluster}`" if self.cluster else ""
                first.command(f"CREATE DATABASE IF NOT EXISTS `{database}`{everywhere}")
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
        """Appends `batch` to `table` as one block: all of it or nothing.

        Over a network an insert may be done and its answer lost. It is then sent again under the
        same token, by which the server knows it; Unavailable when there is no answer after all.
        """
        chosen = {**self._write_settings, **(settings or {})}
        with self._writing:
            if self._server is None:
                with _speaking():
                    self._writer.insert_arrow(table, batch, settings=chosen)
            else:
                self._insert_surely(table, batch, chosen)

    def _insert_surely(self, table: str, batch: pa.Table, settings: dict[str, Any]) -> None:
        token = {"insert_deduplicate": 1, "insert_deduplication_token": uuid.uuid4().hex}
        for pause_s in (*REPEATS_S, None):
            try:
                self._writer.insert_arrow(table, batch, settings={**settings, **token})
                return
            except (ClickHouseError, pa.ArrowException, RuntimeError, HTTPError) as error:
                if pause_s is None or not is_lost(error):
                    raise translate(error) from error
                time.sleep(pause_s)

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Rows as Arrow columns; LowCardinality columns come as dictionaries."""
        spelled, values = spell_out(sql, parameters)
        table: pa.Table = self._read(
            lambda reader: reader.query_arrow(spelled, parameters=values, settings=READ_SETTINGS)
        )
        return table

    def rows(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Sequence[Any]]:
        """Rows as Python values, for small answers."""
        spelled, values = spell_out(sql, parameters)
        result: Sequence[Sequence[Any]] = self._read(
            lambda reader: reader.query(spelled, parameters=values, settings=dict(READ_SETTINGS))
        ).result_rows
        return result

    def _read(self, ask: Callable[[Any], Any]) -> Any:
        """The answer of a reader; embedded, damaged parts are set aside and the rest answers."""
        for _ in range(MOST_AT_ONCE):
            try:
                with self._reader() as reader, _speaking():
                    return ask(reader)
            except DamagedError as damage:
                if self._server is not None:
                    raise  # its parts are of whoever runs it
                set_aside(damage, self.rows, self.command)
        raise StoreFailure(
            f"more than {MOST_AT_ONCE} parts turned out to be damaged; check the disk, "
            "tracer storage names them"
        )

    def aside(self) -> Aside:
        """A handle apart from the pool, for health and metrics; closed with the engine."""
        self._asides.append(Aside(functools.partial(self._open, self.database)))
        return self._asides[-1]

    def busy_readers(self) -> int:
        """How many questions are being answered; `READERS` means that the next one waits."""
        return READERS - self._readers.qsize()

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Any]:
        reader = self._readers.get()
        try:
            if reader is None:
                with _speaking():
                    reader = self._open(self.database)
            yield reader
        finally:
            self._readers.put(reader)

    def _open(self, database: str = "") -> Any:
        """A handle of its own; inside `database`, which then MUST exist."""
        client = clickhouse_connect.get_client(**self._connect, settings=self._session_settings)
        if self._server is not None:
            # Only the handshake is short; a query may take as long as it is allowed to.
            client.timeout = urllib3.Timeout(
                connect=self._server.connect_timeout, read=self._server.read_timeout
            )
        if database:
            client.database = database
        return client

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

    def rows(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Sequence[Any]]:
        """Rows as Python values; the engine gives up after `ASIDE_S`."""
        with self._asking, _speaking():
            if self._closed:
                raise Unavailable("the store is closed")
            if self._handle is None:
                self._handle = self._connect()
            result: Sequence[Sequence[Any]] = self._handle.query(
                sql, parameters=dict(parameters or {}), settings={"max_execution_time": ASIDE_S}
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
    except (ClickHouseError, pa.ArrowException, RuntimeError, HTTPError) as error:
        raise translate(error) from error


def open_embedded(directory: Path, *, memory_bytes: int, database: str = DATABASE) -> Engine:
    """The engine in this process, on `directory`. One path per process; hold the lock first."""
    directory.mkdir(parents=True, exist_ok=True)
    options = {**FRUGAL, "max_server_memory_usage": memory_bytes}
    connect = {"interface": "chdb", "path": str(directory), "chdb_options": options}
    return Engine(connect, database)


def open_server(url: str, *, create: bool = True) -> Engine:
    """A ClickHouse server by URL (`tracer/store/url.py`); `create` makes its database.

    Raises BadSetting for a URL that is none, Unavailable when nobody answers there.
    """
    server = parse_store_url(url)
    # They warn of every failure that they raise as well, with all of a query's parameters; whoever
    # catches it says more.
    for name in ("clickhouse_connect", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
    connect: dict[str, Any] = {
        "interface": server.interface,
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "password": server.password,
        "connect_timeout": math.ceil(server.connect_timeout),  # it takes whole seconds
        "send_receive_timeout": math.ceil(min(HANDSHAKE_S, server.read_timeout)),
        # Requests of a session lock each other out, also after a time-out of ours, and cannot be
        # spread over a cluster.
        "autogenerate_session_id": False,
    }
    if server.interface == "https":
        connect |= {"ca_cert": server.ca or None, "client_cert": server.client_cert or None}
    try:
        return Engine(connect, server.database or DATABASE, server=server, create=create)
    except Unavailable as error:
        raise Unavailable(
            f"store {server.shown} cannot be used ({error}); start it or correct --store",
            retry_after_s=error.retry_after_s,
        ) from error


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
