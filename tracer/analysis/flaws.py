"""What is to be said of roots whose facts are in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracer.columns.facts import TraceFacts
from tracer.columns.flaws import Flaws


def flaws(facts: TraceFacts, rows: NDArray[np.bool_]) -> Flaws:
    """Of the rows that count."""
    main = rows & facts.is_main

    def count(mask: NDArray[np.bool_]) -> int:
        return int((rows & mask).sum())

    return Flaws(
        traces=int(main.sum()),
        fragments=count(~facts.is_main),
        with_orphans=count(facts.orphan_count > 0),
        root_missing=count(facts.root_missing),
        overruns=count(facts.overrun_count > 0),
        dropped=count(facts.dropped_count > 0),
        duplicates=int(facts.duplicate_count[rows].sum()),
        weighted=count(facts.weight > 0),
        skewed=count(facts.skewed_count > 0),
        ambiguous=count(facts.ambiguous_count > 0),
        with_late=count(facts.late_count > 0),
    )


def of_traces(facts: TraceFacts) -> Flaws:
    """Of all traces, each by its main root."""
    return flaws(facts, facts.is_main)
