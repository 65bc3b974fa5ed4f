"""Sends the requests of one transport over many streams at once, and judges every answer."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import takewhile
from typing import Final

from tests.fuzz.calling import Caller, Callers, Got
from tests.fuzz.expected import Answer, Sums
from tests.fuzz.known import why_known
from tests.fuzz.sample import Sample, samples

TRIES: Final = 100  # of a request that is told to come again
PAUSE_S: Final = 0.2
AGAIN_EVERY: Final = 97  # this many requests apart, one is sent a second time
SHOWN: Final = 3  # of each sort of disagreement
CUTS: Final = 60  # calls spent on making one smaller
MADE_SMALL: Final = 5  # disagreements that are


@dataclass(frozen=True)
class Plan:
    """What a worker does."""

    transport: str
    port: int
    requests: int
    seed: int
    now_ns: int
    streams: int
    longest_s: float = math.inf  # then it ends, wherever it is


@dataclass(frozen=True)
class Disagreement:
    """An answer that is not the expected one."""

    sample: Sample
    expected: Answer
    got: Got

    @property
    def sort(self) -> str:
        """Disagreements of one sort have one cause, more or less."""
        form = f"{self.sample.transport} {'json' if self.sample.is_json else 'protobuf'}"
        wanted = _told(self.expected.refused, self.expected.rejected)
        if self.got.problem:
            return f"{form}: wanted {wanted}, got {self.got.problem[:60]}"
        return f"{form}: wanted {wanted}, got {_told(self.got.refused, self.got.rejected)}"


def _told(refused: bool, rejected: int) -> str:
    return "refused" if refused else "some rejected" if rejected else "accepted"


@dataclass
class Tally:
    """What came of it all."""

    requests: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    stored: Sums = field(default_factory=Sums)
    retried: Counter[str] = field(default_factory=Counter)  # answers that ask to come again
    known: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    shown: list[Disagreement] = field(default_factory=list)
    used_s: float = 0.0  # of processor time

    def add(self, found: Disagreement) -> None:
        """Counts it, and keeps the first of its sort."""
        self.wrong[found.sort] += 1
        if self.wrong[found.sort] <= SHOWN:
            self.shown.append(found)


def work(plan: Plan) -> Tally:
    """The whole plan, in this process."""
    return asyncio.run(_work(plan))


async def _work(plan: Plan) -> Tally:
    tally = Tally()
    every = samples(plan.transport, plan.seed, plan.requests, plan.now_ns)
    give_up_s = time.monotonic() + plan.longest_s
    requests = takewhile(lambda _: time.monotonic() < give_up_s, every)
    async with Callers(plan.transport, plan.port) as callers:
        taken: set[bytes] = set()
        streams = [
            _stream(callers.caller(one), requests, tally, taken) for one in range(plan.streams)
        ]
        await asyncio.gather(*streams)
        caller = callers.caller(0)
        wrong = [one for one in tally.shown if not one.got.problem][:MADE_SMALL]
        tally.shown = [await smaller(caller, one) if one in wrong else one for one in tally.shown]
    tally.used_s = time.process_time()
    return tally


async def _stream(
    caller: Caller, requests: Iterator[Sample], tally: Tally, taken: set[bytes]
) -> None:
    """`taken` are digests of what was stored: the writer may write the same twice, by a donor."""
    for sample in requests:
        expected, got = await judged(caller, sample, tally.retried)
        tally.requests += 1
        tally.answers[got.problem or _told(got.refused, got.rejected)] += 1
        if differs(expected, got):
            found = Disagreement(sample, expected, got)
            if reason := why_known(sample, expected, got):
                tally.known[reason] += 1
            else:
                tally.add(found)
        if expected.stored.spans and not (got.refused or got.problem):
            digest = blake2b(sample.plain().body, digest_size=16).digest()
            if digest in taken:
                tally.answers["repeated"] += 1  # a retry, for tracer: it is stored once
            else:
                taken.add(digest)
                tally.stored += expected.stored
        if sample.number % AGAIN_EVERY == 0:
            tally.answers["sent again"] += 1
            _, second = await judged(caller, sample, tally.retried)
            if second != got:
                tally.add(Disagreement(sample, expected, second))


async def judged(
    caller: Caller, sample: Sample, retried: Counter[str] | None = None
) -> tuple[Answer, Got]:
    """What should be answered and what is; the clock moves in between."""
    began_ns = time.time_ns()
    for _ in range(TRIES):
        got = await caller.call(sample)
        if not got.retry:
            break
        if retried is not None:
            retried[got.message] += 1
        await asyncio.sleep(PAUSE_S)
    else:
        return sample.expected(began_ns), Got(problem=f"not taken after {TRIES} tries")
    expected = sample.expected(began_ns)
    if differs(expected, got):
        expected = sample.expected(time.time_ns())
    return expected, got


def differs(expected: Answer, got: Got) -> bool:
    """Whether this is not what was to be answered."""
    wanted = (expected.refused, expected.rejected)
    return bool(got.problem) or (got.refused, got.rejected) != wanted


async def smaller(caller: Caller, found: Disagreement) -> Disagreement:
    """The same disagreement with less of a request, as far as a few tries get."""
    calls = 0

    async def still(body: Sample) -> Disagreement | None:
        nonlocal calls
        calls += 1
        one = Disagreement(body, *await judged(caller, body))
        return one if differs(one.expected, one.got) and one.sort == found.sort else None

    found = await still(found.sample.plain()) or found
    size = len(found.sample.body) // 2
    while size and calls < CUTS:
        at = 0
        while at < len(found.sample.body) and calls < CUTS:
            body = found.sample.body
            less = _with_body(found.sample, body[:at] + body[at + size :])
            found, at = (better, at) if (better := await still(less)) else (found, at + size)
        size //= 2
    return found


def _with_body(sample: Sample, body: bytes) -> Sample:
    return Sample(sample.number, sample.transport, sample.is_json, sample.is_gzip, body)
