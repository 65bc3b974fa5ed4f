"""What else the customer may like."""

from __future__ import annotations

import random

from tracer.demo import instrument, pace, process
from tracer.demo.environment import Birth
from tracer.demo.faults import BAD_TENANT, SLOW_TENANT
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """One list, ranked for the tenant of the request."""

    def recommend(request: Request) -> Json:
        with instrument.internal_span("load profile"):
            pace.work(4.0)
        with instrument.internal_span("rank candidates"):
            slow = switches.is_on(SLOW_TENANT) and instrument.tenant() == BAD_TENANT
            pace.work(320.0 if slow else 6.0)
        return {"recommended": random.sample(range(1, 1501), 4)}

    return (Route("GET", "/recommendations", recommend),)


if __name__ == "__main__":
    process.serve(routes, (SLOW_TENANT,))
