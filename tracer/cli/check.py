"""`tracer check`, `tracer check record`, `tracer check run`."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path
from typing import Any, Final

import click

from tracer.cli import options
from tracer.cli.files import FORMATS, file_format
from tracer.cli.output import has_colour, note, show, show_json, width
from tracer.errors import BadInput, BadQuery
from tracer.units import NS_PER_S, duration_ns

EXIT: Final = {"pass": 0, "regression": 1, "could-not-judge": 3}
COMMAND_FAILED: Final = 4
PROTOCOLS: Final = ("http/protobuf", "grpc", "http/json")
SIDES: Final = ("--baseline", "--candidate")
MOST_BUDGET_BYTES: Final = 1 << 20
_FILES: Final = click.Path(path_type=Path)


class Check(click.Group):
    """`--baseline A B` means `--baseline A --baseline B`: shells expand patterns to that."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Words behind a side belong to it, up to the next flag."""
        return super().parse_args(
            ctx, args if args[:1] and args[0] in self.commands else _each(args)
        )


def _each(words: list[str]) -> list[str]:
    said: list[str] = []
    side, is_first = "", False
    for word in words:
        if word.startswith("-") and word != "-":
            flag = word.partition("=")[0]
            side, is_first = (flag if flag in SIDES else ""), word in SIDES
        elif side and not is_first:
            said.append(side)
        else:
            is_first = False
        said.append(word)
    return said


def _reading(command: options.Command) -> options.Command:
    """How files are read."""
    raw = click.option("--no-skew-correction", is_flag=True, help="Take all clocks as they are.")
    form = click.option(
        "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True
    )
    return form(options.overlap_tolerance(raw(command)))


@click.group("check", cls=Check, invoke_without_command=True)
@click.option(
    "--baseline",
    multiple=True,
    type=_FILES,
    metavar="FILE...",
    help="Runs to compare against: traces, each file a run, or what check record wrote.",
)
@click.option(
    "--candidate", multiple=True, type=_FILES, metavar="FILE...", help="Runs to judge, likewise."
)
@click.option(
    "--budget",
    type=_FILES,
    metavar="FILE",
    help="Limits, a line each: 'shop GET /*: max p95 < 300ms, calls <= 3, errors < 1%'.",
)
@click.option(
    "--min-ratio",
    type=click.FloatRange(0, 100),
    default=0.10,
    show_default=True,
    help="Changes below this share of what was are not worth a word.",
)
@click.option(
    "--min-excess",
    metavar="DURATION",
    default="1ms",
    show_default=True,
    help="Nor are times below this.",
)
@_reading
@options.limit(1_000, 20, "regressions")
@options.as_json
@click.option("--junit", type=_FILES, metavar="FILE", help="Write JUnit XML, too.")
@click.option("--markdown", type=_FILES, metavar="FILE", help="Write a summary for a comment, too.")
@click.option("--github", is_flag=True, help="Annotate the run of GitHub Actions (standard error).")
@click.pass_context
def command(ctx: click.Context, /, **words: Any) -> None:
    """Is the candidate slower than the baseline? For CI: exits with 1 if it is.

    Every call path and operation is judged by its calls, failures, critical time, self time, p50,
    p95 and p99. Worse is what is worse by more than chance and by enough. Each file is a run; with
    three runs a side or more, what differs between runs of one side is chance too. What all paths
    have in common is the environment, and no regression.

    Exit codes: 0 pass, 1 regression, 2 usage or bad input, 3 could not judge, 4 failure.

    A baseline to keep: tracer check record main-*.jsonl -o baseline.json

    Example: tracer check --baseline main-*.jsonl --candidate pr-*.jsonl --junit check.xml
    """
    if ctx.invoked_subcommand is None:
        ctx.exit(_check(**words))


def _check(
    *,
    baseline: tuple[Path, ...],
    candidate: tuple[Path, ...],
    budget: Path | None,
    min_ratio: float,
    min_excess: str,
    form: str,
    overlap_tolerance: str | None,
    no_skew_correction: bool,
    limit: int,
    json_output: bool,
    junit: Path | None,
    markdown: Path | None,
    github: bool,
) -> int:
    for flag, files in zip(SIDES, (baseline, candidate), strict=True):
        if not files:
            raise BadQuery(f"two sides are compared; give {flag} FILE too")
    from tracer.analysis.gate import Rules
    from tracer.analysis.limits import limits
    from tracer.service.check import check, read_side

    rules = Rules(min_ratio, _duration_ns("--min-excess", min_excess))
    kept = limits(_text(budget), str(budget)) if budget else ()
    how = _how(form, overlap_tolerance, no_skew_correction)
    sides = [read_side(files, how) for files in (baseline, candidate)]
    document = check(
        sides[0],
        sides[1],
        rules=rules,
        limits=kept,
        limit=limit,
        reproduce=_reproduce(click.get_current_context()),
    )
    if junit:
        from tracer.report.check_junit import check_junit

        _write(junit, check_junit(document))
    if markdown:
        from tracer.report.check_markdown import check_markdown

        _write(markdown, check_markdown(document).encode())
    if github:
        from tracer.report.check_github import check_github

        for line in check_github(document):
            note(line)
    if json_output:
        show_json(document)
    else:
        from tracer.report.check_text import check_text

        show(check_text(document, width=width(), colour=has_colour()))
    return EXIT[document["verdict"]]


@command.command("record")
@click.argument("files", nargs=-1, required=True, type=_FILES, metavar="FILE...")
@click.option("-o", "--output", required=True, type=_FILES, metavar="FILE", help="What to write.")
@click.option(
    "--commit",
    envvar=["GITHUB_SHA", "CI_COMMIT_SHA"],
    help="What ran [$GITHUB_SHA, $CI_COMMIT_SHA].",
)
@click.option("--environment", metavar="TEXT", help="Where it ran: machine, image, region.")
@click.option("--load", metavar="TEXT", help="What was asked of it: 'k6 50 users 2 minutes'.")
@_reading
def record(
    *,
    files: tuple[Path, ...],
    output: Path,
    commit: str | None,
    environment: str | None,
    load: str | None,
    form: str,
    overlap_tolerance: str | None,
    no_skew_correction: bool,
) -> None:
    """Keep runs as a baseline: a small file to compare with later, for a repository or cache.

    It holds sums and histograms by call path and run, no single request, in at most a megabyte. A
    recorded baseline may be among the files: its runs and the new ones are written together.

    Example: tracer check record main-*.jsonl -o baseline.json --commit 4f2c1d0
    """
    from tracer.service.check import read_side
    from tracer.service.check import record as recorded

    side = read_side(files, _how(form, overlap_tolerance, no_skew_correction))
    words = (("commit", commit), ("environment", environment), ("load", load))
    body, left_out = recorded(side, {name: text for name, text in words if text})
    _write(output, body)
    for remark in side.notes:
        note(remark)
    if left_out:
        note(f"{left_out:,} call paths in the fewest requests were left out")
    traces = sum(run.traces for run in side.runs)
    spans = sum(run.spans for run in side.runs)
    show(
        f"{output}: {len(side.runs)} runs, {traces:,} traces, {spans:,} spans, {len(body):,} bytes"
    )


@command.command("run", context_settings={"allow_interspersed_args": False})
@click.option("-o", "--out", required=True, type=_FILES, metavar="FILE", help="What to write.")
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default=PROTOCOLS[0],
    show_default=True,
    help="What OTEL_EXPORTER_OTLP_PROTOCOL says.",
)
@click.option(
    "--quiet",
    metavar="DURATION",
    default="2s",
    show_default=True,
    help="Wait for exports after the command ended until none came for so long.",
)
@click.option(
    "--longest", metavar="DURATION", default="60s", show_default=True, help="But no longer."
)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    *,
    out: Path,
    protocol: Any,
    quiet: str,
    longest: str,
    words: tuple[str, ...],
) -> None:
    """Run a command and keep the traces that it sends: a run for check.

    OTLP receivers listen on free ports of this machine while it runs; the command is told by
    OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL. Exits with 4 when the command
    fails, 3 when no span came. Needs the server parts, but no store.

    Example: tracer check run --out pr-1.jsonl -- pytest tests/load
    """
    from tracer.service.check_run import run_recorded

    done = run_recorded(
        words,
        out,
        os.environ,
        protocol=protocol,
        quiet_s=_duration_ns("--quiet", quiet) / NS_PER_S,
        longest_s=_duration_ns("--longest", longest) / NS_PER_S,
    )
    note(f"{out}: {done.spans:,} spans")
    if done.code:
        note(f"tracer: {words[0]} ended with exit code {done.code}; its traces are in {out}")
        ctx.exit(COMMAND_FAILED)
    if not done.spans:
        note("tracer: no span came; does the command export over OTLP, and to the end?")
        ctx.exit(EXIT["could-not-judge"])


def _how(form: str, overlap_tolerance: str | None, no_skew_correction: bool) -> Any:
    from tracer.service.check import Reading

    tolerance_ns = None
    if overlap_tolerance is not None:
        tolerance_ns = _duration_ns("--overlap-tolerance", overlap_tolerance)
    return Reading(file_format(form), tolerance_ns, not no_skew_correction, time.time_ns())


def _duration_ns(flag: str, text: str) -> int:
    try:
        return 0 if text.strip() == "0" else duration_ns(text)
    except BadQuery as error:
        raise BadQuery(f"{flag}: {error}") from error


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BUDGET_BYTES:
            raise BadInput(f"{path} is larger than a megabyte; name a file of limits")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read ({error}); name a file of limits") from None


def _write(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}; name another file") from None


def _reproduce(ctx: click.Context) -> str:
    """What was said that decides."""
    words = ["tracer", "check"]
    for parameter in ctx.command.params:
        name = parameter.name or ""
        value = ctx.params.get(name)
        is_output = name in ("json_output", "junit", "markdown", "github")
        if is_output or value in (None, False) or value == parameter.default:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += [parameter.opts[0]] if one is True else [parameter.opts[0], str(one)]
    return shlex.join(words)
