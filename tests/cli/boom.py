"""A command that does what a test tells it."""

from __future__ import annotations

from collections.abc import Callable

import click

act: list[Callable[[], object]] = []


@click.command("boom")
def command() -> object:
    """Does it.

    Example: tracer boom
    """
    return act[-1]()
