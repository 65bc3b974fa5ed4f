"""Ways of calling that cost time by their shape: what a single span cannot show.

    n+1             one caller makes the same call many times, one after the other
    retry storm     a call is made again and again because it fails
    serial fan-out  one caller asks several others one after the other, never two at once
    chatty cycle    a service is called back by whom it called

Each is measured in critical time: what the trace waited for it, and at most what it would save.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.critical_path import TOLERANCE_MOST_NS, TOLERANCE_SHARE
from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows, order_by, run_starts
from tracer.analysis.services import stretches
from tracer.columns.spans import KIND_CLIENT, KIND_PRODUCER, STATUS_ERROR

Mask = NDArray[np.bool_]
Times = NDArray[np.int64]

KINDS: Final = ("n+1", "retry storm", "serial fan-out", "chatty cycle")
N_PLUS_ONE, RETRY_STORM, SERIAL_FAN_OUT, CHATTY_CYCLE = range(4)

LEAST_REPEATED: Final = 5  # calls of an n+1
LEAST_RETRIED: Final = 2  # attempts that failed and were made again
LEAST_TARGETS: Final = 3  # of a serial fan-out


@dataclass(frozen=True)
class Patterns:
    """One row an occurrence. Rows are rows of the forest."""

    kind: NDArray[np.int8]  # index into KINDS
    caller: Rows
    callee: Rows  # the first of the calls
    calls: Times
    critical_ns: Times  # the trace waited for all of it
    saved_ns: Times  # at most: with one call, no failed attempt, all at once, no way back

    def __len__(self) -> int:
        return len(self.kind)


def patterns(forest: Forest, inclusive: Times, *, target: Rows, statement: Rows) -> Patterns:
    """All occurrences. `inclusive`: critical time of each span and what is below it.

    `target`: a number for whom each span calls, equal for equal ones; `statement`: likewise for
    what it asks; -1 where it is not known.
    """
    call = _calling(forest)
    found = [
        *_repetitions(forest, inclusive, call, statement),
        _fan_outs(forest, inclusive, call, target),
        _cycles(forest, inclusive),
    ]
    return _concat([part for part in found if len(part)])


def _calling(forest: Forest) -> Rows:
    """Spans with a caller that go out: to another service, a database, a queue, or do so below."""
    spans, parent = forest.spans, forest.parent_row
    inner = parent >= 0
    goes_out = (spans.kind == KIND_CLIENT) | (spans.kind == KIND_PRODUCER)
    goes_out |= inner & (spans.service != spans.service[parent])
    through = goes_out.copy()
    below = np.flatnonzero(inner & goes_out)
    same = spans.service[below] == spans.service[parent[below]]
    through[parent[below[same]]] = True
    return np.flatnonzero(inner & through)


def _repetitions(
    forest: Forest, inclusive: Times, call: Rows, statement: Rows
) -> tuple[Patterns, Patterns]:
    """Runs of one call below one caller: an n+1, or a retry storm where attempts fail."""
    spans = forest.spans
    asked = statement + 1
    parent = forest.parent_row[call]
    keys = parent, spans.service[call], spans.operation[call], spans.kind[call], asked[call]
    order = order_by(*keys, ties=(spans.start_ns[call], call))
    row = call[order]
    family = _families(*(key[order] for key in keys))
    again = _follows(forest, row, family)
    failed = spans.status[row] == STATUS_ERROR
    retried = again & np.concatenate(([False], failed[:-1]))
    size = _sum(np.ones(len(row), np.int64), family)
    follows, retries = _sum(again, family), _sum(retried, family)
    is_storm = (retries >= LEAST_RETRIED) & (2 * retries >= follows)
    is_many = ~is_storm & (size >= LEAST_REPEATED) & (2 * follows >= size - 1)
    critical = inclusive[row]
    whole = _sum(critical, family)
    largest = np.maximum.reduceat(critical, family) if len(family) else whole
    wasted = _sum(np.where(np.append(retried[1:], False), critical, 0), family)

    def made(kind: int, which: Mask, saved_ns: Times) -> Patterns:
        first = row[family[which]] if len(family) else row
        return Patterns(
            kind=np.full(len(first), kind, np.int8),
            caller=forest.parent_row[first],
            callee=first,
            calls=size[which],
            critical_ns=whole[which],
            saved_ns=saved_ns[which],
        )

    return (
        made(N_PLUS_ONE, is_many, whole - largest),
        made(RETRY_STORM, is_storm, wasted),
    )


def _fan_outs(forest: Forest, inclusive: Times, call: Rows, target: Rows) -> Patterns:
    """Callers whose calls go to several others and never overlap."""
    spans = forest.spans
    call = call[target[call] >= 0]
    order = order_by(forest.parent_row[call], ties=(spans.start_ns[call], call))
    row = call[order]
    family = _families(forest.parent_row[row])
    again = _follows(forest, row, family)
    size = _sum(np.ones(len(row), np.int64), family)
    number = np.repeat(np.arange(len(family)), size)
    pairs = np.unique(np.column_stack([number, target[row]]), axis=0)
    distinct = np.bincount(pairs[:, 0].astype(np.intp), minlength=len(family))
    which = (distinct >= LEAST_TARGETS) & (_sum(again, family) == size - 1)
    critical = inclusive[row]
    whole = _sum(critical, family)
    largest = np.maximum.reduceat(critical, family) if len(family) else whole
    first = row[family[which]] if len(family) else row
    return Patterns(
        kind=np.full(len(first), SERIAL_FAN_OUT, np.int8),
        caller=forest.parent_row[first],
        callee=first,
        calls=size[which],
        critical_ns=whole[which],
        saved_ns=(whole - largest)[which],
    )


def _cycles(forest: Forest, inclusive: Times) -> Patterns:
    """Calls back into the service that called: a → b → a. One occurrence a call of b."""
    spans, parent = forest.spans, forest.parent_row
    inner = np.flatnonzero(parent >= 0)
    back = inner[spans.service[inner] != spans.service[parent[inner]]]
    middle = stretches(forest)[parent[back]]
    outer = parent[middle]
    is_back = (outer >= 0) & (spans.service[outer] == spans.service[back])
    back, middle = back[is_back], middle[is_back]
    order = order_by(middle, ties=(spans.start_ns[back], back))
    row, middle = back[order], middle[order]
    family = _families(middle)
    whole = _sum(inclusive[row], family)
    first = row[family]
    return Patterns(
        kind=np.full(len(first), CHATTY_CYCLE, np.int8),
        caller=parent[middle[family]],
        callee=middle[family],
        calls=_sum(np.ones(len(row), np.int64), family),
        critical_ns=whole,
        saved_ns=whole,
    )


def _families(*keys: NDArray[np.generic]) -> Rows:
    """Where each family begins in rows that are sorted by it."""
    return run_starts(*keys)


def _follows(forest: Forest, row: Rows, family: Rows) -> Mask:
    """Which rows begin when the one before them in their family has ended, give or take."""
    spans = forest.spans
    follows = np.zeros(len(row), np.bool_)
    if not len(row):
        return follows
    parent = forest.parent_row[row]
    length = spans.end_ns[parent] - spans.start_ns[parent]
    tolerance = np.minimum(length // TOLERANCE_SHARE, TOLERANCE_MOST_NS)
    follows[1:] = spans.start_ns[row[1:]] >= spans.end_ns[row[:-1]] - tolerance[1:]
    follows[family] = False
    return follows


def _sum(values: NDArray[np.generic], family: Rows) -> Times:
    if not len(family):
        return np.zeros(0, np.int64)
    total: Times = np.add.reduceat(values.astype(np.int64), family)
    return total


def _concat(parts: Sequence[Patterns]) -> Patterns:
    if not parts:
        nobody, none = np.zeros(0, np.intp), np.zeros(0, np.int64)
        return Patterns(np.zeros(0, np.int8), nobody, nobody, none, none, none)
    return Patterns(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in Patterns.__dataclass_fields__
        )
    )
