"""Traces without what differs from run to run, so that what was meant and what was stored compare.

Ids become names of spans, times become offsets from the first start, attributes a dict by key. Both
sides are built by hand from different sources: the description that the apps read, and OTLP/JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Span = dict[str, Any]
Trace = dict[str, Span]  # by name of the span, which is unique

KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES: Final = ("unset", "ok", "error")
REMOTE: Final = "(another process)"
ADDED_BY_SDK: Final = ("telemetry.sdk.", "service.instance.id")  # beginnings of resource attributes
# Bits of span.flags; the W3C bits below them are left out, as the Python SDK does not send them.
PARENT_IS_KNOWN: Final = 0x100  # whether it is remote is known, that is
PARENT_IS_REMOTE: Final = 0x200


def described(document: dict[str, Any]) -> list[Trace]:
    """What the file of traces says that should arrive."""
    return [_meant(document, trace) for trace in document["traces"]]


def _meant(document: dict[str, Any], trace: dict[str, Any]) -> Trace:
    tracestate = trace.get("remote_tracestate", "")
    began_ns = min(span["start_ns"] for span in trace["spans"])

    def is_remote(span: Span) -> bool:
        return "parent" not in span and bool(tracestate)

    return {
        span["name"]: {
            "resource": document["services"][span["service"]],
            "scope": document["scope"],
            "kind": span["kind"],
            "parent": span.get("parent", REMOTE if tracestate else None),
            "tracestate": tracestate,
            "flags": PARENT_IS_KNOWN | (PARENT_IS_REMOTE if is_remote(span) else 0),
            "start_ns": span["start_ns"] - began_ns,
            "end_ns": span["end_ns"] - began_ns,
            "attributes": span.get("attributes", {}),
            "events": [
                (event["name"], event["at_ns"] - began_ns, event.get("attributes", {}))
                for event in span.get("events", [])
            ],
            "links": [(link["to"], link.get("attributes", {})) for link in span.get("links", [])],
            "status": (
                span.get("status", {}).get("code", "unset"),
                span.get("status", {}).get("message", ""),
            ),
        }
        for span in trace["spans"]
    }


def stored(documents: list[dict[str, Any]]) -> list[Trace]:
    """What OTLP/JSON documents, one a trace, say that arrived.

    A span that stands there twice gets a second name, and so is a difference.
    """
    names: dict[str, str] = {}
    for document in documents:
        for number, (_, _, span) in enumerate(_spans(document)):
            taken = span["name"] in names.values()
            names[span["spanId"]] = f"{span['name']} #{number}" if taken else span["name"]
    return [_arrived(document, names) for document in documents]


def sdk_language(documents: list[dict[str, Any]]) -> set[str]:
    """`telemetry.sdk.language` of all resources."""
    return {
        _attributes(resource).get("telemetry.sdk.language", {}).get("stringValue", "")
        for document in documents
        for resource, _, _ in _spans(document)
    }


def _spans(document: dict[str, Any]) -> Iterator[tuple[Any, Any, Any]]:
    """(resource, scope with its schema URL, span) of every span."""
    for group in document["resourceSpans"]:
        for scope_spans in group["scopeSpans"]:
            scope = {**scope_spans["scope"], "schema_url": scope_spans.get("schemaUrl", "")}
            for span in scope_spans["spans"]:
                yield group["resource"], scope, span


def _arrived(document: dict[str, Any], names: dict[str, str]) -> Trace:
    began_ns = min(int(span["startTimeUnixNano"]) for _, _, span in _spans(document))
    return {
        names[span["spanId"]]: {
            "resource": {
                key: value
                for key, value in _attributes(resource).items()
                if not key.startswith(ADDED_BY_SDK)
            },
            "scope": scope,
            "kind": KINDS[span.get("kind", 0)],
            "parent": names.get(span["parentSpanId"], REMOTE) if "parentSpanId" in span else None,
            "tracestate": span.get("traceState", ""),
            "flags": span.get("flags", 0) & (PARENT_IS_KNOWN | PARENT_IS_REMOTE),
            "start_ns": int(span["startTimeUnixNano"]) - began_ns,
            "end_ns": int(span["endTimeUnixNano"]) - began_ns,
            "attributes": _attributes(span),
            "events": [
                (event.get("name", ""), int(event["timeUnixNano"]) - began_ns, _attributes(event))
                for event in span.get("events", [])
            ],
            "links": [
                (names.get(link["spanId"], link["spanId"]), _attributes(link))
                for link in span.get("links", [])
            ],
            "status": (
                STATUSES[span.get("status", {}).get("code", 0)],
                span.get("status", {}).get("message", ""),
            ),
        }
        for resource, scope, span in _spans(document)
    }


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    """Typed values by key; what the SDK dropped is a value too, because nothing should be."""
    found = {pair["key"]: pair["value"] for pair in holder.get("attributes", [])}
    if holder.get("droppedAttributesCount"):
        found["(dropped)"] = holder["droppedAttributesCount"]
    return found


def differences(wanted: list[Trace], found: list[Trace]) -> list[str]:
    """One line for each field of each span that is not as wanted; empty when all is the same."""
    lines = []
    if len(wanted) != len(found):
        lines.append(f"{len(wanted)} traces sent, {len(found)} found")
    for meant, arrived in zip(wanted, found, strict=False):
        lines += [f"{name}: missing" for name in meant if name not in arrived]
        lines += [f"{name}: nobody sent this" for name in arrived if name not in meant]
        for name in meant.keys() & arrived.keys():
            lines += [
                f"{name}: {field} is {arrived[name][field]!r}, sent was {value!r}"
                for field, value in meant[name].items()
                if arrived[name][field] != value
            ]
    return lines
