"""The page a person sees first: what this is, and questions to start with."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from tracer import __version__

PAGE = Path(__file__).parent.parent / "web" / "home.html"
POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

router = APIRouter(include_in_schema=False)


@router.get("/")
def home() -> Response:
    """The page."""
    return HTMLResponse(_template().substitute(version=__version__), headers=POLICY)


@cache
def _template() -> Template:
    return Template(PAGE.read_text(encoding="utf-8"))
