"""Between networks and to the outside: routers, SNAT, floating IPs, port forwarding, extra routes, IPv6."""

from __future__ import annotations

from typing import Any

from tests.packets.conftest import Cloud
from tests.packets.lab import OUTSIDE_ADDRESS, OUTSIDE_ADDRESS_V6, Guest, addresses, eventually


async def _associate(cloud: Cloud, public: dict[str, Any], guest: Guest) -> dict[str, Any]:
    return await cloud.make("floatingips", "floatingip", floating_network_id=public["id"], port_id=guest.port["id"])


async def test_a_router_joins_two_networks(cloud: Cloud) -> None:
    one, two = await cloud.make_network("10.5.0.0/24"), await cloud.make_network("10.6.0.0/24")
    await cloud.make_router(one, two)
    here, there = await cloud.make_guest(one, node=1), await cloud.make_guest(two, node=2)
    await here.reaches("10.5.0.1")
    await here.reaches(there.address)
    await there.reaches(here.address)


async def test_a_removed_interface_ends_the_traffic(cloud: Cloud) -> None:
    one, two = await cloud.make_network("10.5.0.0/24"), await cloud.make_network("10.6.0.0/24")
    router = await cloud.make_router(one, two)
    here, there = await cloud.make_guest(one, node=1), await cloud.make_guest(two, node=2)
    await here.reaches(there.address)
    await cloud.put(f"routers/{router['id']}/remove_router_interface", {"subnet_id": two["subnet"][0]["id"]})
    await cloud.settled()
    await here.misses(there.address)


async def test_the_outside_sees_the_router_as_source(cloud: Cloud) -> None:
    public, network = await cloud.make_public(), await cloud.make_network("10.5.0.0/24")
    router = await cloud.make_router(network, public=public)
    gateway = router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"]
    for node in (1, 2):
        guest = await cloud.make_guest(network, node=node)
        await guest.reaches(OUTSIDE_ADDRESS)
        assert await cloud.lab.outside.source_seen_of(guest, OUTSIDE_ADDRESS) == gateway


async def test_without_snat_the_outside_is_not_reached_under_the_routers_name(cloud: Cloud) -> None:
    public, network = await cloud.make_public(), await cloud.make_network("10.5.0.0/24")
    router = await cloud.make_router(network, public=public)
    guest = await cloud.make_guest(network)
    await guest.reaches(OUTSIDE_ADDRESS)
    info = {"network_id": public["id"], "enable_snat": False}
    await cloud.put(f"routers/{router['id']}", {"router": {"external_gateway_info": info}}, by=cloud.as_admin())
    await cloud.settled()
    assert await cloud.lab.outside.source_seen_of(guest, OUTSIDE_ADDRESS) == guest.address


async def test_a_floating_ip_is_reached_from_outside_and_is_the_source_of_what_leaves(cloud: Cloud) -> None:
    public, network = await cloud.make_public(), await cloud.make_network("10.5.0.0/24")
    await cloud.make_router(network, public=public)
    group = await cloud.make_open_group()
    guest = await cloud.make_guest(network, node=2, security_groups=[group])
    floating = await _associate(cloud, public, guest)

    async def is_active() -> bool:
        return bool((await cloud.get(f"floatingips/{floating['id']}"))["floatingip"]["status"] == "ACTIVE")

    await eventually(is_active, what="the floating IP is ACTIVE")
    await cloud.lab.outside.reaches(floating["floating_ip_address"])
    assert await cloud.lab.outside.source_seen_of(guest, OUTSIDE_ADDRESS) == floating["floating_ip_address"]
    await guest.listen(80)
    assert await cloud.lab.outside.connects(floating["floating_ip_address"], 80)
    await cloud.put(f"floatingips/{floating['id']}", {"floatingip": {"port_id": None}})
    await cloud.settled()
    await cloud.lab.outside.misses(floating["floating_ip_address"])


async def test_a_floating_ip_moves_to_another_guest(cloud: Cloud) -> None:
    public, network = await cloud.make_public(), await cloud.make_network("10.5.0.0/24")
    await cloud.make_router(network, public=public)
    group = await cloud.make_open_group()
    one, two = [await cloud.make_guest(network, node=node, security_groups=[group]) for node in (1, 2)]
    floating = await _associate(cloud, public, one)
    await cloud.lab.outside.reaches(floating["floating_ip_address"])
    await cloud.put(f"floatingips/{floating['id']}", {"floatingip": {"port_id": two.port["id"]}})
    await cloud.lab.detach(one)
    await cloud.settled()
    await cloud.lab.outside.reaches(floating["floating_ip_address"])


async def test_a_port_forwarding_leads_to_one_port_of_one_guest(cloud: Cloud) -> None:
    public, network = await cloud.make_public(), await cloud.make_network("10.5.0.0/24")
    await cloud.make_router(network, public=public)
    group = await cloud.make_open_group()
    guest = await cloud.make_guest(network, node=2, security_groups=[group])
    await guest.listen(80)
    floating = await cloud.make("floatingips", "floatingip", floating_network_id=public["id"])
    forwarding: dict[str, Any] = {"protocol": "tcp", "external_port": 8080, "internal_port": 80}
    inside = {"internal_port_id": guest.port["id"], "internal_ip_address": guest.address}
    made = await cloud.make(f"floatingips/{floating['id']}/port_forwardings", "port_forwarding", **forwarding, **inside)
    address = floating["floating_ip_address"]
    await eventually(lambda: cloud.lab.outside.connects(address, 8080), what="the forwarded port answers")
    assert not await cloud.lab.outside.connects(address, 80)
    await cloud.delete(f"floatingips/{floating['id']}/port_forwardings/{made['id']}")
    await cloud.settled()
    assert not await cloud.lab.outside.connects(address, 8080)


async def test_an_extra_route_leads_through_a_guest(cloud: Cloud) -> None:
    one, two = await cloud.make_network("10.5.0.0/24"), await cloud.make_network("10.6.0.0/24")
    router = await cloud.make_router(one, two)
    group = await cloud.make_open_group()
    pairs = [{"ip_address": "10.99.0.0/24"}]
    via = await cloud.make_guest(one, node=1, security_groups=[group], allowed_address_pairs=pairs)
    await via.run("ip", "addr", "add", "10.99.0.1/32", "dev", "lo")
    other = await cloud.make_guest(two, node=2)
    await other.misses("10.99.0.1", times=1)
    routes = [{"destination": "10.99.0.0/24", "nexthop": via.address}]
    await cloud.put(f"routers/{router['id']}", {"router": {"routes": routes}})
    await other.reaches("10.99.0.1")


async def test_ipv6_is_routed_between_networks(cloud: Cloud) -> None:
    modes: dict[str, Any] = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    one, two = await cloud.make_network("fd00:5::/64", **modes), await cloud.make_network("fd00:6::/64", **modes)
    await cloud.make_router(one, two)
    here, there = [await cloud.make_guest(n, node=k, has_dhcp=False) for n, k in ((one, 1), (two, 2))]
    (wanted,) = addresses(there.port, 6)
    await eventually(lambda: here.ping(wanted, "-6"), what="IPv6 through the router", timeout_s=20)


async def test_ipv6_reaches_the_outside_without_nat(cloud: Cloud) -> None:
    public = await cloud.make_public()
    admin = cloud.as_admin()
    public["subnet"].append(await cloud.make_subnet(public, "2001:db8:ffff::/64", by=admin, enable_dhcp=False, gateway_ip=OUTSIDE_ADDRESS_V6))
    network = await cloud.make_network("2001:db8:5::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    router = await cloud.make_router(network, public=public)
    fixed = router["external_gateway_info"]["external_fixed_ips"]
    (gateway,) = [f["ip_address"] for f in fixed if ":" in f["ip_address"]]
    guest = await cloud.make_guest(network, node=2, has_dhcp=False)
    (source,) = addresses(guest.port, 6)
    added = await cloud.lab.outside.run("ip", "-6", "route", "replace", "2001:db8:5::/64", "via", gateway)
    assert added.returncode == 0, added.stderr
    await eventually(lambda: guest.ping(OUTSIDE_ADDRESS_V6, "-6"), what="the outside by IPv6", timeout_s=30)
    assert await cloud.lab.outside.source_seen_of(guest, OUTSIDE_ADDRESS_V6) == source


async def test_a_stateful_ipv6_subnet_gives_addresses_by_dhcp(cloud: Cloud) -> None:
    modes: dict[str, Any] = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}
    network = await cloud.make_network("fd00:5::/64", **modes)
    await cloud.make_router(network)
    guest = await cloud.make_guest(network, has_dhcp=False)

    async def advertised() -> bool:
        return "Stateful address conf.    :          Yes" in (await guest.run("rdisc6", "-1", "-w", "2000", "eth0")).stdout

    await eventually(advertised, what="the router says that addresses are by DHCP", timeout_s=20)
    row = cloud.lab.nb("--bare", "--columns=dhcpv6_options", "find", "Logical_Switch_Port", f"name={guest.port['id']}")
    assert row.strip()
