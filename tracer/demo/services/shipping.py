"""Quotes for parcels, from a carrier who is somebody else and does not always answer."""

from __future__ import annotations

from typing import Final

from tracer.demo import process
from tracer.demo.client import call
from tracer.demo.environment import Birth
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches

CARRIER_TIMEOUT_S: Final = 0.4


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """Quote a number of parcels."""

    def quote(request: Request) -> Json:
        parcels = int(request.query["parcels"])
        asked = {"parcels": parcels}
        return call(
            birth.ports, "carrier", "GET", "/rates", query=asked, timeout_s=CARRIER_TIMEOUT_S
        )

    return (Route("GET", "/quotes", quote),)


if __name__ == "__main__":
    process.serve(routes)
