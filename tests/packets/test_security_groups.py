"""Security groups, address groups and QoS on the wire."""

from __future__ import annotations

import time
from typing import Any

from tests.packets.conftest import Cloud
from tests.packets.lab import Guest


async def _pair(cloud: Cloud, *groups: str, **network: Any) -> tuple[Guest, Guest]:
    """A client in the default group, and a server in the groups, on two nodes."""
    made = await cloud.make_network("10.5.0.0/24", **network)
    client = await cloud.make_guest(made, node=1)
    return client, await cloud.make_guest(made, node=2, security_groups=list(groups))


async def _new_group(cloud: Cloud, **body: Any) -> str:
    return str((await cloud.make("security-groups", "security_group", name="g", **body))["id"])


async def test_a_rule_allows_tcp_that_was_blocked_and_its_removal_blocks_it_again(cloud: Cloud) -> None:
    group = await _new_group(cloud)
    client, server = await _pair(cloud, group)
    await server.listen(80)
    await server.listen(81)
    assert not await client.connects(server.address, 80)
    await client.misses(server.address, times=1)
    rule = await cloud.make_rule(group, protocol="tcp", port_range_min=80, port_range_max=80)
    await cloud.settled()
    assert await client.connects(server.address, 80)
    assert not await client.connects(server.address, 81)
    await client.misses(server.address, times=1)
    await cloud.delete(f"security-group-rules/{rule['id']}")
    await cloud.settled()
    assert not await client.connects(server.address, 80)


async def test_answers_to_what_a_guest_began_pass(cloud: Cloud) -> None:
    group = await _new_group(cloud)
    network = await cloud.make_network("10.5.0.0/24")
    closed = await cloud.make_guest(network, node=1, security_groups=[group])
    other = await cloud.make_guest(network, node=2, security_groups=[await cloud.make_open_group()])
    await other.listen(80)
    assert await closed.connects(other.address, 80)
    await other.misses(closed.address, times=1)


async def test_a_port_without_groups_gets_its_address_and_nothing_else(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    lone = await cloud.make_guest(network, node=1, security_groups=[])
    other = await cloud.make_guest(network, node=2, security_groups=[await cloud.make_open_group()])
    await lone.misses(other.address, times=1)
    await other.misses(lone.address, times=1)


async def test_a_remote_group_lets_in_its_members_only(cloud: Cloud) -> None:
    members, group = await _new_group(cloud), await _new_group(cloud)
    await cloud.make_rule(group, protocol="tcp", port_range_min=80, port_range_max=80, remote_group_id=members)
    client, server = await _pair(cloud, group)
    await server.listen(80)
    assert not await client.connects(server.address, 80)
    await cloud.put(f"ports/{client.port['id']}", {"port": {"security_groups": [members]}})
    await cloud.settled()
    assert await client.connects(server.address, 80)


async def test_an_address_group_lets_in_what_it_holds(cloud: Cloud) -> None:
    group = await _new_group(cloud)
    client, server = await _pair(cloud, group)
    trusted = await cloud.make("address-groups", "address_group", name="trusted", addresses=[f"{client.address}/32"])
    await cloud.make_rule(group, protocol="tcp", port_range_min=80, port_range_max=80, remote_address_group_id=trusted["id"])
    await server.listen(80)
    await cloud.settled()
    assert await client.connects(server.address, 80)
    await cloud.put(f"address-groups/{trusted['id']}/remove_addresses", {"addresses": [f"{client.address}/32"]})
    await cloud.settled()
    assert not await client.connects(server.address, 80)


async def test_a_stateless_group_needs_a_rule_for_each_direction(cloud: Cloud) -> None:
    group = await _new_group(cloud, stateful=False)
    client, server = await _pair(cloud, group)
    for rule in (await cloud.get(f"security-groups/{group}"))["security_group"]["security_group_rules"]:
        await cloud.delete(f"security-group-rules/{rule['id']}")
    await cloud.make_rule(group, protocol="icmp")
    await cloud.settled()
    await client.misses(server.address, times=2)
    await cloud.make_rule(group, protocol="icmp", direction="egress")
    await cloud.settled()
    await client.reaches(server.address)


async def test_a_port_range_and_a_prefix_are_kept_to(cloud: Cloud) -> None:
    group = await _new_group(cloud)
    await cloud.make_rule(group, protocol="tcp", port_range_min=8000, port_range_max=8001, remote_ip_prefix="10.5.0.0/24")
    await cloud.make_rule(group, protocol="tcp", port_range_min=9000, port_range_max=9000, remote_ip_prefix="10.7.0.0/24")
    client, server = await _pair(cloud, group)
    for port in (8000, 8001, 8002, 9000):
        await server.listen(port)
    assert [await client.connects(server.address, port) for port in (8000, 8001, 8002, 9000)] == [True, True, False, False]


async def test_a_bandwidth_limit_slows_a_port_down(cloud: Cloud) -> None:
    group = await cloud.make_open_group()
    client, server = await _pair(cloud, group)
    policy = await cloud.make("qos/policies", "policy", by=cloud.as_admin(), name="slow", shared=True)
    limit = {"max_kbps": 4000, "max_burst_kbps": 1000, "direction": "egress"}
    await cloud.make(f"qos/policies/{policy['id']}/bandwidth_limit_rules", "bandwidth_limit_rule", by=cloud.as_admin(), **limit)
    fast = await _seconds(client, server, 9001)
    await cloud.put(f"ports/{client.port['id']}", {"port": {"qos_policy_id": policy["id"]}}, by=cloud.as_admin())
    await cloud.settled()
    slow = await _seconds(client, server, 9002)
    assert slow > 1.5 > fast, f"1 MB in {fast:.2f} s, then in {slow:.2f} s"


async def _seconds(client: Guest, server: Guest, port: int) -> float:
    """To send a megabyte over TCP."""
    await server.listen(port)
    began = time.monotonic()
    await client.run("sh", "-c", f"head -c 1000000 /dev/zero | nc -N -w 20 {server.address} {port}")
    return time.monotonic() - began
