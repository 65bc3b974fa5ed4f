"""Words of questions → windows and queries."""

from __future__ import annotations

import pytest

from tracer.errors import BadQuery
from tracer.service import words
from tracer.service.context import Window
from tracer.units import NS_PER_S, rfc3339

NOW = 1_790_000_000 * NS_PER_S
HOUR = 3_600 * NS_PER_S

WINDOWS = [
    ({}, Window(NOW - HOUR, NOW)),
    ({"since": "15m"}, Window(NOW - HOUR // 4, NOW)),
    ({"start": "-2h"}, Window(NOW - 2 * HOUR, NOW)),
    ({"start": "-2h", "end": "-1h"}, Window(NOW - 2 * HOUR, NOW - HOUR)),
    ({"start": "1789990000", "end": "1789990001.5"}, Window(NOW - 10**13, NOW - 99985 * 10**8)),
    ({"start": rfc3339(NOW - 7), "end": rfc3339(NOW - 3)}, Window(NOW - 7, NOW - 3)),
]

REFUSED = [
    ({"since": "15"}, "since: duration '15' is not understood"),
    ({"since": "1h", "start": "-2h"}, "exclude each other"),
    ({"since": "1h", "end": "now"}, "exclude each other"),
    ({"end": "now"}, "end needs a start"),
    ({"start": "yesterday"}, "start: time 'yesterday'"),
    ({"start": "-1h", "end": "later"}, "end: time 'later'"),
    ({"start": "-1h", "end": "-2h"}, "range is empty"),
    ({"since": "0s"}, "range is empty"),
]


@pytest.mark.parametrize(("said", "expected"), WINDOWS, ids=[str(one[0]) for one in WINDOWS])
def test_a_range_of_time(said: dict[str, str], expected: Window) -> None:
    assert words.window(NOW, **said) == expected


@pytest.mark.parametrize(("said", "message"), REFUSED, ids=[str(one[0]) for one in REFUSED])
def test_what_is_no_range_is_refused_with_the_word(said: dict[str, str], message: str) -> None:
    with pytest.raises(BadQuery, match=message):
        words.window(NOW, **said)


def test_a_range_never_begins_before_1970() -> None:
    assert words.window(NOW, since="5000w").start_ns == 0


def test_without_words_there_is_no_optional_window_and_everything_is_exported() -> None:
    assert words.optional_window(NOW) is None
    assert words.export_window(NOW) == Window(0, 2**63 - 1)
    assert words.export_window(NOW, since="1h") == Window(NOW - HOUR, NOW)


def test_a_baseline_has_two_ends_or_none() -> None:
    assert words.baseline(NOW, None, None) is None
    assert words.baseline(NOW, "-2h", "-1h") == Window(NOW - 2 * HOUR, NOW - HOUR)
    with pytest.raises(BadQuery, match="two ends"):
        words.baseline(NOW, "-2h", None)
    with pytest.raises(BadQuery, match="baseline_end: time 'x'"):
        words.baseline(NOW, "-2h", "x")


def test_a_search_takes_durations_and_attributes() -> None:
    query = words.trace_query(
        NOW, min_duration="250ms", max_duration="1.5s", attribute=["a=b", "url=/x?q=1", "empty="]
    )
    assert (query.min_duration_ns, query.max_duration_ns) == (250_000_000, 1_500_000_000)
    assert query.attributes == (("a", "b"), ("url", "/x?q=1"), ("empty", ""))


@pytest.mark.parametrize("pair", ["novalue", "=x", ""])
def test_an_attribute_is_a_pair(pair: str) -> None:
    with pytest.raises(BadQuery, match="attribute"):
        words.trace_query(NOW, attribute=[pair])


def test_the_slow_question_looks_at_a_quarter_of_an_hour() -> None:
    query = words.slow_query(NOW, default_user_attributes="user.id, enduser.id")
    assert query.window == Window(NOW - HOUR // 4, NOW)
    assert query.user_attributes == ("user.id", "enduser.id")
    named = words.slow_query(NOW, default_user_attributes="user.id", user_attribute="tenant")
    assert named.user_attributes == ("tenant",)


@pytest.mark.parametrize(
    ("text", "expected"), [(None, None), ("0", 0), ("1ms", 1_000_000), ("0s", 0)]
)
def test_a_tolerance(text: str | None, expected: int | None) -> None:
    assert words.tolerance_ns(text) == expected


def test_a_bad_tolerance_is_named() -> None:
    with pytest.raises(BadQuery, match="overlap_tolerance: duration '1'"):
        words.tolerance_ns("1")
