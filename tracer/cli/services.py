"""`tracer services`."""

from __future__ import annotations

import click

from tracer.cli import options
from tracer.cli.output import has_colour, show, show_json, width
from tracer.cli.source import given, open_source


@click.command("services")
@click.argument("service", required=False)
@options.moments
@options.source
@options.as_json
def command(
    service: str | None, server: str | None, data: str | None, json_output: bool, **words: object
) -> None:
    """Services that were seen, or the operations of one SERVICE.

    Looks at the last hour unless a range is given.

    Example: tracer services checkout --since 2h
    """
    with open_source(server, data) as source:
        if service is None:
            document = source.services(given(words))
        else:
            document = source.operations(service, given(words))
    if json_output:
        show_json(document)
        return
    from tracer.report.catalog_text import operations_text, services_text

    text = services_text if service is None else operations_text
    show(text(document, width=width(), colour=has_colour()))
