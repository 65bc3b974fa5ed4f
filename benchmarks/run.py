"""`make bench`: every benchmark, one table, and a file in `benchmarks/results/`.

Arguments choose some by name: `make bench ARGS="decode kernel"`.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks import (
    bench_calls,
    bench_compare,
    bench_decode,
    bench_files,
    bench_ingest,
    bench_kernel,
    bench_lookup,
    bench_paths,
)

BENCHMARKS: Final[dict[str, Callable[[], list[dict[str, Any]]]]] = {
    "decode": bench_decode.run,
    "files": bench_files.run,
    "kernel": bench_kernel.run,
    "paths": bench_paths.run,
    "calls": bench_calls.run,
    "compare": bench_compare.run,
    "lookup": bench_lookup.run,
    "ingest": bench_ingest.run,
}
RESULTS: Final = Path(__file__).parent / "results"


def main(chosen: list[str]) -> int:
    unknown = set(chosen) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark is called {', '.join(sorted(unknown))}; there are {[*BENCHMARKS]}")
        return 2
    machine = describe_machine()
    print("  ".join(f"{name}: {value}" for name, value in machine.items()))
    results: dict[str, list[dict[str, Any]]] = {}
    for name in chosen or BENCHMARKS:
        print(f"\n{name}", flush=True)
        results[name] = BENCHMARKS[name]()
        for row in results[name]:
            print(_line(row), flush=True)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}-{machine['commit']}.json"
    path.write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")
    print(f"\nwritten to {path.relative_to(RESULTS.parents[1])}")
    return 0


def describe_machine() -> dict[str, str]:
    """What a number cannot be read without."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "commit": commit or "unknown",
        "cores": str(len(os.sched_getaffinity(0))),
        "cpu": _cpu(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _line(row: dict[str, Any]) -> str:
    text = f"  {row['name']:<62} {_number(row['value']):>10} {row['unit']}"
    if row["reference"] is not None:
        text += f"   reference {_number(row['reference'])}, ratio {row['ratio']:.2f}"
    return text


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
