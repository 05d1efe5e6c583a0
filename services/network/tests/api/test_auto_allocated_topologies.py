"""A network for who asks for one and says no more."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from .conftest import Cloud, error_type

PATH = "/v2.0/auto-allocated-topology"


async def _pools(cloud: Cloud) -> None:
    for version, prefix, length in ((4, "10.0.0.0/8", 24), (6, "fd00::/48", 64)):
        body = {"name": f"v{version}", "prefixes": [prefix], "default_prefixlen": length, "shared": True, "is_default": True}
        await cloud.make("subnetpools", "subnetpool", by=cloud.as_admin(), **body)


async def _count(client: httpx.AsyncClient) -> list[int]:
    counts = []
    for name in ("networks", "subnets", "routers"):
        rows: list[dict[str, Any]] = (await client.get(f"/v2.0/{name}")).json()[name]
        counts.append(sum(row["name"].startswith("auto_allocated_") for row in rows))
    return counts


async def test_topology_is_made_once_and_deleted_whole(cloud: Cloud) -> None:
    await cloud.make_public()
    await _pools(cloud)
    member = cloud.as_member()
    dry = (await member.get(f"{PATH}/None?fields=dry-run")).json()["auto_allocated_topology"]
    assert dry["id"] == "dry-run=pass"
    assert await _count(member) == [0, 0, 0]
    answers = await asyncio.gather(*(member.get(f"{PATH}/{cloud.project_id}") for _ in range(4)))
    assert {a.status_code for a in answers} == {200}, [a.text for a in answers]
    (network_id,) = {a.json()["auto_allocated_topology"]["id"] for a in answers}
    assert await _count(member) == [1, 2, 1]
    network = (await member.get(f"/v2.0/networks/{network_id}")).json()["network"]
    assert network["admin_state_up"] is True
    (router,) = (await member.get("/v2.0/routers")).json()["routers"]
    assert router["external_gateway_info"]["external_fixed_ips"]
    port = await cloud.make_port(network)
    busy = await member.delete(f"{PATH}/None")
    assert (busy.status_code, error_type(busy)) == (409, "NetworkInUse")
    assert await _count(member) == [1, 2, 1]
    await member.delete(f"/v2.0/ports/{port['id']}")
    assert (await member.delete(f"{PATH}/None")).status_code == 204
    assert await _count(member) == [0, 0, 0]
    made_before = ("network.networks", "network.subnet_pools")
    assert {k: v for k, v in cloud.quota.used.items() if v and "security" not in k and k not in made_before} == {"network.subnets": 1}
    assert (await member.delete(f"{PATH}/None")).status_code == 204


async def test_missing_defaults_are_told(cloud: Cloud) -> None:
    member = cloud.as_member()
    for query in ("", "?fields=dry-run"):
        answer = await member.get(f"{PATH}/None{query}")
        assert (answer.status_code, error_type(answer)) == (409, "AutoAllocationFailure")
    await cloud.make_public()
    assert error_type(await member.get(f"{PATH}/None")) == "AutoAllocationFailure"
    assert await _count(member) == [0, 0, 0]


async def test_what_was_made_before_a_fault_is_taken_away(cloud: Cloud) -> None:
    await cloud.make_public()
    await _pools(cloud)
    cloud.quota.limits["network.routers"] = 0
    member = cloud.as_member()
    assert (await member.get(f"{PATH}/None")).status_code == 409
    assert await _count(member) == [0, 0, 0]


async def test_topology_of_another_project_is_not_ours_to_make(cloud: Cloud) -> None:
    refused = await cloud.as_member().get(f"{PATH}/{cloud.other_project_id}")
    assert (refused.status_code, error_type(refused)) == (403, "PolicyNotAuthorized")
    assert (await cloud.as_reader().get(f"{PATH}/None")).status_code == 403
