"""Which call paths made a trace slow, by how much against normal, and why.

A trace's duration is the sum of the exclusive critical time of its call paths, so what a path took
beyond its usual share is what it added to the trace:

    excess = critical time of the path in this trace, over all its calls
             - median of the same over the baseline's traces of this root, 0 where it is absent

The reason is the factor that grew most in  critical = calls x self time per call x critical share.
A share that grew is the reason only where neither other factor did: what takes longer, or is called
more often, comes onto the critical path by that.

Causes and symptoms. Critical time is exclusive: an ancestor that only waits longer has no excess of
its own. Three kinds of symptom remain:

* an ancestor whose spans last longer than expected while its own excess is no finding;
* an ancestor with a finding that does not exceed that of a path below it that is called more often
  or is new (the gaps between fifty queries grow with the queries);
* a path that is called more often only because its caller is; the answering side of the call that
  is repeated is excepted: caller and callee of a repeated call are both named, larger excess first.

Where the baseline has too few traces of a root, nothing is inferred: its paths are listed by
exclusive critical time, without excess and reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.baseline import PathSums, path_sums
from tracer.analysis.deviation import deviation_percent, expectations
from tracer.analysis.packing import Rows, run_starts
from tracer.analysis.typical import Typical, typical
from tracer.columns.baselines import Baselines
from tracer.columns.buckets import upper_ns
from tracer.columns.facts import PathTable, TraceFacts
from tracer.columns.spans import KIND_CLIENT, KIND_CONSUMER, KIND_PRODUCER, KIND_SERVER

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]

Reason = Literal["slower", "more calls", "lost parallelism", "new path"]
Role = Literal["cause", "symptom"]
REASONS: Final[tuple[Reason, ...]] = ("slower", "more calls", "lost parallelism", "new path")
SLOWER, MORE_CALLS, LOST_PARALLELISM, NEW_PATH = range(4)
NO_REASON: Final = -1
ROLES: Final[tuple[Role, ...]] = ("cause", "symptom")
CAUSE, SYMPTOM = range(2)

MIN_TRACES: Final = 10  # effective traces of the same root; fewer say nothing about a median
NEW_BELOW: Final = 0.01  # a path in fewer of the baseline's traces than this is new
SMALL_SHARE: Final = 0.01  # of the root's duration: not worth a line where nothing is inferred
_GROWN: Final = 1.2  # time per call or calls: more is a reason of its own
_CARRIED: Final = 1.25  # calls grew no more than this beyond the caller's


@dataclass(frozen=True)
class Bottlenecks:
    """One row per (root, call path) worth naming, roots in the order of the facts, worst first.

    NaN in `expected_p95_ns`, `deviation_percent`, `excess_ns` and `usual_ns`: not enough data.
    """

    root: Rows  # row of the facts
    path: Rows  # row of the facts' path table
    sum_row: Rows  # row of `path_sums(facts)`
    calls: Times
    self_ns: Times
    critical_ns: Times
    duration_ns: Times  # of the span that stands for the path
    expected_p95_ns: Floats
    p95_low_ns: Floats
    p95_high_ns: Floats
    deviation_percent: Floats
    depth: NDArray[np.int8]  # index into deviation.DEPTHS, -1 none
    spans_n_eff: Floats  # behind the expected p95
    usual_ns: Floats  # the baseline median of critical_ns
    traces_n_eff: Floats  # behind that median
    excess_ns: Floats
    reason: NDArray[np.int8]  # index into REASONS, -1 none
    role: NDArray[np.int8]  # index into ROLES

    def __len__(self) -> int:
        return len(self.root)


def rank(
    facts: TraceFacts,
    baselines: Baselines,
    *,
    leave_one_out: bool = False,
    duration_ns: Times | None = None,
    min_excess_ns: int = 1_000_000,
    min_excess_ratio: float = 0.2,
    most: int = 10,
) -> Bottlenecks:
    """At most `most` bottlenecks of every root.

    `leave_one_out`: the baseline was made of these facts; every root is judged without itself.
    `duration_ns`: by row of `path_sums(facts)`, of the span that stands for the path; without it
    the bound of the highest duration bucket is taken, 2 % too long at most.
    """
    sums = path_sums(facts)
    if duration_ns is None:
        duration_ns = _longest(facts, sums)
    expected = expectations(facts, sums, baselines.operations, leave_one_out=leave_one_out)
    usual = typical(facts, sums, baselines.paths, leave_one_out=leave_one_out)
    judged = usual.traces_n_eff >= MIN_TRACES
    excess_ns = np.where(judged, sums.critical_ns - usual.critical_ns, np.nan)
    large = np.maximum(float(min_excess_ns), min_excess_ratio * usual.critical_ns)
    finding = judged & (excess_ns >= large)

    parent = _parents(facts.paths, sums)
    reason = np.where(finding, _reasons(sums, usual), NO_REASON).astype(np.int8)
    by_duration = ~finding & (duration_ns > expected.p95_ns) & _above(finding, parent)
    repeated = _carried(sums, facts.paths, usual, parent)
    symptom = by_duration | _explained(reason, excess_ns, parent, *repeated)
    reason[by_duration] = SLOWER

    named = finding | by_duration
    root_has_finding = np.zeros(len(facts), np.bool_)
    root_has_finding[sums.root[finding]] = True
    share = sums.critical_ns >= SMALL_SHARE * facts.duration_ns[sums.root]
    listed = np.where(root_has_finding[sums.root], named, share & (sums.critical_ns > 0))
    first = np.where(root_has_finding[sums.root], excess_ns, sums.critical_ns)
    rows = np.flatnonzero(listed)
    rows = rows[np.lexsort((rows, -first[rows], symptom[rows], sums.root[rows]))]
    head = run_starts(sums.root[rows])
    place = np.arange(len(rows)) - np.repeat(head, np.diff(np.append(head, len(rows))))
    rows = rows[place < most]
    return Bottlenecks(
        root=sums.root[rows],
        path=sums.path[rows],
        sum_row=rows,
        calls=sums.calls[rows],
        self_ns=sums.self_ns[rows],
        critical_ns=sums.critical_ns[rows],
        duration_ns=duration_ns[rows],
        expected_p95_ns=expected.p95_ns[rows],
        p95_low_ns=expected.low_ns[rows],
        p95_high_ns=expected.high_ns[rows],
        deviation_percent=deviation_percent(duration_ns[rows], expected.p95_ns[rows]),
        depth=expected.depth[rows],
        spans_n_eff=expected.n_eff[rows],
        usual_ns=np.where(judged, usual.critical_ns, np.nan)[rows],
        traces_n_eff=usual.traces_n_eff[rows],
        excess_ns=excess_ns[rows],
        reason=reason[rows],
        role=np.where(symptom, SYMPTOM, CAUSE).astype(np.int8)[rows],
    )


def _longest(facts: TraceFacts, sums: PathSums) -> Times:
    """Upper bound of the highest duration bucket of each sum."""
    longest = np.zeros(len(sums.root), np.int64)
    np.maximum.at(longest, sums.entry, upper_ns(facts.bucket).astype(np.int64))
    return longest


def _parents(paths: PathTable, sums: PathSums) -> Rows:
    """Row of `sums` of the calling path in the same root, -1 for roots."""
    above = np.searchsorted(paths.path_id, paths.parent_path_id)
    above = np.where(paths.parent_path_id == 0, 0, above)
    key = sums.root * len(paths) + sums.path
    at = np.searchsorted(key, sums.root * len(paths) + above[sums.path])
    return np.where(paths.parent_path_id[sums.path] == 0, -1, at)


def _reasons(sums: PathSums, usual: Typical) -> NDArray[np.int8]:
    """The factor of critical = calls x self per call x critical share that grew most."""
    per_call_ns = sums.self_ns / np.maximum(sums.calls, 1)
    usual_per_call_ns = usual.self_present_ns / np.maximum(usual.calls_present, 1)
    share = sums.critical_ns / np.maximum(sums.self_ns, 1)
    usual_share = usual.critical_present_ns / np.maximum(usual.self_present_ns, 1)
    grown = np.stack(
        [
            np.maximum(per_call_ns, 1e3) / np.maximum(usual_per_call_ns, 1e3),
            sums.calls / np.maximum(usual.calls_present, 1),
            np.maximum(share, 1e-2) / np.maximum(usual_share, 1e-2),
        ]
    )
    own = np.argmax(grown[:LOST_PARALLELISM], axis=0)
    reason = np.where(grown[own, np.arange(len(own))] > _GROWN, own, np.argmax(grown, axis=0))
    reason = np.where(usual.calls == 0, MORE_CALLS, reason)
    return np.where(usual.presence < NEW_BELOW, NEW_PATH, reason).astype(np.int8)


def _above(finding: Mask, parent: Rows) -> Mask:
    """Rows with a finding somewhere below them."""
    marked: Mask = np.zeros(len(finding), np.bool_)
    at = parent[finding]
    while len(at := np.unique(at[at >= 0])):
        at = at[~marked[at]]
        marked[at] = True
        at = parent[at]
    return marked


def _explained(
    reason: NDArray[np.int8], excess_ns: Floats, parent: Rows, carried: Mask, repeats: Mask
) -> Mask:
    """Findings that follow from a repeated or new call elsewhere on their way."""
    by_calls = (reason == MORE_CALLS) | (reason == NEW_PATH)
    top = np.where(carried, parent, np.arange(len(parent)))
    while not np.array_equal(top, top[top]):
        top = top[top]
    blamed = reason != NO_REASON  # a symptom needs a cause that is listed
    half = np.flatnonzero(repeats)
    either = blamed[half] | blamed[parent[half]]
    blamed[half] = blamed[parent[half]] = either

    most_below = np.zeros(len(parent))
    at = np.flatnonzero(by_calls & ~carried)
    added_ns = excess_ns[at]
    at = parent[at]
    while (on := at >= 0).any():
        at, added_ns = at[on], added_ns[on]
        np.maximum.at(most_below, at, added_ns)
        at = parent[at]
    gaps = (reason != NO_REASON) & ~by_calls & (excess_ns <= most_below)
    follows: Mask = gaps | (by_calls & carried & blamed[top])
    return follows


def _carried(sums: PathSums, paths: PathTable, usual: Typical, parent: Rows) -> tuple[Mask, Mask]:
    """Paths called more often only because their caller is; and the answering halves excepted."""
    grown = sums.calls / np.maximum(usual.calls, 1)
    more = (grown > 1) | (usual.calls == 0)
    inner = parent >= 0
    follows = inner & more & more[parent] & (grown <= _CARRIED * grown[parent])
    kind = paths.kind[sums.path]
    answers = ((kind == KIND_SERVER) & (kind[parent] == KIND_CLIENT)) | (
        (kind == KIND_CONSUMER) & (kind[parent] == KIND_PRODUCER)
    )
    repeats = follows & answers & ~follows[parent]
    return follows & ~repeats, repeats
