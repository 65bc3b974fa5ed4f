"""Whom a span speaks to when no span answers: a database, a queue, or somebody uninstrumented.

Old and new names of the semantic conventions are one column, the stable name first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracer.columns.schema import SPAN_KINDS
from tracer.columns.texts import combinations

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "DbSystem": ("db.system.name", "db.system"),
    "DbNamespace": ("db.namespace", "db.name"),
    "MessagingSystem": ("messaging.system",),
    "MessagingType": ("messaging.operation.type", "messaging.operation"),
    "Destination": ("messaging.destination.name", "messaging.destination"),
    "Peer": ("service.peer.name", "peer.service"),
    "Address": ("server.address", "net.peer.name", "network.peer.address", "net.peer.ip"),
    "Port": ("server.port", "net.peer.port"),
    "Statement": ("db.query.summary", "db.query.text", "db.statement", "url.template"),
}
IDS: Final = ("trace_hi", "trace_lo", "span_id")
TEXTS: Final = ("SpanKind", *KEYS)
TARGETS: Final = pa.schema(
    [(name, pa.uint64()) for name in IDS] + [(name, pa.string()) for name in TEXTS]
)

SERVICE, DATABASE, QUEUE, PEER = "service", "database", "queue", "peer"
_OLD_SYSTEMS: Final = {
    "mssql": "microsoft.sql_server",
    "oracle": "oracle.db",
    "dynamodb": "aws.dynamodb",
    "redshift": "aws.redshift",
    "spanner": "gcp.spanner",
}
_RECEIVES: Final = ("receive", "process", "deliver", "settle")


class Target(NamedTuple):
    """One end of a call that has no span; `name` is '' where nothing says who it is."""

    kind: str
    name: str
    receives: bool  # the message comes from there

    @property
    def is_known(self) -> bool:
        """Whether anything says who it is."""
        return self.name != ""


@dataclass(frozen=True)
class Targets:
    """Equal-length arrays, a row a calling span; codes index the two tables."""

    trace_hi: NDArray[np.uint64]
    trace_lo: NDArray[np.uint64]
    span_id: NDArray[np.uint64]
    kind: NDArray[np.int8]
    target: NDArray[np.intp]
    statement: NDArray[np.intp]
    targets: tuple[Target, ...]
    statements: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.span_id)


def targets(table: pa.Table) -> Targets:
    """Of spans with the columns `TARGETS`, in their order."""
    said, number = combinations(table, TEXTS)
    found = [target_of(one) for one in said]
    names = tuple(sorted(set(found)))
    texts = tuple(sorted({one["Statement"] for one in said}))
    kind = np.array([_kind(one["SpanKind"]) for one in said], np.int8)
    target = np.array([names.index(one) for one in found], np.intp)
    statement = np.array([texts.index(one["Statement"]) for one in said], np.intp)
    hi, lo, span_id = (np.asarray(table[name].to_numpy()) for name in IDS)
    return Targets(hi, lo, span_id, kind[number], target[number], statement[number], names, texts)


def target_of(said: dict[str, str]) -> Target:
    """What the attributes of one span name; keys as in `TEXTS`."""
    address = said["Address"]
    if said["DbSystem"]:
        system = _OLD_SYSTEMS.get(said["DbSystem"], said["DbSystem"])
        return Target(DATABASE, _joined(system, said["DbNamespace"] or address), False)
    if said["MessagingSystem"]:
        receives = said["SpanKind"] == "Consumer" or said["MessagingType"] in _RECEIVES
        name = _joined(said["MessagingSystem"], said["Destination"] or address)
        return Target(QUEUE, name, receives)
    if said["Peer"]:
        return Target(PEER, said["Peer"], False)
    port = f":{said['Port']}" if said["Port"] and said["Port"] not in ("80", "443") else ""
    return Target(PEER, address and f"{address}{port}", False)


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)


def _kind(text: str) -> int:
    return SPAN_KINDS.index(text) if text in SPAN_KINDS else 0
