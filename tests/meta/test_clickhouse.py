"""The ClickHouse example: well-formed, whole, and of settings that the engine knows."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from tests.support.deploy import DEPLOY
from tests.support.engine import fresh_engine

HERE = DEPLOY / "clickhouse"
FILES = sorted(HERE.rglob("*.xml"))


def root(name: str) -> Element:
    return ElementTree.parse(HERE / name).getroot()


def at(element: Element, path: str) -> Element:
    """The element at `path`, which must be there."""
    found = element.find(path)
    assert found is not None, path
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_a_configuration_and_says_what_it_is_for(path: Path) -> None:
    assert ElementTree.parse(path).getroot().tag == "clickhouse"
    assert path.read_text().startswith("<!-- ")


def test_the_cluster_is_two_shards_of_two_replicas_that_replicate_themselves() -> None:
    cluster = at(root("config.d/cluster.xml"), "remote_servers/tracer")
    assert "?cluster=tracer" in (HERE / "config.d" / "cluster.xml").read_text()
    shards = cluster.findall("shard")
    hosts = [[host.text for host in shard.findall("replica/host")] for shard in shards]
    assert [len(replicas) for replicas in hosts] == [2, 2]
    assert len({host for replicas in hosts for host in replicas}) == 4
    assert {at(shard, "internal_replication").text for shard in shards} == {"true"}
    assert {one.tag for one in at(root("config.d/macros.xml"), "macros")} == {"shard", "replica"}


def test_servers_ask_the_keepers_there_are() -> None:
    asked = at(root("config.d/cluster.xml"), "zookeeper").findall("node")
    keeper = at(root("keeper.xml"), "keeper_server")
    made = [host.text for host in keeper.findall("raft_configuration/server/hostname")]
    assert [at(node, "host").text for node in asked] == made
    assert {at(node, "port").text for node in asked} == {at(keeper, "tcp_port").text}


def test_the_user_has_its_profile_and_its_password_elsewhere() -> None:
    users = root("users.d/tracer.xml")
    user = at(users, "users/tracer")
    assert at(user, "profile").text == at(users, "profiles")[0].tag
    assert at(user, "password_sha256_hex").attrib == {"from_env": "CLICKHOUSE_PASSWORD_SHA256"}
    assert at(user, "password_sha256_hex").text is None
    assert all(at(user, "networks")[0].text != any_ for any_ in ("::/0", "0.0.0.0/0"))


def test_the_engine_knows_every_setting_and_every_grant() -> None:
    users = root("users.d/tracer.xml")
    settings = {one.tag for one in at(users, "profiles/tracer")}
    server = {one.tag for one in root("config.d/limits.xml") if one.text and not len(one)}
    grants = [one.text for one in at(users, "users/tracer/grants")]
    with fresh_engine() as engine:
        known = {row[0] for row in engine.rows("SELECT name FROM system.settings")}
        known_to_server = {row[0] for row in engine.rows("SELECT name FROM system.server_settings")}
        for grant in grants:
            assert engine.rows(f"EXPLAIN AST {grant} TO tracer")
    assert settings - known == set()
    assert server - known_to_server - {"listen_host"} == set()
