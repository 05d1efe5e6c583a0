"""Within a network: DHCP, switching between nodes, port security, isolation."""

from __future__ import annotations

from typing import Any

from tests.packets.conftest import Cloud
from tests.packets.lab import Guest, addresses, eventually


async def test_a_guest_gets_its_address_routes_and_mtu_by_dhcp(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24", dns_nameservers=["192.0.2.53"])
    guest = await cloud.make_guest(network, has_dhcp=False)
    lease = await guest.dhcp()
    assert lease["ip"] == guest.address
    assert lease["router"] == "10.5.0.1"
    assert lease["mtu"] == "1442"
    assert lease["dns"] == "192.0.2.53"
    routes = (await guest.run("ip", "route")).stdout
    assert "default via 10.5.0.1" in routes
    assert "169.254.169.254 dev eth0" in routes


async def test_extra_dhcp_options_reach_the_guest(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    options = [{"opt_name": "mtu", "opt_value": "1300"}, {"opt_name": "bootfile-name", "opt_value": "pxelinux.0"}]
    guest = await cloud.make_guest(network, has_dhcp=False, extra_dhcp_opts=options)
    lease = await guest.dhcp()
    assert (lease["mtu"], lease["boot"]) == ("1300", "pxelinux.0")


async def test_guests_of_a_network_reach_each_other_on_one_node_and_between_nodes(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    one, two, three = [await cloud.make_guest(network, node=node) for node in (1, 1, 2)]
    await one.reaches(two.address)
    await one.reaches(three.address)
    # The whole MTU, not fragmented, through the tunnel.
    await one.reaches(three.address, "-M", "do", "-s", str(1442 - 28))


async def test_a_spoofed_source_is_dropped(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    group = await cloud.make_open_group()
    liar, victim = [await cloud.make_guest(network, node=node, security_groups=[group]) for node in (1, 2)]
    await liar.reaches(victim.address)
    await liar.run("ip", "addr", "add", "10.5.0.99/24", "dev", "eth0")
    await liar.misses(victim.address, "-I", "10.5.0.99")
    await liar.reaches(victim.address)
    await liar.run("ip", "link", "set", "eth0", "address", "fa:16:3e:ff:ff:ff")
    await liar.misses(victim.address)


async def test_allowed_address_pairs_are_let_through(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    group = await cloud.make_open_group()
    guest, other = [await cloud.make_guest(network, node=node, security_groups=[group]) for node in (1, 2)]
    await guest.run("ip", "addr", "add", "10.5.0.99/24", "dev", "eth0")
    await guest.misses(other.address, "-I", "10.5.0.99", times=1)
    pairs = [{"ip_address": "10.5.0.99"}]
    await cloud.put(f"ports/{guest.port['id']}", {"port": {"allowed_address_pairs": pairs}})
    await guest.reaches(other.address, "-I", "10.5.0.99")
    await other.reaches("10.5.0.99")


async def test_without_port_security_any_source_passes(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    group = await cloud.make_open_group()
    free = await cloud.make_guest(network, node=1, port_security_enabled=False, security_groups=[])
    other = await cloud.make_guest(network, node=2, security_groups=[group])
    await free.run("ip", "addr", "add", "10.5.0.99/24", "dev", "eth0")
    await free.reaches(other.address, "-I", "10.5.0.99")
    await other.reaches(free.address)


async def test_two_tenants_with_the_same_range_do_not_see_each_other(cloud: Cloud) -> None:
    mine, theirs = cloud.as_member(), cloud.as_project()
    here, there = await cloud.make_network("10.5.0.0/24", by=mine), await cloud.make_network("10.5.0.0/24", by=theirs)
    open_here, open_there = await cloud.make_open_group(by=mine), await cloud.make_open_group(by=theirs)
    fixed = [{"ip_address": "10.5.0.10"}]
    one = await cloud.make_guest(here, by=mine, security_groups=[open_here], fixed_ips=fixed)
    two = await cloud.make_guest(here, by=mine, node=2, security_groups=[open_here])
    stranger = await cloud.make_guest(there, by=theirs, node=1, security_groups=[open_there], fixed_ips=fixed)
    lone = await cloud.make_guest(there, by=theirs, node=2, security_groups=[open_there], fixed_ips=[{"ip_address": "10.5.0.20"}])
    await two.reaches("10.5.0.10")
    await two.misses("10.5.0.20")
    await lone.reaches("10.5.0.10")
    await cloud.lab.detach(one)
    await two.misses("10.5.0.10")
    await lone.reaches(stranger.address)


async def test_a_port_that_is_switched_off_carries_nothing(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    one, two = [await cloud.make_guest(network, node=node) for node in (1, 2)]
    await one.reaches(two.address)
    await cloud.put(f"ports/{one.port['id']}", {"port": {"admin_state_up": False}})
    await cloud.is_active(one.port, status="DOWN")
    await cloud.settled()
    await two.misses(one.address)
    await cloud.put(f"ports/{one.port['id']}", {"port": {"admin_state_up": True}})
    await cloud.is_active(one.port)
    await two.reaches(one.address)


async def test_the_status_of_a_port_follows_its_plug(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    port = await cloud.make_port(network)
    assert port["status"] == "DOWN"
    guest = await cloud.lab.attach(port)
    assert await cloud.is_active(port) < 3
    await cloud.lab.detach(guest)
    await cloud.is_active(port, status="DOWN")


async def test_guests_reach_each_other_by_ipv6_addresses_of_their_own_making(cloud: Cloud) -> None:
    modes: dict[str, Any] = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    network = await cloud.make_network("fd00:5::/64", **modes)
    await cloud.make_router(network)
    one, two = [await cloud.make_guest(network, node=node, has_dhcp=False) for node in (1, 2)]
    for guest in (one, two):
        (wanted,) = addresses(guest.port, 6)

        async def has(guest: Guest = guest, wanted: str = wanted) -> bool:
            return f" {wanted}/64" in (await guest.run("ip", "-6", "addr", "show", "dev", "eth0")).stdout

        await eventually(has, what=f"SLAAC gives {wanted}", timeout_s=20)
    await one.reaches(addresses(two.port, 6)[0], "-6")
