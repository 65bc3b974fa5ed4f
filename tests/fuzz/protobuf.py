"""Hostile OTLP requests as protobuf: valid ones, written by a liar and damaged afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from tests.fuzz.liar import Liar
from tests.support.otlp import length_delimited, varint

SHARES: Final = (0.0, 0.0, 0.005, 0.02, 0.1)  # of fields that are written wrong, by request
DAMAGED_SHARE: Final = 0.3  # of requests
NS: Final = 1_000_000_000
# Of a span's start before now: usual ones, and now and then an odd or an impossible one.
AGES_NS: Final = (0, NS, 60 * NS, 300 * NS, -60 * NS)
ODD_AGES_NS: Final = (6 * 86_400 * NS, 30 * 3_600 * NS, 3_600 * NS, -3_000 * NS)
IMPOSSIBLE_NS: Final = (9 * 86_400 * NS, -3 * 3_600 * NS, 400 * 86_400 * NS, -(1 << 62))
NAMES: Final = ("GET /", "SELECT", "", "wörk", "a" * 200, "\x00", "😀")
SERVICES: Final = ("web", "items", "", "tracer", "x" * 100)
KEYS: Final = ("http.route", "user.id", "password", "", "messaging.operation", "service.name")
STATES: Final = ("", "ot=th:8", "ot=th:", "ot=th:fffffffffffffff", "a=b,ot=rv:0;th:c", ",=;")


def requests(seed: str, count: int, now_ns: int) -> Iterator[bytes]:
    """So many requests, the same for the same arguments."""
    rng = random.Random(seed)
    liar = Liar(rng)
    for _ in range(count):
        liar.share = rng.choice(SHARES)
        body = _request(liar, now_ns)
        yield liar.damaged(body) if rng.random() < DAMAGED_SHARE else body


def _request(liar: Liar, now_ns: int) -> bytes:
    rng = liar.rng
    draw = rng.random()
    if draw < 0.01:
        return _many(rng)
    groups = 1 if draw < 0.9 else rng.randrange(3)
    return b"".join(liar.field(1, _resource_spans(liar, now_ns)) for _ in range(groups))


def _many(rng: random.Random) -> bytes:
    """Very many of something small."""
    count = rng.choice((1_000, 3_000))
    spans = length_delimited(2, b"" if rng.random() < 0.5 else length_delimited(9, b"")) * count
    bodies = (spans, length_delimited(2, b"") * count, length_delimited(2, spans[:2] * count))
    return length_delimited(1, rng.choice(bodies))


def _resource_spans(liar: Liar, now_ns: int) -> bytes:
    rng = liar.rng
    service = liar.field(2, liar.field(1, liar.text(rng.choice(SERVICES))))
    resource = liar.field(1, liar.field(1, b"service.name") + service)
    if rng.random() < 0.3:
        resource += _attributes(liar, 1)
    scopes = 1 if rng.random() < 0.9 else rng.randrange(3)
    body = liar.field(1, resource)
    for _ in range(scopes):
        spans = 1 if rng.random() < 0.7 else rng.randrange(5)
        scope = liar.field(1, liar.field(1, liar.text("lib")) + liar.field(2, b"1.0"))
        body += liar.field(2, scope + b"".join(_span_of(liar, now_ns) for _ in range(spans)))
    return body


def _span_of(liar: Liar, now_ns: int) -> bytes:
    rng = liar.rng
    start_ns = now_ns - age_ns(rng)
    lasts_ns = rng.choice((0, 5_000_000, NS, -1_000, rng.randrange(NS)))
    body = liar.field(1, _id(rng, 16)) + liar.field(2, _id(rng, 8))
    if rng.random() < 0.5:
        body += liar.field(4, _id(rng, 8))
    body += liar.field(5, liar.text(rng.choice(NAMES)))
    body += liar.number(6, rng.randrange(6)) + liar.fixed(7, start_ns)
    body += liar.fixed(8, start_ns + lasts_ns)
    if rng.random() < 0.5:
        body += _attributes(liar, 9)
    if rng.random() < 0.15:
        body += liar.field(3, liar.text(rng.choice(STATES))) + liar.number(10, rng.randrange(3))
    if rng.random() < 0.15:
        event = liar.fixed(1, start_ns) + liar.field(2, liar.text("hit")) + _attributes(liar, 3)
        body += liar.field(11, event)
    if rng.random() < 0.15:
        link = liar.field(1, _id(rng, 16)) + liar.field(2, _id(rng, 8)) + liar.fixed(6, 1, width=4)
        body += liar.field(13, link)
    if rng.random() < 0.2:
        status = liar.field(2, liar.text("no")) + liar.number(3, rng.randrange(3))
        body += liar.field(15, status) + liar.fixed(16, 0x101, width=4)
    return liar.field(2, body)


def age_ns(rng: random.Random) -> int:
    """Of the start of a span."""
    draw = rng.random()
    ages = AGES_NS if draw < 0.95 else ODD_AGES_NS if draw < 0.97 else IMPOSSIBLE_NS
    return rng.choice(ages)


def _id(rng: random.Random, width: int) -> bytes:
    draw = rng.random()
    if draw < 0.985:
        return rng.randbytes(width)
    return bytes(width) if draw < 0.992 else rng.randbytes(rng.randrange(width + 3))


def _attributes(liar: Liar, number: int) -> bytes:
    rng = liar.rng
    return b"".join(
        liar.field(number, liar.field(1, liar.text(rng.choice(KEYS))) + liar.field(2, _value(liar)))
        for _ in range(rng.randrange(1, 4))
    )


def _value(liar: Liar) -> bytes:
    rng = liar.rng
    match rng.randrange(14):
        case 0 | 1 | 2 | 3 | 4 | 5:
            return liar.field(1, liar.text(rng.choice(NAMES)))
        case 6:
            return liar.number(2, 1)
        case 7 | 8:
            return liar.number(3, rng.choice((1, -1, 200, 1 << 62)))
        case 9:
            return varint(4 << 3 | 1) + rng.randbytes(8)
        case 10:
            return liar.field(7, rng.randbytes(5))
        case 11:
            return b""
        case 12:
            inner = liar.field(1, _scalar(rng)) * rng.randrange(4)
            return liar.field(5, inner)
        case _:
            return _deep(rng, rng.choice((1, 2, 5, 40, 46, 47, 48, 49, 200)))


def _scalar(rng: random.Random) -> bytes:
    return rng.choice((varint(3 << 3) + varint(7), length_delimited(1, b"s"), b""))


def _deep(rng: random.Random, depth: int) -> bytes:
    """A value in a value in a value; an array is two messages, a list of pairs is three."""
    body = _scalar(rng)
    for _ in range(depth):
        if rng.random() < 0.9:
            body = length_delimited(5, length_delimited(1, body))
        else:
            pair = length_delimited(1, b"k") + length_delimited(2, body)
            body = length_delimited(6, length_delimited(1, pair))
    return body
