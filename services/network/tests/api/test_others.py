"""Discovery, floating IPs, quotas, tags, availability."""

from __future__ import annotations

import asyncio

from .conftest import Cloud, error_type


async def test_discovery_is_open_and_extensions_tell_the_truth(cloud: Cloud) -> None:
    nobody = cloud.anonymous()
    versions = (await nobody.get("/")).json()["versions"]
    assert versions == [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": "http://testserver/v2.0/"}]}]
    assert {r["collection"] for r in (await nobody.get("/v2.0/")).json()["resources"]} >= {
        "networks",
        "security_groups",
    }
    assert (await nobody.get("/v2.0/networks")).status_code == 401
    client = cloud.as_member()
    aliases = {e["alias"] for e in (await client.get("/v2.0/extensions")).json()["extensions"]}
    assert {"external-net", "security-group", "quotas", "tag-creation"} <= aliases and not aliases & {"vpnaas", "bgp"}
    assert set((await client.get("/v2.0/extensions/quotas")).json()["extension"]) == {
        "alias",
        "name",
        "updated",
        "description",
        "links",
    }
    assert (await client.get("/v2.0/extensions/vpnaas")).status_code == 404
    zones = (await client.get("/v2.0/availability_zones")).json()["availability_zones"]
    assert zones == [{"name": "nova", "resource": resource, "state": "available"} for resource in ("network", "router")]


async def test_floating_ip_is_allocated_and_released(cloud: Cloud) -> None:
    public = await cloud.make_public("203.0.113.0/29")
    client = cloud.as_member()
    made = await cloud.make("floatingips", "floatingip", floating_network_id=public["id"], description="d")
    assert made["floating_ip_address"].startswith("203.0.113.") and made["status"] == "DOWN" and made["port_id"] is None
    assert cloud.quota.used == {
        "network.floating_ips": 1,
        **{k: v for k, v in cloud.quota.used.items() if k != "network.floating_ips"},
    }
    assert (await client.get("/v2.0/floatingips?floating_ip_address=" + made["floating_ip_address"])).json() == {"floatingips": [made]}
    assert (await cloud.as_project().get(f"/v2.0/floatingips/{made['id']}")).status_code == 404
    network = await cloud.make_network()
    port = await cloud.make_port(network)
    answer = await client.put(f"/v2.0/floatingips/{made['id']}", json={"floatingip": {"port_id": port["id"]}})
    assert answer.status_code == 400 and "no fixed IPv4" in answer.text
    assert (await client.put(f"/v2.0/floatingips/{made['id']}", json={"floatingip": {"port_id": None}})).status_code == 200
    (held,) = (await cloud.as_admin().get("/v2.0/ports?device_owner=network:floatingip")).json()["ports"]
    answer = await cloud.as_admin().delete(f"/v2.0/ports/{held['id']}")
    assert (answer.status_code, error_type(answer)) == (409, "ServicePortInUse")
    assert (await client.delete(f"/v2.0/floatingips/{made['id']}")).status_code == 204
    assert cloud.quota.used["network.floating_ips"] == 0
    assert (await cloud.as_admin().get("/v2.0/ports?device_owner=network:floatingip")).json()["ports"] == []


async def test_floating_ips_are_given_once_until_there_are_no_more(cloud: Cloud) -> None:
    public = await cloud.make_public("203.0.113.0/29")
    body = {"floatingip": {"floating_network_id": public["id"]}}
    answers = await asyncio.gather(*(cloud.as_member().post("/v2.0/floatingips", json=body) for _ in range(8)))
    made = [a.json()["floatingip"]["floating_ip_address"] for a in answers if a.status_code == 201]
    assert len(made) == len(set(made)) == 5
    assert {(a.status_code, error_type(a)) for a in answers if a.status_code != 201} == {(409, "IpAddressGenerationFailure")}
    network = await cloud.make_network()
    answer = await cloud.as_member().post("/v2.0/floatingips", json={"floatingip": {"floating_network_id": network["id"]}})
    assert answer.status_code == 400 and "not a valid external network" in answer.text


async def test_external_network_goes_with_its_floating_ips_but_not_with_ports(cloud: Cloud) -> None:
    public = await cloud.make_public()
    made = await cloud.make("floatingips", "floatingip", floating_network_id=public["id"])
    admin = cloud.as_admin()
    port = await cloud.make_port(public, by=admin)
    answer = await admin.delete(f"/v2.0/networks/{public['id']}")
    assert (answer.status_code, error_type(answer)) == (409, "NetworkInUse")
    assert (await cloud.as_member().get(f"/v2.0/floatingips/{made['id']}")).status_code == 200
    assert (await admin.delete(f"/v2.0/ports/{port['id']}")).status_code == 204
    assert (await admin.delete(f"/v2.0/networks/{public['id']}")).status_code == 204
    assert (await admin.get("/v2.0/floatingips")).json() == {"floatingips": []}
    assert (await admin.get("/v2.0/ports")).json() == {"ports": []}
    assert not +cloud.quota.used


async def test_quotas_are_a_dialect_of_the_ledger(cloud: Cloud) -> None:
    cloud.quota.limits.update({"network.networks": 100, "network.ports": 500})
    await cloud.make_network()
    member, admin, project = cloud.as_member(), cloud.as_admin(), cloud.project_id
    keys = {"network", "subnet", "subnetpool", "port", "router", "floatingip", "security_group", "security_group_rule", "rbac_policy"}
    quota = (await member.get(f"/v2.0/quotas/{project}")).json()["quota"]
    assert set(quota) == keys and quota["network"] == 100
    details = (await member.get(f"/v2.0/quotas/{project}/details")).json()["quota"]
    assert details["network"] == {"limit": 100, "used": 1, "reserved": 0}
    assert (await member.get(f"/v2.0/quotas/{cloud.other_project_id}")).status_code == 403
    assert (await member.put(f"/v2.0/quotas/{project}", json={"quota": {"network": 5}})).status_code == 403
    changed = (await admin.put(f"/v2.0/quotas/{project}", json={"quota": {"network": 1, "check_limit": True}})).json()["quota"]
    assert changed["network"] == 1
    answer = await member.post("/v2.0/networks", json={"network": {}})
    assert (answer.status_code, error_type(answer)) == (409, "OverQuota")
    answer = await admin.put(f"/v2.0/quotas/{project}", json={"quota": {"network": 0, "check_limit": True}})
    assert (answer.status_code, error_type(answer)) == (400, "QuotaResourceLimitBelowUsage")
    for wrong in ({"network": -2}, {"network": "x"}, {"nope": 1}, {"network": 2**31}):
        assert (await admin.put(f"/v2.0/quotas/{project}", json={"quota": wrong})).status_code == 400
    assert [q["project_id"] for q in (await admin.get("/v2.0/quotas")).json()["quotas"]] == [project]
    assert (await admin.delete(f"/v2.0/quotas/{project}")).status_code == 204
    assert (await member.get(f"/v2.0/quotas/{project}/default")).json()["quota"]["network"] == 100
    assert (await member.get(f"/v2.0/quotas/{project}")).json()["quota"]["network"] == 100
    assert (await member.get("/v2.0/quotas/tenant")).json()["tenant"]["tenant_id"] == project


async def test_tags_of_every_resource(cloud: Cloud) -> None:
    public = await cloud.make_public()
    network = await cloud.make_network()
    subnet = await cloud.make_subnet(network, "10.0.0.0/24")
    port = await cloud.make_port(network)
    group = await cloud.make("security-groups", "security_group", name="g")
    floating = await cloud.make("floatingips", "floatingip", floating_network_id=public["id"])
    client = cloud.as_member()
    for collection, row in (
        ("networks", network),
        ("subnets", subnet),
        ("ports", port),
        ("security-groups", group),
        ("floatingips", floating),
    ):
        url = f"/v2.0/{collection}/{row['id']}/tags"
        assert (await client.put(url, json={"tags": ["b", "a"]})).json() == {"tags": ["a", "b"]}
        added = await client.post(url, json={"tags": ["b", "c"]})
        assert (added.status_code, added.json()) == (201, {"tags": ["a", "b", "c"]})
        assert (await client.put(f"{url}/c")).status_code == 201
        assert (await client.get(f"{url}/c")).status_code == 204
        assert (await client.get(f"{url}/d")).status_code == 404
        listed = (await client.get(f"/v2.0/{collection}?tags=a,c")).json()[collection.replace("-", "_")]
        assert [x["id"] for x in listed] == [row["id"]] and listed[0]["tags"] == ["a", "b", "c"]
        assert (await client.delete(f"{url}/a")).status_code == 204
        assert (await client.delete(f"{url}/a")).status_code == 404
        assert (await cloud.as_project().get(url)).status_code == 404
        assert (await client.put(url, json={"tags": ["x" * 300]})).status_code == 400
        assert (await client.delete(url)).status_code == 204
        assert (await client.get(url)).json() == {"tags": []}
    assert (await client.get(f"/v2.0/nonsense/{network['id']}/tags")).status_code == 404
    assert (await client.put(f"/v2.0/networks/{public['id']}/tags/x")).status_code == 403


async def test_ip_availability_counts(cloud: Cloud) -> None:
    network = await cloud.make_network(name="n")
    await cloud.make_subnet(network, "10.0.0.0/24")
    await cloud.make_port(network)
    admin = cloud.as_admin()
    (found,) = (await admin.get("/v2.0/network-ip-availabilities?network_name=n")).json()["network_ip_availabilities"]
    assert (found["used_ips"], found["total_ips"], len(found["subnet_ip_availability"])) == (1, 253, 1)
    shown = (await admin.get(f"/v2.0/network-ip-availabilities/{network['id']}")).json()["network_ip_availability"]
    assert shown == found
    assert (await cloud.as_member().get("/v2.0/network-ip-availabilities")).status_code == 403


async def test_ip_availability_counts_the_addresses_of_several_ipv6_subnets(cloud: Cloud) -> None:
    network = await cloud.make_network()
    for cidr in ("fd00:1::/64", "fd00:2::/64"):
        await cloud.make_subnet(network, cidr)
    admin, path = cloud.as_admin(), "/v2.0/network-ip-availabilities"
    (listed,) = (await admin.get(path)).json()["network_ip_availabilities"]
    assert listed["total_ips"] == sum(s["total_ips"] for s in listed["subnet_ip_availability"]) > 2**64
    assert (await admin.get(f"{path}/{network['id']}")).json()["network_ip_availability"] == listed
