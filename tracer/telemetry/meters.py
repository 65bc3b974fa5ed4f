"""Every number that is counted while things happen; numbers of now are read when asked for.

Nothing here is touched per span: once a request, once a block, once a step of analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS: Final = (1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000)

TRANSPORTS: Final = ("grpc", "http/protobuf", "http/json")
REFUSALS: Final = ("queue_full", "unavailable", "store_failure")  # those that are not the sender's
OUTCOMES: Final = ("stored", "failed")


@dataclass(frozen=True)
class Meters:
    """One process's instruments, all in `registry`. Thread-safe."""

    registry: CollectorRegistry
    receiver_requests: Counter
    receiver_bytes: Counter
    receiver_accepted: Counter
    receiver_rejected: Counter
    receiver_refused: Counter
    receiver_seconds: Histogram
    commits: Counter
    commit_seconds: Histogram
    commit_stage_seconds: Histogram
    block_rows: Histogram
    analysis_step_seconds: Histogram
    api_requests: Counter
    api_seconds: Histogram


def new_meters() -> Meters:
    """Instruments at zero, and what the operating system says about this process."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)

    def counter(name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"tracer_{name}", meaning, labels, registry=registry)

    def seconds(name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(
            f"tracer_{name}_seconds", meaning, labels, buckets=SECONDS, registry=registry
        )

    meters = Meters(
        registry=registry,
        receiver_requests=counter(
            "receiver_requests", "Exports that came in, whatever was answered", "transport"
        ),
        receiver_bytes=counter(
            "receiver_request_bytes",
            "Bytes of exports: over HTTP as sent, over gRPC after decompression",
            "transport",
        ),
        receiver_accepted=counter(
            "receiver_accepted_spans",
            "Spans acknowledged to senders; a retry answered from memory counts again",
            "transport",
        ),
        receiver_rejected=counter(
            "receiver_rejected_spans",
            "Invalid spans, told to senders by partial_success; retries count again",
            "transport",
            "reason",
        ),
        receiver_refused=counter(
            "receiver_refused_requests", "Exports answered with an error", "transport", "reason"
        ),
        receiver_seconds=seconds(
            "receiver_request_duration", "From the head of an export to its answer", "transport"
        ),
        commits=counter(
            "commits", "Blocks by outcome: stored, failed (no request of it was)", "outcome"
        ),
        commit_seconds=seconds(
            "commit_duration", "From a block taken off the queue to its end, stored or not"
        ),
        commit_stage_seconds=seconds(
            "commit_stage_duration", "Stages of a commit: decode, write", "stage"
        ),
        block_rows=Histogram(
            "tracer_block_rows", "Spans stored by one commit", buckets=ROWS, registry=registry
        ),
        analysis_step_seconds=seconds(
            "analysis_step_duration", "Steps of analysis that found something to do"
        ),
        api_requests=counter(
            "api_requests", "Requests of the query API", "route", "method", "status"
        ),
        api_seconds=seconds("api_request_duration", "From a question to its answer", "route"),
    )
    # A series that is not there before its first event hides that event from `increase`.
    for outcome in OUTCOMES:
        meters.commits.labels(outcome)
    for transport in TRANSPORTS:
        meters.receiver_requests.labels(transport)
        for reason in REFUSALS:
            meters.receiver_refused.labels(transport, reason)
    return meters


def exposition(meters: Meters) -> bytes:
    """Everything in the registry, in the Prometheus text format."""
    return generate_latest(meters.registry)
