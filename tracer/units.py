"""Words people type for durations, sizes and moments, turned into integers.

Durations: `250ms`, `1.5s`, `2m`, `1h30m`, `7d` (a bare number is refused: which unit?).
Sizes: `64MiB`, `1.5GB`, `4096`. Moments: RFC 3339, unix seconds, `now`, or relative `-15m`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from tracer.errors import BadQuery

NS_PER_S: Final = 1_000_000_000
MINUTE_NS: Final = 60 * NS_PER_S
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS
_DURATION_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3_600 * NS_PER_S,
    "d": 86_400 * NS_PER_S,
    "w": 604_800 * NS_PER_S,
}
_SIZES: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_UNIX_S: Final = re.compile(r"(\d{1,30})(?:\.(\d+))?")
_FRACTION: Final = re.compile(r"\.(\d+)")
_MOST_CHARACTERS: Final = 100  # of a duration: a page of digits would keep the pattern busy
_MAX_NS: Final = 2**63 - 1
_MAX_BYTES: Final = 2**63 - 1


def duration_ns(text: str) -> int:
    """`1h30m` → nanoseconds. Raises BadQuery on anything else."""
    folded = text.strip()
    if not folded or len(folded) > _MOST_CHARACTERS or _PART.sub("", folded):
        raise BadQuery(f"duration {text!r} is not understood; write it like 250ms, 1.5s, 2m or 7d")
    total = sum(float(n) * _DURATION_NS[unit] for n, unit in _PART.findall(folded))
    if total > _MAX_NS:
        raise BadQuery(f"duration {text!r} is longer than 292 years; use a shorter one")
    return round(total)


def size_bytes(text: str) -> int:
    """`64MiB` → bytes. Raises BadQuery on anything else."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None or match[2] not in _SIZES:
        raise BadQuery(f"size {text!r} is not understood; write it like 64MiB, 1.5GB or 4096")
    size = float(match[1]) * _SIZES[match[2]]
    if size > _MAX_BYTES:
        raise BadQuery(f"size {text!r} is more than 8 EiB; use a smaller one")
    return round(size)


def moment_ns(text: str, now_ns: int) -> int:
    """RFC 3339, unix seconds, `now` or `-15m` → unix nanoseconds. Raises BadQuery."""
    folded = text.strip()
    if folded == "now":
        return now_ns
    if folded.startswith("-"):
        value = now_ns - duration_ns(folded[1:])
    elif match := _UNIX_S.fullmatch(folded):
        value = int(match[1]) * NS_PER_S + int((match[2] or "")[:9].ljust(9, "0"))
    else:
        value = _rfc3339_ns(folded)
    if not 0 <= value <= _MAX_NS:
        raise BadQuery(f"time {text!r} is outside 1970-2262; use unix seconds or RFC 3339")
    return value


def _rfc3339_ns(text: str) -> int:
    fraction = _FRACTION.search(text)
    nanos = int(fraction[1][:9].ljust(9, "0")) if fraction else 0
    try:
        parsed = datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    except ValueError as error:
        raise BadQuery(
            f"time {text!r} is not understood; "
            "write RFC 3339 (2026-01-31T12:00:00Z), unix seconds or -15m"
        ) from error
    zoned = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return int(zoned.timestamp()) * NS_PER_S + nanos


def rfc3339(time_ns: int) -> str:
    """Unix nanoseconds → RFC 3339 in UTC with nine digits."""
    seconds, nanos = divmod(int(time_ns), NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def short_duration(value_ns: float) -> str:
    """Nanoseconds → three significant digits with a unit, for people: `1.24s`, `250ms`, `3.1µs`."""
    magnitude = abs(value_ns)
    if magnitude >= 600 * NS_PER_S:
        return f"{'-' if value_ns < 0 else ''}{_long_duration(round(magnitude / NS_PER_S))}"
    for unit, scale in (("s", NS_PER_S), ("ms", 1_000_000), ("µs", 1_000)):
        if magnitude >= scale * 0.9995:
            return (
                f"{value_ns / scale:.3g}{unit}"
                if magnitude < 999.5 * scale
                else (f"{value_ns / scale:.0f}{unit}")
            )
    return f"{value_ns:.0f}ns"


def _long_duration(seconds: int) -> str:
    """`12m34s`, `1h05m`: without the zeros at the end."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    head = f"{hour}h{minute:02d}m" if hour else f"{minute}m"
    if second:
        return f"{head}{second:02d}s"
    return head if minute else f"{hour}h"
