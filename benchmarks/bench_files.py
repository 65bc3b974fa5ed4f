"""Files to checked columns on one core, against the obvious way in the same run: the whole document
parsed, protobuf messages filled field by field, and decoded.

Times are CPU seconds of this process with Arrow held to one thread, best of several rounds.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from benchmarks.corpus import SPANS_PER_REQUEST, requests
from benchmarks.files import jaeger_document, otlp_lines, zipkin_document
from tracer.ingest.files.account import Account
from tracer.ingest.files.jaeger import request_from_jaeger
from tracer.ingest.files.read import read_blocks
from tracer.ingest.files.source import open_source
from tracer.ingest.files.zipkin import request_from_zipkin
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.otlp_json import request_from_document

_REQUESTS = 40  # 40,960 spans
_ROUNDS = 5


def run() -> list[dict[str, Any]]:
    """Rows of name, value, unit, reference (the obvious way, same run) and ratio."""
    bodies = requests(_REQUESTS, base_ns=time.time_ns())
    spans = _REQUESTS * SPANS_PER_REQUEST
    forms: dict[str, tuple[bytes, Callable[[bytes], list[bytes]]]] = {
        "Jaeger JSON": (jaeger_document(bodies), _obvious_jaeger),
        "Zipkin JSON": (zipkin_document(bodies), _obvious_zipkin),
        "OTLP JSON lines": (otlp_lines(bodies), _obvious_lines),
        "OTLP binary": (b"".join(bodies), lambda content: [content]),
    }
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return [
                _row(Path(folder) / "traces", name, content, obvious, spans)
                for name, (content, obvious) in forms.items()
            ]
    finally:
        pa.set_cpu_count(threads)


def _row(
    path: Path, name: str, content: bytes, obvious: Callable[[bytes], list[bytes]], spans: int
) -> dict[str, Any]:
    path.write_bytes(content)
    fast_s = _best(lambda: _read(path, spans), _ROUNDS)
    obvious_s = _best(lambda: decode(obvious(path.read_bytes()), ingest_ns=1), 1)
    return {
        "name": f"{name} ({len(content) / spans:,.0f} B/span) to columns, one core",
        "value": spans / fast_s,
        "unit": "spans/s",
        "reference": spans / obvious_s,
        "ratio": obvious_s / fast_s,
    }


def _read(path: Path, spans: int) -> None:
    account = Account(path.name)
    with open_source(path) as source:
        for _ in read_blocks(source, account, format="auto", ingest_ns=1):
            pass
    if account.spans != spans:
        raise AssertionError(f"{account.spans} spans of {spans} were read")


def _obvious_jaeger(content: bytes) -> list[bytes]:
    return [request_from_jaeger(orjson.loads(content))]


def _obvious_zipkin(content: bytes) -> list[bytes]:
    return [request_from_zipkin(orjson.loads(content), Counter(), Counter())]


def _obvious_lines(content: bytes) -> list[bytes]:
    return [request_from_document(orjson.loads(line)) for line in content.splitlines()]


def _best(work: Callable[[], object], rounds: int) -> float:
    seconds: list[float] = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)
