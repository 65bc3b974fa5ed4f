"""Calls and ways of calling, one span at a time: the slow version of services and patterns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from tests.support.oracle import Key, Trees
from tracer.columns.spans import (
    KIND_CLIENT,
    KIND_CONSUMER,
    KIND_PRODUCER,
    STATUS_ERROR,
    SpanColumns,
)

CALLING = (KIND_CLIENT, KIND_PRODUCER)


class Seen(NamedTuple):
    """One occurrence of a pattern."""

    kind: str
    caller: Key
    callee: Key
    calls: int
    critical_ns: int
    saved_ns: int


class Traffic:
    """Spans by key, with their services, kinds and trees."""

    def __init__(self, spans: SpanColumns) -> None:
        self.trees = Trees(spans)
        self.keys = list(self.trees.interval)
        self.service = dict(zip(self.keys, spans.service.tolist(), strict=True))
        self.operation = dict(zip(self.keys, spans.operation.tolist(), strict=True))
        self.kind = dict(zip(self.keys, spans.kind.tolist(), strict=True))
        self.status = dict(zip(self.keys, spans.status.tolist(), strict=True))
        self.parent = self.trees.parent
        self.children = self.trees.children

    def inclusive(self, own: Mapping[Key, int]) -> dict[Key, int]:
        def total(key: Key) -> int:
            return own[key] + sum(total(child) for child in self.children[key])

        return {key: total(key) for key in self.keys}

    def is_entry(self, key: Key) -> bool:
        above = self.parent[key]
        return above is not None and self.service[above] != self.service[key]

    def stretch(self, key: Key) -> Key:
        above = self.parent[key]
        return key if above is None or self.is_entry(key) else self.stretch(above)

    def calls(self, target: Mapping[Key, int]) -> set[tuple[Key | None, Key | None, int]]:
        """(caller, callee, target), -1 for no target."""
        made: set[tuple[Key | None, Key | None, int]] = set()
        for key in self.keys:
            if self.is_entry(key):
                made.add((self.parent[key], key, -1))
            below = self.children[key]
            goes_on = any(self.is_entry(one) or self.kind[one] in CALLING for one in below)
            if self.kind[key] in CALLING and not goes_on:
                made.add((key, None, target[key]))
            if self.kind[key] == KIND_CONSUMER and target[key] >= 0:
                made.add((None, key, target[key]))
        return made

    def goes_out(self, key: Key) -> bool:
        return self.parent[key] is not None and (self.kind[key] in CALLING or self.is_entry(key))

    def is_call(self, key: Key) -> bool:
        """Goes out, or something right below it in the same service does."""
        if self.parent[key] is None:
            return False
        below = self.children[key]
        return self.goes_out(key) or any(
            self.goes_out(one) and self.service[one] == self.service[key] for one in below
        )

    def in_turn(self, parent: Key, first: Key, second: Key) -> bool:
        start, end = self.trees.interval[parent]
        tolerance = min((end - start) // 100, 1_000_000)
        return self.trees.interval[second][0] >= self.trees.interval[first][1] - tolerance

    def patterns(
        self, inclusive: Mapping[Key, int], target: Mapping[Key, int], asked: Mapping[Key, int]
    ) -> set[Seen]:
        found: set[Seen] = set()
        for parent in self.keys:
            below = [key for key in self.children[parent] if self.is_call(key)]
            below.sort(key=lambda key: (self.trees.interval[key][0], key))
            same: dict[tuple[int, ...], list[Key]] = {}
            for key in below:
                named = self.service[key], self.operation[key], self.kind[key], asked[key]
                same.setdefault(named, []).append(key)
            for family in same.values():
                found |= self._repeated(parent, family, inclusive)
            to = [key for key in below if target[key] >= 0]
            turns = all(self.in_turn(parent, one, two) for one, two in pairwise(to))
            if turns and len({target[key] for key in to}) >= 3:
                cost = [inclusive[key] for key in to]
                found.add(
                    Seen("serial fan-out", parent, to[0], len(to), sum(cost), sum(cost) - max(cost))
                )
        return found | self._cycles(inclusive)

    def _repeated(self, parent: Key, family: list[Key], inclusive: Mapping[Key, int]) -> set[Seen]:
        cost = [inclusive[key] for key in family]
        again = [(one, two) for one, two in pairwise(family) if self.in_turn(parent, one, two)]
        failed = [one for one, _ in again if self.status[one] == STATUS_ERROR]
        if len(failed) >= 2 and 2 * len(failed) >= len(again):
            wasted = sum(inclusive[key] for key in failed)
            return {Seen("retry storm", parent, family[0], len(family), sum(cost), wasted)}
        if len(family) >= 5 and 2 * len(again) >= len(family) - 1:
            saved = sum(cost) - max(cost)
            return {Seen("n+1", parent, family[0], len(family), sum(cost), saved)}
        return set()

    def _cycles(self, inclusive: Mapping[Key, int]) -> set[Seen]:
        back: dict[Key, list[Key]] = {}
        for key in self.keys:
            if self.is_entry(key):
                above = self.parent[key]
                assert above is not None
                middle = self.stretch(above)
                outer = self.parent[middle]
                if outer is not None and self.service[outer] == self.service[key]:
                    back.setdefault(middle, []).append(key)
        found = set()
        for middle, entries in back.items():
            outer = self.parent[middle]
            assert outer is not None
            cost = sum(inclusive[key] for key in entries)
            found.add(Seen("chatty cycle", outer, middle, len(entries), cost, cost))
        return found
