"""Ports and the allocation of their addresses."""

from __future__ import annotations

import asyncio

import pytest

from synnefo_common.db.recorder import record_queries

from .conftest import Cloud, error_type

PORT_KEYS = {
    "qos_policy_id",
    "id",
    "name",
    "network_id",
    "tenant_id",
    "project_id",
    "mac_address",
    "admin_state_up",
    "status",
    "device_id",
    "device_owner",
    "fixed_ips",
    "security_groups",
    "allowed_address_pairs",
    "extra_dhcp_opts",
    "port_security_enabled",
    "binding:vnic_type",
    "description",
    "tags",
    "created_at",
    "updated_at",
    "revision_number",
}


async def test_port_gets_address_mac_and_default_group(cloud: Cloud) -> None:
    network = await cloud.make_network()
    subnet = await cloud.make_subnet(network, "10.0.0.0/24")
    port = await cloud.make_port(network, name="p")
    assert set(port) == PORT_KEYS
    assert port["mac_address"].startswith("fa:16:3e:") and port["status"] == "DOWN"
    (fixed,) = port["fixed_ips"]
    assert fixed["subnet_id"] == subnet["id"] and fixed["ip_address"] not in ("10.0.0.0", "10.0.0.1", "10.0.0.255")
    groups = (await cloud.as_member().get("/v2.0/security-groups")).json()["security_groups"]
    assert [g["name"] for g in groups] == ["default"] and port["security_groups"] == [groups[0]["id"]]
    shown = (await cloud.as_admin().get(f"/v2.0/ports/{port['id']}")).json()["port"]
    assert set(shown) == PORT_KEYS | {"binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details"}
    assert (await cloud.as_project().get(f"/v2.0/ports/{port['id']}")).status_code == 404
    await cloud.settle()
    (event,) = cloud.events_of("network.port.created")
    assert event["port"]["id"] == port["id"] and event["project_id"] == cloud.project_id
    assert event["port"]["security_groups"] == [{"id": groups[0]["id"], "name": "default"}]


async def test_hundred_parallel_creates_get_hundred_addresses(cloud: Cloud) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.0.0.0/24")
    ports = await asyncio.gather(*(cloud.make_port(network) for _ in range(100)))
    assert len({p["fixed_ips"][0]["ip_address"] for p in ports}) == 100
    assert len({p["mac_address"] for p in ports}) == 100


async def test_small_subnet_gives_exactly_what_there_is_then_409(cloud: Cloud) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.0.0.0/28")
    client = cloud.as_member()
    answers = await asyncio.gather(*(client.post("/v2.0/ports", json={"port": {"network_id": network["id"]}}) for _ in range(20)))
    made = [a for a in answers if a.status_code == 201]
    assert len(made) == 13 and len({a.json()["port"]["fixed_ips"][0]["ip_address"] for a in made}) == 13
    refused = [a for a in answers if a.status_code != 201]
    assert {(a.status_code, error_type(a)) for a in refused} == {(409, "IpAddressGenerationFailure")}
    assert cloud.quota.used["network.ports"] == 13
    await client.delete(f"/v2.0/ports/{made[0].json()['port']['id']}")
    assert (await cloud.make_port(network))["fixed_ips"] == made[0].json()["port"]["fixed_ips"]


async def test_bulk_is_one_transaction(cloud: Cloud) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.0.0.0/28")
    body = {"ports": [{"network_id": network["id"]} for _ in range(14)]}
    answer = await cloud.as_member().post("/v2.0/ports", json=body)
    assert (answer.status_code, error_type(answer)) == (409, "IpAddressGenerationFailure")
    assert (await cloud.as_member().get("/v2.0/ports")).json() == {"ports": []}
    answer = await cloud.as_member().post("/v2.0/ports", json={"ports": body["ports"][:13]})
    assert len({p["fixed_ips"][0]["ip_address"] for p in answer.json()["ports"]}) == 13


@pytest.mark.parametrize(
    ("fixed_ips", "status", "kind"),
    [
        ([{"ip_address": "10.0.0.50"}], 409, "IpAddressInUse"),
        ([{"ip_address": "10.9.0.50"}], 400, "InvalidIpForNetwork"),
        ([{"ip_address": "10.0.0.255"}], 400, "InvalidIpForSubnet"),
        ([{"ip_address": "x"}], 400, "InvalidInput"),
        ([{"subnet_id": "11111111-1111-1111-1111-111111111111"}], 400, "InvalidInput"),
        ([{}], 400, "InvalidInput"),
        ([{"ip_address": "10.0.0.51"}, {"ip_address": "10.0.0.51"}], 400, "InvalidInput"),
        ([{"ip": "10.0.0.51"}], 400, "HTTPBadRequest"),
    ],
)
async def test_bad_fixed_ip_is_refused(cloud: Cloud, fixed_ips: list[dict[str, str]], status: int, kind: str) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.0.0.0/24")
    await cloud.make_port(network, fixed_ips=[{"ip_address": "10.0.0.50"}])
    answer = await cloud.as_member().post("/v2.0/ports", json={"port": {"network_id": network["id"], "fixed_ips": fixed_ips}})
    assert (answer.status_code, error_type(answer)) == (status, kind), answer.text


async def test_v6_addresses_by_mode(cloud: Cloud) -> None:
    network = await cloud.make_network()
    slaac = await cloud.make_subnet(network, "fd00:1::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    stateful = await cloud.make_subnet(network, "fd00:2::/64", ipv6_address_mode="dhcpv6-stateful", ipv6_ra_mode="dhcpv6-stateful")
    port = await cloud.make_port(network, mac_address="fa:16:3e:00:00:01")
    by_subnet = {f["subnet_id"]: f["ip_address"] for f in port["fixed_ips"]}
    assert set(by_subnet) == {slaac["id"], stateful["id"]}
    assert by_subnet[slaac["id"]] == "fd00:1::f816:3eff:fe00:1"


async def test_mac_is_unique_over_the_cloud(cloud: Cloud) -> None:
    one, two = await cloud.make_network(), await cloud.make_network(by=cloud.as_project())
    await cloud.make_port(one, mac_address="fa-16-3e-aa-bb-cc")
    answer = await cloud.as_project().post("/v2.0/ports", json={"port": {"network_id": two["id"], "mac_address": "FA:16:3E:AA:BB:CC"}})
    assert (answer.status_code, error_type(answer)) == (409, "MacAddressInUse")
    answer = await cloud.as_member().post("/v2.0/ports", json={"port": {"network_id": one["id"], "mac_address": "01:00:5e:00:00:01"}})
    assert answer.status_code == 400


async def test_update_replaces_addresses_and_groups(cloud: Cloud) -> None:
    network = await cloud.make_network()
    one = await cloud.make_subnet(network, "10.0.0.0/24")
    two = await cloud.make_subnet(network, "10.0.1.0/24")
    group = await cloud.make("security-groups", "security_group", name="web")
    port = await cloud.make_port(network, fixed_ips=[{"subnet_id": one["id"]}])
    url = f"/v2.0/ports/{port['id']}"
    client = cloud.as_member()
    both = [*port["fixed_ips"], {"subnet_id": two["id"]}]
    body = {"port": {"fixed_ips": both, "security_groups": [group["id"]], "name": "new"}}
    changed = (await client.put(url, json=body)).json()["port"]
    assert port["fixed_ips"][0] in changed["fixed_ips"] and len(changed["fixed_ips"]) == 2
    assert changed["security_groups"] == [group["id"]] and changed["name"] == "new"
    cleared = (await client.put(url, json={"port": {"fixed_ips": [], "security_groups": None}})).json()["port"]
    assert cleared["fixed_ips"] == [] == cleared["security_groups"]
    again = await cloud.make_port(network, fixed_ips=port["fixed_ips"])
    assert again["fixed_ips"] == port["fixed_ips"]


async def test_attributes_of_administrators_are_refused(cloud: Cloud) -> None:
    network = await cloud.make_network(by=cloud.as_admin(), shared=True)
    client = cloud.as_member()
    for body in (
        {"binding:host_id": "h"},
        {"binding:profile": {"a": 1}},
        {"mac_address": "fa:16:3e:00:00:09"},
        {"device_owner": "network:dhcp"},
        {"port_security_enabled": False},
        {"fixed_ips": [{"ip_address": "10.0.0.9"}]},
        {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]},
    ):
        answer = await client.post("/v2.0/ports", json={"port": {"network_id": network["id"], **body}})
        assert (answer.status_code, error_type(answer)) == (403, "PolicyNotAuthorized"), body


async def test_port_security_goes_with_groups_and_pairs(cloud: Cloud) -> None:
    network = await cloud.make_network()
    client = cloud.as_member()
    port = await cloud.make_port(network, allowed_address_pairs=[{"ip_address": "10.1.0.0/24"}])
    assert port["allowed_address_pairs"] == [{"ip_address": "10.1.0.0/24", "mac_address": port["mac_address"]}]
    url = f"/v2.0/ports/{port['id']}"
    answer = await client.put(url, json={"port": {"port_security_enabled": False}})
    assert (answer.status_code, error_type(answer)) == (409, "PortSecurityPortHasSecurityGroup")
    body = {"port_security_enabled": False, "security_groups": [], "allowed_address_pairs": []}
    assert (await client.put(url, json={"port": body})).json()["port"]["port_security_enabled"] is False
    open_port = await cloud.make_port(network, port_security_enabled=False)
    assert open_port["security_groups"] == []


async def test_filters_by_address_device_group(cloud: Cloud) -> None:
    network = await cloud.make_network()
    subnet = await cloud.make_subnet(network, "10.0.0.0/24")
    port = await cloud.make_port(network, device_id="srv", fixed_ips=[{"ip_address": "10.0.0.77"}], tags=["red", "blue"])
    await cloud.make_port(network, fixed_ips=[{"ip_address": "10.0.0.5"}], tags=["red"])
    client = cloud.as_member()
    for query in (
        "fixed_ips=ip_address=10.0.0.77",
        f"fixed_ips=subnet_id={subnet['id']}&fixed_ips=ip_address=10.0.0.77",
        "device_id=srv",
        "fixed_ips=ip_address_substr=0.77",
        f"mac_address={port['mac_address']}",
        "tags=blue,red",
        "tags-any=blue,green",
        "not-tags-any=green&tags=blue",
    ):
        found = (await client.get(f"/v2.0/ports?{query}")).json()["ports"]
        assert [p["id"] for p in found] == [port["id"]], query
    assert len((await client.get(f"/v2.0/ports?security_groups={port['security_groups'][0]}")).json()["ports"]) == 2
    assert len((await client.get("/v2.0/ports?device_id=")).json()["ports"]) == 1


async def test_list_costs_the_same_statements_for_one_and_for_many(still: Cloud) -> None:
    network = await still.make_network()
    await still.make_subnet(network, "10.0.0.0/16")
    counts = []
    for more in (1, 99):
        await still.as_member().post("/v2.0/ports", json={"ports": [{"network_id": network["id"]}] * more})
        with record_queries(still.db) as queries:
            assert (await still.as_member().get("/v2.0/ports")).status_code == 200
        counts.append(queries.count)
    assert counts == [3, 3]


async def test_create_keeps_its_statement_budget(still: Cloud) -> None:
    network = await still.make_network()
    await still.make_subnet(network, "10.0.0.0/16")
    for many in (1, 100):
        with record_queries(still.db) as queries:
            answer = await still.as_member().post("/v2.0/ports", json={"ports": [{"network_id": network["id"]}] * many})
        assert answer.status_code == 201
        assert queries.count <= 10, queries.texts()  # of them two for events and commission; one for a lost race among 100


async def test_port_that_became_a_network_device_gives_its_quota_back(cloud: Cloud) -> None:
    network = await cloud.make_network()
    port = await cloud.make_port(network)
    url = f"/v2.0/ports/{port['id']}"
    assert (await cloud.as_member().put(url, json={"port": {"device_owner": "network:dhcp"}})).status_code == 200
    assert (await cloud.as_member().delete(url)).status_code == 204
    assert cloud.quota.used["network.ports"] == 0


async def test_ip_version_of_a_dhcp_option_may_be_a_word(cloud: Cloud) -> None:
    options = [{"opt_name": "mtu", "opt_value": "1400", "ip_version": "4"}]  # as the command line client sends it
    port = await cloud.make_port(await cloud.make_network(), extra_dhcp_opts=options)
    assert port["extra_dhcp_opts"] == [{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}]
    wrong = {"network_id": port["network_id"], "extra_dhcp_opts": [{**options[0], "ip_version": "5"}]}
    assert (await cloud.as_member().post("/v2.0/ports", json={"port": wrong})).status_code == 400
