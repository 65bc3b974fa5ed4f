"""How a document leaves: JSON, made by orjson."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/json"


def document(content: Mapping[str, Any], status: int = 200) -> Response:
    """The answer with `content`."""
    return Response(orjson.dumps(content), status, media_type=MEDIA_TYPE)
