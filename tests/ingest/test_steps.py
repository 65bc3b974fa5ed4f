from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.ingest.arriving import NOW_NS, records, row
from tracer.columns.records import SpanRecords
from tracer.ingest.otlp.decoded import Rejected
from tracer.ingest.redact import SECRET_KEYS, redacted
from tracer.ingest.steps import DAY_NS, HOUR_NS, STEPS, Arrivals, StepSettings, apply
from tracer.telemetry.self_trace import SCOPE

SETTINGS = StepSettings()
HEADER = "http.request.header.authorization"


def arrivals(*rows: dict[str, Any], request_of: list[int] | None = None) -> Arrivals:
    of = request_of if request_of is not None else [0] * len(rows)
    return Arrivals(records(*rows), np.array(of, np.int32))


def after(*rows: dict[str, Any], request_of: list[int] | None = None) -> Arrivals:
    return apply(arrivals(*rows, request_of=request_of), STEPS, SETTINGS, NOW_NS)


def span(**values: Any) -> dict[str, Any]:
    return row(**{"Timestamp": NOW_NS, "Duration": 5, **values})


@pytest.mark.parametrize(
    ("start_ns", "duration_ns", "taken"),
    [
        (NOW_NS, 5, True),
        (NOW_NS - 7 * DAY_NS, 0, True),
        (NOW_NS - 7 * DAY_NS - 1, 0, False),
        (NOW_NS + HOUR_NS, 0, True),
        (NOW_NS + HOUR_NS, 1, False),
        (NOW_NS + HOUR_NS + 1, 0, False),
        (NOW_NS, HOUR_NS, True),
        (NOW_NS, HOUR_NS + 1, False),
        (NOW_NS, 2**64 - 1, False),
        (0, 0, False),
        (2**63 - 1, 0, False),
        (-(2**63), 0, False),
    ],
)
def test_spans_are_taken_within_retention_and_an_hour_ahead(
    start_ns: int, duration_ns: int, taken: bool
) -> None:
    left = after(span(Timestamp=start_ns, Duration=duration_ns))
    assert len(left.records) == len(left.request_of) == int(taken)
    assert sum(one.count for one in left.rejected) == int(not taken)


def test_rejected_spans_are_counted_by_request_and_reason() -> None:
    old, young = NOW_NS - 8 * DAY_NS, NOW_NS + 2 * HOUR_NS
    times = [old, NOW_NS, young, old, old, NOW_NS]
    left = after(*(span(Timestamp=t) for t in times), request_of=[0, 0, 1, 2, 2, 3])
    assert left.request_of.tolist() == [0, 3]
    assert left.rejected == (
        Rejected(0, 1, "starts more than 7 days ago (retention)"),
        Rejected(2, 2, "starts more than 7 days ago (retention)"),
        Rejected(1, 1, "is more than 1 h ahead of this clock"),
    )


def test_nothing_to_do_changes_nothing() -> None:
    before = arrivals(span(SpanAttributes=[("http.route", "/")], ServiceName="shop"))
    assert apply(before, STEPS, SETTINGS, NOW_NS) is before


def test_no_spans_are_no_trouble() -> None:
    before = Arrivals(SpanRecords.empty(), np.array([], np.int32))
    assert apply(before, STEPS, SETTINGS, NOW_NS) is before


def own(instance: str, scope: str = SCOPE) -> dict[str, Any]:
    """A span in which a tracer tells of its own work."""
    resource = [("service.name", "tracer"), ("service.instance.id", instance)]
    return span(ServiceName="tracer", ScopeName=scope, ResourceAttributes=resource)


def test_what_this_process_exported_is_dropped_and_that_of_another_kept() -> None:
    rows = [span(ServiceName="shop"), own("me"), own("you"), own("me"), own("me", "a user's")]
    before = arrivals(*rows, request_of=[0, 0, 1, 2, 3])
    left = apply(before, STEPS, replace(SETTINGS, own_instance="me"), NOW_NS)
    assert left.records.batch.column("ServiceName").to_pylist() == ["shop", "tracer", "tracer"]
    assert left.request_of.tolist() == [0, 1, 3]
    assert (left.dropped, left.kin, left.rejected) == (2, 1, ())


def test_without_an_identity_nothing_is_ones_own() -> None:
    nameless = span(ServiceName="tracer", ScopeName=SCOPE)
    left = after(nameless, own(""), own("you"), span(ServiceName="tracer"))
    assert (len(left.records), left.dropped, left.kin) == (4, 0, 3)


def test_an_unused_word_in_the_dictionary_drops_nothing() -> None:
    both = records(span(ServiceName="tracer"), span(ServiceName="shop"))
    only_shop = SpanRecords(both.batch.slice(1))
    left = apply(Arrivals(only_shop, np.zeros(1, np.int32)), STEPS, SETTINGS, NOW_NS)
    assert (len(left.records), left.dropped) == (1, 0)


def test_secrets_are_replaced_wherever_attributes_stand() -> None:
    plain, secret = ("a", "1"), (HEADER, "Bearer xyz")
    left = after(
        span(SpanAttributes=[plain, secret], ResourceAttributes=[secret]),
        span(
            SpanAttributes=[plain],
            ScopeAttributes=[secret, plain],
            **{"Events.Attributes": [[plain], [], [secret]], "Links.Attributes": [[secret, plain]]},
        ),
    )
    hidden = (HEADER, "[redacted]")
    first, second = left.records.batch.to_pylist()
    assert first["SpanAttributes"] == [plain, hidden]
    assert first["ResourceAttributes"] == [hidden]
    assert second["SpanAttributes"] == [plain]
    assert second["ScopeAttributes"] == [hidden, plain]
    assert second["Events.Attributes"] == [[plain], [], [hidden]]
    assert second["Links.Attributes"] == [[hidden, plain]]
    assert "xyz" not in str(left.records.batch.to_pylist())


def test_a_redacted_value_is_text_whatever_it_was() -> None:
    kept = ("http.response.status_code", "int")
    header = (HEADER, "array")
    left = redacted(
        records(
            span(SpanAttributes=[kept, (HEADER, "[1]")], SpanAttributeTypes=[kept, header]),
            span(SpanAttributeTypes=[kept]),
            span(SpanAttributes=[(HEADER, "x")], SpanAttributeTypes=[header]),
            span(
                **{
                    "Events.Attributes": [[(HEADER, "x")]],
                    "Events.AttributeTypes": [[kept, header]],
                }
            ),
        ),
        SECRET_KEYS,
    )
    types = left.batch.column("SpanAttributeTypes").to_pylist()
    assert types == [[kept], [kept], [], []]
    assert left.batch.column("Events.AttributeTypes").to_pylist() == [[], [], [], [[kept]]]


def test_redaction_of_a_slice_touches_its_own_rows() -> None:
    whole = records(*(span(SpanAttributes=[(HEADER, f"s{i}"), ("k", f"{i}")]) for i in range(5)))
    left = redacted(SpanRecords(whole.batch.slice(1, 3)), SECRET_KEYS)
    assert left.batch.column("SpanAttributes").to_pylist() == [
        [(HEADER, "[redacted]"), ("k", str(i))] for i in (1, 2, 3)
    ]


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_every_key_on_the_list_is_redacted(key: str) -> None:
    left = after(span(SpanAttributes=[(key, "secret")]))
    assert left.records.batch.column("SpanAttributes").to_pylist() == [[(key, "[redacted]")]]


def test_the_list_of_secrets_can_be_extended() -> None:
    settings = StepSettings(secret_keys=(*SECRET_KEYS, "customer.iban"))
    left = apply(
        arrivals(span(SpanAttributes=[("customer.iban", "DE00")])), STEPS, settings, NOW_NS
    )
    assert "DE00" not in str(left.records.batch.to_pylist())
