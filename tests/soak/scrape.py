"""What a running tracer says of itself, as numbers."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.serving import Server

PATIENCE_S = 60.0


def scraped(server: Server) -> dict[str, float]:
    """Every sample of `/metrics` by name, summed over its labels."""
    text = httpx.get(f"{server.url}/metrics", timeout=PATIENCE_S).text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found
