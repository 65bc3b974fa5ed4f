"""What is not as it should be in a set of traces that is compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.columns.facts import TraceFacts


def set_quality(facts: TraceFacts) -> dict[str, Any]:
    """Shares of the main roots; 0 of none."""
    main = facts.is_main
    count = max(1, int(main.sum()))

    def share(flawed: NDArray[np.bool_]) -> float:
        return round(float((flawed & main).sum()) / count, 4)

    return {
        "root_missing_share": share(facts.root_missing),
        "orphaned_share": share(facts.orphan_count > 0),
        "overrun_share": share(facts.overrun_count > 0),
        "dropped_share": share(facts.dropped_count > 0),
    }
