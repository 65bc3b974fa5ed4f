"""Answers that differ from what `expected` says, and why that is right or does no harm.

Every row is counted and printed by a run: known is not ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.fuzz.calling import Got
from tests.fuzz.expected import Answer
from tests.fuzz.sample import Sample

KNOWN: Final[dict[str, Callable[[Sample, Answer, Got], bool]]] = {}


def why_known(sample: Sample, expected: Answer, got: Got) -> str:
    """The reason of the first row that fits, '' for none."""
    return next((why for why, fits in KNOWN.items() if fits(sample, expected, got)), "")
