"""`tracer demo`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("demo")
@click.option("--fault", metavar="NAME", help="The fault to inject; --list names them.")
@click.option("--list", "list_faults", is_flag=True, help="Print the faults and end.")
@click.option("--once", is_flag=True, help="End after the report.")
@click.option("--json", "json_output", is_flag=True, help="Print fault and report as JSON.")
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the traces to this file as OTLP JSON lines.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the store in this directory.",
)
def command(
    *,
    fault: str | None,
    list_faults: bool,
    once: bool,
    json_output: bool,
    record: Path | None,
    data: Path | None,
) -> int:
    """A real shop gets slow, and the report names what did it.

    Example: tracer demo --fault n-plus-one --once
    """
    if list_faults:
        from tracer.demo import faults

        click.echo(faults.describe())
        return 0
    from tracer.demo import run

    return run.run(fault=fault, once=once, json_output=json_output, record=record, data=data)
