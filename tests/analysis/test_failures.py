"""Which spans failed and what they say: one table of rules, asked of both places they stand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, SECOND, records, span
from tracer.analysis.failures import Failures, Reason, explains, failures
from tracer.columns.symptoms import symptoms_from_records
from tracer.store.errors import BY_ATTRIBUTES, failing_traces, read_symptoms
from tracer.store.writer import write_spans


def event(*attributes: tuple[str, str], name: str = "exception") -> dict[str, Any]:
    """The columns of one event."""
    return events((name, attributes))


def events(*named: tuple[str, tuple[tuple[str, str], ...]]) -> dict[str, Any]:
    return {
        "Events__Timestamp": [EPOCH] * len(named),
        "Events__Name": [name for name, _ in named],
        "Events__Attributes": [list(attributes) for _, attributes in named],
        "Events__AttributeTypes": [[]] * len(named),
        "Events__DroppedAttributesCount": [0] * len(named),
    }


def said(kind: str, *attributes: tuple[str, str], **columns: Any) -> dict[str, Any]:
    return {"kind": kind, "SpanAttributes": list(attributes), **columns}


LOST = ("exception.message", "lost row 7")
ERROR = {"StatusCode": "Error"}
HTTP = "http.response.status_code"
GRPC = "rpc.grpc.status_code"
# What a span says → (type, template) or None where it did not fail.
RULES: list[tuple[str, dict[str, Any], tuple[str, str] | None]] = [
    ("nothing", said("Server"), None),
    ("an error and no word", said("Server", **ERROR), ("unknown", "")),
    (
        "a status message",
        said("Internal", **ERROR, StatusMessage="row 7 is gone"),
        ("unknown", "row <n> is gone"),
    ),
    (
        "an exception before the status message",
        said("Server", **ERROR, StatusMessage="oh", **event(("exception.type", "KeyError"), LOST)),
        ("KeyError", "lost row <n>"),
    ),
    (
        "the last exception of several",
        said(
            "Server",
            **ERROR,
            **events(
                ("exception", (("exception.type", "First"),)),
                ("log", (("exception.type", "No"),)),
                ("exception", (("exception.type", "Last"), LOST)),
                ("log", ()),
            ),
        ),
        ("Last", "lost row <n>"),
    ),
    ("a type of error", said("Client", ("error.type", "timeout"), **ERROR), ("timeout", "")),
    ("HTTP 500 of a server", said("Server", (HTTP, "500")), ("HTTP 500", "")),
    ("HTTP 404 of a server", said("Server", (HTTP, "404"), ("error.type", "404")), None),
    ("HTTP 404 of a client", said("Client", (HTTP, "404")), ("HTTP 404", "")),
    ("HTTP under its old name", said("Client", ("http.status_code", "503")), ("HTTP 503", "")),
    (
        "the new name before the old",
        said("Client", (HTTP, "200"), ("http.status_code", "500")),
        None,
    ),
    ("HTTP 200 and an error", said("Client", (HTTP, "200"), ("error.type", "x")), ("x", "")),
    ("HTTP that is no number", said("Client", (HTTP, "5xx")), None),
    (
        "type and status are one",
        said("Server", (HTTP, "503"), ("error.type", "503")),
        ("HTTP 503", ""),
    ),
    ("gRPC 5 of a server", said("Server", (GRPC, "5")), None),
    ("gRPC 14 of a server", said("Server", (GRPC, "14")), ("gRPC UNAVAILABLE", "")),
    (
        "gRPC by name",
        said("Server", ("rpc.response.status_code", "INTERNAL")),
        ("gRPC INTERNAL", ""),
    ),
    ("gRPC 5 of a client", said("Client", (GRPC, "5")), ("gRPC NOT_FOUND", "")),
    ("gRPC 0 of a client", said("Client", (GRPC, "0")), None),
    ("Ok is none, whatever is said", said("Server", (HTTP, "500"), StatusCode="Ok"), None),
    ("an exception that was recorded", said("Server", **event(("exception.type", "E"))), None),
    (
        "an exception that escaped",
        said("Server", **event(("exception.type", "E"), ("exception.escaped", "true"))),
        ("E", ""),
    ),
    ("an error flag", said("Unspecified", ("error", "true")), ("unknown", "")),
    ("an error flag that is down", said("Unspecified", ("error", "false")), None),
    ("a message is sent in vain", said("Producer", ("error.type", "refused")), ("refused", "")),
]
SPANS = [
    span(number, number, start=EPOCH + number * SECOND, **columns)
    for number, (_, columns, _) in enumerate(RULES, start=1)
]
EXPECTED = {number: expected for number, (_, _, expected) in enumerate(RULES, start=1) if expected}


def told(found: Failures) -> dict[int, tuple[str, str]]:
    """Type and template by trace."""
    return {
        trace: (found.reasons[reason].type, found.reasons[reason].template)
        for trace, reason in zip(found.trace_lo.tolist(), found.reason.tolist(), strict=True)
    }


def test_the_rules_on_whole_spans() -> None:
    assert told(failures(symptoms_from_records(records(SPANS)))) == EXPECTED


def test_a_slice_of_a_batch_is_read_like_any_other() -> None:
    whole = records(SPANS)
    part = type(whole)(whole.batch.slice(2, 5))
    assert told(failures(symptoms_from_records(part))) == {
        number: one for number, one in EXPECTED.items() if 3 <= number <= 7
    }


def test_the_rules_on_stored_spans_and_in_the_words_of_the_engine() -> None:
    with fresh_engine() as engine:
        write_spans(engine, records(SPANS), imported=True)
        ids = [f"{number:032x}" for number in range(1, len(RULES) + 1)]
        bounds = {"start_ns": EPOCH, "end_ns": EPOCH + 1_000 * SECOND}
        symptoms = read_symptoms(engine, ids, **bounds, limit=1_000)
        assert told(failures(symptoms)) == EXPECTED
        found, of = failing_traces(
            engine, BY_ATTRIBUTES, *bounds.values(), service=None, limit=1_000
        )
        assert {int(trace_id, 16) for trace_id, _ in found} == set(EXPECTED)
        assert of == len(EXPECTED)
        assert {size for _, size in found} == {1}


def test_no_spans() -> None:
    symptoms = symptoms_from_records(records([]))
    assert isinstance(symptoms, pa.Table)
    assert len(failures(symptoms)) == 0


EXPLANATIONS = [
    (("E", "lost row <n>", "lost row 7"), ("E", "lost row <n>", "lost row 8"), True),
    (("E", "", ""), ("F", "", ""), False),
    (("E", "no free line", "no free line"), ("F", "x", "asking: no free line"), True),
    (("E", "no", "no"), ("F", "x", "there is no line"), False),
]


@pytest.mark.parametrize(("below", "above", "expected"), EXPLANATIONS)
def test_a_failure_that_repeats_the_one_below(
    below: tuple[str, str, str], above: tuple[str, str, str], expected: bool
) -> None:
    assert explains(Reason(*below, False), Reason(*above, False)) is expected
