"""Which web pages may export from a browser (CORS, as the Fetch standard has it). Off by default.

Nothing here keeps spans out: programs send what Origin they like. It says to browsers which pages
may send at all; both of our content types make a browser ask first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tracer.errors import BadSetting

Headers = tuple[tuple[str, str], ...]

# What browser exporters send; further ones are a setting.
REQUEST_HEADERS: Final = frozenset(
    (
        "accept",
        "authorization",
        "baggage",
        "content-encoding",
        "content-type",
        "traceparent",
        "tracestate",
        "x-requested-with",
    )
)
MAX_AGE_S: Final = 7200  # the longest that browsers keep a preflight
_ORIGIN: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://([a-z0-9_.*-]+|\[[0-9a-f:]+\])(:[0-9]+)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Cors:
    """Origins like `https://app.example.com`, or `*`, or one `*` in the host; none: no CORS.

    Raises BadSetting for anything else.
    """

    origins: tuple[str, ...] = ()
    request_headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for origin in self.origins:
            if origin != "*" and not (_ORIGIN.fullmatch(origin) and origin.count("*") < 2):
                raise BadSetting(
                    f"cors_allowed_origins {origin!r} is no origin; write it like "
                    "https://app.example.com or https://*.example.com, or * for every page"
                )

    def allows(self, origin: str) -> bool:
        """Whether pages of this origin may export."""
        return any(_fits(origin.lower(), pattern.lower()) for pattern in self.origins)

    def on_every_answer(self, asked: Mapping[str, str]) -> Headers:
        """Lets the page read the answer, errors included."""
        if not self.origins:
            return ()
        origin = asked.get("origin", "")
        if not self.allows(origin):
            return (("Vary", "Origin"),)
        return (
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", "Retry-After"),
        )

    def on_preflight(self, asked: Mapping[str, str]) -> Headers:
        """What the page may send: of the headers it asks for, those that are known."""
        known = REQUEST_HEADERS | {name.lower() for name in self.request_headers}
        wanted = asked.get("access-control-request-headers", "").lower().split(",")
        allowed = ", ".join(name for one in wanted if (name := one.strip()) in known)
        return (
            ("Vary", "Access-Control-Request-Headers"),
            ("Access-Control-Allow-Methods", "POST"),
            *((("Access-Control-Allow-Headers", allowed),) if allowed else ()),
            ("Access-Control-Max-Age", str(MAX_AGE_S)),
        )


NO_CORS: Final = Cors()


def is_preflight(method: str, asked: Mapping[str, str]) -> bool:
    """Whether a browser asks if a page may send."""
    return method == "OPTIONS" and "origin" in asked and "access-control-request-method" in asked


def _fits(origin: str, pattern: str) -> bool:
    if pattern == "*":
        return bool(origin)
    before, star, after = pattern.partition("*")
    if not star:
        return origin == pattern
    inside = re.escape(before) + r"[a-z0-9_.-]+" + re.escape(after)
    return re.fullmatch(inside, origin) is not None
