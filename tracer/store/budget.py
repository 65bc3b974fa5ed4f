"""Which partitions go when the store is over its disk budget, and the account of what went.

Oldest hours of spans first (with their activity), then oldest hours of facts, then oldest days of
minute rollups. Hourly rollups, a hundredth of the whole, are never dropped for room. What is being
written now goes last: see `plan`.

    marks: what is older may be gone             written before (of spans: after) it is dropped
    counts: spans, facts, rollup rows, bytes     written after

Facts behind their mark count as newer than every rollup (store/loose.py), so a crash in between
must not leave any: `leftovers` finds them at the next start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from tracer.store.engine import Engine
from tracer.store.facts import read_states, write_states
from tracer.store.partitions import Partition
from tracer.units import HOUR_NS, MINUTE_NS

TIERS: Final = ("raw", "facts", "minute")
# A receiver may still write to an hour that ended a moment ago, and a trace may end in it.
GRACE_NS: Final = 10 * MINUTE_NS
FUTURE_NS: Final = 2 * HOUR_NS


@dataclass(frozen=True)
class Dropped:
    """What the budget has dropped since the store exists. Times are ns, 0 = never."""

    spans: int = 0
    facts: int = 0
    rollup_rows: int = 0
    bytes: int = 0
    partitions: int = 0
    raw_from_ns: int = 0  # older spans were dropped; an import may have brought others
    facts_from_ns: int = 0
    facts_done_ns: int = 0  # and the drop up to here has ended
    minutes_from_ns: int = 0
    last_ns: int = 0  # when


def read_dropped(engine: Engine) -> Dropped:
    """The account as it was last written."""
    values = read_states(engine, [_name(one.name) for one in fields(Dropped)])
    return Dropped(**{one.name: values[_name(one.name)] for one in fields(Dropped)})


def write_dropped(engine: Engine, before: Dropped, after: Dropped, *, version_ns: int) -> None:
    """Writes what has changed."""
    changed = {
        _name(one.name): int(getattr(after, one.name))
        for one in fields(Dropped)
        if getattr(after, one.name) != getattr(before, one.name)
    }
    write_states(engine, changed, version_ns=version_ns)


def _name(field: str) -> str:
    return f"budget_{field}"


def marked(dropped: Dropped, going: Sequence[Partition]) -> Dropped:
    """The account that says: up to the end of what is going, its tier may be gone."""
    return replace(
        dropped,
        raw_from_ns=_last(going, "raw", dropped.raw_from_ns),
        facts_from_ns=_last(going, "facts", dropped.facts_from_ns),
        minutes_from_ns=_last(going, "minute", dropped.minutes_from_ns),
    )


def _last(going: Sequence[Partition], tier: str, mark_ns: int) -> int:
    return max([mark_ns, *(one.end_ns for one in going if one.tier == tier)])


def counted(dropped: Dropped, gone: Partition, *, now_ns: int) -> Dropped:
    """The account with one dropped partition more."""
    kind = {
        "otel_traces": "spans",
        "tracer_facts": "facts",
        "tracer_operations": "rollup_rows",
        "tracer_path_sums": "rollup_rows",
    }.get(gone.table)
    rows = {kind: getattr(dropped, kind) + gone.rows} if kind else {}
    return replace(
        dropped,
        **rows,
        bytes=dropped.bytes + gone.bytes,
        partitions=dropped.partitions + 1,
        last_ns=now_ns,
    )


@dataclass(frozen=True)
class Plan:
    """Partitions to drop, in this order."""

    going: tuple[Partition, ...]
    current: int  # how many of the last of them are being written now
    missing_bytes: int  # what is over even then


def plan(partitions: Sequence[Partition], *, excess_bytes: int, now_ns: int) -> Plan:
    """The fewest partitions, worst loss last, that free `excess_bytes`.

    What is being written now (the hour of `now_ns`, and the hour before in its first minutes) goes
    only when nothing else is left, and then spans only.
    """
    going: list[Partition] = []
    current = 0
    missing = excess_bytes
    for periods, is_current in ((_closed(partitions, now_ns), 0), (_open(partitions, now_ns), 1)):
        for period in periods:
            if missing <= 0:
                break
            going += period
            current += is_current * len(period)
            missing -= sum(one.bytes for one in period)
    return Plan(tuple(going), current, max(0, missing))


def _closed(partitions: Sequence[Partition], now_ns: int) -> list[list[Partition]]:
    old = [one for one in partitions if one.end_ns <= now_ns - GRACE_NS]
    return [period for tier in TIERS for period in _periods(old, tier)]


def _open(partitions: Sequence[Partition], now_ns: int) -> list[list[Partition]]:
    """Imports of the far future first: nobody is writing those."""
    young = [one for one in partitions if one.end_ns > now_ns - GRACE_NS]
    periods = _periods(young, "raw")
    return sorted(periods, key=lambda period: period[0].start_ns <= now_ns + FUTURE_NS)


def _periods(partitions: Iterable[Partition], tier: str) -> list[list[Partition]]:
    """Partitions of one tier by period, oldest first: an hour of spans goes with its activity."""
    found: dict[int, list[Partition]] = {}
    for one in partitions:
        if one.tier == tier:
            found.setdefault(one.start_ns, []).append(one)
    return [found[start_ns] for start_ns in sorted(found)]


def leftovers(partitions: Sequence[Partition], dropped: Dropped) -> list[Partition]:
    """Facts that a crash left behind their mark."""
    if dropped.facts_done_ns >= dropped.facts_from_ns:
        return []
    return [
        one for one in partitions if one.tier == "facts" and one.end_ns <= dropped.facts_from_ns
    ]
