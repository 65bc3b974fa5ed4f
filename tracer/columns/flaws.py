"""What an answer is about, and what is wrong with it, counted: the same for every answer.

Two sources fill it: facts in memory (`analysis/flaws.py`) and the store
(`store/flaws.py`).
"""

from __future__ import annotations

from typing import NamedTuple


class Flaws(NamedTuple):
    """How many roots there are, and what is to be said of them."""

    traces: int  # main roots
    fragments: int  # other roots that are no orphans: nobody waits for them
    with_orphans: int  # main roots of traces with spans whose parent is missing
    root_missing: int
    overruns: int  # roots with spans that outlive their parent
    dropped: int  # roots with spans whose SDK dropped something
    duplicates: int
    weighted: int  # roots whose sampling weight is known
    skewed: int = 0  # roots with spans whose clock was corrected
    ambiguous: int = 0  # roots whose path passed a sibling by
    with_late: int = 0  # main roots of traces with spans whose parent still runs, is late or lost

    @property
    def roots(self) -> int:
        """All of them."""
        return self.traces + self.fragments


def together(one: Flaws, other: Flaws) -> Flaws:
    """Of two that do not overlap."""
    return Flaws(*(mine + theirs for mine, theirs in zip(one, other, strict=True)))


NOBODY = Flaws(*[0] * len(Flaws._fields))
