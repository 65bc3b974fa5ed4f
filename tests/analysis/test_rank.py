"""Ranking: the path that added the time is named, with the reason, causes before symptoms."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.picture import Line, columns
from tests.support.requests import MS, basket, usual
from tests.support.strategies import lines
from tracer.analysis.aggregate import aggregate
from tracer.analysis.analyse import analyse
from tracer.analysis.baseline import baselines_from_facts
from tracer.analysis.rank import CAUSE, MIN_TRACES, REASONS, ROLES, Bottlenecks, rank
from tracer.columns.facts import TraceFacts

NOTHING = baselines_from_facts(analyse(columns([])).facts)
ODD = 900  # the trace that is not usual


def facts_of(requests: list[Line]) -> TraceFacts:
    return analyse(columns(requests)).facts


def named(facts: TraceFacts, found: Bottlenecks, trace: int) -> list[tuple[str, str, str, str]]:
    """(service, operation, reason, role) of the bottlenecks of one trace, in order."""
    rows = np.flatnonzero(facts.trace_lo[found.root] == trace)
    return [
        (
            facts.paths.service[found.path[row]].name,
            facts.paths.operation[found.path[row]],
            REASONS[found.reason[row]] if found.reason[row] >= 0 else "",
            ROLES[found.role[row]],
        )
        for row in rows.tolist()
    ]


def odd_one_out(odd: list[Line], normal: list[Line] | None = None) -> list[tuple[str, ...]]:
    facts = facts_of((usual(80) if normal is None else normal) + odd)
    found = rank(facts, baselines_from_facts(facts), leave_one_out=True)
    return list(named(facts, found, ODD))


def test_a_slow_query_is_the_cause_and_what_waits_for_it_a_symptom() -> None:
    first, *others = odd_one_out(basket(ODD, query_ns=200 * MS))
    assert first == ("items", "SELECT", "slower", "cause")
    assert set(others) == {
        ("web", "GET /basket", "slower", "symptom"),
        ("web", "GET /item", "slower", "symptom"),
        ("items", "GET /item", "slower", "symptom"),
    }


def test_fifty_small_calls_are_more_calls_on_both_sides_of_the_call() -> None:
    """Each single call is as fast as ever; the query behind it is repeated because the call is."""
    found = odd_one_out(basket(ODD, calls=50, query_ns=MS, hop_ns=4 * MS, at_once=False))
    causes = [one for one in found if one[3] == "cause"]
    assert causes == [("web", "GET /item", "more calls", "cause")]
    assert ("items", "SELECT", "more calls", "symptom") in found


def test_repeated_queries_below_an_unrepeated_call_are_the_cause() -> None:
    found = odd_one_out(basket(ODD, queries=50))
    assert found[0] == ("items", "SELECT", "more calls", "cause")
    assert {role for *_, role in found[1:]} == {"symptom"}


def test_a_retry_storm_names_the_client_and_the_server() -> None:
    def tried(trace: int, times: int) -> list[Line]:
        start = trace * 1_000 * MS
        lines = [Line(trace, 1, 0, start, start + times * 40 * MS, "web", "pay", 2)]
        for attempt in range(times):
            begin = start + attempt * 40 * MS
            lines += [
                Line(trace, 10 + attempt, 1, begin, begin + 35 * MS, "web", "charge", 3, True),
                Line(
                    trace, 60 + attempt, 10 + attempt, begin + 5 * MS, begin + 30 * MS,
                    "bank", "charge", 2, True,
                ),
            ]  # fmt: skip
        return lines

    normal = [line for trace in range(1, 60) for line in tried(trace, 1)]
    found = odd_one_out(tried(ODD, 6), normal)
    assert found[:2] == [
        ("bank", "charge", "more calls", "cause"),
        ("web", "charge", "more calls", "cause"),
    ]
    assert found[2] == ("web", "pay", "slower", "symptom"), "the gaps between the tries"


def test_own_work_of_the_caller_is_its_own_cause() -> None:
    assert odd_one_out(basket(ODD, own_ns=300 * MS)) == [("web", "GET /basket", "slower", "cause")]


def test_calls_in_a_row_that_used_to_run_at_once_lost_parallelism() -> None:
    """Three calls of 20 ms: at once 20 ms, in a row 60 ms, none of them slower than ever."""
    normal = usual(80, calls=3)
    found = odd_one_out(basket(ODD, calls=3, at_once=False), normal)
    assert found[0] == ("items", "SELECT", "lost parallelism", "cause")


def test_what_became_slow_and_so_critical_is_slower() -> None:
    """Usually hidden beside something longer; the longer it takes, the more of it is waited for."""

    def page(trace: int, side_ms: int) -> list[Line]:
        start = trace * 1_000 * MS
        end = start + (max(side_ms, 45) + 5) * MS
        return [
            Line(trace, 1, 0, start, end, "web", "page", 2),
            Line(trace, 2, 1, start, start + 45 * MS, "web", "long", 1),
            Line(trace, 3, 1, start, start + side_ms * MS, "db", "side", 3),
        ]

    normal = [line for trace in range(1, 60) for line in page(trace, 10)]
    assert odd_one_out(page(ODD, 90), normal)[0] == ("db", "side", "slower", "cause")


def test_a_path_never_seen_before_is_new() -> None:
    extra = basket(ODD)
    root = extra[0]
    start = root.end_ns - 4 * MS
    extra.append(Line(ODD, 99, 1, start, start + 3 * MS, "web", "audit", 1))
    assert ("web", "audit", "new path", "cause") in odd_one_out(extra)


def test_a_new_subtree_is_never_all_symptoms() -> None:
    """The call itself costs nothing; the work below it must be named all the same."""
    extra = basket(ODD)
    start, end = extra[0].start_ns, extra[0].start_ns + 5 * MS
    extra.append(Line(ODD, 98, 1, start, end, "web", "fallback", 1))
    extra.append(Line(ODD, 99, 98, start, end, "web", "scan", 1))
    assert odd_one_out(extra)[0] == ("web", "scan", "new path", "cause")


@pytest.mark.parametrize(
    ("query_ns", "is_found"), [(21 * MS, False), (20 * MS + 900_000, False), (30 * MS, True)]
)
def test_a_finding_needs_an_absolute_and_a_relative_excess(query_ns: int, is_found: bool) -> None:
    found = odd_one_out(basket(ODD, query_ns=query_ns))
    assert any(reason for _, _, reason, _ in found) == is_found


def test_excess_is_what_the_path_took_beyond_its_median() -> None:
    facts = facts_of(usual(80) + basket(ODD, query_ns=200 * MS))
    found = rank(facts, baselines_from_facts(facts), leave_one_out=True)
    row = np.flatnonzero(facts.trace_lo[found.root] == ODD)[0]
    assert found.excess_ns[row] == pytest.approx(180 * MS, rel=0.02)
    assert found.usual_ns[row] == pytest.approx(20 * MS, rel=0.02)
    assert found.deviation_percent[row] == pytest.approx(200 / 20.6 * 100 - 100, rel=0.05)
    assert found.traces_n_eff[row] == pytest.approx(80)


def test_without_enough_traces_nothing_is_inferred() -> None:
    facts = facts_of(usual(9) + basket(ODD, query_ns=200 * MS))
    found = rank(facts, baselines_from_facts(facts), leave_one_out=True)
    assert np.isnan(found.excess_ns).all()
    assert np.isnan(found.expected_p95_ns).all()
    assert (found.reason == -1).all()
    first = np.flatnonzero(facts.trace_lo[found.root] == ODD)
    assert (np.diff(found.critical_ns[first]) <= 0).all(), "ranked by exclusive critical time"
    assert named(facts, found, ODD)[0][:2] == ("items", "SELECT")


def test_a_baseline_of_other_traces() -> None:
    slow = facts_of(basket(ODD, query_ns=200 * MS))
    found = rank(slow, baselines_from_facts(facts_of(usual(100))))
    assert named(slow, found, ODD)[0] == ("items", "SELECT", "slower", "cause")


def test_no_baseline_at_all() -> None:
    facts = facts_of(basket(ODD))
    found = rank(facts, NOTHING)
    assert len(found) and np.isnan(found.excess_ns).all()


def test_no_traces() -> None:
    facts = facts_of([])
    assert len(rank(facts, NOTHING)) == 0


def test_the_list_is_bounded() -> None:
    facts = facts_of(usual(30))
    assert np.bincount(rank(facts, NOTHING, most=2).root).max() == 2


def test_over_many_traces_the_total_decides() -> None:
    lines = usual(80)
    for trace in (901, 902, 903):
        lines += basket(trace, query_ns=100 * MS)
    lines += basket(904, own_ns=200 * MS)
    facts = facts_of(lines)
    common = aggregate(rank(facts, baselines_from_facts(facts), leave_one_out=True))
    first, second = (facts.paths.operation[path] for path in common.path[:2].tolist())
    assert (first, second) == ("SELECT", "GET /basket")
    assert common.trace_count[0] == 3
    assert common.excess_ns[0] == pytest.approx(240 * MS, rel=0.05)
    assert {int(facts.trace_lo[row]) for row in common.exemplars[0]} == {901, 902, 903}


def test_nothing_to_add_up() -> None:
    facts = facts_of(usual(5))
    assert len(aggregate(rank(facts, NOTHING))) == 0


@st.composite
def populations(draw: st.DrawFn) -> list[Line]:
    """Some dozen requests of one random shape; each span of each may last longer or be repeated."""
    shape = draw(lines(most=6))
    made: list[Line] = []
    for trace in range(1, draw(st.integers(8, 14)) + 1):
        number = 100
        for line in shape:
            longer = draw(st.sampled_from((0, 0, 0, 0, 7, 60)))
            own = line._replace(trace=trace, end_ns=line.end_ns + longer)
            made.append(own)
            for _ in range(draw(st.sampled_from((0, 0, 0, 3)))):
                number += 1
                made.append(own._replace(span_id=number, parent_id=line.span_id))
    return made


@settings(max_examples=60, deadline=None)
@given(population=populations(), most=st.integers(1, 6))
def test_laws_of_ranking(population: list[Line], most: int) -> None:
    facts = facts_of(population)
    found = rank(
        facts,
        baselines_from_facts(facts),
        leave_one_out=True,
        min_excess_ns=1,
        min_excess_ratio=0.1,
        most=most,
    )
    assert (np.diff(found.root) >= 0).all()
    for root in np.unique(found.root).tolist():
        rows = np.flatnonzero(found.root == root)
        assert len(rows) <= most
        assert len(set(found.path[rows].tolist())) == len(rows)
        assert found.role[rows[0]] == CAUSE, "a symptom is explained by a cause that is listed"
        assert (np.diff(found.role[rows]) >= 0).all(), "causes before symptoms"
        causes = rows[found.role[rows] == CAUSE]
        key = np.where(np.isnan(found.excess_ns), found.critical_ns, found.excess_ns)[causes]
        if (found.reason[rows] >= 0).any():
            assert (np.diff(key) <= 0).all()
            assert (found.excess_ns[causes] >= 1).all()
    judged = found.traces_n_eff >= MIN_TRACES
    np.testing.assert_array_equal(judged, ~np.isnan(found.excess_ns))
    assert not (found.reason[~judged] >= 0).any()


@settings(max_examples=30, deadline=None)
@given(population=populations(), seed=st.integers(0, 2**32 - 1))
def test_order_of_spans_changes_nothing(population: list[Line], seed: int) -> None:
    shuffled = [population[row] for row in np.random.default_rng(seed).permutation(len(population))]
    answers = []
    for batch in (population, shuffled):
        facts = facts_of(batch)
        answers.append(rank(facts, baselines_from_facts(facts), leave_one_out=True))
    for field in fields(Bottlenecks):
        first, second = (getattr(answer, field.name) for answer in answers)
        np.testing.assert_array_equal(first, second)
