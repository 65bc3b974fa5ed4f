"""What the customer's browser talks to."""

from __future__ import annotations

from functools import partial

from tracer.demo import instrument, pace, process
from tracer.demo.client import call, together
from tracer.demo.environment import Birth
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """The pages of the shop."""
    ask = partial(call, birth.ports)

    def home(request: Request) -> Json:
        category = int(request.query.get("category", "0"))
        listed, liked = together(
            lambda: ask("catalog", "GET", "/products", query={"category": category}),
            lambda: ask("recommendations", "GET", "/recommendations"),
        )
        return _page("home", {**listed, **liked})

    def product(request: Request) -> Json:
        product_id = request.path["product_id"]
        details = ask("catalog", "GET", "/products/{product_id}", product_id=product_id)
        liked = ask("recommendations", "GET", "/recommendations")
        return _page("product", {**details, **liked})

    def add_to_cart(request: Request) -> Json:
        cart_id = request.body["cart_id"]
        item = {"product_id": request.body["product_id"]}
        added = ask("cart", "POST", "/carts/{cart_id}/items", body=item, cart_id=cart_id)
        return _page("cart", added)

    def buy(request: Request) -> Json:
        return _page("thanks", ask("checkout", "POST", "/checkouts", body=request.body))

    def history(request: Request) -> Json:
        customer = request.query["customer"]
        return _page("history", ask("orders", "GET", "/orders", query={"customer": customer}))

    return (
        Route("GET", "/", home),
        Route("GET", "/product/{product_id}", product),
        Route("POST", "/cart", add_to_cart),
        Route("POST", "/buy", buy),
        Route("GET", "/account/orders", history),
    )


def _page(name: str, content: Json) -> Json:
    with instrument.internal_span("render page", **{"shop.page": name}):
        pace.work(3.0)
        return {"page": name, "content": content}


if __name__ == "__main__":
    process.serve(routes)
