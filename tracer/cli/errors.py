"""`tracer errors`."""

from __future__ import annotations

import click

from tracer.cli import options
from tracer.cli.output import has_colour, show, show_json, width
from tracer.cli.source import again, given, open_source


@click.command("errors")
@click.option("--service", metavar="NAME", help="Only errors that began in this service.")
@options.moments
@options.limit(1000, 20, "errors")
@options.source
@options.as_json
def command(server: str | None, data: str | None, json_output: bool, **words: object) -> None:
    """What fails: where it begins, how far it reaches, how often.

    An error is counted where it began, at the deepest span that failed; what failed because of it
    is not counted again. Looks at the last hour unless a range is given.

    Example: tracer errors --since 30m --service checkout
    """
    with open_source(server, data) as source:
        document = again(source.errors(given(words)), server, data)
    if json_output:
        show_json(document)
        return
    from tracer.report.errors_text import errors_text

    show(errors_text(document, width=width(), colour=has_colour()))
