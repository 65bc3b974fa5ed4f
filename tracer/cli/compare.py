"""`tracer compare`."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from tracer.cli import options
from tracer.cli.files import FORMATS, file_format, remarks
from tracer.cli.output import has_colour, note, show, show_json, width
from tracer.cli.source import again, given, open_source
from tracer.errors import BadQuery
from tracer.units import duration_ns

NOT_JUDGED: Final = 3
STATISTICS: Final = {"p50": "p50", "p95": "p95", "p99": "p99", "slowest": "slowest_5_percent"}
_FILES = click.Path(path_type=Path)


@click.command("compare")
@click.option(
    "--baseline",
    multiple=True,
    type=_FILES,
    metavar="FILE",
    help="Traces to compare against, from a file; may be repeated.",
)
@click.option(
    "--candidate",
    multiple=True,
    type=_FILES,
    metavar="FILE",
    help="Traces to judge, from a file; may be repeated.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True)
@options.overlap_tolerance
@click.option("--no-skew-correction", is_flag=True, help="Of files: take all clocks as they are.")
@click.option("--service", metavar="NAME", help="Only traces that pass through this service.")
@click.option("--operation", metavar="NAME", help="Only traces that pass through this operation.")
@options.moments
@options.baseline_moments
@click.option("--baseline-version", metavar="VERSION", help="Of --service, to compare against.")
@click.option("--candidate-version", metavar="VERSION", help="Of --service, to judge.")
@click.option(
    "--statistic",
    type=click.Choice([*STATISTICS]),
    help="Which number is taken apart in the text; --json has all [what the verdict speaks of].",
)
@options.limit(100, 20, "call paths")
@options.source
@options.as_json
def command(
    *,
    baseline: tuple[Path, ...],
    candidate: tuple[Path, ...],
    form: str,
    overlap_tolerance: str | None,
    no_skew_correction: bool,
    statistic: str | None,
    server: str | None,
    data: str | None,
    json_output: bool,
    **words: Any,
) -> None:
    """By how much a p95 changed between two sets of traces, and which call path did it.

    The sets are files (no server, no data directory), two ranges of stored traces, or two versions
    of a service. Without a range for the baseline it is the one just before. The parts of a change
    sum to it; a path is named only for what is more than chance. Exits with 3 where the sets cannot
    be compared.

    Versions: --service checkout --baseline-version 1.4.0 --candidate-version 1.5.0

    Ranges: --since 30m --baseline-start -24h --baseline-end -23h30m

    Example: tracer compare --baseline before.jsonl --candidate after.jsonl
    """
    said = given(words)
    if baseline or candidate:
        _no_store_words(said, server, data)
        how = _Reading(form, overlap_tolerance, no_skew_correction)
        document = _files(baseline, candidate, how, said)
    else:
        _no_file_words(form, overlap_tolerance, no_skew_correction)
        with open_source(server, data) as source:
            document = again(source.compare(said), server, data)
    if json_output:
        show_json(document)
    else:
        from tracer.report.compare_text import compare_text

        shown = STATISTICS[statistic] if statistic else None
        show(compare_text(document, width=width(), colour=has_colour(), statistic=shown))
    if document["status"] == "refused":
        click.get_current_context().exit(NOT_JUDGED)


class _Reading(NamedTuple):
    """How files are read and analysed."""

    form: str
    overlap_tolerance: str | None
    no_skew_correction: bool

    def words(self) -> list[str]:
        """What was said of it."""
        words = ["--format", self.form] if self.form != "auto" else []
        if self.overlap_tolerance:
            words += ["--overlap-tolerance", self.overlap_tolerance]
        return words + (["--no-skew-correction"] if self.no_skew_correction else [])


def _files(
    baseline: tuple[Path, ...],
    candidate: tuple[Path, ...],
    how: _Reading,
    said: Mapping[str, Any],
) -> dict[str, Any]:
    if not (baseline and candidate):
        missing = "--candidate" if baseline else "--baseline"
        raise BadQuery(f"two sets are compared; give {missing} FILE too")
    tolerance_ns = _tolerance_ns(how.overlap_tolerance)
    from tracer.ingest.files.read import read_files
    from tracer.service.compare_files import clocks, compare_records

    notes, sets = [], []
    for files in (baseline, candidate):
        found = read_files(files, format=file_format(how.form), ingest_ns=time.time_ns())
        notes += remarks(found)
        sets.append(found.records)
    for remark in notes:
        note(remark)
    document = compare_records(
        sets[0],
        sets[1],
        said=({"files": [*map(str, baseline)]}, {"files": [*map(str, candidate)]}),
        tolerance_ns=tolerance_ns,
        max_skew_ns=clocks(is_corrected=not how.no_skew_correction),
        reproduce=_reproduce(baseline, candidate, how, said),
        **said,
    )
    return {**document, "notes": notes}


def _no_store_words(said: Mapping[str, Any], server: str | None, data: str | None) -> None:
    """Words about stored traces mean nothing for files."""
    asked = [*(name for name in said if name not in ("service", "operation", "limit"))]
    asked += [name for name, value in (("server", server), ("data", data)) if value]
    if asked:
        flag = f"--{asked[0].replace('_', '-')}"
        raise BadQuery(
            f"{flag} is about stored traces; leave it out, or --baseline and --candidate"
        )


def _no_file_words(form: str, overlap_tolerance: str | None, no_skew_correction: bool) -> None:
    said = _Reading(form, overlap_tolerance, no_skew_correction).words()
    if said:
        flag = said[0]
        raise BadQuery(f"{flag} is about files; give --baseline FILE and --candidate FILE too")


def _tolerance_ns(text: str | None) -> int | None:
    """`1ms`, or `0` for none; None leaves the default."""
    if text is None:
        return None
    try:
        return 0 if text.strip() == "0" else duration_ns(text)
    except BadQuery as error:
        raise BadQuery(f"--overlap-tolerance: {error}") from error


def _reproduce(
    baseline: tuple[Path, ...],
    candidate: tuple[Path, ...],
    how: _Reading,
    said: Mapping[str, Any],
) -> str:
    words = ["tracer", "compare"]
    words += [word for path in baseline for word in ("--baseline", str(path))]
    words += [word for path in candidate for word in ("--candidate", str(path))]
    words += how.words()
    words += [word for name, value in said.items() for word in (f"--{name}", str(value))]
    return shlex.join(words)
