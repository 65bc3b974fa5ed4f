"""A flag for every setting, made from the one table of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, Final, TypeVar

import click

from tracer.settings import Settings
from tracer.units import duration_ns, size_bytes

Command = TypeVar("Command", bound=Callable[..., Any])
_DURATIONS: Final = tuple(
    (unit, duration_ns(f"1{unit}")) for unit in ("d", "h", "m", "s", "ms", "us", "ns")
)
_SIZES: Final = tuple((unit, size_bytes(f"1{unit}")) for unit in ("GiB", "MiB", "KiB", "B"))


def settings_flags(command: Command) -> Command:
    """`--otlp-grpc-port` for `otlp_grpc_port` and so on; values stay text, the table parses."""
    for row in reversed(fields(Settings)):
        command = _option(row)(command)
    return command


def _option(row: Field[Any]) -> Callable[[Command], Command]:
    flag = f"--{row.name.replace('_', '-')}"
    meaning = row.metadata["meaning"]
    if isinstance(row.default, bool):
        return click.option(flag, row.name, is_flag=True, flag_value="true", help=f"{meaning}.")
    default = default_text(row)
    shown = f" [{default}]" if default else ""
    return click.option(flag, row.name, metavar="VALUE", help=f"{meaning}{shown}.")


def default_text(row: Field[Any]) -> str:
    """The default as one would write it."""
    parse, default = row.metadata["parse"], row.default
    if isinstance(default, int) and parse in (duration_ns, size_bytes):
        return _largest_unit(default, _DURATIONS if parse is duration_ns else _SIZES)
    return ",".join(default) if isinstance(default, tuple) else str(default)


def _largest_unit(value: int, units: tuple[tuple[str, int], ...]) -> str:
    for unit, size in units:
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)
