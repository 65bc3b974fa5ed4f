"""The table of faults agrees with the shop and with itself."""

from __future__ import annotations

import pytest

from tracer.demo import faults, topology
from tracer.demo.faults import FAULTS, Fault
from tracer.demo.run import run
from tracer.demo.services.cart import MERGE_MS


def test_names_are_unique_and_the_default_is_one_of_them() -> None:
    assert len(faults.BY_NAME) == len(FAULTS) == 8
    assert faults.DEFAULT in faults.BY_NAME


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_in_the_shop_and_its_blamed_service_exports(fault: Fault) -> None:
    assert fault.switched_in in topology.BY_NAME
    assert topology.BY_NAME[fault.service].protocol


def test_a_new_version_is_one_that_the_service_knows_and_slower() -> None:
    replaced = [fault for fault in FAULTS if fault.new_version]
    assert [fault.name for fault in replaced] == [faults.SLOW_VERSION]
    for fault in replaced:
        old = topology.BY_NAME[fault.switched_in].version
        assert MERGE_MS[fault.new_version] > MERGE_MS[old]


def test_the_description_has_every_fault_and_the_default() -> None:
    text = faults.describe()
    assert all(f"{fault.name} " in text and fault.sentence in text for fault in FAULTS)
    assert text.endswith(f"default: {faults.DEFAULT}")


def test_an_unknown_fault_is_a_usage_error_that_lists_the_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(fault="gremlins") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert all(name in captured.err for name in ("gremlins", *faults.BY_NAME))
