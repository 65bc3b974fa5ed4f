"""Merging parts gives way to everything else.

Merges cost as much processor time as inserts, but nobody waits for them. The engine's threads that
merge get a low priority, so a burst of exports has the processors for itself, and what it left to
merge is merged after it. A part that waits too long is the engine's own business: from a thousand
parts on it slows inserts down.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tracer.store.engine import Engine

MERGE_THREAD: Final = "MergeMutate"  # what the engine calls them
NICENESS: Final = 10  # a tenth of the share of a thread at 0, when both want to run


def let_merges_give_way(tasks: Path = Path("/proc/self/task")) -> int:
    """Lowers the priority of this process's merge threads; returns how many there are.

    The engine starts them with its first table. Threads have a priority of their own, and a list,
    only on Linux; elsewhere nothing changes.
    """
    if not tasks.is_dir():
        return 0
    merging = [int(task.name) for task in tasks.iterdir() if _name(task) == MERGE_THREAD]
    for thread_id in merging:
        if os.getpriority(os.PRIO_PROCESS, thread_id) < NICENESS:
            os.setpriority(os.PRIO_PROCESS, thread_id, NICENESS)
    return len(merging)


def hold_merges(engine: Engine, hold: bool) -> None:
    """No merge starts or goes on until they are let go; for an engine that nobody else uses."""
    engine.command("SYSTEM STOP MERGES" if hold else "SYSTEM START MERGES")


def _name(task: Path) -> str:
    try:
        return (task / "comm").read_text(encoding="utf-8").strip()
    except OSError:  # it ended since it was listed
        return ""
