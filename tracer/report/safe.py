"""Names from spans as they may be printed: nothing in them can move the cursor or the colours."""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 controls, and marks that change the direction of text or cannot be seen
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
# Whole escape sequences: CSI (colours, cursor), OSC/DCS/APC/PM/SOS strings, other two-byte escapes
_ESCAPE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)


def safe_text(text: str) -> str:
    """`text` on one line without terminal escapes; other control characters become `·`."""
    return _UNSAFE.sub("·", _ESCAPE.sub("", text))
