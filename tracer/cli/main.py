"""The door of the command line: finds the command, runs it, turns errors into exit codes.

0 ok    1 the answer is bad    2 usage or bad input    3 could not judge    4 failure
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from tracer import __version__
from tracer.errors import TracerError, codes, shortened

COMMANDS: Final = {
    "serve": "tracer.cli.serve",
    "health": "tracer.cli.health",
    "demo": "tracer.cli.demo",
    "analyze": "tracer.cli.analyze",
    "slow": "tracer.cli.slow",
    "path": "tracer.cli.path",
    "compare": "tracer.cli.compare",
    "check": "tracer.cli.check",
    "trace": "tracer.cli.trace",
    "services": "tracer.cli.services",
    "baseline": "tracer.cli.baseline",
    "errors": "tracer.cli.errors",
    "dependencies": "tracer.cli.dependencies",
    "storage": "tracer.cli.storage",
    "import": "tracer.cli.imports",
    "export": "tracer.cli.export",
    "pull": "tracer.cli.pull",
}
# Modules that only the extra `server` brings; everything else is a fault of ours when missing.
SERVER_PARTS: Final = frozenset(
    (
        "backports",
        "chdb",
        "clickhouse_connect",
        "fastapi",
        "grpc",
        "grpc_health",
        "grpc_reflection",
        "grpc_status",
        "httpx",
        "lz4",
        "networkx",
        "prometheus_client",
        "starlette",
        "urllib3",
        "uvicorn",
    )
)
USAGE: Final = 2
FAILURE: Final = 4
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells say it
BROKEN_PIPE: Final = 141  # 128 + SIGPIPE


class Commands(click.Group):
    """Imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """None when there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Everything is written before the command counts as done."""
        result = super().invoke(ctx)
        sys.stdout.flush()
        return result


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 the answer is bad, 2 usage or bad input, 3 could not judge, "
    "4 failure. Times are RFC 3339, unix seconds or -15m; durations are 250ms, 1.5s, 2m.",
)
@click.version_option(__version__, prog_name="tracer")
def tracer() -> None:
    """Why are requests slow right now, and where is the proof?

    Example: tracer analyze trace.json
    """


def main() -> None:
    """The console entry."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; gives the exit code and never raises."""
    try:
        result = tracer.main(list(arguments), prog_name="tracer", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit:  # how click says that whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
        return BROKEN_PIPE
    except TracerError as error:
        return _say(str(error), codes(error).exit)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in SERVER_PARTS:
            return _uncaught(error)
        return _say("this needs the server parts: pip install 'tracer-analyzer[server]'", USAGE)
    except Exception as error:  # noqa: BLE001 - the door: nothing uncaught may exit 1
        return _uncaught(error)


def _uncaught(error: Exception) -> int:
    if os.environ.get("TRACER_DEBUG") == "1":
        traceback.print_exception(error)
    reason = " ".join(str(error).split())
    return _say(
        f"internal error: {type(error).__name__}: {reason} (TRACER_DEBUG=1 shows where)", FAILURE
    )


def _say(message: str, code: int) -> int:
    click.echo(f"tracer: {shortened(message)}", err=True)
    return code
