"""`make soak`: what takes too long for the tests. Three stories, each with its table.

    python -m tests.soak.run [steady] [kill] [full-disk]

steady: ten minutes at 100,000 spans a second with analysis on. kill: ten times SIGKILL under load.
full-disk: a disk that fills up and has room again. Exit code: the worst of theirs, where 3 (this
machine cannot) counts less than 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from tests.soak import full_disk, kill, steady

STORIES: Final[dict[str, Callable[[], int]]] = {
    "steady": lambda: steady.run(10.0, 100_000),
    "kill": lambda: kill.kill(10, 20_000, 1),
    "full-disk": lambda: full_disk.run(10_000),
}


def main(chosen: list[str]) -> int:
    """Tell the stories that were chosen, or all."""
    if unknown := set(chosen) - set(STORIES):
        sys.stderr.write(f"no story is called {', '.join(unknown)}; there are {[*STORIES]}\n")
        return 2
    codes = set()
    for name in chosen or STORIES:
        sys.stdout.write(f"\n{name}\n")
        sys.stdout.flush()
        codes.add(STORIES[name]())
        sys.stdout.flush()
    return next((code for code in (1, 3) if code in codes), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
