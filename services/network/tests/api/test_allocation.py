"""Bulk creates at once: they cross each other's addresses and MACs, and none dies of it. Single creates: test_ports."""

from __future__ import annotations

import asyncio
from typing import Any

from .conftest import Cloud, error_type


async def test_bulk_creates_that_cross_each_other_all_end(cloud: Cloud) -> None:
    networks = [await cloud.make_network() for _ in range(2)]
    for number, network in enumerate(networks):
        await cloud.make_subnet(network, f"10.{number}.0.0/24")

    def ports(turn: int) -> list[dict[str, Any]]:
        order = networks if turn % 2 else networks[::-1]
        drawn = [{"network_id": n["id"]} for n in order for _ in range(10)]
        named = [{"network_id": n["id"], "fixed_ips": [{"ip_address": f"10.{networks.index(n)}.0.{200 + turn}"}]} for n in order]
        return [*named, *drawn] if turn % 2 else [*drawn, *named]

    answers = await asyncio.gather(*(cloud.as_member().post("/v2.0/ports", json={"ports": ports(turn)}) for turn in range(8)))
    made = [p for a in answers if a.status_code == 201 for p in a.json()["ports"]]
    # A drawn address may be one that another names: then that bulk is refused whole, and says so.
    assert {error_type(a) for a in answers if a.status_code != 201} <= {"IpAddressInUse"}
    assert len({p["fixed_ips"][0]["ip_address"] for p in made}) == len(made) == 22 * sum(a.status_code == 201 for a in answers)
    assert cloud.quota.used["network.ports"] == len(made)


async def test_same_addresses_and_macs_in_opposite_order_leave_one_bulk(cloud: Cloud) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.0.0.0/24")
    wanted = [
        {"network_id": network["id"], "mac_address": f"fa:16:3e:00:01:{i:02x}", "fixed_ips": [{"ip_address": f"10.0.0.{i}"}]} for i in range(10, 30)
    ]
    bodies = [wanted, wanted[::-1]] * 3
    answers = await asyncio.gather(*(cloud.as_admin().post("/v2.0/ports", json={"ports": b}) for b in bodies))
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409, 409, 409]
    assert {error_type(a) for a in answers if a.status_code == 409} <= {"MacAddressInUse", "IpAddressInUse"}
    assert len((await cloud.as_admin().get("/v2.0/ports")).json()["ports"]) == 20


async def test_bulk_that_does_not_fit_makes_nothing(cloud: Cloud) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.0.0.0/28")
    answers = await asyncio.gather(
        *(cloud.as_member().post("/v2.0/ports", json={"ports": [{"network_id": network["id"]}] * 5}) for _ in range(4))
    )
    assert sorted(a.status_code for a in answers) == [201, 201, 409, 409]
    assert {error_type(a) for a in answers if a.status_code == 409} == {"IpAddressGenerationFailure"}
    assert len((await cloud.as_member().get("/v2.0/ports")).json()["ports"]) == cloud.quota.used["network.ports"] == 10
