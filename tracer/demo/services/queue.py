"""The broker: topics in memory, taken in batches by long poll. It exports nothing."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import Final

from tracer.demo import process
from tracer.demo.environment import Birth
from tracer.demo.failure import Failure
from tracer.demo.loopback import Json
from tracer.demo.server import Request, Route
from tracer.demo.switches import Switches

MOST_WAITING: Final = 10_000  # messages a topic
BATCH: Final = 8
POLL_S: Final = 0.5


def routes(birth: Birth, switches: Switches) -> tuple[Route, ...]:
    """Put one message, take up to BATCH."""
    topics: dict[str, deque[Json]] = defaultdict(deque)
    filled = threading.Condition()

    def put(request: Request) -> Json:
        with filled:
            topic = topics[request.path["topic"]]
            if len(topic) >= MOST_WAITING:
                raise Failure(503, "the topic is full")
            topic.append(request.body)
            filled.notify()
        return {}

    def take(request: Request) -> Json:
        with filled:
            topic = topics[request.path["topic"]]
            filled.wait_for(lambda: len(topic) > 0, POLL_S)
            return {"messages": [topic.popleft() for _ in range(min(BATCH, len(topic)))]}

    return (
        Route("POST", "/topics/{topic}", put, traced=False),
        Route("GET", "/topics/{topic}", take, traced=False),
    )


if __name__ == "__main__":
    process.serve(routes)
