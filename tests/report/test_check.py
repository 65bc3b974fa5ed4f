"""`tracer.check/1` and the forms in which it is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as xml

import pytest

from tests.support.runs import MS, shop_runs
from tracer.analysis.gate import Rules, gate
from tracer.analysis.limits import limits
from tracer.columns.runs import Run
from tracer.report.check_github import check_github
from tracer.report.check_json import check_document
from tracer.report.check_junit import check_junit
from tracer.report.check_markdown import check_markdown
from tracer.report.check_text import check_text

HOSTILE = "</failure>]]>&\x1b[31m\n| `x` @everyone %0A::error::"


def document(base: list[Run], candidate: list[Run], budget: str = "", limit: int = 20) -> Any:
    kept = limits(budget, "budget") if budget else ()
    return check_document(
        gate(base, candidate, Rules(), kept),
        base,
        candidate,
        said=({"files": ["main.jsonl"]}, {"files": ["pr.jsonl"]}),
        rules=Rules(),
        limit=limit,
        notes=[],
        reproduce="tracer check --baseline main.jsonl --candidate pr.jsonl",
    )


def hostile(runs: list[Run]) -> list[Run]:
    return [
        replace(
            run, steps=tuple(replace(one, operation=one.operation + HOSTILE) for one in run.steps)
        )
        for run in runs
    ]


@pytest.fixture(scope="module")
def slower() -> Any:
    return document(shop_runs(1, 3), shop_runs(11, 3, queries=5))


def test_a_regression_is_told_worst_first(slower: Any) -> None:
    assert (slower["schema"], slower["verdict"]) == ("tracer.check/1", "regression")
    first = slower["regressions"][0]
    assert (first["service"], first["operation"], first["kind"]) == ("items", "SELECT", "client")
    assert first["path"] == ["web GET /basket", "web GET /item", "items GET /item", "items SELECT"]
    assert (first["role"], first["scope"], first["measure"]) == ("cause", "path", "calls")
    assert (first["before"], first["after"]) == (1, 5)
    assert first["reason"] == "called 5 times instead of once per call of items GET /item"
    assert slower["summary"] == (
        "regression: items SELECT: called 5 times instead of once per call of items GET /item "
        "(and 3 more) (3 runs against 3, 300 against 300 traces)"
    )
    assert [one["role"] for one in slower["regressions"]] == ["cause", *["symptom"] * 3]
    assert slower["blocks"] == "runs"
    assert slower["notes"] == []


def test_lists_are_bounded() -> None:
    cut = document(shop_runs(1, 1), shop_runs(11, 1, queries=5), limit=1)
    assert (len(cut["regressions"]), cut["regressions_total"]["value"]) == (1, 4)
    assert "give 3 runs a side or more" in cut["notes"][0]


def test_an_environment_is_not_judged() -> None:
    found = document(shop_runs(1, 3), shop_runs(11, 3, factor=1.5))
    assert (found["verdict"], found["regressions"]) == ("could-not-judge", [])
    assert found["unjudged"][0]["code"] == "environment"
    assert found["environment"]["factor"] == pytest.approx(1.5, rel=0.1)
    assert found["summary"].startswith("could not judge: 3 of 3 call paths are slower alike")


def test_sides_sampled_differently_are_not_judged() -> None:
    unknown = [
        replace(run, flaws=run.flaws._replace(weighted=0)) for run in shop_runs(11, 1, queries=5)
    ]
    found = document(shop_runs(1, 1), unknown)
    assert (found["verdict"], found["unjudged"][0]["code"]) == ("could-not-judge", "sampling")


def test_limits_are_told() -> None:
    found = document(shop_runs(1, 1), shop_runs(11, 1), "items SELECT: max p50 < 5ms")
    first = found["regressions"][0]
    assert first["measure"] == "p50"
    assert first["reason"].endswith("the limit is 'max p50 < 5ms'")
    assert first["limits"][0]["value"] > 5 * MS
    missed = document(shop_runs(1, 1), shop_runs(11, 1), "nobody: p50 < 5ms")
    assert (missed["verdict"], missed["unjudged"][0]["code"]) == ("could-not-judge", "limit")


def test_junit_is_xml_whatever_the_names(slower: Any) -> None:
    suite = xml.fromstring(check_junit(slower))
    assert (suite.tag, suite.get("failures"), suite.get("errors")) == ("testsuite", "4", "0")
    assert len(suite.findall("testcase")) == int(suite.get("tests") or 0) == 4
    bad = document(hostile(shop_runs(1, 1)), hostile(shop_runs(11, 1, queries=5)))
    suite = xml.fromstring(check_junit(bad))
    assert len(suite.findall("testcase/failure")) == 4
    passed = xml.fromstring(check_junit(document(shop_runs(1, 1), shop_runs(2, 1))))
    assert [one.get("name") for one in passed.findall("testcase")] == ["web GET /basket"]
    unsure = xml.fromstring(check_junit(document(shop_runs(1, 1), shop_runs(2, 1, factor=2))))
    assert unsure.get("errors") == "1"


def test_markdown_is_bounded_and_means_nothing_else(slower: Any) -> None:
    text = check_markdown(slower)
    assert text.startswith("### ❌ Latency regression\n")
    assert "| **items** SELECT | calls | once | 5 times | +400 % |" in text
    many = {**slower, "regressions": slower["regressions"] * 500}
    many["regressions_total"] = {"value": 2_000, "exact": True}
    assert len(check_markdown(many)) < 10_000
    assert "… and 1,980 more." in check_markdown(many)
    bad = check_markdown(document(hostile(shop_runs(1, 1)), hostile(shop_runs(11, 1, queries=5))))
    rows = [line for line in bad.splitlines() if line.startswith("| **")]
    assert len(rows) == 4
    assert all(line.replace("\\|", "").count("|") == 6 for line in rows)
    assert "@everyone" not in bad.replace("\\@everyone", "")
    assert "</failure>" not in bad


def test_annotations_are_one_line_each(slower: Any) -> None:
    lines = list(check_github(slower))
    assert lines == [
        "::error title=items SELECT::called 5 times instead of once per call of items GET /item"
    ]
    bad = document(hostile(shop_runs(1, 1)), hostile(shop_runs(11, 1, queries=5)))
    (line,) = check_github(bad)
    assert "\n" not in line
    assert line.startswith("::error title=")
    assert "%0A" not in line.replace("%250A", "")
    passed = list(check_github(document(shop_runs(1, 1), shop_runs(2, 1))))
    assert passed[0].startswith("::notice title=tracer check::pass")


def test_text_fits(slower: Any) -> None:
    text = check_text(slower, width=80, colour=False)
    assert max(map(len, text.splitlines()[:-1])) <= 80
    assert "GET /basket (follows)" in text
    assert "1. called 5 times instead of once per call of items GET /item" in text
    assert "\x1b" not in check_text(
        document(hostile(shop_runs(1, 1)), hostile(shop_runs(2, 1))), width=80, colour=False
    )
