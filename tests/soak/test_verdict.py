"""The verdict over a crash: what is lost, doubled or wrong is counted in its round and named."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.soak import ledger
from tests.soak.ledger import Entry
from tests.soak.stored import Found
from tests.soak.verdict import drawn, judge

ENTRIES = [
    Entry(acknowledged_ns=10, attempts=1, spans=("a-1", "a-2")),
    Entry(acknowledged_ns=30, attempts=3, spans=("b-1", "a-3", "a-1")),
]
KILLS_NS = [20]


def _found(**changes: list[tuple[str, str]] | list[int]) -> Found:
    found = Found(raw_rows=5, facts=[("a", "1"), ("b", "1")], minutes=[0, 60])
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_nothing_is_wrong_when_all_is_there_once() -> None:
    judged = judge(KILLS_NS, ENTRIES, Counter(("a-1", "a-2", "a-3", "b-1")), _found())
    assert judged.problems == []
    assert [one.acknowledged for one in judged.rounds] == [2, 2]
    assert [one.retried for one in judged.rounds] == [0, 1]
    assert [one.facts for one in judged.rounds] == [1, 1]
    assert judged.merged == 1


def test_a_lost_a_doubled_and_an_unknown_span_are_named() -> None:
    exported = Counter({"a-1": 2, "a-3": 1, "b-1": 1, "c-1": 1})
    judged = judge(KILLS_NS, ENTRIES, exported, _found())
    assert [one.lost for one in judged.rounds] == [1, 0]
    assert [one.read_twice for one in judged.rounds] == [1, 0]
    assert judged.problems == [
        "lost: a-2",
        "read twice: a-1",
        "stored, and nobody was told: c-1",
    ]


def test_facts_and_minutes_that_differ_are_named() -> None:
    exported = Counter(("a-1", "a-2", "a-3", "b-1"))
    found = _found(wrong_facts=[("b", "1")], wrong_minutes=[60])
    judged = judge(KILLS_NS, ENTRIES, exported, found)
    assert [one.wrong_facts for one in judged.rounds] == [0, 1]
    assert judged.problems == ["facts differ: trace b root 1", "minute differs: 60"]
    last = drawn(judged, [1.5]).splitlines()[-2].split()
    assert last == ["all", "4", "1", "4", "0", "0", "2", "1", "2", "1"]


def test_a_run_without_acknowledgements_proves_nothing() -> None:
    assert judge([], [], Counter(), Found(raw_rows=0)).problems == ["nothing was acknowledged"]


def test_the_ledger_reads_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with path.open("wb") as file:
        for entry in ENTRIES:
            ledger.write(file, entry)
        assert list(ledger.read(path)) == ENTRIES  # before it is closed
