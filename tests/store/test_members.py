"""Who is here, on the server's clock: the horizon of all receivers, and who came first."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

from tracer.store.engine import Engine
from tracer.store.members import ANALYSE, RECEIVE, Member, announce, read_first, read_horizon

EXPIRY_NS = 60_000_000_000
ONE, TWO = Member("one", RECEIVE, 10), Member("two", RECEIVE, 20)


def _horizon(engine: Engine) -> int | None:
    now_ns, horizon_ns = read_horizon(engine, expiry_ns=EXPIRY_NS)
    assert abs(now_ns - time.time_ns()) < EXPIRY_NS
    return horizon_ns


def _last_seen_long_ago(engine: Engine, member: Member, *, horizon_ns: int) -> None:
    seen_ns = time.time_ns() - 2 * EXPIRY_NS
    engine.insert(
        "tracer_members",
        pa.table(
            {
                "Name": [member.name],
                "Duty": [member.duty],
                "SinceNs": np.array([member.since_ns], np.int64),
                "HorizonNs": np.array([horizon_ns], np.int64),
                "Beat": np.array([1], np.uint64),
                "SeenAt": pa.array([seen_ns], pa.timestamp("ns")),
            }
        ),
    )


def test_the_slowest_receiver_holds_the_horizon(engine: Engine) -> None:
    assert _horizon(engine) is None
    announce(engine, ONE, beat=1, horizon_ns=100)
    announce(engine, TWO, beat=1, horizon_ns=50)
    assert _horizon(engine) == 50
    announce(engine, TWO, beat=2, horizon_ns=300)
    assert _horizon(engine) == 100
    announce(engine, Member("reader", ANALYSE, 5), beat=1)
    assert _horizon(engine) == 100


def test_who_took_leave_or_was_not_seen_for_long_holds_nothing(engine: Engine) -> None:
    announce(engine, ONE, beat=1, horizon_ns=100)
    _last_seen_long_ago(engine, TWO, horizon_ns=1)
    assert _horizon(engine) == 100
    announce(engine, ONE, beat=2, is_gone=True)
    assert _horizon(engine) is None


def test_of_those_here_the_one_that_came_first_is_first(engine: Engine) -> None:
    assert read_first(engine, ANALYSE, expiry_ns=EXPIRY_NS) == ""
    _last_seen_long_ago(engine, Member("crashed", ANALYSE, 1), horizon_ns=0)
    later, sooner = Member("a", ANALYSE, 20), Member("b", ANALYSE, 10)
    for member in (later, sooner):
        announce(engine, member, beat=1)
    assert read_first(engine, ANALYSE, expiry_ns=EXPIRY_NS) == "b"
    announce(engine, sooner, beat=2, is_gone=True)
    assert read_first(engine, ANALYSE, expiry_ns=EXPIRY_NS) == "a"
    assert read_first(engine, RECEIVE, expiry_ns=EXPIRY_NS) == ""
