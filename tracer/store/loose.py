"""Which facts are in no rollup, because their minute may not be computed anew.

A minute is rolled up whole, from all of its facts. Once facts of then may be gone, by age or for
room, that would lose what the rollup knows: it stays as it is, and facts that come in later (of
imports) are *loose*: no rollup holds them, they are read beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tracer.store.engine import Engine
from tracer.store.facts import read_states
from tracer.units import HOUR_NS, MINUTE_NS

FACTS_KEPT: Final = "retention_facts_ns"  # these two in tracer_state, so that readers know them
MINUTES_KEPT: Final = "retention_minutes_ns"
NEVER: Final = 2**63 - 1


@dataclass(frozen=True)
class Floors:
    """From when on things are there; all ns, 0 = from the beginning."""

    loose_after_ns: int = NEVER  # a fact so much younger than its minute is loose
    dropped_below_ns: int = 0  # facts of then were dropped for room: all there are came later
    minutes_from_ns: int = 0  # the first whole hour with all of its minutes
    loose_below_ns: int = 0  # the first whole hour without loose facts

    def is_loose(self, minute_ns: int, version_ns: int) -> bool:
        """Whether a fact of this minute, written as this version, is in no rollup."""
        return (
            minute_ns < self.dropped_below_ns
            or minute_ns < self.minutes_from_ns
            or version_ns - minute_ns >= self.loose_after_ns
        )

    def loose_sql(self) -> str:
        """The same as a condition on tracer_facts."""
        minute = f"intDiv(StartNs, {MINUTE_NS}) * {MINUTE_NS}"
        return (
            f"(StartNs < {self.dropped_below_ns} "
            f"OR toInt64(Version) - {minute} >= {self.loose_after_ns})"
        )


ANYTHING: Final = Floors()  # nothing was ever dropped


def read_floors(engine: Engine) -> Floors:
    """As retention and the disk budget have them now."""
    names = [FACTS_KEPT, MINUTES_KEPT, "budget_facts_from_ns", "budget_minutes_from_ns"]
    facts, minutes, facts_from, minutes_from = read_states(engine, names).values()
    now = int(engine.rows("SELECT toUnixTimestamp64Nano(now64(9))")[0][0])
    # Minutes are cut at whole hours: the last hour of their age has some only.
    after = min(facts or NEVER, minutes - HOUR_NS if minutes else NEVER)
    dropped = max(facts_from, minutes_from)
    return Floors(
        loose_after_ns=after,
        dropped_below_ns=dropped,
        minutes_from_ns=max(_hour_after(now - minutes) if minutes else 0, minutes_from),
        loose_below_ns=max(_hour_after(now - after) if after != NEVER else 0, dropped),
    )


def _hour_after(time_ns: int) -> int:
    return max(0, -(-time_ns // HOUR_NS) * HOUR_NS)
