"""The endpoints as a page, made from the OpenAPI document and from nothing of other hosts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.routes.home import POLICY

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>tracer: endpoints</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code{background:#8882;padding:.1em .3em}td{padding:.2em 1em .2em 0;vertical-align:top}
:root{color-scheme:light dark}</style>
<h1>Endpoints</h1><p><a href="/">tracer</a> · <a href="/openapi.json">OpenAPI document</a></p>
"""

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(request: Request) -> Response:
    """One section an endpoint: what it answers and what it takes."""
    page = HEAD + "".join(_sections(request.app.openapi()))
    return HTMLResponse(page, headers=POLICY)


def _sections(document: dict[str, Any]) -> Iterator[str]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>\n"
            yield f"<p>{escape(operation.get('description', operation['summary']))}</p>\n"
            rows = "".join(_row(one) for one in operation.get("parameters", ()))
            if rows:
                yield f"<table>{rows}</table>\n"


def _row(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    default = f" (default {schema['default']})" if schema.get("default") is not None else ""
    bounds = f" {schema['minimum']}..{schema['maximum']}" if "minimum" in schema else ""
    meaning = parameter.get("description", "") + bounds + default
    return f"<tr><td><code>{escape(parameter['name'])}</code><td>{escape(meaning)}</tr>"
