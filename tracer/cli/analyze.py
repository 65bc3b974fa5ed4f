"""`tracer analyze`."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from tracer.cli import options
from tracer.cli.files import FORMATS, file_format, remarks
from tracer.cli.output import has_colour, note, show, show_json, width
from tracer.errors import BadQuery
from tracer.units import duration_ns

MAX_CLOCK_SKEW = "5m"
MAX_CLOCK_SKEW_NS = duration_ns(MAX_CLOCK_SKEW)


@click.command("analyze")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True)
@options.overlap_tolerance
@click.option(
    "--max-clock-skew",
    metavar="DURATION",
    default=MAX_CLOCK_SKEW,
    show_default=True,
    help="Clocks of hosts that are off by up to this are corrected.",
)
@click.option("--no-skew-correction", is_flag=True, help="Take all clocks as they are.")
@options.limit(1000, 3, "traces drawn in full")
@options.as_json
def command(
    *,
    files: tuple[Path, ...],
    form: str,
    overlap_tolerance: str | None,
    max_clock_skew: str,
    no_skew_correction: bool,
    limit: int,
    json_output: bool,
) -> None:
    """Where the time of the traces in FILES went, and what is slow against the others.

    Needs no server and no data directory.

    Example: tracer analyze trace.json --limit 1
    """
    tolerance = _tolerance_ns(overlap_tolerance)
    max_skew_ns = None if no_skew_correction else _max_skew_ns(max_clock_skew)
    from tracer.ingest.files.read import read_files
    from tracer.report.json import MOST_OUTLINES, analysis_document
    from tracer.service.analyze import analyze
    from tracer.service.failures import add_errors, errors_in

    found = read_files(files, format=file_format(form), ingest_ns=time.time_ns())
    said = remarks(found)
    for remark in said:
        note(remark)
    report = analyze(found.records, tolerance_ns=tolerance, is_file=True, max_skew_ns=max_skew_ns)
    document: dict[str, Any] = analysis_document(
        report,
        reproduce=_reproduce(files, form, overlap_tolerance, max_skew_ns),
        most_outlines=max(limit, MOST_OUTLINES),
    )
    document = add_errors(document, report, errors_in(report, found.records))
    document["notes"] = said
    if json_output:
        show_json(document)
        return
    from tracer.report.text import analysis_text

    show(analysis_text(document, width=width(), colour=has_colour(), most_traces=limit))


def _tolerance_ns(text: str | None) -> int | None:
    """`1ms`, or `0` for none; None leaves the default."""
    if text is None:
        return None
    try:
        return 0 if text.strip() == "0" else duration_ns(text)
    except BadQuery as error:
        raise BadQuery(f"--overlap-tolerance: {error}") from error


def _max_skew_ns(text: str) -> int | None:
    try:
        return duration_ns(text) or None
    except BadQuery as error:
        raise BadQuery(f"--max-clock-skew: {error}") from error


def _reproduce(
    files: tuple[Path, ...], form: str, overlap_tolerance: str | None, max_skew_ns: int | None
) -> str:
    words = ["tracer", "analyze", *map(str, files)]
    words += ["--format", form] if form != "auto" else []
    words += ["--overlap-tolerance", overlap_tolerance] if overlap_tolerance else []
    if max_skew_ns is None:
        words += ["--no-skew-correction"]
    elif max_skew_ns != MAX_CLOCK_SKEW_NS:
        words += ["--max-clock-skew", f"{max_skew_ns}ns"]
    return shlex.join(words)
