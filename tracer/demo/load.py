"""The customers: a steady stream of requests, from a process of its own that is not traced.

Usage: python -m tracer.demo.load FRONTEND_PORT REQUESTS_PER_S SEED
Requests leave on time however long the earlier ones take, up to IN_FLIGHT of them at once. Once a
second a line of JSON on stdout says how they fared. Lives as long as its stdin is open.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from tracer.demo import lifeline
from tracer.demo.faults import BAD_TENANT
from tracer.demo.loopback import Json, send

IN_FLIGHT: Final = 48
TIMEOUT_S: Final = 15.0
CUSTOMERS: Final = 200
# Out of sixteen requests in a row:
MIX: Final = (("home", 3), ("product", 4), ("cart", 2), ("buy", 4), ("history", 3))
# Shares in percent:
TENANTS: Final = ((BAD_TENANT, 13), ("globex", 30), ("initech", 33), ("umbrella", 24))
REMEMBERED: Final = 100  # requests that the reported p95 is of


def requests(rng: random.Random) -> Iterator[tuple[str, str, Json | None, dict[str, str]]]:
    """Method, path, body and headers, without end."""
    deck = [name for name, count in MIX for _ in range(count)]
    names = [name for name, _ in TENANTS]
    weights = [share for _, share in TENANTS]
    while True:
        rng.shuffle(deck)
        for action in deck:
            customer = f"customer-{rng.randrange(CUSTOMERS)}"
            who = {"x-tenant-id": rng.choices(names, weights)[0], "x-user-id": customer}
            yield *_request(action, customer, rng), who


def _request(action: str, customer: str, rng: random.Random) -> tuple[str, str, Json | None]:
    product_id = rng.randrange(1, 1501)
    match action:
        case "home":
            return "GET", f"/?category={rng.randrange(12)}", None
        case "product":
            return "GET", f"/product/{product_id}", None
        case "cart":
            return "POST", "/cart", {"cart_id": customer, "product_id": product_id}
        case "buy":
            return "POST", "/buy", {"cart_id": customer, "customer": customer}
        case _:
            return "GET", f"/account/orders?customer={customer}", None


class Tally:
    """What came back so far; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answered = 0
        self._failed = 0
        self._latest_ms: deque[float] = deque(maxlen=REMEMBERED)

    def add(self, took_ms: float, failed: bool) -> None:
        with self._lock:
            self._answered += 1
            self._failed += failed
            self._latest_ms.append(took_ms)

    def line(self) -> str:
        """One line of JSON, in milliseconds."""
        with self._lock:
            ordered = sorted(self._latest_ms) or [0.0]
            answered, failed = self._answered, self._failed
        p95_ms = round(ordered[int(0.95 * (len(ordered) - 1))], 1)
        return json.dumps({"answered": answered, "failed": failed, "p95_ms": p95_ms})


def run(port: int, per_s: float, seed: int, tally: Tally, over: threading.Event) -> None:
    """Send until `over`. Gaps vary by half around the mean, so that nothing beats in step."""
    rng = random.Random(seed)
    free = threading.Semaphore(IN_FLIGHT)

    def ask(method: str, path: str, body: Json | None, headers: dict[str, str]) -> None:
        began_s = time.monotonic()
        try:
            status, _ = send(port, method, path, body, headers=headers, timeout_s=TIMEOUT_S)
        except OSError:
            status = 599
        finally:
            free.release()
        tally.add((time.monotonic() - began_s) * 1e3, status >= 500)

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        due_s = time.monotonic()
        for request in requests(rng):
            due_s += rng.uniform(0.5, 1.5) / per_s
            if over.wait(max(0.0, due_s - time.monotonic())):
                return
            if free.acquire(blocking=False):
                pool.submit(ask, *request)


def main() -> None:
    """Be the load until the end."""
    port, per_s, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    tally, over = Tally(), threading.Event()
    running = threading.Thread(target=run, args=(port, per_s, seed, tally, over), daemon=True)
    running.start()
    lifeline.ready()
    ending = threading.Thread(target=_at_the_end, args=(over,), daemon=True)
    ending.start()
    while not over.wait(1.0):
        with suppress(BrokenPipeError):  # the supervisor is gone, so the end is near
            sys.stdout.write(tally.line() + "\n")
            sys.stdout.flush()
    running.join()


def _at_the_end(over: threading.Event) -> None:
    lifeline.wait_for_the_end()
    over.set()


if __name__ == "__main__":
    main()
