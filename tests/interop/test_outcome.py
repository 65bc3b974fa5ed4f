"""The verdict over restarts: what is lost, doubled or unknown is counted per client and named."""

from __future__ import annotations

from collections import Counter

from tests.interop.outcome import Kept, Told, drawn, judge
from tests.soak.stored import Found

TOLD = [
    Told("app", made=3, acknowledged=["a-1", "a-2"], given_up=1, sent=["a-3"]),
    Told("agent", made=2, acknowledged=["b-1", "b-2", "b-1"], given_up=0),
]


def kept(read: str, rows: dict[str, int] | None = None, found: Found | None = None) -> Kept:
    return Kept(Counter(read.split()), rows or {}, found or Found(raw_rows=5))


def test_nothing_is_wrong_when_all_that_was_acknowledged_is_read_once() -> None:
    rows, problems = judge(TOLD, kept("a-1 a-2 b-1 b-2", {"b-2": 3}))
    assert problems == []
    assert [row.stored for row in rows] == [2, 2]
    assert [row.again for row in rows] == [0, 2]
    assert drawn(rows, Found(raw_rows=6)).splitlines()[-2].split()[-1] == "100.00"


def test_what_was_given_up_may_be_there_or_not() -> None:
    rows, problems = judge(TOLD, kept("a-1 a-2 a-3 b-1 b-2"))
    assert problems == []
    assert [row.stored for row in rows] == [3, 2]


def test_a_lost_a_doubled_and_an_unknown_span_are_named() -> None:
    rows, problems = judge(TOLD, kept("a-1 b-1 b-1 b-2 c-1"))
    assert [(row.lost, row.read_twice) for row in rows] == [(1, 0), (0, 1)]
    assert problems == [
        "app: lost a-2",
        "agent: read twice b-1",
        "stored, and nobody sent it: c-1",
    ]


def test_a_client_that_was_never_heard_proves_nothing() -> None:
    _, problems = judge([Told("app", made=9, acknowledged=[], given_up=9)], kept(""))
    assert problems == ["app: nothing was acknowledged"]


def test_facts_and_minutes_that_differ_are_named() -> None:
    found = Found(raw_rows=4, wrong_facts=[("a", "1")], wrong_minutes=[60])
    _, problems = judge(TOLD, kept("a-1 a-2 b-1 b-2", found=found))
    assert problems == ["facts differ: trace a root 1", "minute differs: 60"]
