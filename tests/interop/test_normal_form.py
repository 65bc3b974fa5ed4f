"""The comparison of what was meant with what was stored sees what is wrong, and only that."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.interop.normal_form import described, differences, stored

DESCRIBED = {
    "scope": {"name": "s", "version": "1", "schema_url": "u"},
    "services": {"web": {"service.name": {"stringValue": "web"}}},
    "traces": [
        {
            "remote_tracestate": "a=b",
            "spans": [
                {"name": "top", "service": "web", "kind": "server", "start_ns": 5, "end_ns": 9},
                {
                    **{"name": "low", "service": "web", "kind": "client", "parent": "top"},
                    **{"start_ns": 6, "end_ns": 8},
                    "attributes": {"n": {"intValue": "1"}},
                    "events": [{"name": "e", "at_ns": 7}],
                    "links": [{"to": "top"}],
                    "status": {"code": "error", "message": "no"},
                },
            ],
        }
    ],
}
TOP = {
    **{"traceId": "0a", "spanId": "01", "parentSpanId": "ff", "name": "top", "kind": 2},
    **{"startTimeUnixNano": "105", "endTimeUnixNano": "109", "traceState": "a=b", "flags": 0x301},
}
LOW = {
    **{"traceId": "0a", "spanId": "02", "parentSpanId": "01", "name": "low", "kind": 3},
    **{"startTimeUnixNano": "106", "endTimeUnixNano": "108", "traceState": "a=b", "flags": 0x101},
    "attributes": [{"key": "n", "value": {"intValue": "1"}}],
    "events": [{"timeUnixNano": "107", "name": "e"}],
    "links": [{"traceId": "0a", "spanId": "01"}],
    "status": {"code": 2, "message": "no"},
}
STORED = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": "web"}},
                    {"key": "telemetry.sdk.name", "value": {"stringValue": "opentelemetry"}},
                ]
            },
            "scopeSpans": [
                {
                    "scope": {"name": "s", "version": "1"},
                    "schemaUrl": "u",
                    "spans": [TOP, LOW],
                }
            ],
        }
    ]
}


def test_what_was_meant_is_what_was_stored() -> None:
    assert differences(described(DESCRIBED), stored([STORED])) == []


def _spans(document: dict[str, Any]) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    return spans


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "low: missing": lambda document: _spans(document).pop(),
    "low #2: nobody sent this": lambda document: _spans(document).append({**LOW, "spanId": "03"}),
    "low: attributes": lambda document: _spans(document)[1].update(
        attributes=[{"key": "n", "value": {"doubleValue": 1}}]
    ),
    "low: events": lambda document: _spans(document)[1]["events"][0].update(timeUnixNano="108"),
    "low: links": lambda document: _spans(document)[1]["links"][0].update(spanId="05"),
    "low: status": lambda document: _spans(document)[1]["status"].pop("message"),
    "low: end_ns": lambda document: _spans(document)[1].update(endTimeUnixNano="107"),
    "low: parent": lambda document: _spans(document)[1].pop("parentSpanId"),
    "top: flags": lambda document: _spans(document)[0].update(flags=0x101),
    "top: tracestate": lambda document: _spans(document)[0].pop("traceState"),
    "top: kind": lambda document: _spans(document)[0].update(kind=1),
    "top: scope": lambda document: document["resourceSpans"][0]["scopeSpans"][0].pop("schemaUrl"),
    "top: resource": lambda document: document["resourceSpans"][0].update(resource={}),
}


@pytest.mark.parametrize(("line", "damage"), DAMAGES.items(), ids=DAMAGES.keys())
def test_what_is_wrong_is_named(line: str, damage: Callable[[dict[str, Any]], object]) -> None:
    damaged = copy.deepcopy(STORED)
    damage(damaged)
    wrong = differences(described(DESCRIBED), stored([damaged]))
    assert any(one.startswith(line) for one in wrong), wrong


def test_a_lost_trace_is_a_difference() -> None:
    assert differences(described(DESCRIBED), stored([])) == ["1 traces sent, 0 found"]


def test_the_file_of_traces_names_every_span_once() -> None:
    document = json.loads(Path(__file__).with_name("traces.json").read_text(encoding="utf-8"))
    names = [span["name"] for trace in document["traces"] for span in trace["spans"]]
    assert len(names) == len(set(names))
    kinds = {span["kind"] for trace in document["traces"] for span in trace["spans"]}
    assert kinds == {"internal", "server", "client", "producer", "consumer"}
