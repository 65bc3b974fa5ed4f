"""Options that several commands take, each written once, under the names of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tracer.cli.trust import OPTIONS as TRUST

Command = TypeVar("Command", bound=Callable[..., Any])

MOMENT = "RFC 3339, unix seconds or -15m"


def _all(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


as_json = click.option("--json", "json_output", is_flag=True, help="Print the document as JSON.")

source = _all(
    click.option(
        "--server",
        metavar="URL",
        help="A running tracer, http://host:8000 [$TRACER_SERVER].",
    ),
    click.option(
        "--data",
        metavar="DIR",
        help="A data directory; asked over HTTP while a tracer runs on it [./data].",
    ),
    *TRUST,
)

moments = _all(
    click.option("--since", metavar="DURATION", help="The range from then until now: 15m, 2h, 7d."),
    click.option("--start", metavar="TIME", help=f"Start of the range, included: {MOMENT}."),
    click.option("--end", metavar="TIME", help=f"End of the range, excluded: {MOMENT} [now]."),
)

baseline_moments = _all(
    click.option(
        "--baseline-start", metavar="TIME", help="Start of what is compared against, included."
    ),
    click.option(
        "--baseline-end", metavar="TIME", help="End of what is compared against, excluded."
    ),
)

names = _all(
    click.option("--service", metavar="NAME", help="Only this service."),
    click.option("--operation", metavar="NAME", help="Only this operation (span name)."),
)


def limit(most: int, default: int, what: str) -> Callable[[Command], Command]:
    """`--limit`, at most `most`."""
    return click.option(
        "--limit",
        type=click.IntRange(1, most),
        default=default,
        show_default=True,
        help=f"Most {what} shown, up to {most}.",
    )


no_skew_correction = click.option(
    "--no-skew-correction",
    "skew_correction",
    flag_value="false",
    default=None,
    help="Take the clocks of all hosts as they are.",
)

overlap_tolerance = click.option(
    "--overlap-tolerance",
    metavar="DURATION",
    help="Longest overlap of two spans that still counts as one after the other: 1ms, or 0.",
)
