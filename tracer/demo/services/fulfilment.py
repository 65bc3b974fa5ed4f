"""Works through the orders on the queue: a mail and a parcel for each, a manifest for every ten."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

from tracer.demo import environment, instrument, lifeline, pace, process
from tracer.demo.database import create, session
from tracer.demo.loopback import Json, send

TOPIC: Final = "order-placed"
MANIFEST: Final = 10
_SCRIPT: Final = "CREATE TABLE shipments (id INTEGER PRIMARY KEY, order_id INTEGER);"
_INSERT: Final = "INSERT INTO shipments (order_id) VALUES (?)"


def work_through(path: Path, queue_port: int, over: threading.Event) -> None:
    """Take and process messages until `over`; a broker that is away is asked again."""
    waiting: list[Json] = []  # processed, but on no manifest yet
    while not over.is_set():
        try:
            _, answer = send(queue_port, "GET", f"/topics/{TOPIC}", timeout_s=2.0)
        except OSError:
            time.sleep(0.2)
            continue
        for message in answer.get("messages", []):
            _process(path, message)
            waiting.append(message)
            if len(waiting) == MANIFEST:
                _print_manifest(waiting)
                waiting.clear()


def _process(path: Path, message: Json) -> None:
    with (
        instrument.caller(message["headers"], {}),
        instrument.consumer_span(TOPIC, message["id"]),
    ):
        with instrument.internal_span("send mail"):
            pace.work(12.0)
        with session(path) as database:
            database.run("INSERT", "shipments", _INSERT, message["body"]["order_id"])


def _print_manifest(messages: list[Json]) -> None:
    with instrument.batch_span(TOPIC, [message["headers"] for message in messages]):
        pace.work(15.0)


def main() -> None:
    """Be the worker until the end."""
    birth = environment.read()
    path = birth.data / "fulfilment.db"
    create(path, _SCRIPT)
    flush = process.telemetry(birth)
    over = threading.Event()
    worker = threading.Thread(target=work_through, args=(path, birth.ports["queue"], over))
    worker.start()
    lifeline.ready()
    lifeline.wait_for_the_end()
    over.set()
    worker.join()
    flush()


if __name__ == "__main__":
    main()
