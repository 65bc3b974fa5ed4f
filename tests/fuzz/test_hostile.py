"""A few of the hostile requests without a server around: bad ones and good ones in one block, and
each gets what it deserves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fuzz.expected import REFUSED, Answer, Sums, of_protobuf
from tests.fuzz.expected_json import of_json
from tests.fuzz.sample import GRPC, HTTP, Sample, samples
from tests.support.otlp import BASE_NS, SPAN_ID, request, span
from tracer.errors import BadInput
from tracer.ingest.commit import Block, Way, prepare
from tracer.ingest.otlp.compression import decompress
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.otlp_json import request_from_json

BLOCK = 150
JSON_SPAN = {
    "traceId": "000102030405060708090a0b0c0d0e0f",
    "spanId": SPAN_ID.hex(),
    "startTimeUnixNano": str(BASE_NS),
    "endTimeUnixNano": str(BASE_NS + 1),
}


@pytest.mark.parametrize("transport", [GRPC, HTTP])
def test_every_request_of_a_block_is_answered_as_expected(transport: str) -> None:
    every = list(samples(transport, seed=1, requests=10 * BLOCK, now_ns=BASE_NS))
    for first in range(0, len(every), BLOCK):
        block = every[first : first + BLOCK]
        answers = answered(block)
        wrong = [
            (str(sample), sample.expected(BASE_NS), answer, sample.body.hex())
            for sample, answer in zip(block, answers, strict=True)
            if sample.expected(BASE_NS) != answer
        ]
        assert wrong == []


def answered(block: list[Sample]) -> list[Answer]:
    """What tracer makes of these requests, stored as one block."""
    bodies = [unpacked(sample) for sample in block]
    taken = [body for body in bodies if body is not None]
    numbers = [number for number, body in enumerate(bodies) if body is not None]
    answers = [REFUSED] * len(block)
    result = prepare(Way(decode, lambda _: None, wall_ns=lambda: BASE_NS), taken, BASE_NS)
    for index, number in enumerate(numbers):
        if index not in result.refused:
            rejected = sum(row.count for row in result.arrivals.rejected if row.request == index)
            answers[number] = Answer(False, rejected, sums(result, index))
    return answers


def unpacked(sample: Sample) -> bytes | None:
    """As the HTTP receiver hands it on; None when it does not."""
    is_packed = sample.is_gzip and sample.transport == HTTP
    try:
        body = decompress(sample.body, "gzip" if is_packed else "identity", 1 << 26)
        return request_from_json(body) if sample.is_json else body
    except BadInput:
        return None


def sums(block: Block, request_index: int) -> Sums:
    rows = block.arrivals.request_of == request_index
    batch = block.arrivals.records.batch
    ids = [
        int.from_bytes(bytes.fromhex(text), "little")
        for text, here in zip(batch.column("SpanId").to_pylist(), rows, strict=True)
        if here
    ]
    durations_ns = batch.column("Duration").to_numpy()[rows].tolist()
    return Sums(len(ids), sum(ids) % (1 << 64), sum(durations_ns) % (1 << 64))


@pytest.mark.parametrize("lists", [1, 2])
@pytest.mark.parametrize("inner", [{}, {"x": 1}, None, {"intValue": "1"}, {"kvlistValue": {}}])
def test_the_limit_of_nesting_is_the_same_for_every_innermost_value(inner: Any, lists: int) -> None:
    taken = set()
    for depth in range(40, 52):
        value = inner
        for _ in range(lists):  # three levels each, an array is two
            value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
        for _ in range(depth - lists):
            value = {"arrayValue": {"values": [value]}}
        spans = [JSON_SPAN | {"attributes": [{"key": "k", "value": value}]}]
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
        sample = Sample(depth, HTTP, is_json=True, is_gzip=False, body=body)
        assert answered([sample]) == [sample.expected(BASE_NS)]
        taken.add(not sample.expected(BASE_NS).refused)
    assert taken == {True, False}


def test_the_same_arguments_give_the_same_requests() -> None:
    once, again = (list(samples(HTTP, 5, 700, BASE_NS)) for _ in range(2))
    assert once == again
    assert len({sample.body for sample in once}) > 600


@pytest.mark.parametrize(
    ("fields", "rejected"),
    [
        ({}, 0),
        ({"trace_id": bytes(16)}, 1),
        ({"span_id": b"short"}, 1),
        ({"parent_span_id": b"x"}, 1),
        ({"start_time_unix_nano": BASE_NS - 8 * 86_400 * 10**9}, 1),
        ({"end_time_unix_nano": BASE_NS + 2 * 3_600 * 10**9}, 1),
        ({"events": [{"time_unix_nano": 1 << 63}]}, 1),
    ],
)
def test_what_is_expected_of_protobuf(fields: dict[str, Any], rejected: int) -> None:
    answer = of_protobuf(request(span(**fields), span(**fields)), BASE_NS)
    assert (answer.refused, answer.rejected) == (False, 2 * rejected)
    assert answer.stored.spans == 2 - 2 * rejected
    assert of_protobuf(b"\xff", BASE_NS) == REFUSED


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"startTimeUnixNano": BASE_NS, "kind": 2, "unknown": [{}]}, "taken"),
        ({"traceId": "0A0102030405060708090a0b0c0d0e0F"}, "taken"),
        ({"flags": "1e1", "events": None}, "taken"),
        ({"traceId": "AAECAwQFBgcICQoLDA0ODw=="}, "rejected"),
        ({"startTimeUnixNano": None}, "rejected"),
        ({"flags": 1.5}, "refused"),
        ({"flags": True}, "refused"),
        ({"name": 1}, "refused"),
        ({"attributes": [{"key": "k", "value": {"intValue": 1 << 63}}]}, "refused"),
        ({"attributes": [{"key": "k", "value": {"bytesValue": "?"}}]}, "refused"),
        ({"attributes": {}}, "refused"),
    ],
)
def test_what_is_expected_of_json(fields: dict[str, Any], answer: str) -> None:
    spans = [JSON_SPAN | fields]
    document = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    got = of_json(json.dumps(document).encode(), BASE_NS)
    wanted = {"refused": REFUSED, "rejected": Answer(rejected=1)}
    assert got == wanted.get(answer, got)
    assert got.stored.spans == (answer == "taken")
