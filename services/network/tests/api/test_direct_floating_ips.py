"""Synnefo's own: floating IPs that are addresses of ports themselves, drained networks, and who had an address when."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from synnefo_common.clock import MICROS, iso

from .conftest import Cloud, error_type

HISTORY = "/admin/v1/address-history"


async def _public(cloud: Cloud, cidr: str = "203.0.113.0/24", **more: Any) -> dict[str, Any]:
    network = await cloud.make_network(by=cloud.as_admin(), name="public", **{"router:external": True, "synnefo:direct_floating_ips": True, **more})
    await cloud.make_subnet(network, cidr, by=cloud.as_admin())
    return network


async def _float(cloud: Cloud, network: dict[str, Any], by: Any = None, **more: Any) -> dict[str, Any]:
    return await cloud.make("floatingips", "floatingip", by=by, floating_network_id=network["id"], **more)


async def _history(cloud: Cloud, query: str) -> list[dict[str, Any]]:
    answer = await cloud.as_admin().get(f"{HISTORY}?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["address_history"]
    return found


async def test_floating_ip_is_the_address_of_a_port_and_outlives_it(cloud: Cloud) -> None:
    network = await _public(cloud)
    member = cloud.as_member()
    without = await member.post("/v2.0/ports", json={"port": {"network_id": network["id"]}})
    assert (without.status_code, error_type(without)) == (409, "NoFreeFloatingIP")
    floating = await _float(cloud, network)
    port = await cloud.make_port(network)
    assert [a["ip_address"] for a in port["fixed_ips"]] == [floating["floating_ip_address"]]
    path = f"/v2.0/floatingips/{floating['id']}"
    shown = (await member.get(path)).json()["floatingip"]
    assert (shown["port_id"], shown["fixed_ip_address"], shown["router_id"]) == (port["id"], floating["floating_ip_address"], None)
    for refused in (
        await member.delete(path),
        await member.put(path, json={"floatingip": {"port_id": None}}),
    ):
        assert (refused.status_code, error_type(refused)) == (409, "FloatingIPInUse")
    assert (await member.delete(f"/v2.0/ports/{port['id']}")).status_code == 204
    shown = (await member.get(path)).json()["floatingip"]
    assert (shown["port_id"], shown["status"], shown["floating_ip_address"]) == (None, "DOWN", floating["floating_ip_address"])
    again = await cloud.make_port(network, fixed_ips=[{"ip_address": floating["floating_ip_address"]}])
    assert (await member.delete(f"/v2.0/ports/{again['id']}")).status_code == 204
    assert (await member.delete(path)).status_code == 204


async def test_only_own_and_free_floating_ips_are_taken(cloud: Cloud) -> None:
    network = await _public(cloud)
    other = await _float(cloud, network, by=cloud.as_project())
    mine = [await _float(cloud, network) for _ in range(2)]
    member = cloud.as_member()

    async def post(address: str | None) -> Any:
        fixed = {} if address is None else {"fixed_ips": [{"ip_address": address}]}
        return await member.post("/v2.0/ports", json={"port": {"network_id": network["id"], **fixed}})

    assert error_type(await post(other["floating_ip_address"])) == "NoFreeFloatingIP"
    assert error_type(await post("203.0.113.254")) == "NoFreeFloatingIP"
    assert (await post(mine[0]["floating_ip_address"])).status_code == 201
    assert error_type(await post(mine[0]["floating_ip_address"])) == "NoFreeFloatingIP"
    answers = await asyncio.gather(*(post(None) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409]


async def test_server_gets_its_nic_on_the_public_network(cloud: Cloud) -> None:
    network = await _public(cloud)
    floating = await _float(cloud, network)
    body = {"project_id": cloud.project_id, "networks": [{"uuid": network["id"]}]}
    service = cloud.internal()
    server = "5" * 8 + "-5555-4555-8555-" + "5" * 12
    made = (await service.put(f"/internal/v1/servers/{server}/ports", json=body)).json()["ports"]
    assert [a["ip_address"] for a in made[0]["fixed_ips"]] == [floating["floating_ip_address"]]
    (now,) = await _history(cloud, f"ip_address={floating['floating_ip_address']}&at=2999-01-01T00:00:00Z")
    assert (now["device_id"], now["project_id"], now["floating_ip_id"], now["ended_at"]) == (server, cloud.project_id, floating["id"], None)
    await service.delete(f"/internal/v1/servers/{server}/ports")
    assert (await cloud.as_member().get(f"/v2.0/floatingips/{floating['id']}")).json()["floatingip"]["port_id"] is None


async def test_port_of_a_tenant_keeps_its_floating_address(cloud: Cloud) -> None:
    network = await _public(cloud, shared=True)
    await _float(cloud, network)
    port = await cloud.make_port(network)
    path = f"/v2.0/ports/{port['id']}"
    subnet_id = port["fixed_ips"][0]["subnet_id"]
    refused = await cloud.as_member().put(path, json={"port": {"fixed_ips": [{"subnet_id": subnet_id}] * 2}})
    assert (refused.status_code, error_type(refused)) == (400, "BadRequest")
    refused = await cloud.as_admin().put(path, json={"port": {"fixed_ips": [{"subnet_id": subnet_id, "ip_address": "203.0.113.200"}]}})
    assert (refused.status_code, error_type(refused)) == (400, "BadRequest")


async def test_history_tells_who_had_an_address_when(cloud: Cloud) -> None:
    public = await cloud.make_public()
    inside = await cloud.make_network()
    subnet = await cloud.make_subnet(inside, "10.0.0.0/24")
    router = await cloud.make("routers", "router", external_gateway_info={"network_id": public["id"]})
    await cloud.as_member().put(f"/v2.0/routers/{router['id']}/add_router_interface", json={"subnet_id": subnet["id"]})
    port = await cloud.make_port(inside, device_id="server-1")
    floating = await _float(cloud, public)
    address = floating["floating_ip_address"]
    path = f"/v2.0/floatingips/{floating['id']}"
    member = cloud.as_member()
    cloud.clock.advance(100)
    await member.put(path, json={"floatingip": {"port_id": port["id"]}})
    cloud.clock.advance(50)
    middle = iso(cloud.clock.now_us())
    cloud.clock.advance(50)
    await member.delete(f"/v2.0/ports/{port['id']}")
    cloud.clock.advance(100)
    await member.delete(path)
    rows = await _history(cloud, f"ip_address={address}")
    assert [(r["port_id"], r["device_id"]) for r in rows] == [(None, ""), (port["id"], "server-1"), (None, "")]
    assert {(r["floating_ip_id"], r["project_id"]) for r in rows} == {(floating["id"], cloud.project_id)}
    assert all(newer["started_at"] >= older["ended_at"] for newer, older in pairwise(rows))
    (then,) = await _history(cloud, f"ip_address={address}&at={middle}")
    assert then["device_id"] == "server-1"
    assert await _history(cloud, f"ip_address={address}&since={iso(cloud.clock.now_us() + MICROS)}") == []
    gateway = router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"]
    (way_out,) = await _history(cloud, f"ip_address={gateway}")
    assert (way_out["project_id"], way_out["device_id"], way_out["ended_at"]) == (cloud.project_id, router["id"], None)
    assert await _history(cloud, "ip_address=10.0.0.1") == []


async def test_history_is_for_administrators(cloud: Cloud) -> None:
    for client in (cloud.as_member(), cloud.as_manager()):
        assert (await client.get(HISTORY)).status_code == 403
    assert (await cloud.as_admin().get(f"{HISTORY}?at=yesterday")).status_code == 400
    assert (await cloud.as_admin().get(f"{HISTORY}?ip_address=nowhere")).status_code == 400


@pytest.mark.parametrize("kind", ["port", "floating IP", "gateway", "more addresses"])
async def test_drained_network_gives_out_no_new_addresses(cloud: Cloud, kind: str) -> None:
    admin = cloud.as_admin()
    network = await cloud.make_public()
    port = await cloud.make_port(network, by=admin)
    path = f"/v2.0/networks/{network['id']}"
    assert (await cloud.as_member().put(path, json={"network": {"synnefo:drained": True}})).status_code == 403
    await admin.put(path, json={"network": {"synnefo:drained": True}})
    assert (await cloud.as_member().get(path)).json()["network"]["synnefo:drained"] is True
    subnet_id = port["fixed_ips"][0]["subnet_id"]
    method, url, body = {
        "port": ("POST", "/v2.0/ports", {"port": {"network_id": network["id"]}}),
        "floating IP": ("POST", "/v2.0/floatingips", {"floatingip": {"floating_network_id": network["id"]}}),
        "gateway": ("POST", "/v2.0/routers", {"router": {"external_gateway_info": {"network_id": network["id"]}}}),
        "more addresses": (
            "PUT",
            f"/v2.0/ports/{port['id']}",
            {"port": {"fixed_ips": [*port["fixed_ips"], {"subnet_id": subnet_id}]}},
        ),
    }[kind]
    refused = await admin.request(method, url, json=body)
    assert (refused.status_code, error_type(refused)) == (409, "NetworkDrained")
    await admin.put(path, json={"network": {"synnefo:drained": False}})
    assert (await admin.request(method, url, json=body)).status_code in (200, 201)
