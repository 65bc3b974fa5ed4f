"""`tracer.compare/1`: parts that add up in whole nanoseconds, and the sentence people read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.simulated import MS, SHAPES, World, population_of
from tracer.analysis.compare import compare
from tracer.analysis.population import Population, Strata
from tracer.report.compare_json import FACTORS, compare_document
from tracer.report.compare_text import compare_text
from tracer.report.compare_verdict import times, verdict


def drawn(world: World, count: int, seed: int) -> Population:
    return population_of(*world.draw(count, np.random.default_rng(seed)))


def document_of(before: Population, after: Population, limit: int = 20) -> dict[str, Any]:
    return compare_document(
        compare(before, after),
        baseline={"files": ["before.jsonl"]},
        candidate={"files": ["after.jsonl"]},
        limit=limit,
        reproduce="tracer compare --baseline before.jsonl --candidate after.jsonl",
    )


def of_world(world: World, count: int = 1_000) -> dict[str, Any]:
    return document_of(drawn(World(world.shape), count, 10), drawn(world, count, 12))


WORLDS = [
    replace(World(shape), **how)
    for shape in SHAPES
    for how in ({}, {"extra_ms": 40.0}, {"extra_calls": 10}, {"extra_ms": 300.0, "share": 0.02})
]


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_the_parts_sum_to_the_change_to_the_nanosecond(world: World) -> None:
    for one in of_world(world)["statistics"]:
        assert one["change_ns"] == one["after_ns"] - one["before_ns"]
        paths_ns = sum(path["change_ns"] for path in one["paths"]) + one["other_paths_ns"]
        assert one["mix_ns"] + paths_ns + one["selection_ns"] == one["change_ns"]
        assert sum(kind["change_ns"] for kind in one["mix"]) == one["mix_ns"]
        for path in one["paths"]:
            assert sum(path[name] for name in FACTORS) == path["change_ns"]


def test_more_paths_than_asked_for_are_one_number() -> None:
    before, after = drawn(World("lognormal"), 2_000, 1), drawn(World("lognormal"), 2_000, 2)
    every_ns = after.critical_ns * 2
    after = replace(
        after,
        self_ns=every_ns,
        critical_ns=every_ns,
        duration_ns=every_ns.reshape(2_000, -1).sum(axis=1),
    )
    one = document_of(before, after, limit=2)["statistics"][0]
    assert len(one["paths"]) == 2
    assert one["paths_total"]["value"] > 2
    paths_ns = sum(path["change_ns"] for path in one["paths"]) + one["other_paths_ns"]
    assert one["mix_ns"] + paths_ns + one["selection_ns"] == one["change_ns"]
    assert len(document_of(before, after, limit=2)["changed_paths"]["items"]) == 2


SENTENCES = [
    (World("lognormal", extra_calls=10), ["p95", "rose", "`shop part 3` being called 11 times"]),
    (World("lognormal", extra_ms=80.0), ["p95", "rose", "`shop part 3` taking", "95 % interval"]),
    (World("lognormal"), ["p95 of all", "did not change measurably", "no call path changed."]),
    (
        World("lognormal", extra_ms=300.0, share=0.02),
        ["the mean of the slowest 5 % rose", "of the rise is `shop part 3` taking"],
    ),
]


@pytest.mark.parametrize(("world", "said"), SENTENCES, ids=[str(one[0]) for one in SENTENCES])
def test_the_verdict_says_what_changed_and_because_of_what(world: World, said: list[str]) -> None:
    document = of_world(world, 2_000)
    text = document["verdict"]["text"].replace("p95 of shop part 0", "p95 of all")
    assert [words for words in said if words not in text] == [], text
    assert "2,000 against 2,000 traces" in text


def test_few_traces_give_numbers_and_no_claims() -> None:
    document = of_world(World("lognormal", extra_ms=40.0), 9)
    assert document["status"] == "refused"
    assert document["verdict"]["text"].startswith("not compared: no kind of request has 10 traces")
    document = of_world(World("lognormal", extra_ms=80.0), 40)
    assert document["status"] == "ok"
    assert "(40 against 40 traces: too few to say whether by chance)" in document["verdict"]["text"]
    p95 = document["statistics"][1]
    assert p95["change_interval_ns"] is None
    assert "`shop part 3` taking" in document["verdict"]["text"]  # proven by its own times


def test_sets_that_are_sampled_differently_are_not_judged() -> None:
    before = drawn(World("lognormal"), 200, 1)
    after = replace(drawn(World("lognormal"), 200, 2), is_weighted=np.zeros(200, np.bool_))
    document = document_of(before, after)
    assert document["status"] == "refused"
    assert "only the baseline has sampling weights" in document["refusal"]["reason"]
    assert document["verdict"]["direction"] == "unsure"
    assert document["statistics"][1]["before_ns"] > 0


def test_more_of_the_slow_kind_is_told_as_traffic() -> None:
    def traffic(slow: int, seed: int) -> Population:
        parts, calls = World("lognormal").draw(1_000, np.random.default_rng(seed))
        kinds = (np.arange(1_000) < slow).astype(np.intp)
        parts[:, 0] += 500.0 * kinds
        requests = population_of(parts, calls)
        is_slow = requests.duration_ns > 450 * MS
        strata = Strata(np.array([0, 1]), np.zeros(2, np.bool_))
        return replace(requests, stratum=is_slow.astype(np.intp), strata=strata)

    document = document_of(traffic(30, 1), traffic(300, 2))
    text = document["verdict"]["text"]
    assert (
        "of the rise is more requests of shop part 1 (30 % of the traffic instead of 3 %)" in text
    )
    assert document["statistics"][1]["paths"] == []
    drawn_text = compare_text(document, width=100, colour=False, statistic=None)
    assert "  shop part 1" in drawn_text
    assert "Request kinds" in drawn_text or "2 request kinds" in drawn_text.lower()


def test_the_text_has_the_parts_of_the_number_asked_for() -> None:
    document = of_world(World("lognormal", extra_calls=10), 2_000)
    text = compare_text(document, width=110, colour=False, statistic="p50")
    assert "What the change of the p50 is made of" in text
    (row,) = [line for line in text.splitlines() if line.startswith("shop part 3") and "→" in line
              and "once → 11 times" in line and "called" not in line]  # fmt: skip
    assert "100 %" in row
    assert text.rstrip().endswith(
        "Again: tracer compare --baseline before.jsonl --candidate after.jsonl"
    )
    assert max(map(len, text.splitlines())) <= 110
    assert "\x1b" not in text


def test_flaws_of_a_set_are_told() -> None:
    document = of_world(World("lognormal"), 50)
    document["candidate"]["quality"] = {"root_missing_share": 0.25, "orphaned_share": 0.0}
    text = compare_text(document, width=100, colour=False, statistic=None)
    assert "25 % of them lack their root" in " ".join(text.split())


def test_names_cannot_move_the_cursor() -> None:
    document = of_world(World("lognormal", extra_calls=10))
    for one in document["statistics"]:
        for path in one["paths"]:
            path["operation"] = "\x1b[2Jevil"
    document["verdict"] = verdict(document)
    assert "\x1b" not in compare_text(document, width=100, colour=False, statistic=None)


@pytest.mark.parametrize(
    ("calls", "words"),
    [(0, "never"), (None, "never"), (1, "once"), (2, "twice"), (1.2, "1.2 times"), (11, "11 times"),
     (0.02, "0.02 times"), (0.999, "once")],
)  # fmt: skip
def test_counts_are_said_as_people_say_them(calls: float | None, words: str) -> None:
    assert times(calls) == words
