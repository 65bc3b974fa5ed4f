"""The gate: faults are named, and nothing is without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.runs import MS, shop_run, shop_runs
from tracer.analysis.gate import Gate, Rules, gate
from tracer.analysis.gate_numbers import MEASURES
from tracer.analysis.limits import limits
from tracer.columns.runs import COLUMN, Run

BASKET = ("web", "GET /basket")
SELECT = ("items", "SELECT")
RUNS = pytest.mark.parametrize("runs", [1, 3])


def names(found: Gate, role: str) -> list[tuple[str, str]]:
    steps = [*found.subjects.paths.steps, *found.subjects.operations]
    return [
        (steps[one.subject].service, steps[one.subject].operation)
        for one in found.worse
        if one.role == role
    ]


def measures(found: Gate, at: int = 0) -> set[str]:
    return {MEASURES[one].name for one in found.worse[at].measures}


def judged(baseline: list[Run], candidate: list[Run]) -> Gate:
    return gate(baseline, candidate, Rules())


@RUNS
def test_nothing_is_worse_where_nothing_changed(runs: int) -> None:
    found = gate(shop_runs(1, runs), shop_runs(11, runs), Rules(min_ratio=0, min_excess_ns=0))
    assert (found.worse, found.environment) == ((), None)
    assert found.tested.by_runs is (runs == 3)
    assert found.tests > 15


@RUNS
def test_more_calls_are_the_cause_and_what_waits_for_them_follows(runs: int) -> None:
    found = judged(shop_runs(1, runs), shop_runs(11, runs, queries=5))
    assert names(found, "cause") == [SELECT]
    assert BASKET in names(found, "symptom")
    assert {"calls", "critical_time"} <= measures(found)
    assert "self_time" not in measures(found)


@RUNS
def test_calls_are_seen_before_they_take_time(runs: int) -> None:
    found = judged(shop_runs(1, runs), shop_runs(11, runs, queries=20, query_ns=MS))
    assert names(found, "cause") == [SELECT]
    assert names(found, "symptom") == []
    assert measures(found) == {"calls"}
    assert found.better


@RUNS
def test_own_time_is_the_cause(runs: int) -> None:
    found = judged(shop_runs(1, runs), shop_runs(11, runs, own_ns=25 * MS))
    assert names(found, "cause") == [BASKET]
    assert {"self_time", "critical_time", "p50", "p95"} <= measures(found)


@RUNS
@pytest.mark.parametrize("factor", [1.6, 0.6])
def test_what_all_paths_have_in_common_is_the_environment(runs: int, factor: float) -> None:
    found = judged(shop_runs(1, runs), shop_runs(11, runs, factor=factor))
    assert found.environment is not None
    assert found.environment.factor == pytest.approx(factor, rel=0.1)
    assert (found.worse, found.better) == ((), ())
    assert bool(found.withheld) is (factor > 1)


def test_an_environment_hides_no_calls() -> None:
    found = judged(shop_runs(1, 3), shop_runs(11, 3, factor=1.6, queries=5))
    assert found.environment is not None
    assert [measures(found, at) for at in range(len(found.worse))] == [{"calls"}]


def test_runs_that_differ_by_themselves_prove_nothing() -> None:
    """One run of each side may differ by 30 %: between them that is no news, although requests
    taken one by one would prove it."""
    luck = [1.0, 1.3, 1.15]
    base = [shop_run(at, own_ns=round(10 * MS * one)) for at, one in enumerate(luck)]
    slow = [shop_run(10 + at, own_ns=round(12 * MS * one)) for at, one in enumerate(luck)]
    assert judged(base, slow).worse == ()
    assert names(judged(base[:1], slow[1:2]), "cause") == [BASKET]


@RUNS
def test_a_new_path_is_worse_when_it_takes_time(runs: int) -> None:
    found = judged(shop_runs(1, runs, queries=0), shop_runs(11, runs))
    assert names(found, "cause") == [SELECT]
    assert found.worse[0].is_new
    assert found.worse[0].cost == pytest.approx(0.62, abs=0.05)
    back = judged(shop_runs(1, runs), shop_runs(11, runs, queries=0))
    assert (back.worse, len(back.vanished)) == ((), 1)


def renamed(run: Run, operation: str) -> Run:
    """SELECT under another name."""
    row = next(at for at, step in enumerate(run.steps) if step.operation == "SELECT")
    steps = list(run.steps)
    steps[row] = replace(steps[row], operation=operation)
    path_id = run.path_id.copy()
    path_id[row] = path_id.max() + np.uint64(1)
    order = np.argsort(path_id)
    sizes = np.diff(run.offset)[order]
    inside = np.concatenate(
        [np.arange(run.offset[at], run.offset[at + 1]) for at in order.tolist()]
    )
    return replace(
        run,
        path_id=path_id[order],
        parent_path_id=run.parent_path_id[order],
        steps=tuple(steps[at] for at in order.tolist()),
        sums=run.sums[order],
        offset=np.concatenate(([0], np.cumsum(sizes))),
        bucket=run.bucket[inside],
        count=run.count[inside],
    )


def test_another_name_is_no_regression() -> None:
    found = judged([shop_run(1)], [renamed(shop_run(2), "SELECT items")])
    assert found.worse == ()
    assert (len(found.new), len(found.vanished)) == (1, 1)


def test_a_new_loop_is_worse_although_it_is_fast() -> None:
    loop = renamed(shop_run(2, queries=15, query_ns=20_000), "SELECT price")
    found = judged([shop_run(1, queries=0)], [loop])
    assert (names(found, "cause"), found.worse[0].is_new) == ([("items", "SELECT price")], True)


def failing(run: Run, share: float, operations: tuple[str, ...]) -> Run:
    """So many calls of these operations fail."""
    sums = run.sums.copy()
    for row, step in enumerate(run.steps):
        if step.operation in operations:
            sums[row, COLUMN["failed"]] = round(share * sums[row, COLUMN["calls"]])
    return replace(run, sums=sums)


@RUNS
def test_failures_are_laid_to_where_they_begin(runs: int) -> None:
    chain = ("SELECT", "GET /item", "GET /basket")
    base = [failing(run, 0.02, chain) for run in shop_runs(1, runs)]
    found = judged(base, [failing(run, 0.25, chain) for run in shop_runs(11, runs)])
    assert names(found, "cause") == [SELECT]
    assert measures(found) == {"error_share"}
    assert found.worse[0].cost == pytest.approx(0.23, abs=0.01)


def test_few_requests_prove_nothing() -> None:
    found = judged([shop_run(1, 9)], [shop_run(2, 9, queries=5)])
    assert (found.worse, len(found.judged_roots), found.tests) == ((), 0, 0)


def callers(run: Run, count: int) -> Run:
    """The same requests under so many root operations."""
    parts = [
        replace(
            run,
            path_id=run.path_id // np.uint64(2) + np.uint64(number),
            parent_path_id=np.where(
                run.parent_path_id == 0, 0, run.parent_path_id // np.uint64(2) + np.uint64(number)
            ).astype(np.uint64),
            steps=tuple(
                replace(step, operation=f"GET /basket{number}")
                if step.operation == "GET /basket"
                else step
                for step in run.steps
            ),
        )
        for number in range(count)
    ]
    path_id = np.concatenate([part.path_id for part in parts])
    order = np.argsort(path_id)
    steps = [step for part in parts for step in part.steps]
    starts = np.concatenate(
        [part.offset[:-1] + at * len(run.bucket) for at, part in enumerate(parts)]
    )
    sizes = np.tile(np.diff(run.offset), count)[order]
    inside = np.concatenate(
        [np.arange(starts[at], starts[at] + size) for at, size in zip(order, sizes, strict=True)]
    )
    return replace(
        run,
        path_id=path_id[order],
        parent_path_id=np.concatenate([part.parent_path_id for part in parts])[order],
        steps=tuple(steps[at] for at in order.tolist()),
        sums=np.concatenate([part.sums for part in parts])[order],
        offset=np.concatenate(([0], np.cumsum(sizes))),
        bucket=np.tile(run.bucket, count)[inside],
        count=np.tile(run.count, count)[inside],
    )


def test_an_operation_is_judged_where_each_of_its_callers_has_too_few_requests() -> None:
    base = callers(shop_run(1, 9), 30)
    found = judged([base], [callers(shop_run(2, 9, query_ns=60 * MS), 30)])
    assert len(found.subjects.paths) == 120
    assert (names(found, "cause"), measures(found)) == ([SELECT], {"p50", "p95"})
    assert set(names(found, "symptom")) == {("items", "GET /item"), ("web", "GET /item")}
    assert judged([base], [callers(shop_run(3, 9), 30)]).worse == ()


def test_limits_hold_whatever_the_baseline_was() -> None:
    kept = limits("items SELECT: max p95 < 10ms, calls <= 1\nweb GET *: p50 < 1s", "budget")
    found = gate([shop_run(1)], [shop_run(2)], Rules(), kept)
    assert names(found, "cause") == [SELECT]
    assert [one.text for one in found.worse[0].limits] == ["max p95 < 10ms"]
    assert found.unmatched == ()
    nothing = gate([shop_run(1)], [shop_run(2)], Rules(), limits("x *: calls < 2", "budget"))
    assert [one.pattern for one in nothing.unmatched] == ["x *"]


def test_the_order_of_runs_changes_nothing() -> None:
    base, slow = shop_runs(1, 3), shop_runs(11, 3, queries=3)
    one, other = judged(base, slow), judged(base[::-1], slow[::-1])
    assert one.p == pytest.approx(other.p, nan_ok=True)
    assert names(one, "cause") == names(other, "cause")
