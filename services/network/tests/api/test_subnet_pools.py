"""Subnet pools, address scopes, and subnets from them; addresses that ports make themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .conftest import Cloud, error_type


async def _pool(cloud: Cloud, by: Any = None, **body: Any) -> dict[str, Any]:
    return await cloud.make("subnetpools", "subnetpool", by=by, **{"name": "p", "prefixes": ["10.0.0.0/22"], "default_prefixlen": 24, **body})


async def _subnet(cloud: Cloud, network: dict[str, Any], by: Any = None, **body: Any) -> Any:
    return await (by or cloud.as_member()).post("/v2.0/subnets", json={"subnet": {"network_id": network["id"], **body}})


async def test_pool_has_neutrons_fields_and_its_life(cloud: Cloud) -> None:
    member = cloud.as_member()
    pool = await _pool(cloud, prefixes=["10.0.1.0/24", "10.0.0.0/24", "10.8.0.0/16"])
    assert set(pool) == {
        "id", "name", "tenant_id", "project_id", "ip_version", "prefixes", "min_prefixlen", "default_prefixlen", "max_prefixlen", "default_quota",
        "is_default", "shared", "address_scope_id", "description", "tags", "created_at", "updated_at", "revision_number",
    }  # fmt: skip
    assert pool["prefixes"] == ["10.0.0.0/23", "10.8.0.0/16"]
    assert (pool["ip_version"], pool["min_prefixlen"], pool["default_prefixlen"], pool["max_prefixlen"]) == (4, "8", "24", "32")
    path = f"/v2.0/subnetpools/{pool['id']}"
    assert (await member.get("/v2.0/subnetpools?shared=false&name=p")).json()["subnetpools"] == [pool]
    assert (await cloud.as_project("other").get(path)).status_code == 404
    shrunk = await member.put(path, json={"subnetpool": {"prefixes": ["10.0.0.0/23"]}})
    assert (shrunk.status_code, error_type(shrunk)) == (400, "IllegalSubnetPoolPrefixUpdate")
    grown = await member.put(f"{path}/add_prefixes", json={"prefixes": ["10.9.0.0/16"]})
    assert grown.json() == {"prefixes": ["10.0.0.0/23", "10.8.0.0/15"]}
    left = await member.put(f"{path}/remove_prefixes", json={"prefixes": ["10.0.0.0/24"]})
    assert left.json() == {"prefixes": ["10.0.1.0/24", "10.8.0.0/15"]}
    changed = (await member.put(path, json={"subnetpool": {"default_quota": 5, "name": "q"}})).json()["subnetpool"]
    assert (changed["default_quota"], changed["name"]) == (5, "q")
    assert (await member.delete(path)).status_code == 204
    gone = await member.get(path)
    assert (gone.status_code, error_type(gone)) == (404, "SubnetPoolNotFound")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"prefixes": []}, "EmptySubnetPoolPrefixList"),
        ({"prefixes": ["10.0.0.0/8", "2001:db8::/48"]}, "PrefixVersionMismatch"),
        ({"min_prefixlen": 4}, "UnsupportedMinSubnetPoolPrefix"),
        ({"min_prefixlen": 25}, "IllegalSubnetPoolPrefixBounds"),
        ({"max_prefixlen": 33}, "IllegalSubnetPoolPrefixBounds"),
        ({"default_prefixlen": 28, "max_prefixlen": 26}, "IllegalSubnetPoolPrefixBounds"),
    ],
)
async def test_pool_that_makes_no_sense_is_refused(cloud: Cloud, body: dict[str, Any], kind: str) -> None:
    whole = {"name": "p", "prefixes": ["10.0.0.0/22"], "default_prefixlen": 24, **body}
    answer = await cloud.as_member().post("/v2.0/subnetpools", json={"subnetpool": whole})
    assert (answer.status_code, error_type(answer)) == (400, kind)


async def test_subnets_from_a_pool_never_overlap_and_end_with_a_conflict(cloud: Cloud) -> None:
    pool = await _pool(cloud)
    networks = [await cloud.make_network() for _ in range(6)]
    answers = await asyncio.gather(*(_subnet(cloud, n, subnetpool_id=pool["id"], ip_version=4) for n in networks))
    made = [a.json()["subnet"] for a in answers if a.status_code == 201]
    assert sorted(s["cidr"] for s in made) == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
    assert {s["subnetpool_id"] for s in made} == {pool["id"]}
    assert {(a.status_code, error_type(a)) for a in answers if a.status_code != 201} == {(409, "SubnetAllocationError")}
    refused = await cloud.as_member().delete(f"/v2.0/subnetpools/{pool['id']}")
    assert (refused.status_code, error_type(refused)) == (400, "SubnetPoolDeleteError")
    held = await cloud.as_member().put(f"/v2.0/subnetpools/{pool['id']}/remove_prefixes", json={"prefixes": ["10.0.2.0/25"]})
    assert (held.status_code, error_type(held)) == (400, "IllegalSubnetPoolPrefixUpdate")
    await cloud.as_member().delete(f"/v2.0/subnets/{made[0]['id']}")
    free = next(n for n in networks if n["id"] == made[0]["network_id"])
    again = await _subnet(cloud, free, subnetpool_id=pool["id"], ip_version=4, prefixlen=25)
    assert again.json()["subnet"]["cidr"] == made[0]["cidr"].replace("/24", "/25")


async def test_subnet_asks_a_pool_for_a_length_or_a_prefix(cloud: Cloud) -> None:
    pool = await _pool(cloud, min_prefixlen=24, max_prefixlen=28)

    async def subnet(**body: Any) -> tuple[int, str]:
        answer = await _subnet(cloud, await cloud.make_network(), subnetpool_id=pool["id"], **body)
        return answer.status_code, answer.json()["subnet"]["cidr"] if answer.status_code == 201 else error_type(answer)

    assert await subnet(prefixlen=26) == (201, "10.0.0.0/26")
    assert await subnet(prefixlen=24) == (201, "10.0.1.0/24")
    assert await subnet(prefixlen=28) == (201, "10.0.0.64/28")
    assert await subnet(cidr="10.0.3.0/24") == (201, "10.0.3.0/24")
    assert await subnet(cidr="10.0.3.0/25") == (409, "SubnetAllocationError")
    assert await subnet(cidr="10.7.0.0/24") == (409, "SubnetAllocationError")
    assert await subnet(prefixlen=23) == (400, "MinPrefixSubnetAllocationError")
    assert await subnet(prefixlen=29) == (400, "MaxPrefixSubnetAllocationError")
    assert await subnet(ip_version=6) == (400, "BadRequest")
    assert await subnet(prefixlen=24, gateway_ip="10.0.2.1") == (400, "BadRequest")
    answer = await _subnet(cloud, await cloud.make_network(), subnetpool_id="prefix_delegation", ip_version=6)
    assert answer.status_code == 400 and "Prefix delegation is not supported" in answer.text


async def test_pool_quota_counts_what_a_project_has_of_it(cloud: Cloud) -> None:
    pool = await _pool(cloud, default_quota=300)
    first = await _subnet(cloud, await cloud.make_network(), subnetpool_id=pool["id"])
    assert first.status_code == 201
    second = await _subnet(cloud, await cloud.make_network(), subnetpool_id=pool["id"])
    assert (second.status_code, error_type(second)) == (409, "SubnetPoolQuotaExceeded")
    assert (await _subnet(cloud, await cloud.make_network(), subnetpool_id=pool["id"], prefixlen=27)).status_code == 201
    assert cloud.quota.used["network.subnets"] == 2


async def test_default_pool_is_an_administrators_and_one_for_each_version(cloud: Cloud) -> None:
    refused = await cloud.as_member().post("/v2.0/subnetpools", json={"subnetpool": {"name": "p", "prefixes": ["10.0.0.0/22"], "is_default": True}})
    assert (refused.status_code, error_type(refused)) == (403, "PolicyNotAuthorized")
    admin = cloud.as_admin()
    none = await _subnet(cloud, await cloud.make_network(), use_default_subnetpool=True, ip_version=4)
    assert (none.status_code, error_type(none)) == (400, "BadRequest")
    await _pool(cloud, by=admin, is_default=True, shared=True)
    second = await admin.post("/v2.0/subnetpools", json={"subnetpool": {"name": "q", "prefixes": ["10.4.0.0/22"], "is_default": True}})
    assert (second.status_code, error_type(second)) == (400, "InvalidInput")
    await _pool(cloud, by=admin, is_default=True, shared=True, prefixes=["2001:db8::/32"], default_prefixlen=64)
    network = await cloud.make_network()
    four = (await _subnet(cloud, network, use_default_subnetpool=True, ip_version=4)).json()["subnet"]
    six = (await _subnet(cloud, network, use_default_subnetpool=True, ip_version=6, ipv6_ra_mode="slaac", ipv6_address_mode="slaac")).json()["subnet"]
    assert (four["cidr"], six["cidr"]) == ("10.0.0.0/24", "2001:db8::/64")
    other = await _subnet(cloud, network, cidr="192.0.2.0/24", ip_version=4)
    assert (other.status_code, error_type(other)) == (400, "NetworkSubnetPoolAffinityError")


async def test_address_scope_keeps_its_pools_apart(cloud: Cloud) -> None:
    member = cloud.as_member()
    scope = await cloud.make("address-scopes", "address_scope", name="s", ip_version=4)
    assert set(scope) == {
        "id", "name", "tenant_id", "project_id", "ip_version", "shared", "description", "tags", "created_at", "updated_at", "revision_number",
    }  # fmt: skip
    pool = await _pool(cloud, address_scope_id=scope["id"])
    overlapping = await member.post(
        "/v2.0/subnetpools", json={"subnetpool": {"name": "q", "prefixes": ["10.0.3.0/24"], "address_scope_id": scope["id"]}}
    )
    assert (overlapping.status_code, error_type(overlapping)) == (409, "AddressScopePrefixConflict")
    six = await member.post("/v2.0/subnetpools", json={"subnetpool": {"name": "q", "prefixes": ["2001:db8::/48"], "address_scope_id": scope["id"]}})
    assert (six.status_code, error_type(six)) == (400, "IllegalSubnetPoolIpVersionAssociationToAddressScope")
    network = await cloud.make_network()
    assert (await _subnet(cloud, network, subnetpool_id=pool["id"])).status_code == 201
    shown = (await member.get(f"/v2.0/networks/{network['id']}")).json()["network"]
    assert (shown["ipv4_address_scope"], shown["ipv6_address_scope"]) == (scope["id"], None)
    path = f"/v2.0/address-scopes/{scope['id']}"
    refused = await member.delete(path)
    assert (refused.status_code, error_type(refused)) == (409, "AddressScopeInUse")
    assert (await cloud.as_project("other").get(path)).status_code == 404
    assert (await member.put(path, json={"address_scope": {"shared": True}})).status_code == 403
    admin = cloud.as_admin()
    assert (await admin.put(path, json={"address_scope": {"shared": True}})).json()["address_scope"]["shared"] is True
    assert (await cloud.as_project("other").get(path)).status_code == 200
    back = await admin.put(path, json={"address_scope": {"shared": False}})
    assert (back.status_code, error_type(back)) == (400, "AddressScopeUpdateError")


async def test_ports_that_are_there_get_an_address_in_a_new_automatic_subnet(cloud: Cloud) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.0.0.0/24")
    port = await cloud.make_port(network, mac_address="fa:16:3e:01:02:03")
    await cloud.make_subnet(network, "2001:db8::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    shown = (await cloud.as_member().get(f"/v2.0/ports/{port['id']}")).json()["port"]
    assert "2001:db8::f816:3eff:fe01:203" in {f["ip_address"] for f in shown["fixed_ips"]} and len(shown["fixed_ips"]) == 2
    await cloud.settle()
    assert cloud.events_of("network.port.updated")[-1]["port"]["id"] == port["id"]


async def test_service_types_choose_the_subnet(cloud: Cloud) -> None:
    network = await cloud.make_network()
    plain = await cloud.make_subnet(network, "10.0.0.0/24")
    typed = await cloud.make_subnet(network, "10.1.0.0/24", service_types=["compute:nova"])
    assert typed["service_types"] == ["compute:nova"] and plain["service_types"] == []
    served = await cloud.make_port(network, device_owner="compute:nova")
    other = await cloud.make_port(network)
    assert [p["fixed_ips"][0]["subnet_id"] for p in (served, other)] == [typed["id"], plain["id"]]
    lonely = await cloud.make_network()
    await cloud.make_subnet(lonely, "10.2.0.0/24", service_types=["compute:nova"])
    refused = await cloud.as_member().post("/v2.0/ports", json={"port": {"network_id": lonely["id"]}})
    assert (refused.status_code, error_type(refused)) == (409, "IpAddressGenerationFailureNoMatchingSubnet")
    wrong = await _subnet(cloud, lonely, cidr="10.3.0.0/24", ip_version=4, service_types=["nonsense"])
    assert (wrong.status_code, error_type(wrong)) == (400, "InvalidSubnetServiceType")


async def test_pool_is_not_given_to_who_does_not_see_its_address_scope(cloud: Cloud) -> None:
    scope = await cloud.make("address-scopes", "address_scope", name="s", ip_version=4)
    pool = await _pool(cloud, address_scope_id=scope["id"])

    async def share(kind: str, row: dict[str, Any]) -> Any:
        body = {"object_type": kind, "object_id": row["id"], "action": "access_as_shared", "target_tenant": cloud.other_project_id}
        return await cloud.as_member().post("/v2.0/rbac-policies", json={"rbac_policy": body})

    refused = await share("subnetpool", pool)
    assert (refused.status_code, error_type(refused)) == (400, "InvalidInput")
    assert (await share("address_scope", scope)).status_code == 201
    assert (await share("subnetpool", pool)).status_code == 201


async def test_pool_of_anothers_address_scope_is_changed_by_administrators_only(cloud: Cloud) -> None:
    admin = cloud.as_admin()
    scope = await cloud.make("address-scopes", "address_scope", by=admin, name="s", ip_version=4, shared=True)
    pool = await _pool(cloud, address_scope_id=scope["id"])
    path, wider = f"/v2.0/subnetpools/{pool['id']}", {"prefixes": ["10.0.0.0/22", "10.8.0.0/16"]}
    for refused in (
        await cloud.as_member().put(path, json={"subnetpool": wider}),
        await cloud.as_member().put(f"{path}/add_prefixes", json={"prefixes": ["10.8.0.0/16"]}),
    ):
        assert (refused.status_code, error_type(refused)) == (400, "IllegalSubnetPoolUpdate")
    assert (await admin.put(path, json={"subnetpool": wider})).json()["subnetpool"]["prefixes"] == wider["prefixes"]


async def test_pools_count_in_the_quota(cloud: Cloud) -> None:
    cloud.quota.limits["network.subnet_pools"] = 1
    pool = await _pool(cloud)
    second = await cloud.as_member().post("/v2.0/subnetpools", json={"subnetpool": {"name": "p", "prefixes": ["10.4.0.0/22"]}})
    assert (second.status_code, error_type(second)) == (409, "OverQuota")
    assert (await cloud.as_member().delete(f"/v2.0/subnetpools/{pool['id']}")).status_code == 204
    await _pool(cloud)
