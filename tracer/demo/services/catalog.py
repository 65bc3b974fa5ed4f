"""Products and their reviews, in SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from tracer.demo import process
from tracer.demo.database import connect, create, session
from tracer.demo.environment import Birth
from tracer.demo.failure import Failure
from tracer.demo.faults import N_PLUS_ONE, SLOW_QUERY
from tracer.demo.loopback import Json
from tracer.demo.process import Action
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches

PRODUCTS: Final = 1500
REVIEWS_EACH: Final = 100
SHOWN: Final = 80  # reviews on a product page
CATEGORIES: Final = 12

_INDEX: Final = "CREATE INDEX IF NOT EXISTS reviews_by_product ON reviews (product_id)"
_SCRIPT: Final = f"""
CREATE TABLE products (id INTEGER PRIMARY KEY, category INTEGER, name TEXT, cents INTEGER);
CREATE TABLE reviews (id INTEGER PRIMARY KEY, product_id INTEGER, stars INTEGER, text TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PRODUCTS})
INSERT INTO products SELECT i, i % {CATEGORIES}, 'product ' || i, 499 + i * 37 % 9000 FROM n;
WITH RECURSIVE n(i) AS
  (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {PRODUCTS * REVIEWS_EACH})
INSERT INTO reviews SELECT i + 1, i % {PRODUCTS} + 1, i * 7 % 5 + 1, 'review ' || i FROM n;
{_INDEX};
CREATE INDEX products_by_category ON products (category);
"""
_LIST: Final = """
SELECT p.id, p.name, p.cents, (SELECT avg(r.stars) FROM reviews r WHERE r.product_id = p.id)
FROM products p WHERE p.category = ? ORDER BY p.id LIMIT 24
""".strip()
_ONE: Final = "SELECT id, name, cents FROM products WHERE id = ?"
_REVIEWS: Final = f"SELECT stars, text FROM reviews WHERE product_id = ? ORDER BY id LIMIT {SHOWN}"
_REVIEW: Final = "SELECT stars, text FROM reviews WHERE product_id = ? ORDER BY id LIMIT 1 OFFSET ?"


def actions(birth: Birth) -> Mapping[str, Action]:
    """The index goes and comes back."""
    return {SLOW_QUERY: lambda on: _index(_file(birth), missing=on)}


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """List products, show one."""
    path = _file(birth)
    create(path, _SCRIPT)

    def products(request: Request) -> Json:
        with session(path) as database:
            rows = database.run("SELECT", "products", _LIST, int(request.query["category"]))
        return {"products": rows}

    def product(request: Request) -> Json:
        product_id = int(request.path["product_id"])
        with session(path) as database:
            rows = database.run("SELECT", "products", _ONE, product_id)
            if not rows:
                raise Failure(404, f"no product {product_id}")
            if switches.is_on(N_PLUS_ONE):
                reviews = [
                    row
                    for number in range(SHOWN)
                    for row in database.run("SELECT", "reviews", _REVIEW, product_id, number)
                ]
            else:
                reviews = database.run("SELECT", "reviews", _REVIEWS, product_id)
        return {"product": rows[0], "reviews": reviews}

    return (Route("GET", "/products", products), Route("GET", "/products/{product_id}", product))


def _file(birth: Birth) -> Path:
    return birth.data / "catalog.db"


def _index(path: Path, missing: bool) -> None:
    with closing(connect(path)) as connection:
        connection.execute("DROP INDEX IF EXISTS reviews_by_product" if missing else _INDEX)


if __name__ == "__main__":
    process.serve(routes, (SLOW_QUERY, N_PLUS_ONE), actions)
