"""Messages without what changes from one to the next: what is left names the fault.

    user 4711 not found at 10.0.0.7:5432   →   user <n> not found at <address>

Deterministic, linear in the message, and bounded: only the first `MOST_READ` characters count and a
template has at most `MOST_KEPT`.
"""

from __future__ import annotations

import re
from typing import Final

MOST_READ: Final = 1_000
MOST_KEPT: Final = 200
CUT: Final = "…"

# In this order at every place; the name of a group is its placeholder.
_VARIABLE: Final = re.compile(
    r"""
      (?P<url>\b[a-z][a-z0-9+.-]{1,15}://[^\s'"<>()\[\]{}]+)
    | (?P<time>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?)
    | (?P<address>
          [\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}           # mail
        | \b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b                  # IPv4
        | \[(?=[^\]:]{0,4}:[^\]:]{0,4}:)[0-9a-f:.]{2,45}\](?::\d{1,5})?  # IPv6
        | (?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}(?![\w:])
        | \b(?=[\w.-]{0,100}[a-z])[\w-]{1,64}(?:\.[\w-]{1,64}){0,8}:\d{2,5}\b  # host:port
      )
    | (?P<id>
          \b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b           # UUID
        | (?<!\w)(?=[a-z_-]{0,63}\d)[\w-]{20,64}(?!\w)              # long, with a digit near
      )
    | (?P<hex>\b0x[0-9a-f]+\b | \b(?=[a-f]{0,31}\d)(?=\d{0,31}[a-f])[0-9a-f]{8,32}\b)
    | (?P<text>
          (?<!\w)'[^'\n]{0,200}'(?!\w) | "[^"\n]{0,200}" | `[^`\n]{0,200}`
      )
    | (?P<n>(?<!\w)-?\d+(?:[_,]\d+)*(?:\.\d+)?(?:e[+-]?\d+)? | (?<=[_-])\d+ | \d{3,})
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BLANKS: Final = re.compile(r"\s+")


def template(message: str) -> str:
    """The message with placeholders for numbers, ids, hex, quoted text, addresses and times."""
    read = _BLANKS.sub(" ", message[:MOST_READ]).strip()
    found = _VARIABLE.sub(lambda match: f"<{match.lastgroup}>", read)
    return found if len(found) <= MOST_KEPT else found[: MOST_KEPT - 1] + CUT
