"""The fast way through OTLP/JSON says what the obvious way says, in bytes and in faults."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.otlp import requests
from tracer.errors import BadInput
from tracer.ingest.otlp import json_pairs
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.encode import to_otlp_json
from tracer.ingest.otlp.otlp_json import obvious_request, request_from_json, usual_request

SPAN: dict[str, Any] = {
    "traceId": "000102030405060708090a0b0c0d0e0f",
    "spanId": "0102030405060708",
    "name": "work",
    "startTimeUnixNano": "1700000000000000000",
    "endTimeUnixNano": "1700000000000000001",
}
DEEP = "[" * 1100 + "]" * 1100  # deeper than any parser here reads
NEARLY_TOO_DEEP = '{"a":' * 1015 + "1" + "}" * 1015  # too deep only where it stands in a document


def document(**fields: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN | fields]}]}]}


def outcome(convert: Any, body: bytes) -> bytes | str:
    try:
        return bytes(convert(body))
    except BadInput as error:
        return str(error)


# --- JSON as text, so that keys can stand twice and numbers can be spelled in every way ---------

JUNK = (
    *("null", "true", "false", "0", "-1", "-0", "1", "1.0", "1e3", "1.5", "1e400", "1e-400"),
    *("4294967295", "4294967296", "2147483648", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "-9223372036854775809", "18446744073709551615", "01", "NaN"),
    *("18446744073709551616", "9007199254740993", "9007199254740993.0", "-0.0", "1" * 400),
    *('""', '"x"', '"1"', '"-1"', '" 1"', '"1 "', '"+1"', '"1.0"', '"1e3"', '"1_0"', '"null"'),
    *('"true"', '"NaN"', '"-Infinity"', '"1.5"', '"0x1"', '"١"', '"9007199254740993.0"'),
    *('"18446744073709551615"', '"18446744073709551616"', f'"{"0" * 45}7"', f'"{"1" * 5000}"'),
    *('"SPAN_KIND_CLIENT"', '"STATUS_CODE_ERROR"', '"/+8="', '"_-8"', '"\\ud800"', '"\\u00e9"'),
    *('"\\ud83d\\ude00"', '"é😀"', '"}},{"', '"\\u0000"', '"\x01"', "[]", "{}", "[{}]", "[null]"),
    *('[{"key":1}]', '{"unknown":[1]}', '{"values":[{"intValue":"x"}]}', DEEP, NEARLY_TOO_DEEP),
)
STYLES = st.sampled_from([(",", ":"), (",", ":"), (", ", ": "), (" ,\n", "\t:")])
Text = st.SearchStrategy[str]


def often(usual: Text) -> Text:
    """The usual, and now and then anything at all."""
    return _dice(300).flatmap(lambda hit: st.sampled_from(JUNK) if hit else usual)


def _dice(sides: int) -> st.SearchStrategy[bool]:
    """True once in so many times; hypothesis likes the ends of a range, so the hit is not there."""
    return st.integers(0, sides - 1).map(lambda die: die == sides // 2)


def is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


@st.composite
def objects(draw: st.DrawFn, **members: Text) -> str:
    """An object with most of the members, now and then in another order, or one twice, or one that
    is unknown."""
    comma, colon = draw(STYLES)
    pairs = [
        f'"{name}"{colon}{draw(often(text))}'
        for name, text in members.items()
        if not draw(_dice(8))
    ]
    match draw(st.integers(0, 99)):
        case 33:
            pairs = draw(st.permutations(pairs))
        case 55:
            name = draw(st.sampled_from(list(members)))
            text = draw(often(members[name]))
            pairs.insert(0, f'"{name}"{colon}{text if is_json(text) else "null"}')
        case 77:
            pairs.append(f'"unknown"{colon}{draw(st.sampled_from(JUNK))}')
    return "{" + comma.join(pairs) + "}"


@st.composite
def one_of_members(draw: st.DrawFn, **members: Text) -> str:
    """An object with one of the members."""
    name = draw(st.sampled_from(list(members)))
    return f'{{"{name}":{draw(often(members[name]))}}}'


def arrays(items: Text, size: int = 2, at_least: int = 0) -> Text:
    return st.builds(
        lambda parts, style: "[" + style[0].join(parts) + "]",
        st.lists(often(items), min_size=at_least, max_size=size),
        STYLES,
    )


def quoted(texts: Text) -> Text:
    return st.builds(lambda text, plain: json.dumps(text, ensure_ascii=plain), texts, st.booleans())


def spelled(numbers: st.SearchStrategy[int]) -> Text:
    return st.builds(
        lambda number, text: f'"{number}"' if text else str(number), numbers, st.booleans()
    )


_NAMES = quoted(st.text(st.characters(codec="utf-8"), max_size=6))
_COUNTS = spelled(st.integers(0, (1 << 32) - 1)).map(lambda text: text.strip('"'))
_TIMES = spelled(st.one_of(st.integers(0, (1 << 64) - 1), st.just(0)))
_SCALARS = {
    "stringValue": _NAMES,
    "intValue": spelled(st.integers(-(1 << 63), (1 << 63) - 1)),
    "boolValue": st.sampled_from(["true", "false"]),
    "doubleValue": st.floats(allow_nan=False, allow_infinity=False).map(repr),
    "bytesValue": st.just('"/+8="'),
}
_VALUES = st.recursive(
    one_of_members(**_SCALARS),
    lambda inner: one_of_members(
        arrayValue=objects(values=arrays(inner)),
        kvlistValue=objects(values=arrays(objects(key=_NAMES, value=inner))),
    ),
    max_leaves=3,
)
_ATTRIBUTES = arrays(objects(key=_NAMES, value=st.one_of(_VALUES, objects(**_SCALARS))), size=4)


def _hex(width: int) -> Text:
    usual = st.binary(min_size=width, max_size=width).map(bytes.hex)
    odd = st.sampled_from(["", "zz", "0102", "ABCDEF0123456789", "é" * width])
    return quoted(st.one_of(usual, usual, usual.map(str.upper), odd))


_OWNER = {"attributes": _ATTRIBUTES, "droppedAttributesCount": _COUNTS}
_SPANS = objects(
    traceId=_hex(16),
    spanId=_hex(8),
    traceState=quoted(st.sampled_from(["", "ot=th:8"])),
    parentSpanId=_hex(8),
    name=_NAMES,
    kind=st.integers(-1, 6).map(str),
    startTimeUnixNano=_TIMES,
    endTimeUnixNano=_TIMES,
    events=arrays(objects(timeUnixNano=_TIMES, name=_NAMES, **_OWNER)),
    droppedEventsCount=_COUNTS,
    links=arrays(
        objects(traceId=_hex(16), spanId=_hex(8), traceState=_NAMES, flags=_COUNTS, **_OWNER), 1
    ),
    droppedLinksCount=_COUNTS,
    status=objects(message=_NAMES, code=st.integers(-1, 3).map(str)),
    flags=_COUNTS,
    **_OWNER,
)
_SCOPE_SPANS = objects(
    scope=objects(name=_NAMES, version=_NAMES, **_OWNER),
    spans=arrays(_SPANS, at_least=1),
    schemaUrl=_NAMES,
)
_RESOURCE_SPANS = objects(
    resource=objects(**_OWNER), scopeSpans=arrays(_SCOPE_SPANS, at_least=1), schemaUrl=_NAMES
)
DOCUMENTS = objects(resourceSpans=arrays(_RESOURCE_SPANS, at_least=1))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(DOCUMENTS)
def test_both_ways_say_the_same(text: str) -> None:
    body = text.encode()
    assert outcome(request_from_json, body) == outcome(obvious_request, body)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(), st.data())
def test_both_ways_say_the_same_of_damaged_text(content: bytes, data: st.DataObject) -> None:
    body = bytearray(orjson.dumps(to_otlp_json(decode([content], ingest_ns=1).records)))
    at = data.draw(st.integers(0, len(body)))
    until = data.draw(st.integers(at, min(len(body), at + 3)))
    body[at:until] = data.draw(st.one_of(st.binary(max_size=2), st.sampled_from([b'"', b"}},{"])))
    assert outcome(request_from_json, bytes(body)) == outcome(obvious_request, bytes(body))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests())
def test_what_tracer_writes_itself_is_usual(content: bytes) -> None:
    body = orjson.dumps(to_otlp_json(decode([content], ingest_ns=1).records))
    assert usual_request(body) == obvious_request(body)


PAIR = {"key": "k", "value": {"stringValue": "x"}}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"attributes": []},
        {"attributes": None, "events": None, "links": None, "status": None, "kind": None},
        {"attributes": [PAIR, {"key": "a}},{b", "value": {"stringValue": '}},{"key'}}, PAIR]},
        {"attributes": [PAIR, {"key": "n", "value": {"kvlistValue": {"values": [PAIR, PAIR]}}}]},
        {"attributes": [PAIR, {"value": {"stringValue": "x"}, "key": "k"}, {"key": "none"}]},
        {"attributes": [{"key": "", "value": {}}, {"key": "k", "value": {"newValue": 1}}]},
        {"attributes": [{"key": "k", "value": {"arrayValue": {"values": [{"intValue": 1}]}}}]},
        {"traceId": "not hex", "spanId": "", "parentSpanId": "0102"},
        {"events": [{"timeUnixNano": 1, "attributes": [PAIR, PAIR]}], "status": {}},
        {"links": [{"traceId": "not hex", "unknown": 1}, None]},
    ],
)
@pytest.mark.parametrize("indent", [None, 1], ids=["compact", "indented"])
def test_the_fast_way_takes_it(fields: dict[str, Any], indent: int | None) -> None:
    separators = (",", ":") if indent is None else None
    body = json.dumps(document(**fields), indent=indent, separators=separators).encode()
    assert usual_request(body) == obvious_request(body)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "SPAN_KIND_CLIENT"},
        {"startTimeUnixNano": "1e3"},
        {"startTimeUnixNano": 1 << 64},
        {"startTimeUnixNano": -1},
        {"flags": 1 << 32},
        {"kind": 1 << 31},
        {"droppedLinksCount": True},
        {"unknown": 1},
        {"attributes": [{"key": "k", "value": {"intValue": True}}]},
        {"attributes": {}},
        {"events": [None]},
    ],
)
def test_the_fast_way_leaves_it(fields: dict[str, Any]) -> None:
    assert usual_request(json.dumps(document(**fields)).encode()) is None


def test_pieces_of_an_array_that_only_look_like_items_are_not_taken_for_them() -> None:
    text = '[{"key":"a","value":{}} ,{"key":"b","value":{}},{"key":"c","value":{}}]'
    body = orjson.dumps(document()).replace(b'"name"', f'"attributes":{text},"name"'.encode())
    assert usual_request(body) == obvious_request(body)


def test_equal_values_that_are_not_the_same_are_kept_apart() -> None:
    values = [{"intValue": 1}, {"boolValue": True}, {"doubleValue": 0.0}, {"doubleValue": -0.0}]
    values += [{"intValue": "1"}, {"stringValue": "1"}, {"doubleValue": 1}, {"doubleValue": 1.0}]
    attributes = [{"key": "k", "value": value} for value in values * 2]
    body = orjson.dumps(document(attributes=attributes))
    assert usual_request(body) == obvious_request(body)


def test_what_is_kept_of_attributes_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_pairs, "_KEPT_PAIRS", 5)
    json_pairs._kept.clear()
    texts = [str(number) for number in range(12)] + ["x" * 600, "x" * (1 << 20)]
    attributes = [{"key": "k", "value": {"stringValue": text}} for text in texts]
    body = orjson.dumps(document(attributes=attributes))
    assert usual_request(body) == obvious_request(body)
    assert 0 < len(json_pairs._kept) <= 5
    assert max(map(len, json_pairs._kept)) < 600


def test_what_a_key_replaces_is_skipped_with_less_care() -> None:
    """The one difference: 1e400 is JSON, and too large for who reads it; nobody needs to."""
    body = orjson.dumps(document()).replace(
        b'"name"', b'"attributes":[1e400],"attributes":[],"name"'
    )
    assert usual_request(body) == request_from_json(orjson.dumps(document()))
    with pytest.raises(BadInput, match="not JSON"):
        obvious_request(body)
