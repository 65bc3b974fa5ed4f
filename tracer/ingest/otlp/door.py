"""What is told about every export at the door it came in by, for whoever counts."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from tracer.errors import TracerError, Unavailable
from tracer.ingest.commit import Ack

_LOG = logging.getLogger(__name__)

GRPC: Final = "grpc"
HTTP_PROTOBUF: Final = "http/protobuf"
HTTP_JSON: Final = "http/json"

_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass
class Visit:
    """One export, filled in while it is answered. `refused` is a word, '' when it was taken."""

    transport: str
    request_bytes: int = 0
    ack: Ack | None = None
    refused: str = "abandoned"  # the sender left, or was cut off, before there was an answer
    began_s: float = field(default_factory=time.monotonic)
    took_s: float = 0.0

    def accept(self, ack: Ack) -> Ack:
        """It was stored."""
        self.ack, self.refused = ack, ""
        return ack

    def refuse(self, error: BaseException) -> None:
        """It was answered with an error. The log holds back what comes again and again."""
        _LOG.warning("an export over %s was refused: %s", self.transport, error)
        self.refused = word_of(error)


Watch = Callable[[Visit], None]  # called on the receivers' event loops: MUST NOT raise or wait


def nobody(visit: Visit) -> None:
    """Watches nothing."""


@contextmanager
def visit(watch: Watch, transport: str) -> Iterator[Visit]:
    """Tells `watch` once it is known what became of the export."""
    one = Visit(transport)
    try:
        yield one
    finally:
        one.took_s = time.monotonic() - one.began_s
        watch(one)


def word_of(error: BaseException) -> str:
    """An error as a value of a label: queue_full, bad_input, store_failure, internal …"""
    if isinstance(error, Unavailable):
        return error.reason
    if not isinstance(error, TracerError) or type(error) is TracerError:
        return "internal"
    return _HUMP.sub("_", type(error).__name__).lower()
