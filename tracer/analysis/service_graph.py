"""Nodes and edges of who depends on whom, out of the calls of a sample of traces.

Distinct (service, service or target) pairs become edges once; everything a span has is summed per
edge in numpy. What a service is called by is decided here alone: a peer that bears the name of a
known service of the same environment is that service.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.forest import Forest
from tracer.analysis.packing import Rows
from tracer.analysis.services import NONE, Calls, stretches
from tracer.columns.spans import KIND_CLIENT, KIND_PRODUCER, STATUS_ERROR, ServiceIdentity
from tracer.columns.targets import PEER, SERVICE, Target

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Node(NamedTuple):
    """A service, or what stands for somebody without spans; those belong to an environment."""

    kind: str
    identity: ServiceIdentity


class Edge(NamedTuple):
    """From who asks (or what a message is taken from) to who answers."""

    source: Node
    drain: Node


@dataclass(frozen=True)
class EdgeCalls:
    """The calls of a sample by edge: `edge` indexes `edges`, -1 where nobody says who is called."""

    edges: tuple[Edge, ...]
    edge: Rows  # by row of the calls
    client_ns: Times  # of the calling span where it is a client, else -1
    server_ns: Times  # of the answering span, else -1
    failed: Mask  # the answering span, else the calling one
    spent_ns: Times  # by edge: critical time in the callee because of these calls, and on the way


def edge_calls(
    forest: Forest,
    made: Calls,
    targets: tuple[Target, ...],
    critical_ns: Times,
    known: Iterable[ServiceIdentity],
) -> EdgeCalls:
    """The edges, sorted, and what each call took. `known`: services, in the sample or not."""
    spans = forest.spans
    callers = np.where(made.caller >= 0, spans.service[made.caller], NONE)
    callees = np.where(made.callee >= 0, spans.service[made.callee], NONE)
    key = np.column_stack([callers, callees, made.target])
    distinct, number = np.unique(key, axis=0, return_inverse=True)
    names = Names([*known, *spans.services])
    found = [names.edge(spans.services, targets, row) for row in distinct.tolist()]
    edges = tuple(sorted({one for one in found if one is not None}))
    place = {one: at for at, one in enumerate(edges)}
    codes = np.array([NONE if one is None else place[one] for one in found], np.intp)
    edge = codes[number.reshape(-1)] if len(distinct) else np.zeros(0, np.intp)
    length = spans.end_ns - spans.start_ns
    is_client = (made.caller >= 0) & (spans.kind[made.caller] == KIND_CLIENT)
    end = np.where(made.callee >= 0, made.callee, made.caller)
    return EdgeCalls(
        edges=edges,
        edge=edge,
        client_ns=np.where(is_client, length[made.caller], NONE),
        server_ns=np.where(made.callee >= 0, length[made.callee], NONE),
        failed=spans.status[end] == STATUS_ERROR,
        spent_ns=_spent(forest, made, edge, critical_ns, len(edges)),
    )


class Names:
    """Who is meant by a name in an environment."""

    def __init__(self, known: Iterable[ServiceIdentity]) -> None:
        self._by_name: dict[tuple[str, str, str], list[ServiceIdentity]] = {}
        for identity in sorted(set(known)):
            key = identity.tenant, identity.environment, identity.name
            self._by_name.setdefault(key, []).append(identity)

    def service(self, name: str, near: ServiceIdentity) -> Node:
        """The service of that name, in the namespace of `near` where several bear it."""
        same = self._by_name.get((near.tenant, near.environment, name), [])
        beside = [one for one in same if one.namespace == near.namespace]
        if beside or same:
            return Node(SERVICE, (beside or same)[0])
        return Node(SERVICE, near._replace(name=name))

    def target(self, target: Target, near: ServiceIdentity) -> Node:
        """What is spoken to, as a node of the environment of who speaks."""
        if target.kind == PEER:
            found = self.service(target.name, near)
            if found.identity in self._by_name.get(
                (near.tenant, near.environment, target.name), []
            ):
                return found
        return Node(target.kind, near._replace(namespace="", name=target.name))

    def edge(
        self,
        services: tuple[ServiceIdentity, ...],
        targets: tuple[Target, ...],
        row: list[int],
    ) -> Edge | None:
        """Of (caller service, callee service, target), -1 for none; None: nobody knows."""
        caller, callee, target = row
        if target < 0:
            if caller < 0 or callee < 0:
                return None
            return Edge(Node(SERVICE, services[caller]), Node(SERVICE, services[callee]))
        if not targets[target].is_known:
            return None
        own = services[caller if caller >= 0 else callee]
        other = self.target(targets[target], own)
        me = Node(SERVICE, own)
        if other == me:
            return None
        return Edge(other, me) if targets[target].receives else Edge(me, other)


def _spent(forest: Forest, made: Calls, edge: Rows, critical_ns: Times, edges: int) -> Times:
    """Critical time by edge; together with what entry services spend it is all there is."""
    spans = forest.spans
    of_span = np.full(len(forest), NONE)
    answered = np.flatnonzero((made.callee >= 0) & (edge >= 0))
    of_span[made.callee[answered]] = edge[answered]
    of_span = of_span[stretches(forest)]
    calling = np.flatnonzero((made.caller >= 0) & (edge >= 0))
    kind = spans.kind[made.caller[calling]]
    calling = calling[(kind == KIND_CLIENT) | (kind == KIND_PRODUCER)]
    of_span[made.caller[calling]] = edge[calling]
    on = np.flatnonzero(of_span >= 0)
    spent = np.zeros(edges, np.int64)
    np.add.at(spent, of_span[on], critical_ns[on])
    return spent
