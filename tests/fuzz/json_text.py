"""Hostile OTLP requests as JSON: values of the wrong type, and texts that are hardly JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.fuzz.protobuf import KEYS, NAMES, NS, SERVICES, STATES, age_ns

SHARES: Final = (0.0, 0.0, 0.01, 0.05, 0.15)  # of values that are written wrong, by request
DAMAGED_SHARE: Final = 0.25  # of requests
DEPTHS: Final = (1, 2, 5, 40, 46, 47, 48, 49, 200, 600, 2_000)
# In place of a good value.
WRONG: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 1.5, 1e3, 2.0, -0.0, 1e300, 1 << 32, 1 << 63, (1 << 64) - 1),
    *(1 << 64, -(1 << 63), -(1 << 63) - 1, 10**30, "", "x", "1", "-1", "1e3", "1.0", "1.5", " 1"),
    *("1_0", "+1", "0x10", "1e999999999", "9" * 60, str(1 << 64), "NaN", "Infinity", "nan"),
    *("٣", "１", "null", "true", "\x00", "é", "zz", "Z" * 32, [], {}, [[]], [None], [{}], [1]),
    *({"x": 1}, {"values": 1}, {"values": [None]}, {"stringValue": 1}, "SPAN_KIND_SERVER"),
    *("SPAN_KIND_NONE", "AAECAwQFBgcICQoLDA0ODw=="),
)
# Written into the text where a value begins.
LITERALS: Final = (
    *(b"NaN", b"Infinity", b"-Infinity", b"nul", b"01", b"1.", b".5", b"+1", b"1e", b"--1", b"'a'"),
    *(b'"\\ud800"', b'"\\u12"', b'"\xff"', b'"\xed\xa0\x80"', b'"a\nb"', b"//x", b"1e400", b"-"),
    *(b"undefined", b"True", b"[1,]", b'{"a":1,}', b'{"a"}', b"123456789012345678901234567890"),
)


def requests(seed: str, count: int, now_ns: int) -> Iterator[bytes]:
    """So many requests, the same for the same arguments."""
    rng = random.Random(seed)
    writer = _Writer(rng, now_ns)
    for _ in range(count):
        writer.share = rng.choice(SHARES)
        body = writer.request()
        if rng.random() < DAMAGED_SHARE:
            body = rng.choice(_DAMAGES)(rng, body)
        yield body


class _Writer:
    """Documents in which some values are not what they should be."""

    def __init__(self, rng: random.Random, now_ns: int) -> None:
        self.rng = rng
        self.now_ns = now_ns
        self.share = 0.0

    def maybe(self, good: Any) -> Any:
        """The value, or a wrong one."""
        if self.share and self.rng.random() < self.share:
            return self.rng.choice(WRONG)
        return good

    def request(self) -> bytes:
        groups = 1 if self.rng.random() < 0.9 else self.rng.randrange(3)
        document = {"resourceSpans": self.maybe([self._group() for _ in range(groups)])}
        depth = self.rng.choice(DEPTHS) if self.rng.random() < 0.01 else 0
        text = json.dumps(document, separators=(",", ":"))
        if depth:  # where nobody looks
            text = text[:-1] + ',"unknown":' + '{"a":[' * depth + "]}" * depth + "}"
        return text.encode("utf-8")

    def _group(self) -> dict[str, Any]:
        rng = self.rng
        value = self.maybe({"stringValue": self.maybe(rng.choice(SERVICES))})
        pairs = [self.maybe({"key": "service.name", "value": value})]
        if rng.random() < 0.3:
            pairs += self._pairs()
        group = {
            "resource": self.maybe({"attributes": self.maybe(pairs)}),
            "scopeSpans": self.maybe(
                [self._scope() for _ in range(1 if rng.random() < 0.9 else 2)]
            ),
        }
        if rng.random() < 0.1:
            group["schemaUrl"] = self.maybe("https://example.org/1.0")
        return group

    def _scope(self) -> Any:
        rng = self.rng
        spans = [self._span() for _ in range(1 if rng.random() < 0.7 else rng.randrange(4))]
        return self.maybe(
            {
                "scope": self.maybe({"name": self.maybe("lib"), "version": self.maybe("1")}),
                "spans": self.maybe(spans),
            }
        )

    def _span(self) -> Any:
        rng = self.rng
        start_ns = self.now_ns - age_ns(rng)
        lasts_ns = rng.choice((0, 5_000_000, NS, -1_000, rng.randrange(NS)))
        span = {
            "traceId": self.maybe(self._id(16)),
            "spanId": self.maybe(self._id(8)),
            "name": self.maybe(rng.choice(NAMES)),
            "kind": self.maybe(rng.choice((*range(6), "SPAN_KIND_CLIENT"))),
            "startTimeUnixNano": self._nanoseconds(start_ns),
            "endTimeUnixNano": self._nanoseconds(start_ns + lasts_ns),
        }
        if rng.random() < 0.5:
            span["parentSpanId"] = self.maybe(self._id(8))
        if rng.random() < 0.5:
            span["attributes"] = self.maybe(self._pairs())
        if rng.random() < 0.15:
            span |= {"traceState": self.maybe(rng.choice(STATES)), "flags": self.maybe(257)}
            span["droppedAttributesCount"] = self.maybe(1)
        if rng.random() < 0.15:
            event = {"timeUnixNano": self._nanoseconds(start_ns), "name": self.maybe("hit")}
            event["attributes"] = self.maybe(self._pairs())
            span["events"] = self.maybe([self.maybe(event)])
        if rng.random() < 0.15:
            link = {"traceId": self.maybe(self._id(16)), "spanId": self.maybe(self._id(8))}
            span["links"] = self.maybe([self.maybe(link)])
        if rng.random() < 0.2:
            status = {"code": self.maybe(rng.randrange(3)), "message": self.maybe("no")}
            span["status"] = self.maybe(status)
        if rng.random() < 0.05:
            span |= {"trace_id": "00", "start_time_unix_nano": "7", "new": {"deep": [1, None]}}
        return self.maybe(span)

    def _nanoseconds(self, time_ns: int) -> Any:
        return self.maybe(str(time_ns) if self.rng.random() < 0.8 else time_ns)

    def _id(self, width: int) -> str:
        rng = self.rng
        draw = rng.random()
        if draw < 0.985:
            text = rng.randbytes(width).hex()
            return text.upper() if draw < 0.2 else text
        return "00" * width if draw < 0.992 else rng.randbytes(width + 2).hex()[: rng.randrange(40)]

    def _pairs(self) -> list[Any]:
        rng = self.rng
        return [
            self.maybe({"key": self.maybe(rng.choice(KEYS)), "value": self.maybe(self._value())})
            for _ in range(rng.randrange(1, 4))
        ]

    def _value(self) -> Any:
        rng = self.rng
        match rng.randrange(14):
            case 0 | 1 | 2 | 3 | 4 | 5:
                return {"stringValue": self.maybe(rng.choice(NAMES))}
            case 6:
                return {"boolValue": self.maybe(True)}
            case 7:
                return {"intValue": self.maybe(rng.choice(("1", "-9223372036854775808", 200)))}
            case 8:
                return {"doubleValue": self.maybe(rng.choice((1.5, 2, "NaN", "-Infinity", "1e3")))}
            case 9:
                return {"bytesValue": self.maybe(rng.choice(("", "/+8=", "_-8", "AA")))}
            case 10:
                two = {"stringValue": self.maybe("x"), "intValue": self.maybe("1")}
                return rng.choice(({}, {"newValue": [1]}, two))
            case 11:
                values = [self.maybe({"intValue": self.maybe("1")}) for _ in range(2)]
                return {"arrayValue": self.maybe({"values": self.maybe(values)})}
            case 12:
                return {"kvlistValue": self.maybe({"values": self.maybe([{"key": "k"}])})}
            case _:
                return self._deep(rng.choice(DEPTHS[:9]))

    def _deep(self, depth: int) -> Any:
        value: Any = self.maybe({"intValue": self.maybe("1")})
        for _ in range(depth):
            if self.rng.random() < 0.9:
                value = {"arrayValue": {"values": [value]}}
            else:
                value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
        return value


Damage = Callable[[random.Random, bytes], bytes]


def _flipped(rng: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randrange(1, 3)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _with_a_literal(rng: random.Random, body: bytes) -> bytes:
    """One value, or the beginning of one, becomes something else."""
    at = body.find(b":", rng.randrange(len(body)))
    if at < 0:
        return rng.choice(LITERALS)
    ends = [end for mark in b",}]" if (end := body.find(mark, at)) > 0]
    return body[: at + 1] + rng.choice(LITERALS) + body[min(ends, default=len(body)) :]


def _with_a_key(rng: random.Random, body: bytes) -> bytes:
    """A key that is there already, before or after its like."""
    key = rng.choice((b"name", b"spans", b"traceId", b"value", b"startTimeUnixNano", b"key"))
    value = json.dumps(rng.choice(WRONG)).encode()
    at = body.find(b"{", rng.randrange(len(body)))
    if rng.random() < 0.5 or at < 0:
        at = body.rfind(b"}", 0, rng.randrange(1, len(body) + 1))
        return body[:at] + b',"' + key + b'":' + value + body[at:] if at > 0 else body
    return body[: at + 1] + b'"' + key + b'":' + value + b"," + body[at + 1 :]


_DAMAGES: Final[tuple[Damage, ...]] = (
    _flipped,
    _with_a_literal,
    _with_a_literal,
    _with_a_key,
    _with_a_key,
    lambda rng, body: body[: rng.randrange(len(body))],
    lambda rng, body: body + rng.choice((b" ", b"\n{}", b"\x00", b"]", b",")),
    lambda rng, body: rng.choice((b"\xef\xbb\xbf", b" \r\n\t", b"\xff\xfe", b"[")) + body,
    lambda rng, body: rng.choice(LITERALS),
    lambda rng, body: json.dumps(rng.choice(WRONG)).encode(),
    lambda rng, body: b"",
)
