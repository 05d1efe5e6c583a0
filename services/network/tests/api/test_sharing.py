"""RBAC policies: what is shared with one project, what with all, and what holds a policy."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Cloud, error_type


async def _share(cloud: Cloud, kind: str, row: dict[str, Any], target: str | None = None, by: Any = None) -> Any:
    body = {"object_type": kind, "object_id": row["id"], "action": "access_as_shared", "target_tenant": target or cloud.other_project_id}
    return await (by or cloud.as_member()).post("/v2.0/rbac-policies", json={"rbac_policy": body})


async def _make(cloud: Cloud, kind: str) -> tuple[str, str, dict[str, Any]]:
    """Path, key and row of one of the kind, a member's."""
    manager = cloud.as_manager()
    kinds: dict[str, tuple[str, str, dict[str, Any]]] = {
        "network": ("networks", "network", {}),
        "subnetpool": ("subnetpools", "subnetpool", {"name": "p", "prefixes": ["10.0.0.0/16"]}),
        "address_scope": ("address-scopes", "address_scope", {"name": "s", "ip_version": 4}),
        "address_group": ("address-groups", "address_group", {"name": "a", "addresses": ["10.0.0.0/8"]}),
        "qos_policy": ("qos/policies", "policy", {"name": "q"}),
        "security_group": ("security-groups", "security_group", {"name": "g"}),
    }
    path, key, body = kinds[kind]
    return path, key, await cloud.make(path, key, by=manager, **body)


@pytest.mark.parametrize("kind", ["network", "subnetpool", "address_scope", "address_group", "qos_policy", "security_group"])
async def test_policy_shows_an_object_to_one_project(cloud: Cloud, kind: str) -> None:
    path, key, made = await _make(cloud, kind)
    member, other = cloud.as_member(), cloud.as_project()
    one = f"/v2.0/{path}/{made['id']}"
    assert made["shared"] is False and (await other.get(one)).status_code == 404
    policy = (await _share(cloud, kind, made)).json()["rbac_policy"]
    assert policy == {
        "id": policy["id"], "project_id": cloud.project_id, "tenant_id": cloud.project_id, "object_type": kind, "object_id": made["id"],
        "action": "access_as_shared", "target_tenant": cloud.other_project_id,
    }  # fmt: skip
    seen = (await other.get(one)).json()[key]
    assert seen["shared"] is True and seen["project_id"] == cloud.project_id
    many = (await other.get(f"/v2.0/{path}?id={made['id']}&shared=true" if kind not in ("network", "address_group") else f"/v2.0/{path}")).json()
    assert made["id"] in {row["id"] for rows in many.values() for row in rows}
    refused = 404 if kind == "address_group" else 403  # as Neutron answers
    assert (await other.put(one, json={key: {"name": "mine"}})).status_code == refused
    assert (await other.delete(one)).status_code == refused
    again = await _share(cloud, kind, made)
    assert (again.status_code, error_type(again)) == (409, "DuplicateRbacPolicy")
    assert (await member.delete(f"/v2.0/rbac-policies/{policy['id']}")).status_code == 204
    assert (await other.get(one)).status_code == 404
    gone = await member.get(f"/v2.0/rbac-policies/{policy['id']}")
    assert (gone.status_code, error_type(gone)) == (404, "RbacPolicyNotFound")


async def test_wildcard_is_an_administrators_and_is_the_same_as_shared(cloud: Cloud) -> None:
    network = await cloud.make_network()
    refused = await _share(cloud, "network", network, "*")
    assert (refused.status_code, error_type(refused)) == (403, "PolicyNotAuthorized")
    admin = cloud.as_admin()
    policy = (await _share(cloud, "network", network, "*", by=admin)).json()["rbac_policy"]
    path = f"/v2.0/networks/{network['id']}"
    assert (await cloud.as_project().get(path)).json()["network"]["shared"] is True
    assert (await admin.put(path, json={"network": {"shared": False}})).status_code == 200
    assert (await admin.get(f"/v2.0/rbac-policies/{policy['id']}")).status_code == 404
    await admin.put(path, json={"network": {"shared": True}})
    (found,) = (await admin.get(f"/v2.0/rbac-policies?object_id={network['id']}")).json()["rbac_policies"]
    assert found["target_tenant"] == "*"
    other = cloud.as_project()
    assert (await other.get("/v2.0/rbac-policies")).json() == {"rbac_policies": []}
    assert (await other.delete(f"/v2.0/rbac-policies/{found['id']}")).status_code == 404
    assert (await admin.delete(f"/v2.0/rbac-policies/{found['id']}")).status_code == 204
    assert (await other.get(path)).status_code == 404


async def test_policy_that_is_used_stays(cloud: Cloud) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.0.0.0/24")
    policy = (await _share(cloud, "network", network)).json()["rbac_policy"]
    port = await cloud.make_port(network, by=cloud.as_project())
    assert port["project_id"] == cloud.other_project_id
    member, one = cloud.as_member(), f"/v2.0/rbac-policies/{policy['id']}"
    refused = await member.delete(one)
    assert (refused.status_code, error_type(refused)) == (409, "RbacPolicyInUse")
    moved = await member.put(one, json={"rbac_policy": {"target_tenant": "someone else"}})
    assert (moved.status_code, error_type(moved)) == (409, "RbacPolicyInUse")
    await cloud.as_project().delete(f"/v2.0/ports/{port['id']}")
    moved = await member.put(one, json={"rbac_policy": {"target_tenant": "someone else"}})
    assert moved.json()["rbac_policy"]["target_tenant"] == "someone else"
    assert (await member.delete(one)).status_code == 204


async def test_policies_come_in_pages(cloud: Cloud) -> None:
    member = cloud.as_member()
    for _ in range(3):
        await _share(cloud, "network", await cloud.make_network())
    whole = [p["id"] for p in (await member.get("/v2.0/rbac-policies")).json()["rbac_policies"]]
    page = (await member.get(f"/v2.0/rbac-policies?limit=2&marker={whole[0]}")).json()["rbac_policies"]
    assert [p["id"] for p in page] == whole[1:]
    gone = await member.get("/v2.0/rbac-policies?marker=none")
    assert (gone.status_code, error_type(gone)) == (404, "RbacPolicyNotFound")


async def test_only_the_owner_shares(cloud: Cloud) -> None:
    other = cloud.as_project()
    network = await cloud.make_network()
    refused = await _share(cloud, "network", network, by=other)
    assert refused.status_code == 404
    await _share(cloud, "network", network)
    refused = await _share(cloud, "network", network, "third", by=other)
    assert (refused.status_code, error_type(refused)) == (400, "InvalidInput")
    assert (await _share(cloud, "network", network, "third", by=cloud.as_reader())).status_code == 403


async def test_shared_group_serves_the_others_ports_and_holds_its_policy(cloud: Cloud) -> None:
    _, _, group = await _make(cloud, "security_group")
    other = cloud.as_project()
    network = await cloud.make_network(by=other)
    body = {"port": {"network_id": network["id"], "security_groups": [group["id"]]}}
    assert (await other.post("/v2.0/ports", json=body)).status_code == 404
    policy = (await _share(cloud, "security_group", group)).json()["rbac_policy"]
    assert (await other.post("/v2.0/ports", json=body)).status_code == 201
    refused = await cloud.as_member().delete(f"/v2.0/rbac-policies/{policy['id']}")
    assert (refused.status_code, error_type(refused)) == (409, "RbacPolicyInUse")


async def test_address_group_changes_and_is_held_by_rules(cloud: Cloud) -> None:
    member = cloud.as_member()
    group = await cloud.make("address-groups", "address_group", name="a", addresses=["10.0.0.0/8", "192.0.2.7/32"])
    assert set(group) == {
        "id", "name", "tenant_id", "project_id", "shared", "addresses", "description", "tags", "created_at", "updated_at", "revision_number",
    }  # fmt: skip
    assert group["addresses"] == ["10.0.0.0/8", "192.0.2.7/32"]
    one = f"/v2.0/address-groups/{group['id']}"
    grown = (await member.put(f"{one}/add_addresses", json={"addresses": ["2001:db8::/32"]})).json()["address_group"]
    assert grown["addresses"] == ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]
    refused = await member.put(f"{one}/add_addresses", json={"addresses": ["10.0.0.0/8"]})
    assert (refused.status_code, error_type(refused)) == (400, "AddressesAlreadyExist")
    refused = await member.put(f"{one}/remove_addresses", json={"addresses": ["10.1.0.0/16"]})
    assert (refused.status_code, error_type(refused)) == (404, "AddressesNotFound")
    security = await cloud.make("security-groups", "security_group", name="g")
    rule = {"security_group_id": security["id"], "direction": "ingress", "remote_address_group_id": group["id"]}
    made = await cloud.make("security-group-rules", "security_group_rule", **rule)
    assert made["remote_address_group_id"] == group["id"]
    both = await member.post("/v2.0/security-group-rules", json={"security_group_rule": {**rule, "remote_ip_prefix": "10.0.0.0/8"}})
    assert (both.status_code, error_type(both)) == (400, "SecurityGroupMultipleRemoteEntites")
    refused = await member.delete(one)
    assert (refused.status_code, error_type(refused)) == (409, "AddressGroupInUse")
    await member.delete(f"/v2.0/security-group-rules/{made['id']}")
    assert (await member.delete(one)).status_code == 204


async def test_external_policy_opens_a_network_for_gateways_of_one_project(cloud: Cloud) -> None:
    admin, other, member = cloud.as_admin(), cloud.as_project(), cloud.as_member()
    network = await cloud.make_network(by=admin)
    await cloud.make_subnet(network, "203.0.113.0/24", by=admin)
    path = f"/v2.0/networks/{network['id']}"
    body = {"object_type": "network", "object_id": network["id"], "action": "access_as_external"}

    async def open_to(target: str) -> dict[str, Any]:
        return await cloud.make("rbac-policies", "rbac_policy", by=admin, target_tenant=target, **body)

    policy = await open_to(cloud.other_project_id)
    assert (await admin.get(path)).json()["network"]["router:external"] is True
    assert (await member.get(path)).status_code == 404
    floating = {"floating_network_id": network["id"]}
    assert (await member.post("/v2.0/floatingips", json={"floatingip": floating})).status_code == 404
    router = await cloud.make("routers", "router", by=other, external_gateway_info={"network_id": network["id"]})
    assert error_type(await admin.delete(f"/v2.0/rbac-policies/{policy['id']}")) == "RbacPolicyInUse"
    everyone = await open_to("*")
    assert (await admin.delete(f"/v2.0/rbac-policies/{policy['id']}")).status_code == 204
    assert error_type(await admin.delete(f"/v2.0/rbac-policies/{everyone['id']}")) == "RbacPolicyInUse"
    narrowed = await admin.put(f"/v2.0/rbac-policies/{everyone['id']}", json={"rbac_policy": {"target_tenant": cloud.other_project_id}})
    assert narrowed.status_code == 200
    assert (await member.get(path)).status_code == 404
    assert (await other.delete(f"/v2.0/routers/{router['id']}")).status_code == 204
    assert (await admin.delete(f"/v2.0/rbac-policies/{everyone['id']}")).status_code == 204
    assert (await admin.get(path)).json()["network"]["router:external"] is False
    assert (await other.get(path)).status_code == 404


async def test_external_network_has_a_policy_for_everyone(cloud: Cloud) -> None:
    admin = cloud.as_admin()
    network = await cloud.make_public()
    listed = f"/v2.0/rbac-policies?object_id={network['id']}&action=access_as_external"
    (policy,) = (await admin.get(listed)).json()["rbac_policies"]
    assert policy["target_tenant"] == "*"
    refused = await admin.delete(f"/v2.0/rbac-policies/{policy['id']}")
    assert (refused.status_code, error_type(refused)) == (409, "RbacPolicyInUse")  # it is the default one
    path = f"/v2.0/networks/{network['id']}"
    await admin.put(path, json={"network": {"is_default": False, "router:external": False}})
    assert (await admin.get(listed)).json()["rbac_policies"] == []
    await admin.put(path, json={"network": {"router:external": True}})
    assert len((await admin.get(listed)).json()["rbac_policies"]) == 1


async def test_only_networks_are_given_as_external(cloud: Cloud) -> None:
    group = await cloud.make("address-groups", "address_group", name="a")
    body = {"object_type": "address_group", "object_id": group["id"], "action": "access_as_external", "target_tenant": cloud.other_project_id}
    assert (await cloud.as_member().post("/v2.0/rbac-policies", json={"rbac_policy": body})).status_code == 400
    network = await cloud.make_network()
    body |= {"object_type": "network", "object_id": network["id"], "target_tenant": "*"}
    assert (await cloud.as_member().post("/v2.0/rbac-policies", json={"rbac_policy": body})).status_code == 403


@pytest.mark.parametrize("address", ["192.0.2.7", "nowhere/8"])
async def test_address_group_holds_prefixes_only(cloud: Cloud, address: str) -> None:
    refused = await cloud.as_member().post("/v2.0/address-groups", json={"address_group": {"name": "a", "addresses": [address]}})
    assert (refused.status_code, error_type(refused)) == (400, "InvalidInput")


async def test_address_group_drops_host_bits(cloud: Cloud) -> None:
    group = await cloud.make("address-groups", "address_group", name="a", addresses=["192.168.0.10/24", "2001:db8::f00/64"])
    assert group["addresses"] == ["192.168.0.0/24", "2001:db8::/64"]
    removed = await cloud.as_member().put(f"/v2.0/address-groups/{group['id']}/remove_addresses", json={"addresses": ["10.0.0.9"]})
    assert (removed.status_code, error_type(removed)) == (404, "AddressesNotFound")


async def test_policies_count_in_the_quota_until_they_or_their_object_go(cloud: Cloud) -> None:
    member, resource = cloud.as_member(), "network.rbac_policies"
    cloud.quota.limits[resource] = 2
    network = await cloud.make_network()
    for target in ("a", "b"):
        assert (await _share(cloud, "network", network, target)).status_code == 201
    third = await _share(cloud, "network", network, "c")
    assert (third.status_code, error_type(third)) == (409, "OverQuota")
    (first, _) = (await member.get("/v2.0/rbac-policies")).json()["rbac_policies"]
    assert (await member.delete(f"/v2.0/rbac-policies/{first['id']}")).status_code == 204
    assert cloud.quota.used[resource] == 1
    assert (await member.delete(f"/v2.0/networks/{network['id']}")).status_code == 204
    assert cloud.quota.used[resource] == 0
    await cloud.make_network(by=cloud.as_admin(), shared=True)
    assert cloud.quota.used[resource] == 0
