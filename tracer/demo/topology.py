"""The processes of the shop: who they are, and how each of them exports its spans.

    load -> frontend -> catalog (SQLite)
                     -> recommendations
                     -> cart (SQLite)
                     -> orders
                     -> checkout -> cart, pricing, shipping -> carrier
                                 -> payment -> bank
                                 -> orders (SQLite) -> queue -> fulfilment (SQLite)

`carrier` is a third party and `queue` a broker: neither exports anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Protocol = Literal["grpc", "http/protobuf", ""]

NAMESPACE: Final = "shop"
ENVIRONMENT: Final = "demo"


@dataclass(frozen=True)
class Service:
    """One process. `protocol` is how it exports, '' for not at all; `listens` on HTTP or not."""

    name: str
    version: str
    protocol: Protocol
    listens: bool = True


SERVICES: Final[tuple[Service, ...]] = (
    Service("carrier", "7", ""),
    Service("queue", "1", ""),
    Service("catalog", "1.4.2", "grpc"),
    Service("recommendations", "0.9.0", "http/protobuf"),
    Service("cart", "2.0.0", "grpc"),
    Service("pricing", "3.1.0", "http/protobuf"),
    Service("shipping", "1.2.0", "http/protobuf"),
    Service("bank", "5.0.1", "http/protobuf"),
    Service("payment", "2.3.0", "grpc"),
    Service("orders", "1.8.0", "grpc"),
    Service("checkout", "4.0.0", "grpc"),
    Service("fulfilment", "1.0.3", "http/protobuf", listens=False),
    Service("frontend", "6.2.0", "http/protobuf"),
)

BY_NAME: Final = {service.name: service for service in SERVICES}
