"""`tracer storage`."""

from __future__ import annotations

import click

from tracer.cli import options
from tracer.cli.output import has_colour, show, show_json, width
from tracer.cli.source import open_source


@click.command("storage")
@options.source
@options.as_json
def command(server: str | None, data: str | None, json_output: bool) -> None:
    """What is stored, what it takes, how long it stays.

    Names parts that were found damaged and set aside, and what the disk budget dropped so far.

    Example: tracer storage --data ./data
    """
    with open_source(server, data) as source:
        document = source.storage()
    if json_output:
        show_json(document)
        return
    from tracer.report.storage_text import storage_text

    show(storage_text(document, width=width(), colour=has_colour()))
