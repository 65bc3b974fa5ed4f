"""A context for commands that open the store themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracer.service.context import Context
from tracer.settings import Settings
from tracer.store.lock import owner_api
from tracer.store.store import open_store


@contextmanager
def open_context(settings: Settings) -> Iterator[Context]:
    """The store of `settings`, closed at the end. Raises PathInUse naming who holds it."""
    store = open_store(settings)
    try:
        yield Context(store.engine, settings, time.time_ns)
    finally:
        store.close()


def api_of(directory: Path) -> str:
    """API address of the tracer that runs on `directory`, '' when none does."""
    return owner_api(directory)
