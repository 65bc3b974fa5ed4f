"""Sums of a run: against the plainest way to add, and what is left out of a large one."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from tests.support.picture import columns
from tests.support.records import records, span
from tests.support.requests import basket, usual
from tests.support.runs import shop_run
from tracer.analysis.analyse import analyse
from tracer.analysis.gate_numbers import added, all_paths, quantile, sums_of
from tracer.analysis.limits import chain
from tracer.analysis.population import population
from tracer.analysis.run_sums import most_frequent, run_sums
from tracer.columns.convert import columns_from_records
from tracer.columns.runs import SUMS


def test_sums_are_those_of_the_requests() -> None:
    lines = usual(7) + basket(50, calls=3, queries=2, at_once=False) + basket(51, queries=0)
    facts = analyse(columns(lines)).facts
    requests, run = population(facts), run_sums(facts, {})
    expected: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    table = requests.paths
    row_of = {int(one): row for row, one in enumerate(table.path_id)}
    for at in range(len(requests)):
        inside = range(int(requests.offset[at]), int(requests.offset[at + 1]))
        calls_of = {int(requests.path[one]): int(requests.calls[one]) for one in inside}
        for one in inside:
            path = int(requests.path[one])
            key = f"{table.operation[path]} {table.kind[path]}"
            above = row_of.get(int(table.parent_path_id[path]))
            calls = calls_of[path]
            self_ms, critical_ms = requests.self_ns[one] / 1e6, requests.critical_ns[one] / 1e6
            told = math.log(self_ms / calls + 1e-3)
            values = (1, 1, calls, calls**2, calls * (1 if above is None else calls_of[above]), 0,
                      self_ms, told, told**2, critical_ms, critical_ms**2)  # fmt: skip
            for name, value in zip(SUMS, values, strict=True):
                expected[key][name] += value
    assert len(run) == len(expected) == 4
    for row, step in enumerate(run.steps):
        told_sums = dict(zip(SUMS, run.sums[row].tolist(), strict=True))
        assert told_sums == pytest.approx(expected[f"{step.operation} {step.kind}"])
    assert (run.traces, run.spans, run.left_out) == (9, len(lines), 0)
    assert run.count.sum() == len(lines)


def test_the_environment_is_no_part_of_a_path() -> None:
    facts = []
    for trace, where in enumerate(("main", "pr-7"), start=1):
        spans = [
            span(trace, 1, ResourceAttributes=[("deployment.environment.name", where)]),
            span(trace, 2, 1, name="inner"),
        ]
        facts.append(analyse(columns_from_records(records(spans))).facts)
    one, other = (run_sums(part, {}) for part in facts)
    assert one.path_id.tolist() == other.path_id.tolist()
    assert len(one) == 2


def test_a_cut_keeps_the_callers_of_what_it_keeps() -> None:
    run = shop_run(1)
    for most in range(1, len(run) + 1):
        cut = most_frequent(run, most)
        assert (len(cut), cut.left_out) == (most, len(run) - most)
        assert set(cut.parent_path_id.tolist()) <= {0, *cut.path_id.tolist()}


def test_quantiles_of_runs_added_are_those_of_all_their_requests() -> None:
    runs = [shop_run(1, 200), shop_run(2, 150)]
    paths = all_paths(runs)
    whole = added([sums_of(run, paths) for run in runs])
    assert whole.of("requests").max() == 350
    root = int(np.flatnonzero(paths.is_root)[0])
    assert chain(paths, root) == ["web GET /basket"]
    p50, p95 = quantile(0.5)(whole)[root], quantile(0.95)(whole)[root]
    assert 20e6 < p50 < p95 < 80e6


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 1.0])
def test_a_quantile_is_within_its_bucket(share: float) -> None:
    spans = [span(number, 1, duration=number * 1_000_000) for number in range(1, 201)]
    run = run_sums(analyse(columns_from_records(records(spans))).facts, {})
    found = quantile(share)(sums_of(run, all_paths([run])))[0]
    assert found == pytest.approx(share * 200e6, rel=0.023)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_of_very_many_paths_of_all_runs_the_most_frequent_are_judged(most: int) -> None:
    runs = [shop_run(1, 20), shop_run(2, 30)]
    paths = all_paths(runs, most=most)
    assert (len(paths), paths.left_out) == (most, 4 - most)
    assert paths.is_root.sum() == 1
    whole = added([sums_of(run, paths) for run in runs])
    assert whole.of("requests").tolist() == [50.0] * most
    assert whole.histogram.sum() == 50 * most
