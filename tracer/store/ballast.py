"""A file of some megabytes that can be given up: dropping needs a little room as well.

On a disk that is full to the last byte the engine refuses to drop a partition. Removing the ballast
lets it; once there is room again the ballast comes back.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NAME: Final = "ballast"
BYTES: Final = 16 * 2**20
TIGHT_BYTES: Final = 4 * 2**20  # less free disk, and the ballast goes
ROOMY_BYTES: Final = BYTES + 2 * TIGHT_BYTES  # more, and it comes back


class Ballast:
    """The file in one directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._is_given_up = False

    def trim(self, free_bytes: int) -> int:
        """Gives it up on a full disk, takes it back where there is room for it.

        Returns how much more must be free for it to come back.
        """
        if free_bytes < TIGHT_BYTES and self._path.exists():
            self._path.unlink()
            self._is_given_up = True
        elif free_bytes > ROOMY_BYTES and not self._path.exists():
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BYTES)
            self._is_given_up = False
        return ROOMY_BYTES if self._is_given_up else 0
