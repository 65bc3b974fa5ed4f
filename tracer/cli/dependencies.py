"""`tracer dependencies`."""

from __future__ import annotations

import click

from tracer.cli import options
from tracer.cli.output import has_colour, show, show_json, width
from tracer.cli.source import again, given, open_source
from tracer.errors import BadInput


@click.command("dependencies")
@click.option("--service", metavar="NAME", help="Only what this service calls and who calls it.")
@options.moments
@options.limit(1000, 100, "edges")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "dot")),
    default="text",
    show_default=True,
    help="dot is for Graphviz: tracer dependencies --format dot | dot -Tsvg.",
)
@options.source
@options.as_json
def command(
    server: str | None, data: str | None, json_output: bool, form: str, **words: object
) -> None:
    """Who calls whom, how often and how long at both ends, and ways of calling that cost time.

    Databases, queues and peers without spans are named by what the calls say. Looks for repeated
    queries (n+1), retry storms, calls that could be made at once, and services that call back.
    Looks at the last hour unless a range is given.

    Example: tracer dependencies --since 30m --service checkout
    """
    if json_output and form == "dot":
        raise BadInput("--json and --format dot exclude each other; give one of them")
    with open_source(server, data) as source:
        document = again(source.dependencies(given(words)), server, data)
    if json_output:
        show_json(document)
        return
    if form == "dot":
        from tracer.report.dot import dependencies_dot

        show(dependencies_dot(document))
        return
    from tracer.report.dependencies_text import dependencies_text

    show(dependencies_text(document, width=width(), colour=has_colour()))
