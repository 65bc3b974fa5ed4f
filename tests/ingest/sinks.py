"""A sink on a store of the test's own, and ways to fill a block."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from tests.ingest.arriving import NOW_NS, Gate, Store, decode, request, span_names
from tracer.columns.records import SpanRecords
from tracer.ingest.commit import Ack
from tracer.ingest.sink import Sink, SinkSettings

EAGER = SinkSettings(small_bytes=0)
PATIENCE_S = 20


@contextmanager
def a_sink(store: Store, settings: SinkSettings = EAGER, **more: Any) -> Iterator[Sink]:
    """Closed at the end; `more` is what a sink takes besides."""
    more.setdefault("now_ns", lambda: NOW_NS)
    sink = Sink(decode=decode, write=store.write, settings=settings, **more)
    try:
        yield sink
    finally:
        sink.close(PATIENCE_S)


def behind(gate: Gate, sink: Sink, requests: list[bytes]) -> list[Future[Ack]]:
    """Futures of `requests`, queued while a first block is being written: so they share a block."""
    sink.offer(request("first"))
    assert gate.reached.wait(PATIENCE_S)
    futures = [sink.offer(one) for one in requests]
    gate.open()
    return futures


def refuse(*names: str, error: Exception) -> Any:
    """A `before` that refuses every block with a span of one of these names in it."""

    def before(block: SpanRecords) -> None:
        if set(names) & set(span_names(block)):
            raise error

    return before


def then(*befores: Any) -> Any:
    """A `before` that is several, one after the other."""

    def before(block: SpanRecords) -> None:
        for one in befores:
            one(block)

    return before
