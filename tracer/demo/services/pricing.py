"""What the items of a cart cost together."""

from __future__ import annotations

import threading
from typing import Final

from tracer.demo import instrument, pace, process
from tracer.demo.environment import Birth
from tracer.demo.faults import CPU_BURN
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches

BURN_MS: Final = 160.0  # at four checkouts a second: two thirds of one core
BURN_AT_ONCE: Final = 3  # on a busy machine the others go free, so that requests do not pile up


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """Price a list of items."""
    burning = threading.Semaphore(BURN_AT_ONCE)

    def price(request: Request) -> Json:
        items = request.body["items"]
        with instrument.internal_span("apply discounts", **{"shop.items": len(items)}):
            pace.work(5.0)
            if switches.is_on(CPU_BURN) and burning.acquire(blocking=False):
                pace.burn(BURN_MS)
                burning.release()
        return {"cents": sum(499 + item * 37 % 9000 for item in items)}

    return (Route("POST", "/prices", price),)


if __name__ == "__main__":
    process.serve(routes, (CPU_BURN,))
