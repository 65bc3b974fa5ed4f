"""Ways of calling that cost time: drawn, and held against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analysis.test_services import keys_of, numbers
from tests.support.oracle_calls import Seen, Traffic
from tests.support.picture import Line, columns, read
from tests.support.strategies import batches
from tracer.analysis.critical_path import critical_ns, critical_path
from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows
from tracer.analysis.pattern_groups import group_patterns
from tracer.analysis.patterns import KINDS, Patterns, patterns
from tracer.analysis.services import inclusive_ns
from tracer.analysis.tree import build
from tracer.columns.spans import SpanColumns


def _queries(count: int, *, at_once: bool = False) -> str:
    rows = ["web/list server |" + "-" * (count + 2) + "|"]
    for nth in range(count):
        bar = " -" if at_once else " " * (nth + 1) + "-"
        rows.append(f"  web/sql client |{bar.ljust(count + 2)}|")
    return "\n".join(rows)


# (kind, caller, callee, calls, critical, saved)
PICTURES = {
    "five calls of one kind in turn": (
        _queries(5), [("n+1", "web/list", "web/sql", 5, 5, 4)],
    ),
    "four are not many": (_queries(4), []),
    "at once they are no n+1": (_queries(6, at_once=True), []),
    "attempts that fail and are made again": ("""
        web/buy server       |---------|
          web/pay client !   | --      |
          web/pay client !   |    --   |
          web/pay client     |       - |
    """, [("retry storm", "web/buy", "web/pay", 3, 5, 4)]),
    "one attempt that fails is no storm": ("""
        web/buy server       |---------|
          web/pay client !   | --      |
          web/pay client     |    --   |
    """, []),
    "three services, one after the other": ("""
        web/buy server       |---------|
          web/a client       | --      |
            a/a server       | --      |
          web/b client       |    --   |
            b/b server       |    --   |
          web/c client       |       - |
            c/c server       |       - |
    """, [("serial fan-out", "web/buy", "web/a", 3, 5, 3)]),
    "two of them at once": ("""
        web/buy server       |---------|
          web/a client       | ----    |
            a/a server       | ----    |
          web/b client       |   --    |
            b/b server       |   --    |
          web/c client       |       - |
            c/c server       |       - |
    """, []),
    "a service that is called back": ("""
        web/buy server       |---------|
          web/b client       | ------  |
            b/b server       | ------  |
              b/web client   |  --     |
                web/x server |  --     |
              b/web client   |     --  |
                web/y server |     --  |
    """, [("chatty cycle", "web/b", "b/b", 2, 4, 4)]),
}  # fmt: skip


@pytest.mark.parametrize(("picture", "expected"), PICTURES.values(), ids=PICTURES.keys())
def test_patterns_of(picture: str, expected: list[tuple[str, str, str, int, int, int]]) -> None:
    forest = build(read(picture).spans)
    found, _ = look(forest, _callees(forest), np.zeros(len(forest), np.intp))
    assert [
        (KINDS[kind], _name(forest, caller), _name(forest, callee), *rest)
        for kind, caller, callee, *rest in _rows(found)
    ] == expected


def look(forest: Forest, target: Rows, statement: Rows) -> tuple[Patterns, np.ndarray]:
    critical = critical_ns(critical_path(forest, tolerance_ns=0), len(forest))
    inclusive = inclusive_ns(forest, critical)
    return patterns(forest, inclusive, target=target, statement=statement), inclusive


def _callees(forest: Forest) -> Rows:
    """Each client calls the service of the span below it."""
    target = np.full(len(forest), -1)
    inner = np.flatnonzero(forest.parent_row >= 0)
    target[forest.parent_row[inner]] = forest.spans.service[inner]
    return target


def _name(forest: Forest, row: int) -> str:
    spans = forest.spans
    return f"{spans.services[spans.service[row]].name}/{spans.operations[spans.operation[row]]}"


def _rows(found: Patterns) -> list[tuple[int, ...]]:
    return list(
        zip(*(getattr(found, name).tolist() for name in Patterns.__dataclass_fields__), strict=True)
    )


@settings(max_examples=300, deadline=None)
@given(
    spans=batches(most=16),
    target=st.lists(st.integers(-1, 4), min_size=16, max_size=16),
    statement=st.lists(st.integers(-1, 1), min_size=16, max_size=16),
)
def test_fast_agrees_with_slow(spans: SpanColumns, target: list[int], statement: list[int]) -> None:
    _compare(spans, target, statement)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 3), st.booleans(), st.integers(0, 2)),
        min_size=5,
        max_size=14,
    ),
    target=st.lists(st.integers(-1, 4), min_size=16, max_size=16),
)
def test_families_of_one_caller_agree_with_slow(
    seed: list[tuple[int, int, bool, int]], target: list[int]
) -> None:
    lines = [Line(1, 1, 0, 0, 40, "web", "list", 2)]
    lines += [
        Line(1, 2 + nth, 1, start, start + length, "ab"[kind % 2], "xy"[kind // 2], 3, failed)
        for nth, (start, length, failed, kind) in enumerate(seed)
    ]
    _compare(columns(lines), target, [0])


def _compare(spans: SpanColumns, target: list[int], statement: list[int]) -> None:
    forest = build(spans)
    keys = keys_of(forest)
    to, asked = numbers(forest, target), numbers(forest, statement)
    found, inclusive = look(forest, to, asked)
    fast = {
        Seen(KINDS[kind], keys[caller], keys[callee], *rest)
        for kind, caller, callee, *rest in _rows(found)
    }
    slow = Traffic(spans).patterns(
        dict(zip(keys, inclusive.tolist(), strict=True)),
        dict(zip(keys, to.tolist(), strict=True)),
        dict(zip(keys, asked.tolist(), strict=True)),
    )
    assert fast == slow


def test_the_same_pattern_in_several_traces_is_one_row() -> None:
    once, _ = PICTURES["one attempt that fails is no storm"]
    forest = build(read("\n\n".join([_queries(5), _queries(6), once])).spans)
    statement = np.zeros(len(forest), np.intp)
    found, _ = look(forest, _callees(forest), statement)
    (group,) = group_patterns(forest, found, statement).groups
    assert (KINDS[group.kind], group.count, group.trace_count, group.calls) == ("n+1", 2, 2, 5)
    assert (group.critical_ns, group.saved_ns, group.traces_ns) == (11, 9, 15)
    assert forest.trace_row[np.array(group.exemplars)].tolist() == [1, 0]


def test_what_may_not_be_avoidable_comes_last() -> None:
    fan_out, _ = PICTURES["three services, one after the other"]
    storm, _ = PICTURES["attempts that fail and are made again"]
    forest = build(read(f"{fan_out}\n\n{storm}").spans)
    statement = np.zeros(len(forest), np.intp)
    found, _ = look(forest, _callees(forest), statement)
    groups = group_patterns(forest, found, statement).groups
    assert [KINDS[group.kind] for group in groups] == ["retry storm", "serial fan-out"]
    few = group_patterns(forest, found, statement, most=1)
    assert (few.groups, few.total) == (groups[:1], 2)
    assert group_patterns(forest, found, statement, service="a").total == 0


def test_no_spans() -> None:
    forest = build(columns([]))
    nothing = np.zeros(0, np.intp)
    found, _ = look(forest, nothing, nothing)
    assert (len(found), group_patterns(forest, found, nothing).total) == (0, 0)
