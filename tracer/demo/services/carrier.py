"""The carrier: a third party, so it exports nothing. Its hanging is seen in its caller's span."""

from __future__ import annotations

from tracer.demo import pace, process
from tracer.demo.environment import Birth
from tracer.demo.faults import DOWNSTREAM_ERROR
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """Rates, or a long silence."""

    def rates(request: Request) -> Json:
        pace.work(1500.0 if switches.is_on(DOWNSTREAM_ERROR) else 9.0)
        return {"cents": 490 * int(request.query["parcels"])}

    return (Route("GET", "/rates", rates, traced=False),)


if __name__ == "__main__":
    process.serve(routes, (DOWNSTREAM_ERROR,))
