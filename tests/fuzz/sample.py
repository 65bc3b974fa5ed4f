"""A hostile request as it goes over the wire, and what must become of it."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from tests.fuzz import json_text, protobuf
from tests.fuzz.expected import REFUSED, Answer, of_protobuf
from tests.fuzz.expected_json import of_json

GRPC, HTTP = "grpc", "http"
CHUNK: Final = 500
GZIP_SHARE: Final = 0.1
JSON_SHARE: Final = 0.5  # of what goes over HTTP


@dataclass(frozen=True)
class Sample:
    """`body` is what is sent; `is_gzip` says what it claims to be."""

    number: int
    transport: str
    is_json: bool
    is_gzip: bool
    body: bytes

    def expected(self, now_ns: int) -> Answer:
        """The answer to it at this moment."""
        body = self.body
        if self.is_gzip and self.transport == HTTP:
            try:
                body = gzip.decompress(body)
            except (EOFError, OSError, zlib.error):
                return REFUSED
            if self.body[3:4] > b"\x1f":
                return REFUSED  # reserved bits must be zero (RFC 1952); Python does not look
        return of_json(body, now_ns) if self.is_json else of_protobuf(body, now_ns)

    def plain(self) -> Sample:
        """The same request without compression, where that can be undone."""
        if not self.is_gzip or self.transport == GRPC:
            return replace(self, is_gzip=False)
        try:
            return replace(self, is_gzip=False, body=gzip.decompress(self.body))
        except (EOFError, OSError, zlib.error):
            return self

    def __str__(self) -> str:
        form = "json" if self.is_json else "protobuf"
        packed = " gzip" if self.is_gzip else ""
        return f"{self.transport} {form}{packed} #{self.number}"


def samples(transport: str, seed: int, requests: int, now_ns: int) -> Iterator[Sample]:
    """So many requests, the same for the same arguments."""
    numbers = iter(range(requests))
    for chunk in count():
        rng = random.Random(f"{transport} {seed} {chunk}")
        is_json = transport == HTTP and rng.random() < JSON_SHARE
        write = json_text.requests if is_json else protobuf.requests
        of = f"{chunk} {transport}"
        for body in write(f"{seed} {of}", CHUNK, now_ns):
            number = next(numbers, None)
            if number is None:
                return
            sample = Sample(number, transport, is_json, rng.random() < GZIP_SHARE, body)
            yield _packed(rng, sample) if sample.is_gzip and transport == HTTP else sample


def _packed(rng: random.Random, sample: Sample) -> Sample:
    """Compressed, and damaged in one of three."""
    body = gzip.compress(sample.body, 1, mtime=0)
    if rng.random() < 0.33:
        body = rng.choice(_DAMAGES)(rng, body)
    return replace(sample, body=body)


def _flipped(rng: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


_DAMAGES: Final[tuple[Callable[[random.Random, bytes], bytes], ...]] = (
    _flipped,
    lambda rng, body: body[: rng.randrange(len(body))],
    lambda rng, body: gzip.decompress(body) or b"?",
    lambda rng, body: body + rng.randbytes(3),
    lambda rng, body: body[:-8] + rng.randbytes(8),
    lambda rng, body: body[: len(body) // 2] + body,
    lambda rng, body: zlib.compress(body),
)
