"""The merged tree as one would first write it: dictionaries, one root and one entry at a time.

It gives the same sums as the fast way (the benchmark checks that) for weights of 1.
"""

from __future__ import annotations

import math
from collections import defaultdict

from tracer.columns.facts import TraceFacts

SHARES = (50, 95, 99)
Node = tuple[int, int]  # band, path id


def merge_naively(facts: TraceFacts) -> dict[Node, dict[str, int]]:
    """Exclusive and inclusive sums of every path in every band."""
    durations: dict[int, list[int]] = defaultdict(list)
    for kind, duration in zip(facts.root_path_id.tolist(), facts.duration_ns.tolist(), strict=True):
        durations[kind].append(duration)
    limits = {}
    for kind, lengths in durations.items():
        lengths.sort()
        limits[kind] = [lengths[math.ceil(len(lengths) * share / 100) - 1] for share in SHARES]

    found: dict[Node, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in range(len(facts)):
        duration = int(facts.duration_ns[row])
        band = sum(duration > limit for limit in limits[int(facts.root_path_id[row])])
        seen = set()
        for entry in range(int(facts.offset[row]), int(facts.offset[row + 1])):
            path = int(facts.path_id[entry])
            node = found[band, path]
            node["calls"] += int(facts.calls[entry])
            node["failed"] += int(facts.calls[entry]) if facts.entry_failed[entry] else 0
            node["self_ns"] += int(facts.self_ns[entry])
            node["critical_ns"] += int(facts.critical_ns[entry])
            seen.add(path)
        for path in seen:
            found[band, path]["roots"] += 1
    parents = dict(
        zip(facts.paths.path_id.tolist(), facts.paths.parent_path_id.tolist(), strict=True)
    )
    for (band, path), node in list(found.items()):
        above = path
        while above:
            found[band, above]["inclusive_ns"] += node["critical_ns"]
            above = parents[above]
    return found
