"""The documents as OpenAPI describes them. Answers are made by the use cases, not from these."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """Every document names its schema; members may be added within a version."""

    model_config = ConfigDict(extra="allow")

    schema_: str = Field(alias="schema", examples=["tracer.traces/1"])


class Problem(BaseModel):
    """Problem details, RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:tracer:bad-query"])
    title: str
    status: int
    detail: str = Field(description="what is wrong, and the fix")
    instance: str


class Total(BaseModel):
    """A count; not `exact` means at least this many."""

    value: int
    exact: bool


class Root(BaseModel):
    """The span a trace begins with."""

    service: str
    operation: str
    span_id: str


class TraceSummary(BaseModel):
    """One trace in a list. Times in ns."""

    model_config = ConfigDict(extra="allow")

    trace_id: str = Field(description="32 lower-case hex digits")
    root: Root
    start: str = Field(description="RFC 3339")
    start_ns: int
    duration_ns: int
    span_count: int
    service_count: int
    error_count: int
    outcome: str = Field(description="ok or error")
    provisional: bool = Field(description="not settled yet: may still change")


class TraceList(Document):
    """Traces, newest first."""

    total: Total
    traces: list[TraceSummary]
    next_cursor: str | None


class Trace(Document):
    """One trace with its spans."""

    trace_id: str
    span_count: int
    spans: list[dict[str, Any]]


class Analysis(Document):
    """Where the time of one trace went."""


class SlowTraces(Document):
    """What is slow, by how much against normal, and the traces that show it."""

    affected: dict[str, Any]
    bottlenecks: list[dict[str, Any]] = Field(description="ranked, worst first")
    traces: list[dict[str, Any]]
    quality: dict[str, Any]
    reproduce: str = Field(description="the command that gives this answer")


class CriticalPath(Document):
    """The call paths of many traces as one tree."""

    traces: Total
    fragments: Total = Field(description="asynchronous parts, each a root of its own")
    bands: list[dict[str, Any]] = Field(description="of roots, by their duration for their kind")
    total: Total = Field(description="call paths")
    paths: list[dict[str, Any]] = Field(description="parents first; `parent` is a place in here")
    quality: dict[str, Any]
    reproduce: str = Field(description="the command that gives this answer")


class Services(Document):
    """Services that were seen in the range."""

    total: dict[str, Any]
    services: list[dict[str, Any]]


class Operations(Document):
    """Operations of one service that were seen in the range."""

    service: str
    total: dict[str, Any]
    operations: list[dict[str, Any]]


class Baselines(Document):
    """What is normal, by operation and caller."""

    baselines: list[dict[str, Any]]


class Errors(Document):
    """What failed, by the service, operation, type and message where it began."""

    total: Total
    errors: list[dict[str, Any]] = Field(description="most frequent first, with exemplars")
    quality: dict[str, Any]
    reproduce: str = Field(description="the command that gives this answer")


class Dependencies(Document):
    """Services, databases, queues and peers, the calls between them, and what is costly."""

    total: dict[str, Total]
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]] = Field(description="most calls first")
    patterns: dict[str, Any] = Field(description="ways of calling that cost time, dearest first")
    cycles: list[list[str]] = Field(description="nodes that depend on each other")
    quality: dict[str, Any]
    reproduce: str = Field(description="the command that gives this answer")


class Comparison(Document):
    """Two sets of traces: what changed, by how much, how sure."""

    status: str = Field(description="ok or refused")
    refusal: dict[str, str] | None
    verdict: dict[str, str]
    baseline: dict[str, Any]
    candidate: dict[str, Any]
    statistics: list[dict[str, Any]] = Field(description="p50, p95, p99, mean of the slowest 5 %")
    changed_paths: dict[str, Any]
    strata: dict[str, Any] = Field(description="kinds of requests and their shares")
    reproduce: str = Field(description="the command that gives this answer")


class Storage(Document):
    """What is stored, what it takes, how long it stays."""

    total: dict[str, Any]
    disk: dict[str, Any] | None
    budget: dict[str, Any]
    tables: list[dict[str, Any]]
    set_aside: dict[str, Any] = Field(description="damaged parts, on disk and not served")


class Imported(Document):
    """What an import stored."""

    spans: int
    rejected: int


class Health(Document):
    """Whether it works, and the truth about each part."""

    ready: bool
    status: str
    parts: dict[str, str]


def answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: this document, or a problem."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        200: {"model": model},
        "default": {"model": Problem, "description": "A problem", "content": problem},
    }
