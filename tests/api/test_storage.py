"""What is stored, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.api.running import FakeService, client_of, context_with, shop
from tests.support.engine import fresh_engine


def test_storage_is_a_document(tmp_path: Path) -> None:
    with fresh_engine() as engine:
        context = context_with(engine, shop(3))
        settings = replace(context.settings, data=str(tmp_path))
        client = client_of(FakeService(replace(context, settings=settings)))
        answer = client.get("/api/v1/storage")
        assert answer.status_code == 200
        document = answer.json()
        assert document["schema"] == "tracer.storage/1"
        assert {one["table"]: one["rows"] for one in document["tables"]}["otel_traces"] == 6
        assert client.get("/api/v1/storage?since=1h").status_code == 400
