"""The bank: allows payments."""

from __future__ import annotations

import random
from typing import Final

from tracer.demo import pace, process
from tracer.demo.environment import Birth
from tracer.demo.failure import Failure
from tracer.demo.faults import RETRY_STORM
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches

REFUSED_SHARE: Final = 0.85  # of all attempts, during the storm


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """Authorize a payment."""

    def authorize(request: Request) -> Json:
        if not switches.is_on(RETRY_STORM):
            pace.work(18.0)
        else:
            pace.work(55.0)
            if random.random() < REFUSED_SHARE:
                raise Failure(503, "no free connection to the ledger")
        return {"authorization": random.getrandbits(32)}

    return (Route("POST", "/authorizations", authorize),)


if __name__ == "__main__":
    process.serve(routes, (RETRY_STORM,))
