"""Text from elsewhere as it may stand in a log line: it cannot move a cursor or forge a line."""

from __future__ import annotations

import re
from typing import Final

# Controls, and marks that turn the direction of text or cannot be seen
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_PASSWORD: Final = re.compile(r"(?<=://)[^/\s@]+(?=@)")  # user:password@ of a URL


def escaped(text: str) -> str:
    """`text` on one line; what is not to be printed is spelled out, nothing is left out."""
    return _UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


def without_secrets(text: str) -> str:
    """`text` without the credentials of URLs in it."""
    return _PASSWORD.sub("…", text)
