"""The fast ways for Jaeger and Zipkin JSON answer as the obvious ones, or leave it to them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.otlp import rows
from tracer.ingest.files.jaeger import request_from_jaeger
from tracer.ingest.files.jaeger_fast import usual_jaeger
from tracer.ingest.files.span_bytes import Groups
from tracer.ingest.files.zipkin import request_from_zipkin
from tracer.ingest.files.zipkin_fast import usual_zipkin
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.json_fault import Fault

TRACE = "0af7651916cd43dd8448eb211c80319c"
TEXTS = st.one_of(
    st.sampled_from(["", "a", 'x"},{"y', '","', "\\", '\\"', "}]", "true", "ERROR", "é\n", "500"]),
    st.text(max_size=6),
)
IDS = st.sampled_from(["b7ad6b7169203331", "B7AD6B7169203332", "1f", "0", "", "nothex", "0" * 17])
TRACE_IDS = st.sampled_from([TRACE, TRACE, TRACE.upper(), "4bf92f3577b34da6", ""])
TIMES = st.sampled_from([1_700_000_000_000_000, 1, 0, -1, 1 << 62, 1.5, None, "12"])
KEYS = st.sampled_from(
    [
        *("a", "b", "", "span.kind", "error", "event", "w3c.tracestate", "otel.status_code"),
        *("otel.status_description", "http.status_code", "http.response.status_code"),
        *("otel.scope.name", "otel.library.name", "otel.scope.version", "network.peer.port"),
    ]
)


def usually(strategy: st.SearchStrategy[Any], value: Any) -> st.SearchStrategy[Any]:
    """Mostly the value, so that a document has few oddities at a time."""
    return st.one_of(*[st.just(value)] * 7, strategy)


def an_object(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=members)


TAGS = st.lists(
    st.fixed_dictionaries(
        {
            "key": KEYS,
            "type": st.sampled_from(["string", "bool", "int64", "float64", "binary", "", "odd"]),
            "value": st.one_of(
                TEXTS,
                st.booleans(),
                st.none(),
                st.floats(allow_nan=False, allow_infinity=False),
                st.integers(-(1 << 64), 1 << 64),
                st.sampled_from(["server", "Client", {"a": [1]}, "/wA=", "ot=th:8", "OK", 500]),
            ),
        }
    ),
    max_size=4,
)
JAEGER_SPAN = st.fixed_dictionaries(
    {
        "traceID": usually(TRACE_IDS, TRACE),
        "spanID": usually(IDS, "b7ad6b7169203331"),
        "operationName": TEXTS,
        "references": st.lists(
            st.fixed_dictionaries(
                {
                    "refType": st.sampled_from(["CHILD_OF", "FOLLOWS_FROM"]),
                    "traceID": usually(TRACE_IDS, TRACE),
                    "spanID": IDS,
                }
            ),
            max_size=2,
        ),
        "startTime": usually(TIMES, 1_700_000_000_000_000),
        "duration": usually(TIMES, 5),
        "tags": TAGS,
        "logs": st.one_of(
            st.none(),
            st.lists(an_object(timestamp=usually(TIMES, 7), fields=TAGS), max_size=2),
        ),
        "processID": st.sampled_from(["p1", "p2", "gone"]),
    },
    optional={
        "flags": st.sampled_from([0, 1, 3, None]),
        "warnings": st.sampled_from([None, [], ["late"]]),
        "parentSpanID": IDS,
    },
)
JAEGER_TRACE = st.fixed_dictionaries(
    {
        "traceID": usually(TRACE_IDS, TRACE),
        "spans": st.lists(JAEGER_SPAN, max_size=3),
        "processes": st.just(
            {"p1": {"serviceName": "shop", "tags": []}, "p2": {"serviceName": "stock"}}
        ),
    }
)
JAEGER = st.one_of(JAEGER_TRACE, st.builds(lambda one: {"data": [one, one]}, JAEGER_TRACE))

ENDPOINT = an_object(
    serviceName=st.sampled_from(["shop", "stock", "", None]),
    ipv4=st.sampled_from(["10.1.0.1", ""]),
    ipv6=st.just("2001:db8::1"),
    port=st.sampled_from([80, 0, None, "80"]),
)
ZIPKIN_SPAN = st.fixed_dictionaries(
    {
        "traceId": usually(TRACE_IDS, TRACE),
        "id": usually(IDS, "b7ad6b7169203331"),
        "timestamp": usually(TIMES, 1_700_000_000_000_000),
        "duration": usually(TIMES, 5),
    },
    optional={
        "parentId": IDS,
        "name": st.one_of(TEXTS, st.none()),
        "kind": st.sampled_from(["CLIENT", "SERVER", "PRODUCER", "CONSUMER", None, "", "ODD"]),
        "localEndpoint": st.one_of(ENDPOINT, st.none()),
        "remoteEndpoint": st.one_of(ENDPOINT, st.none()),
        "annotations": st.lists(an_object(timestamp=usually(TIMES, 7), value=TEXTS), max_size=2),
        "tags": st.one_of(
            st.none(), st.dictionaries(KEYS, usually(st.sampled_from([1, None]), "x"), max_size=3),
            st.dictionaries(KEYS, TEXTS, max_size=3),
        ),
        "debug": st.sampled_from([True, False, None]),
        "shared": st.sampled_from([True, False, None]),
        "odd": st.just(1),
    },
)  # fmt: skip
ZIPKIN = st.one_of(
    ZIPKIN_SPAN,
    st.lists(ZIPKIN_SPAN, max_size=3),
    st.lists(st.lists(ZIPKIN_SPAN, max_size=2), max_size=2),
)


def jaeger_fast(text: bytes) -> bytes | None:
    groups = Groups()
    return groups.request() if usual_jaeger(text, groups) else None


def zipkin_fast(text: bytes, changed: Counter[str]) -> bytes | None:
    groups = Groups()
    return groups.request() if usual_zipkin(text, groups, changed) else None


def same_spans(fast: bytes, obvious: bytes) -> None:
    """But for their order: spans are grouped by what they share."""
    left, right = (decode([request], ingest_ns=1) for request in (fast, obvious))
    assert sorted(map(repr, rows(left.records))) == sorted(map(repr, rows(right.records)))
    assert left.rejected == right.rejected


def texts_of(document: Any) -> list[bytes]:
    return [orjson.dumps(document), json.dumps(document, indent=2).encode()]


@settings(max_examples=80, deadline=None)
@given(JAEGER)
def test_jaeger_is_read_alike(document: Any) -> None:
    try:
        text = orjson.dumps(document)
    except TypeError:  # an integer over 64 bits
        text = json.dumps(document).encode()
    fast = jaeger_fast(text)
    try:
        obvious = request_from_jaeger(orjson.loads(text))
    except Fault:
        assert fast is None
        return
    if fast is not None:
        same_spans(fast, obvious)


@settings(max_examples=80, deadline=None)
@given(ZIPKIN)
@example({"traceId": TRACE, "id": "1", "timestamp": 5, "tags": {"a": '","', "b": "\\"}})
def test_zipkin_is_read_alike(document: Any) -> None:
    for text in texts_of(document):
        fast_changed, changed, rejected = Counter[str](), Counter[str](), Counter[str]()
        fast = zipkin_fast(text, fast_changed)
        try:
            obvious = request_from_zipkin(orjson.loads(text), changed, rejected)
        except Fault:
            assert fast is None
            continue
        if fast is None:
            assert not fast_changed
        else:
            same_spans(fast, obvious)
            assert (+fast_changed, +rejected) == (+changed, Counter())


JAEGER_USUAL = {
    "data": [
        {
            "traceID": TRACE,
            "spans": [
                {
                    "traceID": TRACE,
                    "spanID": "1",
                    "flags": 1,
                    "operationName": "GET /",
                    "references": [],
                    "startTime": 1_700_000_000_000_000,
                    "duration": 3,
                    "tags": [
                        {"key": "span.kind", "type": "string", "value": "server"},
                        {"key": "error", "type": "bool", "value": True},
                        {"key": "n", "type": "int64", "value": 7},
                        {"key": "ratio", "type": "float64", "value": 0.5},
                    ],
                    "logs": [
                        {
                            "timestamp": 1_700_000_000_000_001,
                            "fields": [{"key": "event", "type": "string", "value": "retry"}],
                        }
                    ],
                    "processID": "p1",
                    "warnings": None,
                }
            ],
            "processes": {"p1": {"serviceName": "shop", "tags": []}},
            "warnings": None,
        }
    ],
    "total": 0,
    "limit": 0,
    "offset": 0,
    "errors": None,
}
ZIPKIN_USUAL = [
    [
        {
            "traceId": TRACE,
            "id": "0000000000000001",
            "kind": "SERVER",
            "name": "get /",
            "timestamp": 1_700_000_000_000_000,
            "duration": 3,
            "localEndpoint": {"serviceName": "shop", "ipv4": "10.1.0.1", "port": 80},
            "remoteEndpoint": {"ipv4": "10.1.0.2"},
            "annotations": [{"timestamp": 1_700_000_000_000_001, "value": "retry"}],
            "tags": {"error": "late", "note": 'a "word", é'},
            "shared": True,
        }
    ]
]


@pytest.mark.parametrize("text", texts_of(JAEGER_USUAL), ids=["compact", "indented"])
def test_what_jaeger_writes_goes_the_fast_way(text: bytes) -> None:
    fast = jaeger_fast(text)
    assert fast is not None
    same_spans(fast, request_from_jaeger(orjson.loads(text)))


@pytest.mark.parametrize("text", texts_of(ZIPKIN_USUAL), ids=["compact", "indented"])
def test_what_zipkin_writes_goes_the_fast_way(text: bytes) -> None:
    fast = zipkin_fast(text, Counter())
    assert fast is not None
    same_spans(fast, request_from_zipkin(orjson.loads(text), Counter(), Counter()))
