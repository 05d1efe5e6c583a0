"""QoS policies, their rules, and what they are bound to."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Cloud, error_type


async def _rule(cloud: Cloud, policy: dict[str, Any], kind: str, **body: Any) -> Any:
    return await cloud.as_manager().post(f"/v2.0/qos/policies/{policy['id']}/{kind}_rules", json={f"{kind}_rule": body})


async def test_policy_is_a_managers_and_shows_its_rules(cloud: Cloud) -> None:
    refused = await cloud.as_member().post("/v2.0/qos/policies", json={"policy": {"name": "q"}})
    assert (refused.status_code, error_type(refused)) == (403, "PolicyNotAuthorized")
    manager = cloud.as_manager()
    policy = await cloud.make("qos/policies", "policy", by=manager, name="q")
    limit = (await _rule(cloud, policy, "bandwidth_limit", max_kbps=1000)).json()["bandwidth_limit_rule"]
    assert limit == {"id": limit["id"], "max_kbps": 1000, "max_burst_kbps": 0, "direction": "egress"}
    mark = (await _rule(cloud, policy, "dscp_marking", dscp_mark=26)).json()["dscp_marking_rule"]
    least = (await _rule(cloud, policy, "minimum_bandwidth", min_kbps=500)).json()["minimum_bandwidth_rule"]
    shown = (await cloud.as_member().get(f"/v2.0/qos/policies/{policy['id']}")).json()["policy"]
    assert [(r["type"], r["id"], r["qos_policy_id"]) for r in shown["rules"]] == [
        ("bandwidth_limit", limit["id"], policy["id"]), ("dscp_marking", mark["id"], policy["id"]), ("minimum_bandwidth", least["id"], policy["id"])
    ]  # fmt: skip
    assert shown["revision_number"] == policy["revision_number"] + 3
    one = f"/v2.0/qos/policies/{policy['id']}/bandwidth_limit_rules/{limit['id']}"
    changed = await manager.put(one, json={"bandwidth_limit_rule": {"max_kbps": 2000, "direction": "ingress"}})
    assert changed.json()["bandwidth_limit_rule"] == {**limit, "max_kbps": 2000, "direction": "ingress"}
    assert (await cloud.as_member().put(one, json={"bandwidth_limit_rule": {"max_kbps": 1}})).status_code == 403
    assert (await cloud.as_project().get(one)).status_code == 404
    assert (await manager.get(f"/v2.0/qos/policies/{policy['id']}/bandwidth_limit_rules")).json()["bandwidth_limit_rules"][0]["id"] == limit["id"]
    assert (await manager.delete(one)).status_code == 204
    gone = await manager.get(one)
    assert (gone.status_code, error_type(gone)) == (404, "QosRuleNotFound")


@pytest.mark.parametrize(
    ("kind", "body", "status", "error"),
    [
        ("bandwidth_limit", {"max_kbps": 5}, 409, "QoSRulesConflict"),
        ("bandwidth_limit", {"max_kbps": -1, "direction": "ingress"}, 400, "HTTPBadRequest"),
        ("bandwidth_limit", {"direction": "ingress"}, 400, "HTTPBadRequest"),
        ("minimum_bandwidth", {"min_kbps": 1001}, 409, "QoSRuleParameterConflict"),
        ("dscp_marking", {"dscp_mark": 1}, 400, "HTTPBadRequest"),
    ],
)
async def test_rule_that_does_not_fit_is_refused(cloud: Cloud, kind: str, body: dict[str, Any], status: int, error: str) -> None:
    policy = await cloud.make("qos/policies", "policy", by=cloud.as_manager(), name="q")
    assert (await _rule(cloud, policy, "bandwidth_limit", max_kbps=1000)).status_code == 201
    answer = await _rule(cloud, policy, kind, **body)
    assert (answer.status_code, error_type(answer)) == (status, error)


async def test_policy_is_bound_and_held_by_networks_ports_and_floating_ips(cloud: Cloud) -> None:
    manager, member = cloud.as_manager(), cloud.as_member()
    policy = await cloud.make("qos/policies", "policy", by=manager, name="q")
    public = await cloud.make_public()
    network = await cloud.make_network(qos_policy_id=policy["id"])
    port = await cloud.make_port(network, qos_policy_id=policy["id"])
    floating = await cloud.make("floatingips", "floatingip", floating_network_id=public["id"], qos_policy_id=policy["id"])
    for row, path in ((network, "networks"), (port, "ports"), (floating, "floatingips")):
        key = path.removesuffix("s")
        assert row["qos_policy_id"] == policy["id"]
        refused = await manager.delete(f"/v2.0/qos/policies/{policy['id']}")
        assert (refused.status_code, error_type(refused)) == (409, "QosPolicyInUse")
        changed = await member.put(f"/v2.0/{path}/{row['id']}", json={key: {"qos_policy_id": None}})
        assert changed.json()[key]["qos_policy_id"] is None
        missing = await member.put(f"/v2.0/{path}/{row['id']}", json={key: {"qos_policy_id": row["id"]}})
        assert (missing.status_code, error_type(missing)) == (404, "QosPolicyNotFound")
    assert (await manager.delete(f"/v2.0/qos/policies/{policy['id']}")).status_code == 204


async def test_default_policy_is_one_and_is_bound_to_new_networks(cloud: Cloud) -> None:
    manager = cloud.as_manager()
    policy = await cloud.make("qos/policies", "policy", by=manager, name="q", is_default=True)
    second = await manager.post("/v2.0/qos/policies", json={"policy": {"name": "r", "is_default": True}})
    assert (second.status_code, error_type(second)) == (409, "QoSPolicyDefaultAlreadyExists")
    assert (await cloud.make_network())["qos_policy_id"] == policy["id"]
    assert (await cloud.make_network(qos_policy_id=None))["qos_policy_id"] is None
    types = (await cloud.as_member().get("/v2.0/qos/rule-types")).json()["rule_types"]
    assert [t["type"] for t in types] == ["bandwidth_limit", "dscp_marking", "minimum_bandwidth"]
    details = "/v2.0/qos/rule-types/dscp_marking"
    assert (await cloud.as_admin().get(details)).json()["rule_type"]["drivers"][0]["name"] == "ovn"
    assert list((await cloud.as_admin().get(f"{details}?fields=type")).json()["rule_type"]) == ["type"]
    assert (await cloud.as_manager().get(details)).status_code == 403


async def test_policy_that_others_use_stays_shared(cloud: Cloud) -> None:
    admin, other = cloud.as_admin(), cloud.as_project()
    policy = await cloud.make("qos/policies", "policy", by=admin, name="q", shared=True)
    network = await cloud.make_network(by=other, qos_policy_id=policy["id"])
    path = f"/v2.0/qos/policies/{policy['id']}"
    refused = await admin.put(path, json={"policy": {"shared": False}})
    assert (refused.status_code, error_type(refused)) == (409, "QosPolicyInUse")
    await other.put(f"/v2.0/networks/{network['id']}", json={"network": {"qos_policy_id": None}})
    assert (await admin.put(path, json={"policy": {"shared": False}})).status_code == 200


async def test_who_may_not_make_rules_is_told_so_before_he_is_told_of_the_policy(cloud: Cloud) -> None:
    policy = await cloud.make("qos/policies", "policy", by=cloud.as_manager(), name="q")
    path = f"/v2.0/qos/policies/{policy['id']}/bandwidth_limit_rules"
    refused = await cloud.as_project().post(path, json={"bandwidth_limit_rule": {"max_kbps": 1}})
    assert (refused.status_code, error_type(refused)) == (403, "PolicyNotAuthorized")


async def test_page_after_a_policy_that_the_caller_does_not_see_is_empty(cloud: Cloud) -> None:
    policy = await cloud.make("qos/policies", "policy", by=cloud.as_manager(), name="q")
    page = await cloud.as_project().get(f"/v2.0/qos/policies?limit=1&marker={policy['id']}")
    assert page.status_code == 200
    assert page.json()["policies"] == []
    assert [link["rel"] for link in page.json()["policies_links"]] == ["previous"]


async def test_policy_is_not_unshared_nor_given_away_while_its_owner_uses_it(cloud: Cloud) -> None:
    admin = cloud.as_admin()
    policy = await cloud.make("qos/policies", "policy", by=admin, name="q", shared=True)
    await cloud.make_network(by=admin, qos_policy_id=policy["id"])
    refused = await admin.put(f"/v2.0/qos/policies/{policy['id']}", json={"policy": {"shared": False}})
    assert (refused.status_code, error_type(refused)) == (409, "QosPolicyInUse")
    (everyone,) = (await admin.get(f"/v2.0/rbac-policies?object_id={policy['id']}")).json()["rbac_policies"]
    one = f"/v2.0/rbac-policies/{everyone['id']}"
    for answer in (await admin.put(one, json={"rbac_policy": {"target_tenant": cloud.other_project_id}}), await admin.delete(one)):
        assert (answer.status_code, error_type(answer)) == (409, "RbacPolicyInUse")
