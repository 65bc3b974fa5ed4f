"""The quality of an answer in words: shares of what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tracer.report import figures as fig

FLAWS: Final = {
    "root_missing_share": "lack their root",
    "orphaned_share": "have spans whose parent is missing",
    "late_share": "have spans whose parent still runs, is late or was lost",
    "skew_corrected_share": "have spans whose clock was corrected",
    "ambiguous_share": "have calls at once, so who was waited for is a guess",
    "overrun_share": "have spans that outlive their parent",
    "dropped_share": "have spans that lost attributes, events or links",
}


def flaws_said(quality: Mapping[str, Any], whose: str) -> list[str]:
    """What is not as it should be; `whose`: of what the shares are. [] when nothing is."""
    said = [
        f"{fig.percent(quality[name])} of {whose} {words}"
        for name, words in FLAWS.items()
        if quality.get(name)
    ]
    if quality.get("duplicates"):
        copies = "copy" if quality["duplicates"] == 1 else "copies"
        said.append(f"{fig.count(quality['duplicates'])} {copies} of spans merged")
    if quality.get("sampling", "stored spans") != "stored spans":
        said.append(f"sampling weights are {quality['sampling']}")
    return said
