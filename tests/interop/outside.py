"""What the programs here need and tracer does not bring: Node.js, Go, and packages for both."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
NPM_S: Final = 300.0
SHOWN: Final = 2000  # characters of what a failed tool said


class CannotJudge(Exception):
    """Something outside tracer is missing."""


def node_application(directory: Path) -> Path:
    """A copy of the Node.js applications with their packages. Raises CannotJudge."""
    if not directory.exists():
        need("node", "install Node.js 20 or newer")
        need("npm", "install Node.js 20 or newer")
        shutil.copytree(HERE / "node", directory, ignore=shutil.ignore_patterns("node_modules"))
        run_tool(["npm", "install", "--loglevel=error"], directory, NPM_S)
    return directory


def need(tool: str, fix: str) -> None:
    """Raises CannotJudge when the tool is not there."""
    if shutil.which(tool) is None:
        raise CannotJudge(f"{tool} is not on the PATH; {fix}")


def run_tool(command: Sequence[str], directory: Path, longest_s: float) -> None:
    """Runs it to its end. Raises CannotJudge when it fails or takes too long."""
    name = " ".join(command[:2])
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=longest_s,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotJudge(f"{name} took more than {longest_s:.0f} s") from error
    if done.returncode:
        raise CannotJudge(f"{name} failed:\n{(done.stdout + done.stderr)[-SHOWN:]}")
