"""Reasons in words: the numbers prove them, and nothing is called slower that is not."""

from __future__ import annotations

import pytest

from tracer.report.reasons import reason_words

MS = 1_000_000
WORDS = [
    ("slower", "cause", 1, 324, 22, "slower: 324ms a call, p95 22ms"),
    ("slower", "cause", 3, 324, 22, "slower: up to 324ms a call, p95 22ms"),
    ("slower", "cause", 1, 20, 22, "above usual, within p95"),
    ("slower", "cause", 1, 20, None, "slower"),
    ("slower", "symptom", 1, 324, 22, "symptom"),
    ("more calls", "cause", 80, 5, 22, "80 calls, usually 1"),
    ("new path", "cause", 1, 5, None, "new path"),
    ("lost parallelism", "cause", 1, 5, None, "lost parallelism"),
    (None, "cause", 1, 5, None, "–"),
]


@pytest.mark.parametrize("row", WORDS)
def test_reasons(row: tuple[str | None, str, int, int, int | None, str]) -> None:
    reason, role, calls, ms, p95_ms, expected = row
    words = reason_words(
        reason,
        role,
        calls=calls,
        usual_calls=1.0,
        duration_ns=ms * MS,
        expected_p95_ns=None if p95_ms is None else p95_ms * MS,
    )
    assert words == expected


@pytest.mark.parametrize(
    ("usual", "expected"), [(None, "more than usual"), (0.0, "usually none"), (1.5, "usually 1.5")]
)
def test_what_calls_usually_are(usual: float | None, expected: str) -> None:
    words = reason_words(
        "more calls", "cause", calls=80, usual_calls=usual, duration_ns=MS, expected_p95_ns=None
    )
    assert words == f"80 calls, {expected}"
