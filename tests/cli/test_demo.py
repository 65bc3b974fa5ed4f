"""`tracer demo` hands over to the shop."""

from __future__ import annotations

from tests.cli.running import run
from tracer.demo import faults


def test_the_list_names_every_fault() -> None:
    done = run("demo", "--list")
    assert done.code == 0
    assert all(fault.name in done.out for fault in faults.FAULTS)


def test_a_fault_that_is_none() -> None:
    done = run("demo", "--fault", "gremlins", "--once")
    assert (done.code, done.out) == (2, "")
    assert "gremlins" in done.err
