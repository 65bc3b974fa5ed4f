"""Sends traffic and retries as an SDK does, whatever becomes of the server; writes the ledger.

    python -m tests.soak.sender 127.0.0.1:4317 ledger.jsonl RATE SEED [TWICE_SHARE]

Makes no more traces once its standard input is closed, and ends when all of them are acknowledged.
Exit code 1 when an export was refused for good or in part, or is not taken within `GIVE_UP_S`.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import random
import select
import sys
import threading
import time
from pathlib import Path
from typing import IO, Final

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.soak.ledger import Entry, write
from tests.soak.traffic import Request, Traffic
from tracer.units import NS_PER_S

EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
STREAMS: Final = 8
TWICE_SHARE: Final = 0.02  # of exports are sent again, as by a client that never saw the answer,
TWICE_WITHIN_NS: Final = 12 * NS_PER_S  # with or without a restart in between
TICK_S: Final = 0.02
PAUSE_S: Final = 0.2  # between two attempts
ATTEMPT_S: Final = 10.0
GIVE_UP_S: Final = 90.0
# What the OTLP specification lets a client try again.
RETRYABLE: Final = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
)
CHANNEL: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


class Sender:
    """Streams that take requests from a queue and send each until it is acknowledged."""

    def __init__(self, target: str, ledger: IO[bytes]) -> None:
        self._channel = grpc.insecure_channel(target, options=CHANNEL)
        self._export = self._channel.unary_unary(EXPORT)
        self._ledger = ledger
        self._writing = threading.Lock()
        self._queue: queue.Queue[Request | None] = queue.Queue(4 * STREAMS)
        self._threads = [threading.Thread(target=self._stream) for _ in range(STREAMS)]
        self.failures: list[str] = []
        for thread in self._threads:
            thread.start()

    def send(self, request: Request) -> None:
        """Waits while all streams are busy: the server decides the pace."""
        self._queue.put(request)

    def close(self) -> None:
        """Waits until everything is acknowledged or has failed."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._channel.close()

    def _stream(self) -> None:
        while (request := self._queue.get()) is not None:
            try:
                attempts = self._until_acknowledged(request)
            except (grpc.RpcError, TimeoutError, ValueError) as error:
                self.failures.append(str(error))
                continue
            with self._writing:
                write(self._ledger, Entry(time.time_ns(), attempts, request.spans))

    def _until_acknowledged(self, request: Request) -> int:
        """The number of attempts it took."""
        give_up_s = time.monotonic() + GIVE_UP_S
        for attempt in itertools.count(1):
            try:
                answer = self._export(request.body, timeout=ATTEMPT_S)
            except grpc.RpcError as error:
                if error.code() not in RETRYABLE:
                    raise
                if time.monotonic() > give_up_s:
                    raise TimeoutError(f"not taken after {attempt} attempts: {error}") from error
                time.sleep(PAUSE_S)
                continue
            rejected = ExportTraceServiceResponse.FromString(answer).partial_success
            if rejected.rejected_spans:
                raise ValueError(f"refused in part: {rejected.error_message}")
            return attempt
        raise AssertionError("unreachable")


def run(sender: Sender, rate: float, seed: int, twice_share: float) -> None:
    """Traffic of about `rate` spans a second until standard input is closed."""
    traffic = Traffic(seed)
    chance = random.Random(seed)
    order = itertools.count()
    due: list[tuple[int, int, Request]] = []
    made = 0.0
    began_s = time.monotonic()
    while not select.select([sys.stdin], [], [], TICK_S)[0]:
        wanted = (time.monotonic() - began_s) * rate
        made = max(made, wanted - rate)  # the server was away: no burst of all that was missed
        while made < wanted:
            for request in traffic.trace(time.time_ns()):
                made += len(request.spans)
                heapq.heappush(due, (request.due_ns, next(order), request))
                if chance.random() < twice_share:
                    again_ns = request.due_ns + chance.randrange(TWICE_WITHIN_NS)
                    heapq.heappush(due, (again_ns, next(order), request))
        while due and due[0][0] <= time.time_ns():
            sender.send(heapq.heappop(due)[2])
    for request in (*(entry[2] for entry in sorted(due)), *traffic.rest(time.time_ns())):
        sender.send(request)


def main(
    target: str, ledger: str, rate: str, seed: str, twice_share: str = str(TWICE_SHARE)
) -> int:
    """Send, write down, say what failed."""
    with Path(ledger).open("ab") as file:
        sender = Sender(target, file)
        try:
            run(sender, float(rate), int(seed), float(twice_share))
        finally:
            sender.close()
    for failure in sender.failures[:10]:
        sys.stderr.write(f"{failure}\n")
    return 1 if sender.failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
