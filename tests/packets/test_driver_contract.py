"""What every data plane driver keeps to: the one in memory and OVN's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from synnefo_common.errors import Unavailable
from synnefo_common.ids import RandomIds
from synnefo_network.app.driver import Driver, MemoryDriver
from synnefo_network.clients.ovn.driver import GENERATION, OvnDriver
from synnefo_network.domain.northbound.rows import Parent, Ref, Row, Scope, plan
from synnefo_network.main import build, make_driver
from synnefo_network.settings import Settings
from tests.packets.conftest import Cloud, projection_of
from tests.packets.lab import Lab, eventually

NETWORK, PORT, GROUP = Scope("network", "n1"), Scope("port", "p1"), Scope("security_group", "g1")


def _rows() -> list[Row]:
    switch = Row("Logical_Switch", "s1", NETWORK, {"name": "s1", "other_config": {"mcast_snoop": "false"}, "external_ids": {"a": "b"}}, revision=1)
    dhcp = Row("DHCP_Options", "d1", NETWORK, {"cidr": "10.0.0.0/24", "options": {"mtu": "1442"}, "external_ids": {}}, revision=1)
    group = Row("Port_Group", "g1", GROUP, {"name": "g1", "external_ids": {}}, revision=1)
    acl = {"direction": "to-lport", "priority": 1002, "match": "outport == @g1 && ip4", "action": "allow-related", "external_ids": {}}
    rule = Row("ACL", "r1", GROUP, acl, frozenset({Parent("Port_Group", "acls", "g1")}), 1)
    columns = {
        "name": "p1", "type": "", "addresses": frozenset({"fa:16:3e:00:00:01 10.0.0.5"}), "enabled": frozenset({True}),
        "dhcpv4_options": frozenset({Ref("DHCP_Options", "d1")}), "external_ids": {},
    }  # fmt: skip
    parents = frozenset({Parent("Logical_Switch", "ports", "s1"), Parent("Port_Group", "ports", "g1")})
    return [switch, dhcp, group, rule, Row("Logical_Switch_Port", "p1", PORT, columns, parents, 1)]


async def _started(driver: Driver) -> Driver:
    await driver.start(lambda: None)
    await eventually(lambda: driver.session is not None, what="the driver may write")
    return driver


def _ovn(lab: Lab) -> OvnDriver:
    driver = make_driver(Settings(**lab.settings()), RandomIds())
    assert isinstance(driver, OvnDriver)
    return driver


@pytest.fixture(params=["memory", "ovn"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """Empty, and ready to be written to."""
    made: Driver = MemoryDriver() if request.param == "memory" else _ovn(request.getfixturevalue("lab"))
    await _started(made)
    await _bring(made, [])
    yield made
    await made.stop()


async def _bring(driver: Driver, rows: list[Row]) -> int:
    """How many rows were different."""
    changes = plan(rows, await driver.observe())
    await driver.apply(changes)
    return len(changes)


async def test_what_is_applied_is_observed(driver: Driver) -> None:
    assert await _bring(driver, _rows()) == 5
    found = await driver.observe()
    for row in _rows():
        there = found[row.name]
        assert (there.scope, there.parents, there.revision) == (row.scope, row.parents, row.revision)
        assert {name: there.columns[name] for name in row.columns} == row.columns


async def test_what_is_there_already_is_not_written(driver: Driver) -> None:
    await _bring(driver, _rows())
    assert await _bring(driver, _rows()) == 0


async def test_a_scope_is_observed_alone(driver: Driver) -> None:
    await _bring(driver, _rows())
    found = await driver.observe([PORT])
    assert set(found) == {("Logical_Switch_Port", "p1")}
    assert found["Logical_Switch_Port", "p1"].parents == _rows()[-1].parents


async def test_a_changed_column_and_a_left_group_are_brought_over(driver: Driver) -> None:
    await _bring(driver, _rows())
    *others, port = _rows()
    columns = {**port.columns, "enabled": frozenset({False}), "dhcpv4_options": frozenset()}
    changed = replace(port, columns=columns, parents=frozenset({Parent("Logical_Switch", "ports", "s1")}), revision=2)
    assert await _bring(driver, [*others, changed]) == 1
    there = (await driver.observe())["Logical_Switch_Port", "p1"]
    assert there.columns["enabled"] == {False}
    assert there.columns["dhcpv4_options"] == frozenset()
    assert there.parents == changed.parents


async def test_an_older_revision_does_not_undo_a_newer_one(driver: Driver) -> None:
    switch = _rows()[0]
    await _bring(driver, [replace(switch, revision=5)])
    old = replace(switch, revision=4, columns={**switch.columns, "external_ids": {"a": "old"}})
    assert await driver.apply(plan([old], await driver.observe())) == [switch.name]
    there = (await driver.observe())[switch.name]
    assert (there.revision, there.columns["external_ids"]) == (5, {"a": "b"})


async def test_what_a_row_holds_goes_with_it(driver: Driver) -> None:
    await _bring(driver, _rows())
    rows = await driver.observe()
    await driver.apply(plan([rows["DHCP_Options", "d1"], rows["Logical_Switch", "s1"], rows["Logical_Switch_Port", "p1"]], rows))
    after = await driver.observe()
    assert {t for t, _ in after} == {"DHCP_Options", "Logical_Switch", "Logical_Switch_Port"}
    assert after["Logical_Switch_Port", "p1"].parents == {Parent("Logical_Switch", "ports", "s1")}


async def test_repeating_a_delete_or_an_update_of_what_is_gone_does_nothing(driver: Driver) -> None:
    await _bring(driver, _rows())
    rows = await driver.observe()
    away = plan([], rows)
    await driver.apply(away)
    await driver.apply(away)
    assert await driver.observe() == {}


async def test_the_api_makes_the_same_rows_in_both(lab: Lab) -> None:
    """One story of requests; the rows of the two drivers are equal but for what the nodes decide."""
    memory, ovn = MemoryDriver(), _ovn(lab)
    memory.is_followed = True
    await _started(ovn)
    memory.nodes = list(await ovn.chassis())
    await ovn.stop()
    async with Cloud(partial(build, driver=memory), Settings) as cloud:
        await _story(cloud)
        projection = projection_of(cloud)
        await eventually(projection.is_even, what="all is brought over")
        wanted = await memory.observe()
        ovn = _ovn(lab)
        await _started(ovn)
        await ovn.apply(plan(list(wanted.values()), await ovn.observe()))
        found = await ovn.observe()
        assert not plan(list(wanted.values()), found)
        assert len(found) == len(wanted) > 30
        await ovn.stop()


async def _story(cloud: Cloud) -> None:
    public, network = await cloud.make_public(), await cloud.make_network("10.5.0.0/24")
    await cloud.make_subnet(network, "fd00:5::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    await cloud.make_router(network, public=public)
    port = await cloud.make_port(network, extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1300"}])
    await cloud.make("floatingips", "floatingip", floating_network_id=public["id"], port_id=port["id"])


async def test_only_one_writes_and_the_next_takes_over(lab: Lab) -> None:
    first = await _started(_ovn(lab))
    await _bring(first, [])
    second = _ovn(lab)
    await second.start(lambda: None)
    await asyncio.sleep(0.5)
    assert second.session is None
    with pytest.raises(Unavailable):
        await second.apply(plan(_rows(), {}))
    await first.stop()
    assert await eventually(lambda: second.session is not None, what="the second takes over") < 2
    assert await _bring(second, _rows()) == 5
    await second.stop()


async def test_rows_of_others_are_left_alone(lab: Lab) -> None:
    driver = await _started(_ovn(lab))
    lab.nb("--may-exist", "ls-add", "somebody-elses")
    await _bring(driver, _rows())
    await _bring(driver, [])
    assert "somebody-elses" in lab.nb("ls-list")
    lab.nb("ls-del", "somebody-elses")
    await driver.stop()


async def test_what_somebody_changed_by_hand_is_put_right(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    port = await cloud.make_port(network)
    await cloud.settled()
    cloud.lab.nb("lsp-set-addresses", port["id"], "unknown")
    cloud.lab.nb("pg-del", "neutron_pg_drop")
    projection = projection_of(cloud)
    await projection.bring_all()
    assert await projection.bring_all() == 0
    assert port["mac_address"] in cloud.lab.nb("lsp-get-addresses", port["id"])
    assert cloud.lab.nb("acl-list", "neutron_pg_drop").count("drop") >= 2


async def test_a_database_is_marked_when_it_is_filled(cloud: Cloud) -> None:
    async def is_marked() -> bool:
        return GENERATION in cloud.lab.nb("get", "NB_Global", ".", "external_ids")

    await eventually(is_marked, what="the database is marked")


