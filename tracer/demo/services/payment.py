"""Takes the money: asks the bank, and asks again when the bank is unavailable."""

from __future__ import annotations

import random
import time
from typing import Final

from tracer.demo import process
from tracer.demo.client import call
from tracer.demo.environment import Birth
from tracer.demo.failure import Failure
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches

ATTEMPTS: Final = 8
BACKOFF_MS: Final = (5, 10, 20)  # before attempt 2, 3, 4 and all later; half of it is chance


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """Pay an amount."""

    def pay(request: Request) -> Json:
        for attempt in range(ATTEMPTS):
            try:
                return call(
                    birth.ports,
                    "bank",
                    "POST",
                    "/authorizations",
                    body=request.body,
                    resend_count=attempt,
                )
            except Failure as failure:
                if failure.status < 500 or attempt + 1 == ATTEMPTS:
                    raise
            time.sleep(BACKOFF_MS[min(attempt, 2)] * random.uniform(0.5, 1.0) / 1e3)
        raise AssertionError("the last attempt returns or raises")

    return (Route("POST", "/payments", pay),)


if __name__ == "__main__":
    process.serve(routes)
