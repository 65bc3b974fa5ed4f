"""A disk that fills up under load, and has room again: exports are refused, then taken, none lost.

    python -m tests.soak.full_disk [--rate 10000]

The data directory lies on a small file system in memory, most of it taken by one large file. While
the disk is full, exports must be refused as "retry", readiness must say why, and questions must be
answered. Then the large file is deleted and nothing else is done. Exit code 0: every acknowledged
span is there once; 1: it is not, or something else is wrong; 3: this machine may not mount.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.cli.serving import Server
from tests.soak import ledger, stored, verdict
from tests.soak.kill import Run, end, export, free_port, sending, serving_on, settled
from tests.soak.scrape import scraped

DISK_BYTES: Final = 320 << 20
TAKEN_BYTES: Final = 200 << 20
FULL_S: Final = 8.0  # the disk stays full
FILLS_S: Final = 120.0
RECOVERS_S: Final = 30.0
LAST_S: Final = 5.0
REFUSED: Final = "tracer_receiver_refused_requests_total"


class CannotJudge(Exception):
    """Something outside tracer is missing."""


def main() -> int:
    """Fill, wait, make room, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rate", type=float, default=10_000)
    return run(parser.parse_args().rate)


def run(rate: float) -> int:
    """The exit code; prints what happened."""
    seen = Run()
    with tempfile.TemporaryDirectory(prefix="full-disk-") as name:
        directory = Path(name)
        try:
            with small_disk(directory / "data"):
                exported = fill_and_export(directory, rate, seen)
                entries = list(ledger.read(directory / "ledger"))
                found = stored.examine(directory / "data")
        except CannotJudge as reason:
            sys.stderr.write(f"cannot judge: {reason}\n")
            return 3
    judged = verdict.judge(seen.kills_ns, entries, exported, found)
    problems = seen.problems + judged.problems
    sys.stdout.write(verdict.drawn(judged, seen.lived_s, "full after s"))
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """A file system of `DISK_BYTES` at `directory`. Raises CannotJudge where it is not allowed."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(directory)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise CannotJudge("there is no mount command here") from error
    if done.returncode:
        raise CannotJudge(f"a file system in memory cannot be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill_and_export(directory: Path, rate: float, seen: Run) -> dict[str, int]:
    """The whole story; how often each span is in an export at its end."""
    taken = directory / "data" / "taken"
    with taken.open("wb") as file:
        for _ in range(TAKEN_BYTES >> 20):
            file.write(bytes(1 << 20))
    port = free_port()
    with serving_on(directory, port) as server, sending(directory, port, rate, 1) as sender:
        began_s = time.monotonic()
        _wait(server, lambda now: now.get(REFUSED, 0.0) > 0, FILLS_S, "the disk did not fill", seen)
        seen.lived_s.append(time.monotonic() - began_s)
        seen.kills_ns.append(time.time_ns())
        time.sleep(FULL_S)
        seen.problems += _while_full(server)
        taken.unlink()
        before = scraped(server)["tracer_spans_accepted_total"]
        _wait(
            server,
            lambda now: now["tracer_spans_accepted_total"] > before,
            RECOVERS_S,
            "exports are still refused after there is room",
            seen,
        )
        time.sleep(LAST_S)
        end(sender, seen)
        ended_s = time.time()
        exported = export(server)
        if not settled(server, ended_s):
            seen.problems.append("analysis did not come to rest")
        if code := server.stop():
            seen.problems.append(f"tracer ended with {code}: {server.said()[-2000:]}")
    return exported


def _wait(
    server: Server,
    is_so: Callable[[dict[str, float]], bool],
    patience_s: float,
    else_: str,
    seen: Run,
) -> None:
    give_up_s = time.monotonic() + patience_s
    while not is_so(scraped(server)):
        if time.monotonic() > give_up_s:
            seen.problems.append(else_)
            return
        time.sleep(0.2)


def _while_full(server: Server) -> list[str]:
    """What is wrong with the answers of a tracer whose disk is full."""
    problems = []
    ready = httpx.get(f"{server.url}/api/v1/health/ready")
    if ready.status_code != 503 or "disk" not in ready.text:
        problems.append(f"ready says {ready.status_code} while the disk is full: {ready.text}")
    for path in ("health/live", "services", "slow-traces", "traces"):
        answer = httpx.get(f"{server.url}/api/v1/{path}", timeout=30)
        if answer.status_code != 200:
            problems.append(f"{path} answers {answer.status_code} while full: {answer.text[:300]}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
