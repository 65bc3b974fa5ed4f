"""`tracer slow`."""

from __future__ import annotations

import click

from tracer.cli import options
from tracer.cli.output import has_colour, show, show_json, width
from tracer.cli.source import again, given, open_source
from tracer.settings import Settings


@click.command("slow")
@options.names
@options.moments
@options.baseline_moments
@click.option("--min-duration", metavar="DURATION", help="Only traces at least this long: 1s.")
@options.limit(100, 10, "traces")
@click.option(
    "--user-attribute",
    metavar="KEYS",
    help="Span attributes that name a user, comma separated, first present wins "
    f"[{Settings.user_attribute}; a server has its own setting].",
)
@click.option("--no-commands", is_flag=True, help="Leave out the commands to go on with.")
@options.source
@options.as_json
def command(
    server: str | None, data: str | None, json_output: bool, no_commands: bool, **words: object
) -> None:
    """What is slow, by how much against normal, and what is to blame.

    Looks at the last 15 minutes unless a range is given.

    Example: tracer slow --since 30m --service checkout
    """
    with open_source(server, data) as source:
        document = again(source.slow_traces(given(words)), server, data)
    if json_output:
        show_json(document)
        return
    from tracer.report.slow_text import slow_text

    if no_commands:
        document = {**document, "reproduce": None}
    show(slow_text(document, width=width(), colour=has_colour()))
