"""Orders, in SQLite; each new one is announced on the queue."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from tracer.demo import instrument, process
from tracer.demo.database import connect, create, session
from tracer.demo.environment import Birth
from tracer.demo.faults import LOCK_WAIT
from tracer.demo.loopback import Json, send
from tracer.demo.process import Action
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches

TOPIC: Final = "order-placed"
HELD_S: Final = 0.7
FREE_S: Final = 0.15  # longer than the longest pause of SQLite's busy handler, so nobody starves

_SCRIPT: Final = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, cents INTEGER);
CREATE INDEX orders_by_customer ON orders (customer);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
INSERT INTO orders (customer, cents) SELECT 'customer-' || (i % 200), 900 + i FROM n;
"""
_INSERT: Final = "INSERT INTO orders (customer, cents) VALUES (?, ?) RETURNING id"
_SELECT: Final = "SELECT id, cents FROM orders WHERE customer = ? ORDER BY id DESC LIMIT 20"


def actions(birth: Birth) -> Mapping[str, Action]:
    """A long report that takes the write lock again and again."""
    report = _Report(_file(birth))
    return {LOCK_WAIT: lambda on: report.start() if on else report.stop()}


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """Place an order, list old ones."""
    path = _file(birth)
    create(path, _SCRIPT)

    def place(request: Request) -> Json:
        customer, cents = str(request.body["customer"]), int(request.body["cents"])
        with session(path) as database:
            order_id = database.run("INSERT", "orders", _INSERT, customer, cents)[0][0]
        _announce(birth.ports["queue"], {"order_id": order_id, "customer": customer})
        return {"order_id": order_id}

    def history(request: Request) -> Json:
        with session(path) as database:
            return {"orders": database.run("SELECT", "orders", _SELECT, request.query["customer"])}

    return (Route("POST", "/orders", place), Route("GET", "/orders", history))


def _announce(queue_port: int, order: Json) -> None:
    message_id = str(uuid.uuid4())
    with instrument.producer_span(TOPIC, message_id) as span:
        message = {"id": message_id, "headers": instrument.headers(), "body": order}
        try:
            status, _ = send(queue_port, "POST", f"/topics/{TOPIC}", message, timeout_s=2.0)
            if status != 200:
                raise ConnectionError(f"the queue answered {status}")
        except OSError as error:  # the order stands; its parcel will be late
            instrument.fail(span, error, type(error).__name__)


def _file(birth: Birth) -> Path:
    return birth.data / "orders.db"


class _Report:
    """Another connection of the same file that really holds the write lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._over = threading.Event()
        self._thread = threading.Thread()

    def start(self) -> None:
        self._over.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(connect(self._path)) as connection:
            while not self._over.is_set():
                connection.execute("BEGIN IMMEDIATE")
                self._over.wait(HELD_S)
                connection.execute("COMMIT")
                time.sleep(FREE_S)


if __name__ == "__main__":
    process.serve(routes, (LOCK_WAIT,), actions)
