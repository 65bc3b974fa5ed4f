"""Durations, sizes and moments as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import BadQuery
from tracer.units import NS_PER_S, duration_ns, moment_ns, rfc3339, short_duration, size_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", 250_000_000),
        ("1s", NS_PER_S),
        ("1.5s", 1_500_000_000),
        ("1h30m", 5_400 * NS_PER_S),
        ("7d", 604_800 * NS_PER_S),
        ("3us", 3_000),
        ("3µs", 3_000),
        ("9ns", 9),
    ],
)
def test_durations(text: str, expected: int) -> None:
    assert duration_ns(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-1s", "1 s", "1x", "1e3s", "999999999w", "1s" * 51, "9" * 30_000]
)
def test_what_is_no_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadQuery, match="duration"):
        duration_ns(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("4096", 4096), ("64MiB", 64 << 20), ("1.5GB", 1_500_000_000)]
)
def test_sizes(text: str, expected: int) -> None:
    assert size_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "MB", "-1", "1 parsec", "9" * 400])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="size"):
        size_bytes(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", 1_000 * NS_PER_S),
        ("-15m", 100 * NS_PER_S),
        ("123", 123 * NS_PER_S),
        ("123.000000007", 123 * NS_PER_S + 7),
        ("1970-01-01T00:00:05Z", 5 * NS_PER_S),
        ("1970-01-01T01:00:05+01:00", 5 * NS_PER_S),
        ("1970-01-01T00:00:05.000000009Z", 5 * NS_PER_S + 9),
        ("1970-01-01T00:00:05", 5 * NS_PER_S),
    ],
)
def test_moments(text: str, expected: int) -> None:
    assert moment_ns(text, 1_000 * NS_PER_S) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1960-01-01T00:00:00Z", "-1", "-1d", "9" * 5_000]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        moment_ns(text, 1_000 * NS_PER_S)


@given(st.integers(0, 2**62))
def test_a_moment_written_out_reads_back(time_ns: int) -> None:
    assert moment_ns(rfc3339(time_ns), 0) == time_ns


@pytest.mark.parametrize(
    ("value_ns", "shown"),
    [
        (0, "0ns"),
        (999, "999ns"),
        (3_100, "3.1µs"),
        (250_000_000, "250ms"),
        (999_900_000, "1s"),
        (1_240_000_000, "1.24s"),
        (61 * NS_PER_S, "61s"),
        (754 * NS_PER_S, "12m34s"),
        (900 * NS_PER_S, "15m"),
        (3_600 * NS_PER_S, "1h"),
        (3_900 * NS_PER_S, "1h05m"),
        (3_601 * NS_PER_S, "1h00m01s"),
        (-5_400 * NS_PER_S, "-1h30m"),
        (-250_000_000, "-250ms"),
    ],
)
def test_durations_for_people(value_ns: int, shown: str) -> None:
    assert short_duration(value_ns) == shown
