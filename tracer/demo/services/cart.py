"""Carts, in SQLite."""

from __future__ import annotations

from typing import Final

from tracer.demo import instrument, pace, process
from tracer.demo.database import create, session
from tracer.demo.environment import Birth
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches

# What merging the guest's cart into the customer's takes, by version of this service.
MERGE_MS: Final = {"2.0.0": 5.0, "2.1.0": 300.0}
_SCRIPT: Final = """
CREATE TABLE cart_items (id INTEGER PRIMARY KEY, cart_id TEXT, product_id INTEGER);
CREATE INDEX cart_items_by_cart ON cart_items (cart_id);
"""
_INSERT: Final = "INSERT INTO cart_items (cart_id, product_id) VALUES (?, ?)"
_SELECT: Final = "SELECT product_id FROM cart_items WHERE cart_id = ? ORDER BY id DESC LIMIT 10"


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """Fill a cart, show it."""
    path = birth.data / "cart.db"
    create(path, _SCRIPT)
    merge_ms = MERGE_MS[birth.version]

    def add(request: Request) -> Json:
        with session(path) as database:
            cart_id, product_id = request.path["cart_id"], int(request.body["product_id"])
            database.run("INSERT", "cart_items", _INSERT, cart_id, product_id)
        return {}

    def show(request: Request) -> Json:
        with session(path) as database:
            rows = database.run("SELECT", "cart_items", _SELECT, request.path["cart_id"])
        with instrument.internal_span("merge cart"):
            pace.work(merge_ms)
        return {"items": [row[0] for row in rows] or [1, 2]}

    return (
        Route("POST", "/carts/{cart_id}/items", add),
        Route("GET", "/carts/{cart_id}", show),
    )


if __name__ == "__main__":
    process.serve(routes)
