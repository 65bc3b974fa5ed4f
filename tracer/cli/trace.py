"""`tracer trace`."""

from __future__ import annotations

import click

from tracer.cli import options
from tracer.cli.output import has_colour, show, show_json, width
from tracer.cli.source import again, given, open_source


@click.command("trace")
@click.argument("trace_id")
@click.option("--otlp", "as_otlp", is_flag=True, help="Print the spans as OTLP/JSON.")
@options.baseline_moments
@options.overlap_tolerance
@options.no_skew_correction
@options.source
@options.as_json
def command(
    trace_id: str,
    as_otlp: bool,
    server: str | None,
    data: str | None,
    json_output: bool,
    **words: object,
) -> None:
    """One trace: its spans over time, the critical path, and what is slow against normal.

    TRACE_ID is 16 or 32 hex digits. With --json, the spans with the analysis beside them.

    Example: tracer trace 4bf92f3577b34da6a3ce929d0e0e4736
    """
    with open_source(server, data) as source:
        if as_otlp:
            show_json(source.trace_otlp(trace_id))
            return
        analysis = again(source.analysis(trace_id, given(words)), server, data)
        if json_output:
            show_json({**source.trace(trace_id), "analysis": analysis})
            return
    from tracer.report.text import analysis_text

    show(analysis_text(analysis, width=width(), colour=has_colour(), most_traces=1))
