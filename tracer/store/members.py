"""Who takes part on a server that several processes share (`tracer_members`).

Everything here is judged by the server's clock: whoever it has not seen for `expiry_ns` is gone.
A row tells, it does not lock: nothing stored depends on who is here, only when it is analysed and
by whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from tracer.store.engine import Aside, Engine

RECEIVE: Final = "receive"
ANALYSE: Final = "analyse"

# The newest beat of everyone who is here.
_PRESENT: Final = (
    "(SELECT Name, argMax(SinceNs, Beat) AS since, argMax(HorizonNs, Beat) AS horizon, "
    "argMax(IsGone, Beat) AS gone, max(SeenAt) AS seen FROM tracer_members "
    "WHERE Duty = {duty:String} GROUP BY Name "
    "HAVING gone = 0 AND seen > now64(9) - toIntervalNanosecond({expiry:Int64}))"
)


@dataclass(frozen=True)
class Member:
    """One process in one duty; `since_ns` is when it came, of the server's clock."""

    name: str
    duty: str
    since_ns: int


def announce(
    engine: Engine, member: Member, *, beat: int, horizon_ns: int = 0, is_gone: bool = False
) -> None:
    """Says that `member` is here, and that all it took below `horizon_ns` of ingest is stored."""
    engine.insert(
        "tracer_members",
        pa.table(
            {
                "Name": [member.name],
                "Duty": [member.duty],
                "SinceNs": np.array([member.since_ns], np.int64),
                "HorizonNs": np.array([horizon_ns], np.int64),
                "IsGone": np.array([is_gone], np.uint8),
                "Beat": np.array([beat], np.uint64),
            }
        ),
    )


def read_clock(engine: Engine) -> int:
    """The server's time."""
    return int(engine.rows("SELECT toUnixTimestamp64Nano(now64(9))")[0][0])


def read_horizon(engine: Engine, *, expiry_ns: int) -> tuple[int, int | None]:
    """The server's time, and the lowest horizon of the receivers here; None when there is none."""
    rows = engine.rows(
        f"SELECT toUnixTimestamp64Nano(now64(9)), min(horizon), count() FROM {_PRESENT}",
        {"duty": RECEIVE, "expiry": expiry_ns},
    )
    now_ns, horizon_ns, receivers = (int(value) for value in rows[0])
    return now_ns, horizon_ns if receivers else None


def read_first(engine: Engine | Aside, duty: str, *, expiry_ns: int) -> str:
    """Name of the one here that came first, '' when nobody is."""
    rows = engine.rows(
        f"SELECT Name FROM {_PRESENT} ORDER BY since, Name LIMIT 1",
        {"duty": duty, "expiry": expiry_ns},
    )
    return str(rows[0][0]) if rows else ""
