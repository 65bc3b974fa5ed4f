"""Turns a cart into an order: asks everybody, in the order in which the answers are needed."""

from __future__ import annotations

from functools import partial

from tracer.demo import process
from tracer.demo.client import call
from tracer.demo.environment import Birth
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """One route: buy."""
    ask = partial(call, birth.ports)

    def checkout(request: Request) -> Json:
        customer = request.body["customer"]
        items = ask("cart", "GET", "/carts/{cart_id}", cart_id=request.body["cart_id"])["items"]
        cents = ask("pricing", "POST", "/prices", body={"items": items})["cents"]
        shipping = ask("shipping", "GET", "/quotes", query={"parcels": len(items)})["cents"]
        total = {"customer": customer, "cents": cents + shipping}
        ask("payment", "POST", "/payments", body=total)
        return ask("orders", "POST", "/orders", body=total)

    return (Route("POST", "/checkouts", checkout),)


if __name__ == "__main__":
    process.serve(routes)
