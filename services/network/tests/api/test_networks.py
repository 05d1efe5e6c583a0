"""Networks and subnets over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from synnefo_network.main import build
from synnefo_network.settings import Settings

from .conftest import Cloud, error_type

NETWORK_KEYS = {
    "qos_policy_id",
    "ipv4_address_scope",
    "ipv6_address_scope",
    "id",
    "name",
    "tenant_id",
    "project_id",
    "admin_state_up",
    "status",
    "shared",
    "subnets",
    "mtu",
    "router:external",
    "port_security_enabled",
    "availability_zone_hints",
    "availability_zones",
    "description",
    "tags",
    "created_at",
    "updated_at",
    "revision_number",
}
PROVIDER_KEYS = {"provider:network_type", "provider:physical_network", "provider:segmentation_id"}


async def test_member_sees_exactly_the_public_attributes_and_admin_the_provider_ones(cloud: Cloud) -> None:
    made = await cloud.make_network(name="net")
    assert set(made) == NETWORK_KEYS
    assert made["status"] == "ACTIVE" and made["project_id"] == cloud.project_id == made["tenant_id"]
    shown = (await cloud.as_admin().get(f"/v2.0/networks/{made['id']}")).json()["network"]
    assert set(shown) == NETWORK_KEYS | PROVIDER_KEYS


async def test_another_project_does_not_find_the_network(cloud: Cloud) -> None:
    made = await cloud.make_network(name="net")
    other = cloud.as_project()
    for call in (other.get, other.delete):
        answer = await call(f"/v2.0/networks/{made['id']}")
        assert (answer.status_code, error_type(answer)) == (404, "NetworkNotFound")
    answer = await other.put(f"/v2.0/networks/{made['id']}", json={"network": {"name": "mine"}})
    assert answer.status_code == 404
    assert (await other.get("/v2.0/networks")).json() == {"networks": []}


async def test_shared_and_external_networks_are_seen_by_all_but_not_changed(cloud: Cloud) -> None:
    public = await cloud.make_public()
    assert public["is_default"] is True
    listed = (await cloud.as_member().get("/v2.0/networks", params={"router:external": "True"})).json()["networks"]
    assert [n["id"] for n in listed] == [public["id"]]
    answer = await cloud.as_member().put(f"/v2.0/networks/{public['id']}", json={"network": {"name": "mine"}})
    assert (answer.status_code, error_type(answer)) == (403, "PolicyNotAuthorized")
    assert (await cloud.as_member().delete(f"/v2.0/networks/{public['id']}")).status_code == 403


@pytest.mark.parametrize("attribute", [{"shared": True}, {"router:external": True}, {"provider:network_type": "flat"}])
async def test_member_may_not_set_what_is_for_administrators(cloud: Cloud, attribute: dict[str, object]) -> None:
    answer = await cloud.as_member().post("/v2.0/networks", json={"network": attribute})
    assert (answer.status_code, error_type(answer)) == (403, "PolicyNotAuthorized")


async def test_reader_lists_but_does_not_create(cloud: Cloud) -> None:
    await cloud.make_network(name="net")
    reader = cloud.as_reader()
    assert len((await reader.get("/v2.0/networks")).json()["networks"]) == 1
    assert (await reader.post("/v2.0/networks", json={"network": {}})).status_code == 403


async def test_only_admin_creates_for_another_project(cloud: Cloud) -> None:
    body = {"network": {"tenant_id": cloud.other_project_id}}
    assert (await cloud.as_member().post("/v2.0/networks", json=body)).status_code == 400
    made = (await cloud.as_admin().post("/v2.0/networks", json=body)).json()["network"]
    assert made["project_id"] == cloud.other_project_id


async def test_bulk_create_is_all_or_nothing_and_counts(cloud: Cloud) -> None:
    cloud.quota.limits["network.networks"] = 3
    body = {"networks": [{"name": f"n{i}"} for i in range(4)]}
    answer = await cloud.as_member().post("/v2.0/networks", json=body)
    assert (answer.status_code, error_type(answer)) == (409, "OverQuota")
    answer = await cloud.as_member().post("/v2.0/networks", json={"networks": body["networks"][:3]})
    assert [n["name"] for n in answer.json()["networks"]] == ["n0", "n1", "n2"]
    assert cloud.quota.used["network.networks"] == 3


async def test_names_look_up_by_filter_and_404_by_path(cloud: Cloud) -> None:
    made = await cloud.make_network(name="web")
    await cloud.make_network(name="db")
    client = cloud.as_member()
    assert (await client.get("/v2.0/networks/web")).status_code == 404
    found = (await client.get("/v2.0/networks?name=web&fields=id")).json()
    assert found == {"networks": [{"id": made["id"]}]}
    both = (await client.get("/v2.0/networks?name=web&name=db&sort_key=name&sort_dir=asc&fields=name")).json()["networks"]
    assert [n["name"] for n in both] == ["db", "web"]


@pytest.mark.parametrize(
    "query",
    [
        "nope=1",
        "sort_key=nope&sort_dir=asc",
        "sort_key=name&sort_dir=up",
        "limit=-1",
        "limit=x",
        "mtu=x",
        "shared=maybe",
        "name=%00",
    ],
)
async def test_wrong_query_is_400(cloud: Cloud, query: str) -> None:
    answer = await cloud.as_member().get(f"/v2.0/networks?{query}")
    assert (answer.status_code, error_type(answer)) == (400, "HTTPBadRequest")


async def test_pages_go_forward_to_an_empty_page_and_backward(cloud: Cloud) -> None:
    for i in range(5):
        await cloud.make_network(name=f"n{i}")
    client = cloud.as_member()
    names: list[str] = []
    url = "/v2.0/networks?limit=2&sort_key=name&sort_dir=asc"
    while True:
        page = (await client.get(url)).json()
        names += [n["name"] for n in page["networks"]]
        following = [link["href"] for link in page["networks_links"] if link["rel"] == "next"]
        if not following:
            break
        url = following[0]
    assert names == ["n0", "n1", "n2", "n3", "n4"]
    last = page["networks"][0]["id"]
    back = (await client.get(f"/v2.0/networks?limit=2&sort_key=name&sort_dir=asc&page_reverse=True&marker={last}")).json()
    assert [n["name"] for n in back["networks"]] == ["n2", "n3"]
    assert (await client.get("/v2.0/networks?limit=2&marker=nowhere")).status_code == 404


async def test_revision_moves_and_if_match_holds(cloud: Cloud) -> None:
    made = await cloud.make_network(name="net")
    client = cloud.as_member()
    url = f"/v2.0/networks/{made['id']}"
    for stale in (77, -1):
        answer = await client.put(url, json={"network": {"name": "x"}}, headers={"If-Match": f"revision_number={stale}"})
        assert (answer.status_code, error_type(answer)) == (412, "RevisionNumberConstraintFailed")
    now = {"If-Match": f"revision_number={made['revision_number']}"}
    changed = (await client.put(url, json={"network": {"name": "x"}}, headers=now)).json()["network"]
    assert changed["name"] == "x" and changed["revision_number"] > made["revision_number"]


async def test_unknown_and_read_only_attributes_are_400(cloud: Cloud) -> None:
    client = cloud.as_member()
    bodies: list[Any] = [
        {"network": {"color": 1}},
        {"network": {"status": "DOWN"}},
        {"net": {}},
        [],
        {"network": {"name": "a\0b"}},
        {"networks": []},
    ]
    for body in bodies:
        answer = await client.post("/v2.0/networks", json=body)
        assert (answer.status_code, error_type(answer)) == (400, "HTTPBadRequest"), body


async def test_network_with_a_port_is_in_use_and_without_goes_with_its_subnets(cloud: Cloud) -> None:
    network = await cloud.make_network()
    subnet = await cloud.make_subnet(network, "10.0.0.0/24")
    port = await cloud.make_port(network)
    client = cloud.as_member()
    answer = await client.delete(f"/v2.0/networks/{network['id']}")
    assert (answer.status_code, error_type(answer)) == (409, "NetworkInUse")
    answer = await client.delete(f"/v2.0/subnets/{subnet['id']}")
    assert (answer.status_code, error_type(answer)) == (409, "SubnetInUse")
    assert (await client.delete(f"/v2.0/ports/{port['id']}")).status_code == 204
    assert (await client.delete(f"/v2.0/networks/{network['id']}")).status_code == 204
    assert (await client.get(f"/v2.0/subnets/{subnet['id']}")).status_code == 404
    assert not +cloud.quota.used, "everything deleted, so nothing is counted"


async def test_subnet_has_defaults_and_exact_keys(cloud: Cloud) -> None:
    network = await cloud.make_network()
    subnet = await cloud.make_subnet(network, "10.0.0.7/24")
    assert set(subnet) == {
        "id",
        "name",
        "tenant_id",
        "project_id",
        "network_id",
        "ip_version",
        "subnetpool_id",
        "service_types",
        "enable_dhcp",
        "ipv6_ra_mode",
        "ipv6_address_mode",
        "gateway_ip",
        "cidr",
        "router:external",
        "allocation_pools",
        "host_routes",
        "dns_nameservers",
        "description",
        "tags",
        "created_at",
        "updated_at",
        "revision_number",
    }
    assert (subnet["cidr"], subnet["gateway_ip"]) == ("10.0.0.0/24", "10.0.0.1")
    assert subnet["allocation_pools"] == [{"start": "10.0.0.2", "end": "10.0.0.254"}]
    shown = (await cloud.as_member().get(f"/v2.0/networks/{network['id']}")).json()["network"]
    assert shown["subnets"] == [subnet["id"]] and shown["revision_number"] > network["revision_number"]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"cidr": "10.0.0.0/33"}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "ip_version": 6}, 400, "InvalidInput"),
        ({"cidr": "10.1.0.128/25"}, 400, "InvalidInput"),  # overlaps
        ({"cidr": "10.0.0.0/31"}, 400, "InvalidInput"),
        ({"cidr": "224.0.0.0/24"}, 400, "InvalidInput"),
        ({"cidr": "0.0.0.0/0"}, 400, "InvalidInput"),
        ({"cidr": None}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.255"}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "gateway_ip": "fe80::1"}, 400, "InvalidInput"),
        (
            {"cidr": "10.0.0.0/24", "allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.9"}]},
            409,
            "GatewayConflictWithAllocationPools",
        ),
        (
            {"cidr": "10.0.0.0/24", "allocation_pools": [{"start": "10.0.1.1", "end": "10.0.1.9"}]},
            400,
            "OutOfBoundsAllocationPool",
        ),
        (
            {"cidr": "10.0.0.0/24", "allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.2"}]},
            400,
            "InvalidAllocationPool",
        ),
        (
            {
                "cidr": "10.0.0.0/24",
                "allocation_pools": [
                    {"start": "10.0.0.2", "end": "10.0.0.9"},
                    {"start": "10.0.0.9", "end": "10.0.0.12"},
                ],
            },
            409,
            "OverlappingAllocationPools",
        ),
        ({"cidr": "10.0.0.0/24", "dns_nameservers": ["x"]}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "dns_nameservers": ["8.8.8.8"] * 2}, 400, "InvalidInput"),
        (
            {"cidr": "10.0.0.0/24", "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "::1"}]},
            400,
            "InvalidInput",
        ),
        ({"cidr": "10.0.0.0/24", "ipv6_ra_mode": "slaac"}, 400, "InvalidInput"),
        ({"cidr": "fd00::/56", "ip_version": 6, "ipv6_address_mode": "slaac"}, 400, "InvalidInput"),
        (
            {"cidr": "fd00::/64", "ip_version": 6, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "dhcpv6-stateful"},
            400,
            "InvalidInput",
        ),
        ({"subnetpool_id": "11111111-1111-1111-1111-111111111111"}, 404, "SubnetPoolNotFound"),
        ({"cidr": "10.0.0.0/24", "ip_version": 5}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "network_id": "nope"}, 400, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/24", "network_id": "11111111-1111-1111-1111-111111111111"}, 404, "NetworkNotFound"),
    ],
)
async def test_bad_subnet_is_refused(cloud: Cloud, body: dict[str, object], status: int, kind: str) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.1.0.0/24")
    answer = await cloud.as_member().post("/v2.0/subnets", json={"subnet": {"network_id": network["id"], "ip_version": 4, **body}})
    assert (answer.status_code, error_type(answer)) == (status, kind), answer.text
    assert cloud.quota.used["network.subnets"] == 1


async def test_subnet_update_changes_pools_gateway_and_dns(cloud: Cloud) -> None:
    network = await cloud.make_network()
    subnet = await cloud.make_subnet(network, "10.0.0.0/24", gateway_ip=None)
    assert subnet["gateway_ip"] is None and subnet["allocation_pools"][0]["start"] == "10.0.0.1"
    url = f"/v2.0/subnets/{subnet['id']}"
    client = cloud.as_member()
    answer = await client.put(url, json={"subnet": {"gateway_ip": "10.0.0.9"}})
    assert (answer.status_code, error_type(answer)) == (409, "GatewayConflictWithAllocationPools")
    body = {
        "gateway_ip": "10.0.0.9",
        "allocation_pools": [{"start": "10.0.0.10", "end": "10.0.0.20"}],
        "dns_nameservers": ["9.9.9.9"],
    }
    changed = (await client.put(url, json={"subnet": body})).json()["subnet"]
    assert {k: changed[k] for k in body} == body
    assert (await client.put(url, json={"subnet": {"cidr": "10.0.0.0/25"}})).status_code == 400


async def test_two_networks_may_have_one_vlan_only_once(cloud: Cloud) -> None:
    admin = cloud.as_admin()
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 7}
    await cloud.make_network(by=admin, **vlan)
    answer = await admin.post("/v2.0/networks", json={"network": vlan})
    assert (answer.status_code, error_type(answer)) == (409, "VlanIdInUse")


async def test_sharing_ends_only_when_nobody_else_uses_it(cloud: Cloud) -> None:
    admin = cloud.as_admin()
    network = await cloud.make_network(by=admin, shared=True)
    await cloud.make_subnet(network, "10.0.0.0/24", by=admin)
    port = await cloud.make_port(network)
    url = f"/v2.0/networks/{network['id']}"
    answer = await admin.put(url, json={"network": {"shared": False}})
    assert (answer.status_code, error_type(answer)) == (409, "InvalidSharedSetting")
    await cloud.as_member().delete(f"/v2.0/ports/{port['id']}")
    assert (await admin.put(url, json={"network": {"shared": False}})).json()["network"]["shared"] is False


async def test_subnet_shows_and_finds_whether_its_network_is_external(cloud: Cloud) -> None:
    public = await cloud.make_public()
    private = await cloud.make_subnet(await cloud.make_network(), "10.0.0.0/24")
    client = cloud.as_member()
    (of_public,) = (await client.get(f"/v2.0/subnets?network_id={public['id']}")).json()["subnets"]
    assert (of_public["router:external"], private["router:external"]) == (True, False)
    assert (await client.get(f"/v2.0/subnets/{of_public['id']}")).json() == {"subnet": of_public}
    assert (await client.get("/v2.0/subnets?router:external=true")).json() == {"subnets": [of_public]}
    assert (await client.get("/v2.0/subnets?router:external=False")).json() == {"subnets": [private]}
    changed = await client.put(f"/v2.0/subnets/{private['id']}", json={"subnet": {"name": "n"}})
    assert changed.json()["subnet"]["router:external"] is False


async def test_mtu_is_judged_by_the_subnets(cloud: Cloud) -> None:
    network = await cloud.make_network(mtu=67)
    client = cloud.as_member()
    for version, cidr in ((4, "10.0.0.0/24"), (6, "2001:db8::/64")):
        body = {"subnet": {"network_id": network["id"], "ip_version": version, "cidr": cidr}}
        answer = await client.post("/v2.0/subnets", json=body)
        assert (answer.status_code, error_type(answer)) == (409, "NetworkMTUSubnetConflict")
    assert (await client.put(f"/v2.0/networks/{network['id']}", json={"network": {"mtu": 68}})).status_code == 200
    await cloud.make_subnet(network, "10.0.0.0/24")
    answer = await client.put(f"/v2.0/networks/{network['id']}", json={"network": {"mtu": 67}})
    assert (answer.status_code, error_type(answer)) == (409, "NetworkMTUSubnetConflict")
    answer = await client.post("/v2.0/networks", json={"network": {"mtu": 9000}})
    assert (answer.status_code, error_type(answer)) == (400, "InvalidInput")


async def test_bulk_takes_each_under_its_own_name_too(cloud: Cloud) -> None:
    client = cloud.as_member()
    answer = await client.post("/v2.0/networks", json={"networks": [{"network": {"name": "a"}}, {"name": "b"}]})
    assert [n["name"] for n in answer.json()["networks"]] == ["a", "b"]
    wrongs: list[dict[str, object]] = [{"network": {"network": {"name": "a"}}}, {"networks": [{"subnet": {}}]}, {"networks": [{"network": "a"}]}]
    for wrong in wrongs:
        answer = await client.post("/v2.0/networks", json=wrong)
        assert (answer.status_code, error_type(answer)) == (400, "HTTPBadRequest"), wrong


@pytest.mark.parametrize(("service_type", "status"), [("test:type_1", 201), ("compute:", 201), ("test", 400), (":x", 400)])
async def test_service_type_of_a_subnet_has_the_form_of_a_device_owner(cloud: Cloud, service_type: str, status: int) -> None:
    body = {"network_id": (await cloud.make_network())["id"], "cidr": "10.0.0.0/24", "ip_version": 4, "service_types": [service_type]}
    assert (await cloud.as_member().post("/v2.0/subnets", json={"subnet": body})).status_code == status


async def test_networks_of_type_vlan_are_given_free_vlans_of_their_physical_network(database_url: str) -> None:
    async with Cloud(build, Settings, overrides={"vlan_ranges": ["physnet1:100:101"]}, database_url=database_url) as cloud:
        admin = cloud.as_admin()
        named = {"provider:network_type": "vlan", "provider:physical_network": "physnet1"}
        taken = await cloud.make_network(by=admin, **named, **{"provider:segmentation_id": 100})
        drawn = await cloud.make_network(by=admin, **named)
        assert (taken["provider:segmentation_id"], drawn["provider:segmentation_id"]) == (100, 101)
        full = await admin.post("/v2.0/networks", json={"network": named})
        assert (full.status_code, error_type(full)) == (409, "NoNetworkAvailable")
        assert (await admin.delete(f"/v2.0/networks/{taken['id']}")).status_code == 204
        assert (await cloud.make_network(by=admin, **named))["provider:segmentation_id"] == 100
        other = await admin.post("/v2.0/networks", json={"network": {**named, "provider:physical_network": "physnet2"}})
        assert (other.status_code, error_type(other)) == (400, "InvalidInput")
