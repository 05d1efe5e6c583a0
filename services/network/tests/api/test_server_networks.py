"""The networks that the operator gives new servers: forced and default ones."""

from __future__ import annotations

from typing import Any

from .conftest import Cloud

SERVER = "aaaaaaaa-0000-4000-8000-00000000000{}"


def _set(cloud: Cloud, **lists: Any) -> None:
    for name, value in lists.items():
        getattr(cloud.settings, f"{name}_server_networks")[:] = value


async def _ports(cloud: Cloud, number: int = 1, networks: Any = "auto", *, verb: str = "PUT") -> Any:
    body = {"project_id": cloud.project_id, "user_id": cloud.user_id, "networks": networks}
    answer = await cloud.internal().request(verb, f"/internal/v1/servers/{SERVER.format(number)}/ports", json=body)
    if answer.status_code >= 300:
        return answer.status_code
    return [p["network_id"] for p in answer.json()["ports"]]


async def _public(cloud: Cloud, cidr: str, **more: Any) -> dict[str, Any]:
    network = await cloud.make_network(by=cloud.as_admin(), **{"router:external": True, **more})
    await cloud.make_subnet(network, cidr, by=cloud.as_admin())
    return network


async def test_forced_networks_come_first_whoever_owns_them(cloud: Cloud) -> None:
    private = await cloud.make_network(by=cloud.as_project())
    mine = await cloud.make_network()
    _set(cloud, forced=[private["id"]])
    assert await _ports(cloud, 1, [{"uuid": mine["id"]}]) == [private["id"], mine["id"]]
    assert await _ports(cloud, 2, "none") == [private["id"]]
    body = {"project_id": cloud.project_id, "networks": "none"}
    assert (await cloud.internal().post("/internal/v1/servers/check", json=body)).json() == {"new_ports": 1}
    assert await _ports(cloud, 2, [{"uuid": mine["id"]}], verb="POST") == [mine["id"]]  # an interface of a server that is there


async def test_forced_public_address_needs_no_floating_ip_and_is_503_when_there_is_none(cloud: Cloud) -> None:
    public = await _public(cloud, "203.0.113.0/30", **{"synnefo:direct_floating_ips": True})
    _set(cloud, forced=["SNF:ANY_PUBLIC_IPV4"])
    assert await _ports(cloud, 1, "none") == [public["id"]]
    assert await _ports(cloud, 2, "none") == 503
    other = await _public(cloud, "198.51.100.0/24")
    assert await _ports(cloud, 2, "none") == [other["id"]]
    await cloud.as_admin().put(f"/v2.0/networks/{other['id']}", json={"network": {"synnefo:drained": True}})
    assert await _ports(cloud, 3, "none") == 503
    _set(cloud, forced=["SNF:ANY_PUBLIC_IPV6"])
    assert await _ports(cloud, 3, "none") == 503


async def test_default_networks_are_for_servers_that_name_none(cloud: Cloud) -> None:
    public = await _public(cloud, "203.0.113.0/24", **{"synnefo:direct_floating_ips": True})
    mine = await cloud.make_network()
    _set(cloud, default=[["SNF:ANY_PUBLIC_IPV4", mine["id"]]])
    assert await _ports(cloud, 1) == [mine["id"]]  # the first alternative needs a floating IP
    await cloud.make("floatingips", "floatingip", floating_network_id=public["id"])
    assert await _ports(cloud, 2) == [public["id"]]
    assert await _ports(cloud, 3, "none") == []
    assert await _ports(cloud, 3, [{"uuid": mine["id"]}]) == [mine["id"]]
    _set(cloud, default=["SNF:ANY_PUBLIC"])
    assert await _ports(cloud, 4) == 409
