"""Limits that a file of budgets sets: `PATTERN: max p95 < 300ms, calls <= 3, errors < 1%`.

A pattern is matched against `service operation` of the last step of a call path, or, where it has
a ` > `, against all steps joined by it. `*` stands for anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from tracer.analysis.gate_numbers import NAMED, Paths
from tracer.analysis.packing import Rows
from tracer.errors import BadInput, BadQuery
from tracer.units import duration_ns

BETWEEN: Final = " > "
MOST_LIMITS: Final = 1_000
_WORDS: Final = {"errors": "error_share", "critical": "critical_time", "self": "self_time"}
_LIMIT: Final = re.compile(r"(?:max\s+)?(?P<measure>[a-z0-9_]+)\s*(?P<sign><=?)\s*(?P<most>.+)")


@dataclass(frozen=True)
class Limit:
    """Where a number must stay; `most` in the unit of the measure."""

    pattern: str
    measure: str
    most: float
    is_included: bool  # <=
    text: str

    def is_broken_by(self, value: float) -> bool:
        """Whether the value is beyond."""
        return value > self.most if self.is_included else value >= self.most


def limits(text: str, name: str) -> tuple[Limit, ...]:
    """All limits of a file called `name`; lines that start with `#` are remarks.

    Raises BadInput naming the line and what may stand there.
    """
    found: list[Limit] = []
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        pattern, colon, rest = said.rpartition(":")
        if not colon or not pattern.strip():
            raise BadInput(f"{name}, line {number}: {said!r} is not 'PATTERN: max p95 < 300ms'")
        for part in rest.split(","):
            try:
                found.append(_limit(pattern.strip().strip('"'), part.strip()))
            except (BadQuery, ValueError) as error:
                raise BadInput(f"{name}, line {number}: {error}") from None
    if not found or len(found) > MOST_LIMITS:
        raise BadInput(f"{name} has {len(found)} limits; write 1 to {MOST_LIMITS:,} of them")
    return tuple(found)


def _limit(pattern: str, text: str) -> Limit:
    match = _LIMIT.fullmatch(text)
    measure = _WORDS.get(match["measure"], match["measure"]) if match else ""
    if match is None or measure not in NAMED:
        known = ", ".join(NAMED)
        raise ValueError(f"{text!r} is no limit; write 'max p95 < 300ms', or one of {known}")
    unit, most = NAMED[measure].unit, match["most"].strip()
    try:
        value = (
            float(duration_ns(most))
            if unit == "ns"
            else float(most.removesuffix("%")) / (100 if most.endswith("%") else 1)
        )
    except ValueError:
        raise ValueError(f"{most!r} is no number; write one such as 3 or 1%") from None
    return Limit(pattern, measure, value, match["sign"] == "<=", text)


def chain(paths: Paths, row: int) -> list[str]:
    """`service operation` of every step, the root first."""
    steps: list[str] = []
    while True:
        step = paths.steps[row]
        steps.append(f"{step.service} {step.operation}")
        if paths.is_root[row]:
            return steps[::-1]
        row = int(paths.parent[row])


def matching(limit: Limit, paths: Paths) -> Rows:
    """Rows of the paths it is about."""
    is_whole = BETWEEN in limit.pattern
    rows = [
        row
        for row in range(len(paths))
        if fnmatchcase(
            BETWEEN.join(chain(paths, row))
            if is_whole
            else f"{paths.steps[row].service} {paths.steps[row].operation}",
            limit.pattern,
        )
    ]
    return np.array(rows, np.intp)
