"""`tracer pull`."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tracer.cli import back_end, options
from tracer.cli.output import note, show, show_json
from tracer.cli.source import Document, Source, open_source
from tracer.errors import BadQuery, TracerError, Unavailable
from tracer.settings import load
from tracer.units import duration_ns, rfc3339

if TYPE_CHECKING:
    from tracer.ingest.pull.contract import Source as BackEnd
    from tracer.ingest.pull.cursor import Cursor
    from tracer.service.pull import Plan, Pulled

SINCE: Final = "1h"
LONGEST_PAUSE_S: Final = 60.0  # while something is away
LONGEST_WAIT_S: Final = 600.0  # when it says for how long


@click.command("pull")
@click.argument("kind", type=click.Choice(back_end.KINDS))
@click.option("--url", required=True, metavar="URL", help="Where it is: http://host:16686[/base].")
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only these [all].")
@click.option("--operation", metavar="NAME", help="Only traces with this operation of them.")
@click.option("--min-duration", metavar="DURATION", help="Only traces with such a long span.")
@options.moments
@click.option("--follow", is_flag=True, help="Go on with what is new, until stopped.")
@click.option(
    "--interval", metavar="DURATION", default="15s", show_default=True, help="Pause of --follow."
)
@click.option(
    "--delay",
    metavar="DURATION",
    default="30s",
    show_default=True,
    help="Stay so far behind now: spans take time to get there.",
)
@click.option(
    "--overlap",
    metavar="DURATION",
    default="2m",
    show_default=True,
    help="Look so far back each time, for spans that came late.",
)
@click.option(
    "--cursor",
    type=click.Path(path_type=Path),
    help="File that remembers how far this is [in --data, else in the state directory].",
)
@back_end.options
@options.source
@options.as_json
def command(
    *,
    kind: str,
    url: str,
    follow: bool,
    interval: str,
    cursor: Path | None,
    server: str | None,
    data: str | None,
    json_output: bool,
    **said: Any,
) -> None:
    """Store traces from a back end of KIND with the times they have.

    Goes on where the same pull ended last, without gaps, and counts nothing twice. The first time
    it begins --since an hour ago. Secrets come from the environment, see --source-user.

    Example: tracer pull jaeger --url http://jaeger:16686 --since 1h --follow --data ./data
    """
    from tracer.ingest.pull.cursor import read_cursor
    from tracer.service.pull import Pulled, begin

    plan, start_ns = _plan(said), _start_ns(said)
    pause_s, delay_ns = _duration(interval, "interval") / 1e9, _duration(said["delay"], "delay")
    end_ns = _end_ns(said, follow)
    with back_end.back_end(kind, url) as origin, open_source(server, data, may_create=True) as into:
        directory = _directory(server, data)
        what = f"{plan.what(f'{kind}:{origin.name}')} into {directory or into.name}"
        path = cursor or _cursor_path(directory, what)
        known = read_cursor(path, what)
        is_asked = bool(said["since"] or said["start"])
        at = begin(known, what, start_ns, is_asked=is_asked)
        if known is at:
            note(f"going on from {rfc3339(at.end_ns)} (cursor {path})")
        pulled = Pulled()
        pull = _Pull(origin, plan, into, path=path, pulled=pulled)
        try:
            if follow:
                pull.follow(at, delay_ns, pause_s)
            else:
                pull.once(at, min(end_ns, time.time_ns() - delay_ns))
        except (TracerError, KeyboardInterrupt):
            into.finish()
            _told(pulled, into.name, rfc3339(at.end_ns), json_output, is_whole=False)
            raise
        _told(pulled, into.name, rfc3339(at.end_ns), json_output, is_whole=True)


class _Pull:
    """One run of the command."""

    def __init__(
        self, origin: BackEnd, plan: Plan, into: Source, *, path: Path, pulled: Pulled
    ) -> None:
        self._origin = origin
        self._plan = plan
        self._into = into
        self._path = path
        self._pulled = pulled

    def once(self, cursor: Cursor, until_ns: int) -> None:
        """Up to a moment."""
        from tracer.ingest.pull.cursor import write_cursor
        from tracer.service.pull import pull

        pull(
            self._origin,
            self._plan,
            cursor,
            until_ns,
            store=self._into.store,
            save=lambda reached: write_cursor(self._path, reached),
            pulled=self._pulled,
        )
        self._into.finish()

    def follow(self, cursor: Cursor, delay_ns: int, pause_s: float) -> None:
        """Without end; a back end or a store that is away is waited for."""
        failed, said = 0, ""
        while True:
            try:
                self.once(cursor, time.time_ns() - delay_ns)
                if failed:
                    note(f"going on from {rfc3339(cursor.end_ns)}")
                failed, said, least_s = 0, "", 0.0
            except Unavailable as error:
                failed, least_s = failed + 1, min(error.retry_after_s, LONGEST_WAIT_S)
                if str(error) != said:
                    said = str(error)
                    note(f"{said}; trying on")
            longest_s = max(pause_s, LONGEST_PAUSE_S)
            time.sleep(max(least_s, min(longest_s, pause_s * 2 ** min(failed, 8))))


def _plan(said: dict[str, Any]) -> Plan:
    from tracer.service.pull import Plan

    least = said["min_duration"]
    return Plan(
        tuple(said["services"]),
        said["operation"] or "",
        None if least is None else _duration(least, "min-duration"),
        overlap_ns=_duration(said["overlap"], "overlap"),
    )


def _duration(text: str, name: str) -> int:
    try:
        return duration_ns(text)
    except BadQuery as error:
        raise BadQuery(f"--{name}: {error}") from error


def _window(said: dict[str, Any]) -> Any:
    from tracer.service import words

    moments = {name: said[name] for name in ("since", "start", "end")}
    return words.window(time.time_ns(), **moments, default_since=SINCE)


def _start_ns(said: dict[str, Any]) -> int:
    return int(_window(said).start_ns)


def _end_ns(said: dict[str, Any], follow: bool) -> int:
    if follow and said["end"]:
        raise BadQuery("--follow has no end; leave out --end")
    return int(_window(said).end_ns)


def _directory(server: str | None, data: str | None) -> Path | None:
    """The data directory, whoever has it open; None for a server."""
    if server or (not data and os.environ.get("TRACER_SERVER")):
        return None
    settings = load({"data": data}, os.environ)
    return None if settings.store else Path(settings.data).resolve()


def _cursor_path(directory: Path | None, what: str) -> Path:
    """One file for each question and each store."""
    name = f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.json"
    if directory is not None:
        return directory / "pull" / name
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "tracer" / "pull" / name


def _told(pulled: Pulled, into: str, until: str, json_output: bool, *, is_whole: bool) -> None:
    taken = pulled.taken
    rejected = pulled.rejected + taken.rejected.total()
    for reason in sorted({*pulled.reasons, *taken.rejected}):
        note(f"rejected: {reason}")
    if json_output:
        document: Document = {
            "schema": "tracer.pull/1",
            "traces": taken.traces,
            "spans": pulled.spans,
            "rejected": rejected,
            "requests": taken.requests,
            "complete": is_whole,
            "until": until,
            "into": into,
        }
        show_json(document)
        return
    text = (
        f"{taken.traces:,} {'trace' if taken.traces == 1 else 'traces'}, {pulled.spans:,} spans "
        f"until {until} into {into}{f', {rejected:,} rejected' if rejected else ''}"
    )
    if is_whole:
        show(f"pulled {text}")
    else:
        note(f"stored before it ended: {text}; the same command goes on there")
