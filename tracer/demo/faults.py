"""The faults the shop can have: one table, from which the command's help and the switches come.

Each fault names the operation in which the added time is truly spent: the span whose own time,
summed over its calls in a trace, grows most. An analysis that is right names the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SLOW_QUERY: Final = "slow-query"
N_PLUS_ONE: Final = "n-plus-one"
RETRY_STORM: Final = "retry-storm"
LOCK_WAIT: Final = "lock-wait"
CPU_BURN: Final = "cpu-burn"
DOWNSTREAM_ERROR: Final = "downstream-error"
SLOW_TENANT: Final = "slow-tenant"
SLOW_VERSION: Final = "slow-version"

BAD_TENANT: Final = "acme"  # the one attribute value that is slow under `slow-tenant`


@dataclass(frozen=True)
class Fault:
    """One way in which the shop can get slow.

    `switched_in` is the process that is told; with a `new_version` nobody is told, but that
    process is replaced by one of that version.
    """

    name: str
    sentence: str
    service: str
    operation: str
    switched_in: str
    new_version: str = ""


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        SLOW_QUERY,
        "an index is dropped: listing products scans the reviews table once per product",
        service="catalog",
        operation="SELECT products",
        switched_in="catalog",
    ),
    Fault(
        N_PLUS_ONE,
        "the product page loads its reviews with one query each instead of one for all",
        service="catalog",
        operation="SELECT reviews",
        switched_in="catalog",
    ),
    Fault(
        RETRY_STORM,
        "the bank mostly answers 503, payment asks it again and again: the time is in the bank",
        service="bank",
        operation="POST /authorizations",
        switched_in="bank",
    ),
    Fault(
        LOCK_WAIT,
        "another connection holds the write lock of the orders database most of the time",
        service="orders",
        operation="INSERT orders",
        switched_in="orders",
    ),
    Fault(
        CPU_BURN,
        "the discount rules burn CPU on every checkout",
        service="pricing",
        operation="apply discounts",
        switched_in="pricing",
    ),
    Fault(
        DOWNSTREAM_ERROR,
        "the carrier hangs: shipping gives up after its timeout and the checkout fails",
        service="shipping",
        operation="GET /rates",
        switched_in="carrier",
    ),
    Fault(
        SLOW_TENANT,
        f"ranking is slow for the requests of one tenant only, {BAD_TENANT}",
        service="recommendations",
        operation="rank candidates",
        switched_in="recommendations",
    ),
    Fault(
        SLOW_VERSION,
        "a new version of the cart is rolled out, and it merges carts slowly",
        service="cart",
        operation="merge cart",
        switched_in="cart",
        new_version="2.1.0",
    ),
)

DEFAULT: Final = SLOW_QUERY
BY_NAME: Final = {fault.name: fault for fault in FAULTS}


def describe() -> str:
    """The table for humans, one fault a line."""
    width = max(len(fault.name) for fault in FAULTS)
    lines = [f"{fault.name:<{width}}  {fault.sentence}" for fault in FAULTS]
    return "\n".join([*lines, f"default: {DEFAULT}"])
