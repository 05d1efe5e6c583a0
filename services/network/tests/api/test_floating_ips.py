"""Floating IPs that lead to ports, and port forwardings."""

from __future__ import annotations

import asyncio
from typing import Any

from .conftest import Cloud, error_type


class Site:
    """A public network, a router, a private subnet behind it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def build(self) -> Site:
        cloud = self.cloud
        self.public = await cloud.make_public()
        self.network = await cloud.make_network()
        self.subnet = await cloud.make_subnet(self.network, "10.0.0.0/24")
        self.router = await cloud.make("routers", "router", external_gateway_info={"network_id": self.public["id"]})
        added = await cloud.as_member().put(f"/v2.0/routers/{self.router['id']}/add_router_interface", json={"subnet_id": self.subnet["id"]})
        assert added.status_code == 200
        return self

    async def floating(self, **body: Any) -> dict[str, Any]:
        return await self.cloud.make("floatingips", "floatingip", floating_network_id=self.public["id"], **body)

    async def port(self, **body: Any) -> dict[str, Any]:
        return await self.cloud.make_port(self.network, **body)


async def _told(cloud: Cloud, port_id: str) -> list[list[str]]:
    """The floating IPs in the events of a port."""
    await cloud.settle()
    events = [e for e in cloud.events if e.type.startswith("network.port.") and e.data["port"]["id"] == port_id]
    return [[f["ip_address"] for f in e.data["port"]["floating_ips"]] for e in events]


async def test_floating_ip_leads_to_a_port_through_the_router(cloud: Cloud) -> None:
    site = await Site(cloud).build()
    member = cloud.as_member()
    port = await site.port(device_id="server")
    made = await site.floating(port_id=port["id"])
    address = port["fixed_ips"][0]["ip_address"]
    assert (made["port_id"], made["fixed_ip_address"], made["router_id"], made["status"]) == (port["id"], address, site.router["id"], "ACTIVE")
    assert made["port_details"] == {
        k: port[k] for k in ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
    }
    path = f"/v2.0/floatingips/{made['id']}"
    for query in (f"port_id={port['id']}", f"router_id={site.router['id']}", f"fixed_ip_address={address}"):
        assert [f["id"] for f in (await member.get(f"/v2.0/floatingips?{query}")).json()["floatingips"]] == [made["id"]]
    refused = await member.put(f"/v2.0/routers/{site.router['id']}/remove_router_interface", json={"subnet_id": site.subnet["id"]})
    assert (refused.status_code, error_type(refused)) == (409, "RouterInterfaceInUseByFloatingIP")
    refused = await member.put(f"/v2.0/routers/{site.router['id']}", json={"router": {"external_gateway_info": None}})
    assert (refused.status_code, error_type(refused)) == (409, "RouterExternalGatewayInUseByFloatingIp")
    refused = await member.put(f"/v2.0/ports/{port['id']}", json={"port": {"fixed_ips": []}})
    assert (refused.status_code, error_type(refused)) == (400, "BadRequest")
    refused = await cloud.as_admin().delete(f"/v2.0/networks/{site.public['id']}")
    assert (refused.status_code, error_type(refused)) == (409, "NetworkInUse")
    kept = (await member.put(path, json={"floatingip": {"description": "d"}})).json()["floatingip"]
    assert (kept["description"], kept["port_id"]) == ("d", port["id"])
    freed = (await member.put(path, json={"floatingip": {"port_id": None}})).json()["floatingip"]
    assert (freed["port_id"], freed["fixed_ip_address"], freed["router_id"], freed["status"]) == (None, None, None, "DOWN")
    assert await _told(cloud, port["id"]) == [[], [made["floating_ip_address"]], []]


async def test_association_that_cannot_be_is_refused(cloud: Cloud) -> None:
    site = await Site(cloud).build()
    member = cloud.as_member()
    made = await site.floating()
    path = f"/v2.0/floatingips/{made['id']}"

    async def refusal(**body: Any) -> tuple[int, str]:
        answer = await member.put(path, json={"floatingip": body})
        return answer.status_code, error_type(answer)

    lonely = await cloud.make_network()
    await cloud.make_subnet(lonely, "10.5.0.0/24")
    unreachable = await cloud.make_port(lonely)
    assert await refusal(port_id=unreachable["id"]) == (404, "ExternalGatewayForFloatingIPNotFound")
    assert await refusal(port_id=site.router["id"]) == (404, "PortNotFound")
    bare = await site.port(fixed_ips=[])
    assert await refusal(port_id=bare["id"]) == (400, "BadRequest")
    double = await site.port(fixed_ips=[{"subnet_id": site.subnet["id"]}, {"subnet_id": site.subnet["id"]}])
    assert await refusal(port_id=double["id"]) == (400, "BadRequest")
    assert await refusal(port_id=double["id"], fixed_ip_address="10.0.0.250") == (400, "BadRequest")
    assert await refusal(fixed_ip_address="10.0.0.250") == (400, "BadRequest")
    second = double["fixed_ips"][1]["ip_address"]
    answer = await member.put(path, json={"floatingip": {"port_id": double["id"], "fixed_ip_address": second}})
    assert answer.json()["floatingip"]["fixed_ip_address"] == second
    taken = await member.post(
        "/v2.0/floatingips",
        json={"floatingip": {"floating_network_id": site.public["id"], "port_id": double["id"], "fixed_ip_address": second}},
    )
    assert (taken.status_code, error_type(taken)) == (409, "FloatingIPPortAlreadyAssociated")
    assert cloud.quota.used["network.floating_ips"] == 1


async def test_port_takes_its_floating_ip_off_when_it_goes(cloud: Cloud) -> None:
    site = await Site(cloud).build()
    port = await site.port()
    made = await site.floating(port_id=port["id"])
    member = cloud.as_member()
    assert (await member.delete(f"/v2.0/ports/{port['id']}")).status_code == 204
    freed = (await member.get(f"/v2.0/floatingips/{made['id']}")).json()["floatingip"]
    assert (freed["port_id"], freed["router_id"], freed["status"]) == (None, None, "DOWN")
    other = await site.port()
    await member.put(f"/v2.0/floatingips/{made['id']}", json={"floatingip": {"port_id": other["id"]}})
    assert (await member.delete(f"/v2.0/floatingips/{made['id']}")).status_code == 204
    assert await _told(cloud, other["id"]) == [[], [made["floating_ip_address"]], []]


async def test_two_floating_ips_for_one_address_at_once_leave_one(cloud: Cloud) -> None:
    site = await Site(cloud).build()
    port = await site.port()
    made = [await site.floating() for _ in range(4)]
    member = cloud.as_member()
    answers = await asyncio.gather(
        *(member.put(f"/v2.0/floatingips/{f['id']}", json={"floatingip": {"port_id": port["id"]}}) for f in made)
    )
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409]


async def test_forwardings_lead_single_ports_to_hosts(cloud: Cloud) -> None:
    site = await Site(cloud).build()
    member = cloud.as_member()
    floating = await site.floating()
    hosts = [await site.port() for _ in range(2)]
    path = f"/v2.0/floatingips/{floating['id']}/port_forwardings"

    async def post(**body: Any) -> Any:
        whole = {"protocol": "tcp", "internal_port": 22, "internal_port_id": hosts[0]["id"], **body}
        return await member.post(path, json={"port_forwarding": whole})

    first = (await post(external_port=2222, description="d")).json()["port_forwarding"]
    assert {k: v for k, v in first.items() if k != "id"} == {
        "protocol": "tcp", "external_port": 2222, "internal_port": 22, "internal_port_id": hosts[0]["id"],
        "internal_ip_address": hosts[0]["fixed_ips"][0]["ip_address"], "description": "d",
    }  # fmt: skip
    second = (await post(external_port=2223, internal_port_id=hosts[1]["id"])).json()["port_forwarding"]
    assert (await post(external_port=2222, internal_port=23)).status_code == 400
    assert (await post(external_port=2224)).status_code == 400
    assert (await post(external_port=0)).status_code == 400
    shown = (await member.get(f"/v2.0/floatingips/{floating['id']}")).json()["floatingip"]
    assert [f["external_port"] for f in shown["port_forwardings"]] == [2222, 2223]
    assert (shown["router_id"], shown["status"]) == (site.router["id"], "ACTIVE")
    refused = await member.put(f"/v2.0/floatingips/{floating['id']}", json={"floatingip": {"port_id": hosts[0]["id"]}})
    assert (refused.status_code, error_type(refused)) == (409, "FipInUseByPortForwarding")
    spare = await site.floating()
    refused = await member.put(f"/v2.0/floatingips/{spare['id']}", json={"floatingip": {"port_id": hosts[0]["id"]}})
    assert (refused.status_code, error_type(refused)) == (409, "PortHasPortForwarding")
    refused = await member.put(f"/v2.0/routers/{site.router['id']}/remove_router_interface", json={"subnet_id": site.subnet["id"]})
    assert (refused.status_code, error_type(refused)) == (409, "RouterInterfaceInUseByFloatingIP")
    changed = await member.put(f"{path}/{first['id']}", json={"port_forwarding": {"external_port": 80, "internal_port": 8080}})
    assert (changed.json()["port_forwarding"]["external_port"], changed.json()["port_forwarding"]["internal_port"]) == (80, 8080)
    assert [f["id"] for f in (await member.get(f"{path}?external_port=80")).json()["port_forwardings"]] == [first["id"]]
    assert (await cloud.as_project("other").get(path)).status_code == 404
    assert (await member.delete(f"{path}/{first['id']}")).status_code == 204
    gone = await member.get(f"{path}/{first['id']}")
    assert (gone.status_code, error_type(gone)) == (404, "PortForwardingNotFound")
    assert (await member.delete(f"/v2.0/ports/{hosts[1]['id']}")).status_code == 204
    assert (await member.get(f"{path}/{second['id']}")).status_code == 404
    shown = (await member.get(f"/v2.0/floatingips/{floating['id']}")).json()["floatingip"]
    assert (shown["router_id"], shown["status"], shown["port_forwardings"]) == (None, "DOWN", [])


async def test_port_with_a_floating_ip_is_not_forwarded_to(cloud: Cloud) -> None:
    site = await Site(cloud).build()
    port = await site.port()
    led = await site.floating(port_id=port["id"])
    body = {"port_forwarding": {"protocol": "udp", "external_port": 53, "internal_port": 53, "internal_port_id": port["id"]}}
    for floating in (led, await site.floating()):
        refused = await cloud.as_member().post(f"/v2.0/floatingips/{floating['id']}/port_forwardings", json=body)
        assert (refused.status_code, error_type(refused)) == (409, "PortHasBindingFloatingIP")
