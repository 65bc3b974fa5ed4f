"""How many names statistics are kept of. The oracle looks at one span after the other."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.engine import fresh_engine
from tests.support.picture import Line, columns
from tests.support.records import EPOCH, SECOND, records, span
from tracer.columns.spans import SpanColumns
from tracer.service.known_names import OTHER_OPERATIONS, OTHER_SERVICES, KnownNames
from tracer.service.settle import Rules, Settler
from tracer.store.engine import Engine
from tracer.store.writer import write_spans

Names = list[tuple[str, str]]


def spans(names: Names) -> SpanColumns:
    return columns(
        [
            Line(1, number + 1, 0, 0, 1, service=service, operation=operation)
            for number, (service, operation) in enumerate(names)
        ]
    )


def names(found: SpanColumns) -> Names:
    return [
        (found.services[service].name, found.operations[operation])
        for service, operation in zip(found.service, found.operation, strict=True)
    ]


def oracle(batches: list[Names], max_services: int, max_operations: int) -> list[Names]:
    known: dict[str, set[str]] = {}
    found = []
    for batch in batches:
        for service, operation in sorted(set(batch)):
            if service not in known and len(known) < max_services:
                known[service] = set()
            if service in known and len(known[service]) < max_operations:
                known[service].add(operation)
        found.append(
            [
                (OTHER_SERVICES, OTHER_OPERATIONS)
                if service not in known
                else (service, operation if operation in known[service] else OTHER_OPERATIONS)
                for service, operation in batch
            ]
        )
    return found


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("vwxyz")), min_size=1)),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_the_same_as_looking_at_one_span_after_the_other(
    batches: list[Names], max_services: int, max_operations: int
) -> None:
    known = KnownNames(max_services=max_services, max_operations=max_operations)
    found = [names(known.bounded(spans(batch))) for batch in batches]
    wanted = oracle(batches, max_services, max_operations)
    assert found == wanted
    changed = sum(
        a != b
        for one, other in zip(batches, wanted, strict=True)
        for a, b in zip(one, other, strict=True)
    )
    assert known.overflowed == changed


def test_within_the_limits_nothing_is_copied() -> None:
    batch = spans([("a", "x"), ("b", "y")])
    assert KnownNames(max_services=2, max_operations=1).bounded(batch) is batch


def test_the_order_of_spans_changes_nothing() -> None:
    there = [("a", f"GET /{number}") for number in range(9)]
    one = KnownNames(max_services=1, max_operations=3).bounded(spans(there))
    other = KnownNames(max_services=1, max_operations=3).bounded(spans(there[::-1]))
    assert names(one) == names(other)[::-1]


def test_a_full_service_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    known = KnownNames(max_services=1, max_operations=1)
    with caplog.at_level(logging.WARNING, logger="tracer.settle"):
        logging.getLogger("tracer").propagate = True
        for number in range(3):
            known.bounded(spans([("shop", f"GET /{number}")]))
    assert [record.args[0] for record in caplog.records if record.args] == ["shop"]
    assert known.full_services() == 1


def test_a_service_that_puts_ids_into_names_gets_so_many_histograms_and_a_restart_keeps_them() -> (
    None
):
    rules = Rules(10 * SECOND, 60 * SECOND, 300 * SECOND, max_operations=5)

    def settled(engine: Engine, traces: range, now: int) -> Settler:
        write_spans(
            engine,
            records([span(one, 1, name=f"GET /{one:03}", ingest=now) for one in traces]),
        )
        settler = Settler(
            engine,
            rules,
            now_ns=lambda: now + 11 * SECOND,
            horizon_ns=lambda: now + 11 * SECOND,
        )
        settler.step()
        settler.close()
        return settler

    with fresh_engine() as engine:
        first = settled(engine, range(1, 9), EPOCH)
        again = settled(engine, range(9, 30), EPOCH + 100 * SECOND)
        kept = {row[0] for row in engine.rows("SELECT Operation FROM tracer_facts FINAL")}
        raw = engine.rows("SELECT uniqExact(SpanName) FROM otel_traces")[0][0]
    assert kept == {*(f"GET /{one:03}" for one in range(1, 6)), OTHER_OPERATIONS}
    assert raw == 29
    assert (first.progress.renamed_spans, again.progress.renamed_spans) == (3, 21)


def test_a_million_names_in_one_batch() -> None:
    count = 1_000_000
    batch = columns([Line(1, 1, 0, 0, 1)]).take(np.zeros(count, np.intp))
    many = SpanColumns(
        **{
            **{name: getattr(batch, name) for name in batch.__dataclass_fields__},
            "operation": np.arange(count, dtype=np.int32),
            "operations": tuple(map(str, range(count))),
        }
    )
    known = KnownNames(max_services=10, max_operations=100)
    found = known.bounded(many)
    assert known.overflowed == count - 100
    assert len(np.unique(found.operation)) == 101
