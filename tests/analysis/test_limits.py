"""Files of limits."""

from __future__ import annotations

import pytest

from tests.support.runs import shop_run
from tracer.analysis.gate_numbers import all_paths
from tracer.analysis.limits import chain, limits, matching
from tracer.errors import BadInput


def test_limits_are_read() -> None:
    text = '# budgets\n\n"shop GET /*": max p95 < 300ms, calls <= 3\nhttp://x: errors < 1%\n'
    found = [
        (one.pattern, one.measure, one.most, one.is_included) for one in limits(text, "budget")
    ]
    assert found == [
        ("shop GET /*", "p95", 300e6, False),
        ("shop GET /*", "calls", 3.0, True),
        ("http://x", "error_share", 0.01, False),
    ]
    strict, kept = limits("a: calls < 2, calls <= 2", "budget")
    assert (strict.is_broken_by(2), kept.is_broken_by(2)) == (True, False)


WRONG = [
    ("", "budget has 0 limits"),
    ("p95 < 3ms", "budget, line 1: 'p95 < 3ms' is not 'PATTERN"),
    ("a: p95 > 3ms", "'p95 > 3ms' is no limit"),
    ("# x\na: p42 < 3ms", "line 2: 'p42 < 3ms' is no limit"),
    ("a: p95 < soon", "duration 'soon'"),
    ("a: calls < many", "'many' is no number"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[one[1] for one in WRONG])
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(BadInput) as raised:
        limits(text, "budget")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("items *", {"items GET /item", "items SELECT"}),
        ("* GET /item", {"items GET /item", "web GET /item"}),
        ("web GET /basket > *SELECT", {"items SELECT"}),
        ("items select", set()),
    ],
)
def test_patterns_are_about_paths(pattern: str, steps: set[str]) -> None:
    paths = all_paths([shop_run(1, 3)])
    (limit,) = limits(f"{pattern}: p95 < 1s", "budget")
    assert {chain(paths, int(row))[-1] for row in matching(limit, paths)} == steps
