"""Clocks that disagree: how far off each host's clock was in a trace, and the times put right.

A server cannot begin before its client called it, nor end after its client had the answer:

    web/call client @a        |   ------    |
      shop/serve server @b    |--           |  b's clock is behind: somewhere in its client's time

Each call from a CLIENT to a SERVER on another host bounds how far the server's clock is off: at
least `low`, where their starts meet, at most `high`, where their ends meet. All calls of a trace
between two hosts, in both directions, bound it together. A call that lies within its client proves
nothing; where one does not, the server's host is shifted

    as its caller  if its clock agrees with its caller's as it is
    not at all     if the bounds hold for its clock as it is once the caller's is put right
    by experience  if other traces tell it more closely (`learned_clocks`), within the bounds
    to the middle  of the bounds otherwise: network time is taken as equal both ways

so that durations stay and all spans of a host in a trace move together. Hosts that are reached in
any other way, and spans of which the host is not known, go with what called them. What nobody waits
for (queues) neither proves a shift nor hands one on. A client that failed or that its server
outlasts may have given up: then only the starts are compared. Traces with a cycle stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.forest import SpanFlag
from tracer.analysis.host_calls import FAR, Calls, find_calls
from tracer.analysis.hosts import Hosts, find_hosts
from tracer.analysis.learned_clocks import Learned, between, learn
from tracer.analysis.packing import Rows
from tracer.analysis.parents import Parents, mark

Times = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_CLOCK_SKEW_NS: Final = 300_000_000_000  # by default: five minutes, as Kerberos allows clocks
_LATEST: Final = np.iinfo(np.int64).max
_NOT_TOLD: Final = _LATEST


class SkewReason(IntEnum):
    """What a shift rests on."""

    CALLS = 0  # the middle of what the calls of this trace allow
    LEARNED = 1  # what other traces told about these two hosts
    CONFLICT = 2  # calls of this trace contradict each other: the middle between them
    CALLER = 3  # nothing of its own: it goes with the host that called it


@dataclass(frozen=True)
class Skew:
    """Shifts by (trace, host), sorted by trace, then host name. Read-only.

    `shift_ns` was added to every time of the host, or would have been: not `applied` means that it
    is more than `max_clock_skew`. `error_ns`: the true shift is this far off at most, if the calls
    tell the truth; -1 when they contradict each other or there are none.
    """

    trace: Rows  # number of the trace
    host: NDArray[np.int32]
    against: NDArray[np.int32]  # host it is compared with
    server: Rows  # a span that shows it: the first of the host in its trace
    shift_ns: Times
    error_ns: Times
    calls: NDArray[np.int64]  # from one of the two hosts to the other
    reason: NDArray[np.int8]  # SkewReason
    applied: Mask

    def __len__(self) -> int:
        return len(self.trace)


def no_skew() -> Skew:
    """Nothing was shifted."""
    none, code = np.zeros(0, np.int64), np.zeros(0, np.int32)
    rows, flag = np.zeros(0, np.intp), np.zeros(0, np.bool_)
    return Skew(rows, code, code, rows, none, none, none, np.zeros(0, np.int8), flag)


def correct(parents: Parents, *, max_skew_ns: int, learning: bool = False) -> tuple[Parents, Skew]:
    """Times put right, and what was done; the same `parents` when nothing was.

    `learning`: where a trace leaves room, what the others of the batch tell decides.
    """
    calls = find_calls(parents)
    off = ~calls.fits()
    if not off.any():
        return parents, no_skew()
    affected = np.zeros(len(parents.trace_offset) - 1, dtype=np.bool_)
    affected[parents.trace_row[calls.server[off]]] = True
    rows = np.flatnonzero(affected[parents.trace_row])
    hosts = find_hosts(parents, rows)
    learned = learn(parents, calls) if learning else {}
    chosen = _choose(parents, hosts, calls, max_skew_ns, learned)
    return _shift(parents, hosts, chosen), _told(parents, hosts, chosen)


@dataclass(frozen=True)
class _Chosen:
    """By node: what to add to its times, and why."""

    shift_ns: Times
    error_ns: Times
    calls: NDArray[np.int64]
    reason: NDArray[np.int8]
    applied: Mask


def _choose(
    parents: Parents, hosts: Hosts, calls: Calls, max_skew_ns: int, learned: Learned
) -> _Chosen:
    """Shifts from the roots' hosts downwards.

    A host whose clock agrees with its caller's takes over what the nearest one above has that does
    not; only those, the clocks that are off, are gone through one by one.
    """
    low, high, slack, count = _bounds(hosts, calls)
    conflict = low > high
    middle = np.select([high >= FAR, low <= -FAR], [low, high], (low + high) // 2)
    told = np.where(conflict, _NOT_TOLD, _experience(parents, hosts, learned, (high - low) // 2))
    guess = np.where(told == _NOT_TOLD, middle, np.clip(told, low, np.maximum(low, high)))
    agrees = (hosts.above < 0) | (count == 0) | ((low <= slack) & (high >= -slack))
    anchor = _anchors(hosts.above, agrees)

    wanted = np.zeros(len(anchor), dtype=np.int64)
    shift = wanted.copy()
    stays = np.zeros(len(anchor), dtype=np.bool_)
    off = np.flatnonzero(~agrees)
    off = off[np.argsort(hosts.depth[off], kind="stable")]
    for node, caller, least, most, by in zip(
        off.tolist(),
        anchor[hosts.above[off]].tolist(),
        (low[off] - slack[off]).tolist(),
        (high[off] + slack[off]).tolist(),
        guess[off].tolist(),
        strict=True,
    ):
        callers = int(shift[caller])
        stays[node] = callers + least <= 0 <= callers + most
        wanted[node] = 0 if stays[node] else callers + by
        # a host beyond the limit stays as it is, and what it calls is compared with it as it is
        shift[node] = wanted[node] if abs(int(wanted[node])) <= max_skew_ns else 0

    rests = ~agrees & ~stays
    why = np.select(
        [conflict, told != _NOT_TOLD], [SkewReason.CONFLICT, SkewReason.LEARNED], SkewReason.CALLS
    )
    error = np.where(rests & ~conflict & (high < FAR) & (low > -FAR), (high - low + 1) // 2, -1)
    return _Chosen(
        shift_ns=np.where(agrees, shift[anchor], wanted),
        error_ns=error,
        calls=count,
        reason=np.where(rests, why, SkewReason.CALLER).astype(np.int8),
        applied=agrees | (wanted == shift),
    )


def _anchors(above: Rows, agrees: Mask) -> Rows:
    """By node: the nearest at or above it whose shift is its own."""
    anchor = np.where(agrees & (above >= 0), above, np.arange(len(above)))
    while not np.array_equal(anchor[anchor], anchor):
        anchor = anchor[anchor]
    return anchor


def _bounds(hosts: Hosts, calls: Calls) -> tuple[Times, Times, Times, NDArray[np.int64]]:
    """By node: what all calls between it and the host above it allow, and how many there are.

    Calls the other way bound it too, with the signs turned round.
    """
    count = len(hosts.first)
    client, server = hosts.node[calls.client], hosts.node[calls.server]
    there = client >= 0
    client, server = client[there], server[there]
    low, high, slack = calls.low_ns[there], calls.high_ns[there], calls.slack_ns[there]
    down = hosts.above[server] == client
    up = hosts.above[client] == server
    node = np.concatenate((server[down], client[up]))
    lowest, highest = np.full(count, -FAR), np.full(count, FAR)
    least = np.full(count, _LATEST)
    np.maximum.at(lowest, node, np.concatenate((low[down], -high[up])))
    np.minimum.at(highest, node, np.concatenate((high[down], -low[up])))
    np.minimum.at(least, node, np.concatenate((slack[down], slack[up])))
    return lowest, highest, np.where(least == _LATEST, 0, least), np.bincount(node, minlength=count)


def _experience(parents: Parents, hosts: Hosts, learned: Learned, room_ns: Times) -> Times:
    """By node: what other traces told, if they agree better than the room this one has.

    _NOT_TOLD where they say nothing or no more than this trace does.
    """
    told = np.full(len(hosts.first), _NOT_TOLD, dtype=np.int64)
    if not learned:
        return told
    spans = parents.spans
    code = spans.host[hosts.first]
    above = np.where(hosts.above < 0, code, code[hosts.above])
    pairs, at = np.unique(np.stack((above, code)), axis=1, return_inverse=True)
    known = [between(learned, spans.hosts[one], spans.hosts[two]) for one, two in pairs.T.tolist()]
    offset = np.array([_NOT_TOLD if one is None else one.offset_ns for one in known], np.int64)
    spread = np.array([_LATEST if one is None else one.spread_ns for one in known], np.int64)
    at = at.reshape(-1)
    return np.where(spread[at] < room_ns, offset[at], _NOT_TOLD)


def _shift(parents: Parents, hosts: Hosts, chosen: _Chosen) -> Parents:
    by_node = np.where(chosen.applied, chosen.shift_ns, 0)
    row = np.flatnonzero(hosts.node >= 0)
    row = row[by_node[hosts.node[row]] != 0]
    if not len(row):
        return parents
    spans, shift = parents.spans, by_node[hosts.node[row]]
    start, end = spans.start_ns.copy(), spans.end_ns.copy()
    # durations stay even at the ends of time
    shift = np.minimum(shift, _LATEST - end[row])
    start[row] += shift
    end[row] += shift
    flags = parents.flags.copy()
    mark(flags, row, SpanFlag.SKEW_CORRECTED)
    return replace(parents, spans=replace(spans, start_ns=start, end_ns=end), flags=flags)


def _told(parents: Parents, hosts: Hosts, chosen: _Chosen) -> Skew:
    """The shifts worth telling, by trace and host name."""
    node = np.flatnonzero(chosen.shift_ns != 0)
    first = hosts.first[node]
    code = parents.spans.host[hosts.first]
    by_name = np.argsort(np.argsort(parents.spans.hosts, kind="stable"), kind="stable")
    order = np.lexsort((by_name[code[node]], parents.trace_row[first]))
    node, first = node[order], first[order]
    above = np.where(hosts.above[node] < 0, node, hosts.above[node])
    return Skew(
        trace=parents.trace_row[first],
        host=code[node],
        against=code[above],
        server=first,
        shift_ns=chosen.shift_ns[node],
        error_ns=chosen.error_ns[node],
        calls=chosen.calls[node],
        reason=chosen.reason[node],
        applied=chosen.applied[node],
    )
