"""The disk budget on a disk that others have filled to the last byte. Says what happened."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.support.disks import fill
from tests.support.records import records, span
from tracer.errors import Unavailable
from tracer.service.keeper import Keeper, Limits
from tracer.settings import Settings
from tracer.store.ballast import NAME, Ballast
from tracer.store.engine import free_bytes, open_embedded
from tracer.store.migrate import migrate
from tracer.store.retention import apply_retention
from tracer.store.writer import write_spans
from tracer.units import HOUR_NS

SHORT = 2**20
SPANS = 3_000


def main(disk: Path) -> None:
    """Two hours of spans; then nothing is free."""
    engine = open_embedded(disk / "store", memory_bytes=2**30)
    migrate(engine)
    apply_retention(engine, Settings())
    now = time.time_ns()
    for ago in (1, 5):
        block = [span(n, n, start=now - ago * HOUR_NS, ingest=now) for n in range(1, SPANS + 1)]
        write_spans(engine, records(block))
    keeper = Keeper(
        engine,
        Limits(0, SHORT),
        free_bytes=lambda: free_bytes(disk),
        now_ns=time.time_ns,
        ballast=Ballast(disk),
    )
    keeper.look()
    assert (disk / NAME).exists()
    fill(disk)
    late = records([span(1, 1, start=now, ingest=now)])
    try:
        write_spans(engine, late)
    except Unavailable:
        sys.stdout.write("refused\n")
    keeper.look()
    assert not (disk / NAME).exists()
    if keeper.dropped.spans == 2 * SPANS:  # all of it is less than the ballast
        sys.stdout.write("dropped\n")
    engine.close()
