"""`tracer baseline`."""

from __future__ import annotations

import click

from tracer.cli import options
from tracer.cli.output import has_colour, show, show_json, width
from tracer.cli.source import given, open_source


@click.command("baseline")
@options.names
@options.moments
@options.limit(1000, 50, "rows")
@options.source
@options.as_json
def command(server: str | None, data: str | None, json_output: bool, **words: object) -> None:
    """What is normal: p50 and p95 of every operation, by caller, with sample sizes.

    Example: tracer baseline --service checkout
    """
    with open_source(server, data) as source:
        document = source.baselines(given(words))
    if json_output:
        show_json(document)
        return
    from tracer.report.catalog_text import baselines_text

    show(baselines_text(document, width=width(), colour=has_colour()))
