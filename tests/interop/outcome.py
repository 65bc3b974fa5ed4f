"""What clients were told against what a tracer has that was restarted under them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.soak.stored import Found
from tracer.report.tables import Column, draw, table

SHOWN: Final = 5  # of each sort of problem
_TITLES: Final = ("made", "acknowledged", "given up", "stored", "lost", "read twice", "again %")


@dataclass(frozen=True)
class Told:
    """What one client knows of its spans (trace id and span id with a dash between).

    `acknowledged` are those in an export that was taken; `given_up` is how many the client itself
    says it lost; `sent` are all others that may be stored, acknowledged or not.
    """

    client: str
    made: int
    acknowledged: Sequence[str]
    given_up: int
    sent: Sequence[str] = ()


@dataclass(frozen=True)
class Kept:
    """What tracer has: how often each span is read, and how many rows each has in the store."""

    read: Counter[str]
    rows: Mapping[str, int]  # only of spans with more than one
    found: Found


@dataclass(frozen=True)
class Outcome:
    """One row of the table."""

    client: str
    made: int
    acknowledged: int
    given_up: int
    stored: int
    lost: int
    read_twice: int
    again: int  # rows that a retry stored again, read as one

    @property
    def cells(self) -> tuple[object, ...]:
        share = f"{100 * self.again / max(1, self.stored):.2f}"
        counts = (self.made, self.acknowledged, self.given_up, self.stored, self.lost)
        return (self.client, *counts, self.read_twice, share)


def judge(told: Sequence[Told], kept: Kept) -> tuple[list[Outcome], list[str]]:
    """A row a client, and everything that is wrong."""
    rows: list[Outcome] = []
    problems: list[str] = []
    unknown = set(kept.read)
    for one in told:
        acknowledged = set(one.acknowledged)
        spans = acknowledged.union(one.sent)
        stored = spans & kept.read.keys()
        lost = sorted(acknowledged - stored)
        twice = sorted(span for span in stored if kept.read[span] > 1)
        again = sum(kept.rows[span] - 1 for span in stored & kept.rows.keys())
        counts = (one.made, len(acknowledged), one.given_up, len(stored), len(lost), len(twice))
        rows.append(Outcome(one.client, *counts, again))
        unknown -= spans
        problems += [f"{one.client}: lost {span}" for span in lost[:SHOWN]]
        problems += [f"{one.client}: read twice {span}" for span in twice[:SHOWN]]
        if not acknowledged:
            problems.append(f"{one.client}: nothing was acknowledged")
    problems += [f"stored, and nobody sent it: {span}" for span in sorted(unknown)[:SHOWN]]
    wrong = kept.found
    problems += [
        f"facts differ: trace {one} root {root}" for one, root in wrong.wrong_facts[:SHOWN]
    ]
    problems += [f"minute differs: {minute}" for minute in wrong.wrong_minutes[:SHOWN]]
    return rows, problems


def drawn(rows: Sequence[Outcome], found: Found) -> str:
    """The table, and a line about what was computed from the spans."""
    columns = (Column("client"), *(Column(title, is_number=True) for title in _TITLES))
    told = (
        f"{found.raw_rows} rows; facts: {len(found.facts)}, {len(found.wrong_facts)} differ; "
        f"minutes: {len(found.minutes)}, {len(found.wrong_minutes)} differ\n"
    )
    drawing = table(columns, [row.cells for row in rows])
    return draw([drawing], width=120, colour=False) + told
