"""What was acknowledged against what was found, round by round; a round ends with a kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.soak.ledger import Entry, round_of
from tests.soak.stored import Found
from tracer.report.tables import Column, draw, table

SHOWN: Final = 5  # of each sort of problem
_TITLES: Final = (
    *("round", "", "acknowledged", "retried", "stored", "lost", "read twice"),
    *("facts", "facts differ", "minutes", "minutes differ"),
)


@dataclass
class Round:
    """Counts of what was first acknowledged in one round; `retried` are exports, the rest spans."""

    acknowledged: int = 0
    retried: int = 0
    lost: int = 0
    read_twice: int = 0
    facts: int = 0
    wrong_facts: int = 0


@dataclass(frozen=True)
class Judged:
    """Rounds, totals that belong to no round, and everything that is wrong."""

    rounds: list[Round]
    minutes: int
    wrong_minutes: int
    merged: int  # spans stored more than once and read once
    problems: list[str] = field(default_factory=list)


def judge(
    kills_ns: Sequence[int], entries: Sequence[Entry], exported: Counter[str], found: Found
) -> Judged:
    """A trace belongs to the round in which the first of its spans was acknowledged."""
    rounds = [Round() for _ in range(len(kills_ns) + 1)]
    round_of_span: dict[str, Round] = {}
    round_of_trace: dict[str, Round] = {}
    for entry in entries:
        at = rounds[round_of(entry, kills_ns)]
        at.retried += entry.attempts > 1
        for span in entry.spans:
            round_of_span.setdefault(span, at)
            round_of_trace.setdefault(span.partition("-")[0], at)
    for span, at in round_of_span.items():
        at.acknowledged += 1
        at.lost += span not in exported
        at.read_twice += exported[span] > 1
    for trace_id, _ in found.facts:
        round_of_trace.get(trace_id, rounds[-1]).facts += 1
    for trace_id, _ in found.wrong_facts:
        round_of_trace.get(trace_id, rounds[-1]).wrong_facts += 1
    lost = [span for span in round_of_span if span not in exported]
    twice = [span for span, times in exported.items() if times > 1]
    unknown = [span for span in exported if span not in round_of_span]
    problems = [
        *(f"lost: {span}" for span in lost[:SHOWN]),
        *(f"read twice: {span}" for span in twice[:SHOWN]),
        *(f"stored, and nobody was told: {span}" for span in unknown[:SHOWN]),
        *(f"facts differ: trace {one} root {root}" for one, root in found.wrong_facts[:SHOWN]),
        *(f"minute differs: {minute}" for minute in found.wrong_minutes[:SHOWN]),
    ]
    if not round_of_span:
        problems.append("nothing was acknowledged")
    merged = found.raw_rows - len(exported)
    return Judged(rounds, len(found.minutes), len(found.wrong_minutes), merged, problems)


def drawn(judged: Judged, lived_s: Sequence[float], ends_with: str = "killed after s") -> str:
    """The table: one line a round, and all of them; `ends_with` says how a round ends."""
    lines: list[Sequence[object]] = [
        (number + 1, f"{lived_s[number]:.2f}" if number < len(lived_s) else "not", *_cells(one))
        for number, one in enumerate(judged.rounds)
    ]
    names = vars(Round())
    total = Round(*(sum(getattr(one, name) for one in judged.rounds) for name in names))
    lines = [(*line, "", "") for line in lines]
    lines.append(("all", "", *_cells(total), judged.minutes, judged.wrong_minutes))
    columns = [Column(title or ends_with, is_number=True) for title in _TITLES]
    told = f"{judged.merged} spans were stored more than once by retries, and are read once\n"
    return draw([table(columns, lines)], width=140, colour=False) + told


def _cells(one: Round) -> tuple[int, ...]:
    return (
        *(one.acknowledged, one.retried, one.acknowledged - one.lost, one.lost, one.read_twice),
        *(one.facts, one.wrong_facts),
    )
