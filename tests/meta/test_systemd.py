"""The systemd unit: it starts tracer, gives it time to store, and lets it do nothing else."""

from __future__ import annotations

from tests.support.deploy import DEPLOY, STOP_S
from tracer.cli.main import COMMANDS
from tracer.settings import Settings
from tracer.units import size_bytes


def unit() -> dict[str, list[str]]:
    """Values of the service section; a name may come several times."""
    lines = (DEPLOY / "systemd" / "tracer.service").read_text().splitlines()
    values: dict[str, list[str]] = {}
    section = lines[lines.index("[Service]") + 1 : lines.index("[Install]")]
    for line in section:
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            values.setdefault(name, []).append(value)
    return values


SERVICE = unit()


def test_it_starts_a_command_that_exists_with_the_data_where_it_may_write() -> None:
    program, command = SERVICE["ExecStart"][0].split()
    assert (program.rpartition("/")[2], command in COMMANDS) == ("tracer", True)
    state = SERVICE["StateDirectory"][0]
    assert f"TRACER_DATA=%S/{state}" in SERVICE["Environment"]
    assert f"TMPDIR=%S/{state}" in SERVICE["Environment"]


def test_it_has_time_to_store_and_comes_back_unless_its_settings_are_wrong() -> None:
    assert int(SERVICE["TimeoutStopSec"][0]) > STOP_S
    assert SERVICE["Restart"] == ["on-failure"]
    assert SERVICE["RestartPreventExitStatus"] == ["2"]
    memory = size_bytes(SERVICE["MemoryMax"][0] + "iB")
    assert memory >= 2 * Settings.engine_memory


def test_it_may_do_nothing_else() -> None:
    for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome"):
        assert SERVICE[name] == ["yes"]
    assert SERVICE["ProtectSystem"] == ["strict"]
    assert SERVICE["CapabilityBoundingSet"] == [""]
    assert SERVICE["SystemCallFilter"] == ["@system-service", "~@privileged"]
    assert "User" not in SERVICE
