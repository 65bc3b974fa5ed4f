"""`tracer slow`."""

from __future__ import annotations

import click

from tracer.cli import back_end, options
from tracer.cli.output import has_colour, note, show, show_json, width
from tracer.cli.source import again, given, open_source
from tracer.errors import BadInput
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
@click.option(
    "--source",
    "where",
    metavar="KIND:URL",
    help="Read traces from there and keep nothing: jaeger:http://host:16686.",
)
@back_end.options
@options.source
@options.as_json
def command(
    where: str | None,
    server: str | None,
    data: str | None,
    json_output: bool,
    no_commands: bool,
    **words: object,
) -> None:
    """What is slow, by how much against normal, and what is to blame.

    Looks at the last 15 minutes unless a range is given. With --source jaeger:http://host:16686
    it reads the traces of a Jaeger, and keeps none.

    Example: tracer slow --since 30m --service checkout
    """
    if where:
        if server or data:
            raise BadInput("--source keeps nothing; leave out --server and --data")
        from tracer.cli.borrowed import slow_of

        document = slow_of(where, given(words))
        for missing in document["source"]["missing"]:
            note(f"not everything was read: {missing}")
        no_commands = True  # there is nothing to go on with
    else:
        with open_source(server, data) as source:
            document = again(source.slow_traces(given(words)), server, data)
    if json_output:
        show_json(document)
        return
    from tracer.report.slow_text import slow_text

    if no_commands:
        document = {**document, "reproduce": None}
    show(slow_text(document, width=width(), colour=has_colour()))
