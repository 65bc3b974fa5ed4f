"""How long things take when nothing is wrong: natural spread, no measurable CPU."""

from __future__ import annotations

import random
import time


def work(median_ms: float, spread: float = 0.3) -> None:
    """Spend log-normal time; `spread` is the standard deviation of its logarithm."""
    time.sleep(median_ms / 1e3 * random.lognormvariate(0.0, spread))


def burn(cpu_ms: float) -> None:
    """Spend real CPU time of this thread."""
    end_s = time.thread_time() + cpu_ms / 1e3
    value = 1
    while time.thread_time() < end_s:
        for _ in range(1000):
            value = (value * 48271) % 2147483647
