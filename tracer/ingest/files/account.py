"""What reading one file has come to so far: how many spans, and everything to be said about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Account:
    """Belongs to whoever reads the file, and grows while they do.

    `changed` counts spans by what had to be made up for them; `rejected` those that were not taken,
    by reason. `cut_off` says that the file ends early: what was whole of it was read.
    """

    name: str
    spans: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    cut_off: str = ""

    def warnings(self) -> list[str]:
        """One sentence each, the file named."""
        said = [f"{self.name}: {_spans(count)} {what}" for what, count in (+self.changed).items()]
        return [*said, f"{self.name}: {self.cut_off}"] if self.cut_off else said


def _spans(count: int) -> str:
    return "1 span" if count == 1 else f"{count:,} spans"
