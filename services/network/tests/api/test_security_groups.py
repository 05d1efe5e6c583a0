"""Security groups and rules."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .conftest import Cloud, error_type

GROUP_KEYS = {
    "id",
    "name",
    "tenant_id",
    "project_id",
    "description",
    "stateful",
    "shared",
    "security_group_rules",
    "tags",
    "created_at",
    "updated_at",
    "revision_number",
}
RULE_KEYS = {
    "remote_address_group_id",
    "id",
    "tenant_id",
    "project_id",
    "security_group_id",
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "normalized_cidr",
    "remote_group_id",
    "description",
    "tags",
    "created_at",
    "updated_at",
    "revision_number",
}


async def test_default_group_is_there_once_with_four_rules_and_counts_nothing(cloud: Cloud) -> None:
    client = cloud.as_member()
    await asyncio.gather(*(client.get("/v2.0/security-groups") for _ in range(5)))
    (group,) = (await client.get("/v2.0/security-groups?name=default")).json()["security_groups"]
    rules = {(r["direction"], r["ethertype"], r["remote_group_id"]) for r in group["security_group_rules"]}
    assert rules == {
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
        ("ingress", "IPv4", group["id"]),
        ("ingress", "IPv6", group["id"]),
    }
    assert set(group) == GROUP_KEYS and set(group["security_group_rules"][0]) == RULE_KEYS
    assert not +cloud.quota.used
    answer = await client.delete(f"/v2.0/security-groups/{group['id']}")
    assert (answer.status_code, error_type(answer)) == (409, "SecurityGroupCannotRemoveDefault")
    assert (await cloud.as_admin().delete(f"/v2.0/security-groups/{group['id']}")).status_code == 204
    assert not +cloud.quota.used and min(cloud.quota.used.values(), default=0) == 0
    (again,) = (await client.get("/v2.0/security-groups")).json()["security_groups"]
    assert again["id"] == group["id"] and len(again["security_group_rules"]) == 4
    answer = await client.put(f"/v2.0/security-groups/{group['id']}", json={"security_group": {"name": "x"}})
    assert (answer.status_code, error_type(answer)) == (409, "SecurityGroupCannotUpdateDefault")
    answer = await client.post("/v2.0/security-groups", json={"security_group": {"name": "default"}})
    assert (answer.status_code, error_type(answer)) == (409, "SecurityGroupDefaultAlreadyExists")


async def test_group_lives_and_dies_and_leaves_no_usage(cloud: Cloud) -> None:
    client = cloud.as_member()
    group = await cloud.make("security-groups", "security_group", name="web", description="d")
    assert len(group["security_group_rules"]) == 2
    rule = await cloud.make(
        "security-group-rules",
        "security_group_rule",
        security_group_id=group["id"],
        direction="ingress",
        protocol="tcp",
        port_range_min=22,
        port_range_max="22",
        remote_ip_prefix="10.0.0.1/24",
    )
    assert set(rule) == RULE_KEYS and rule["normalized_cidr"] == "10.0.0.0/24" and rule["port_range_max"] == 22
    assert cloud.quota.used["network.security_group_rules"] == 3
    shown = (await client.get(f"/v2.0/security-groups/{group['id']}")).json()["security_group"]
    assert shown["revision_number"] > group["revision_number"] and len(shown["security_group_rules"]) == 3
    assert (await client.get(f"/v2.0/security-group-rules?security_group_id={group['id']}&protocol=tcp")).json()["security_group_rules"] == [rule]
    assert (await cloud.as_project().get(f"/v2.0/security-groups/{group['id']}")).status_code == 404
    assert (await cloud.as_project().delete(f"/v2.0/security-group-rules/{rule['id']}")).status_code == 404
    assert (await client.delete(f"/v2.0/security-group-rules/{rule['id']}")).status_code == 204
    assert (await client.delete(f"/v2.0/security-group-rules/{rule['id']}")).status_code == 404
    assert (await client.delete(f"/v2.0/security-groups/{group['id']}")).status_code == 204
    assert not +cloud.quota.used


async def test_group_with_a_port_is_in_use(cloud: Cloud) -> None:
    group = await cloud.make("security-groups", "security_group", name="web")
    network = await cloud.make_network()
    port = await cloud.make_port(network, security_groups=[group["id"]])
    answer = await cloud.as_member().delete(f"/v2.0/security-groups/{group['id']}")
    assert (answer.status_code, error_type(answer)) == (409, "SecurityGroupInUse")
    answer = await cloud.as_project().post("/v2.0/networks", json={"network": {}})
    other = answer.json()["network"]
    answer = await cloud.as_project().post("/v2.0/ports", json={"port": {"network_id": other["id"], "security_groups": [group["id"]]}})
    assert (answer.status_code, error_type(answer)) == (404, "SecurityGroupNotFound")
    await cloud.as_member().put(f"/v2.0/ports/{port['id']}", json={"port": {"security_groups": []}})
    assert (await cloud.as_member().delete(f"/v2.0/security-groups/{group['id']}")).status_code == 204


@pytest.mark.parametrize(
    ("rule", "status", "kind"),
    [
        ({"protocol": "tcp", "port_range_min": 80, "port_range_max": 70}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 80}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 80, "port_range_max": 70000}, 400, "SecurityGroupInvalidPortValue"),
        ({"protocol": "tcp", "port_range_min": -1, "port_range_max": 7}, 400, "SecurityGroupInvalidPortValue"),
        ({"port_range_min": 80, "port_range_max": 80}, 400, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "gre", "port_range_min": 80, "port_range_max": 80}, 400, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": "xyz"}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "256"}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": -2}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "icmp", "port_range_min": 300}, 400, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "icmp", "port_range_max": 3}, 400, "SecurityGroupMissingIcmpType"),
        ({"ethertype": "IPv5"}, 400, "SecurityGroupRuleInvalidEtherType"),
        ({"ethertype": "IPv6", "remote_ip_prefix": "10.0.0.0/8"}, 400, "SecurityGroupRuleParameterConflict"),
        ({"protocol": "icmpv6"}, 400, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"protocol": "41"}, 400, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"remote_ip_prefix": "10.0.0.0/33"}, 400, "InvalidInput"),
        (
            {"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "11111111-1111-1111-1111-111111111111"},
            400,
            "SecurityGroupMultipleRemoteEntites",
        ),
        ({"remote_group_id": "11111111-1111-1111-1111-111111111111"}, 404, "SecurityGroupNotFound"),
        ({"remote_group_id": "no id at all"}, 404, "SecurityGroupNotFound"),
        ({"security_group_id": "11111111-1111-1111-1111-111111111111"}, 404, "SecurityGroupNotFound"),
        ({"direction": "sideways"}, 400, "HTTPBadRequest"),
        ({"direction": "egress"}, 409, "SecurityGroupRuleExists"),
        ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}, 409, "SecurityGroupRuleExists"),
        ({"protocol": "6", "port_range_min": 22, "port_range_max": 22}, 409, "SecurityGroupRuleExists"),
    ],
)
async def test_bad_rule_is_refused(cloud: Cloud, rule: dict[str, object], status: int, kind: str) -> None:
    group = await cloud.make("security-groups", "security_group", name="web")
    base = {"security_group_id": group["id"], "direction": "ingress"}
    await cloud.make("security-group-rules", "security_group_rule", **base, protocol="tcp", port_range_min=22, port_range_max=22)
    answer = await cloud.as_member().post("/v2.0/security-group-rules", json={"security_group_rule": {**base, **rule}})
    assert (answer.status_code, error_type(answer)) == (status, kind), answer.text
    assert cloud.quota.used["network.security_group_rules"] == 3
    assert not cloud.quota.pending


async def test_deleting_a_group_takes_the_rules_that_name_it(cloud: Cloud) -> None:
    one = await cloud.make("security-groups", "security_group", name="one")
    two = await cloud.make("security-groups", "security_group", name="two")
    await cloud.make(
        "security-group-rules",
        "security_group_rule",
        security_group_id=two["id"],
        direction="ingress",
        remote_group_id=one["id"],
    )
    assert (await cloud.as_member().delete(f"/v2.0/security-groups/{one['id']}")).status_code == 204
    shown = (await cloud.as_member().get(f"/v2.0/security-groups/{two['id']}")).json()["security_group"]
    assert len(shown["security_group_rules"]) == 2
    assert cloud.quota.used["network.security_group_rules"] == 2


async def test_rule_of_another_project_in_ones_group_is_seen_but_not_deleted(cloud: Cloud) -> None:
    group = await cloud.make("security-groups", "security_group", name="mine")
    admin = cloud.as_admin()
    url = "/v2.0/security-group-rules"
    made = await admin.post(
        url, json={"security_group_rule": {"security_group_id": group["id"], "direction": "ingress", "project_id": cloud.other_project_id}}
    )
    rule = made.json()["security_group_rule"]
    member = cloud.as_member()
    assert rule in (await member.get(url)).json()["security_group_rules"]
    assert (await member.get(f"{url}/{rule['id']}")).json() == {"security_group_rule": rule}
    assert (await member.delete(f"{url}/{rule['id']}")).status_code == 403
    assert (await cloud.as_project().get(f"{url}/{rule['id']}")).json() == {"security_group_rule": rule}
    of_default = (await member.get(f"{url}?project_id={cloud.project_id}")).json()["security_group_rules"][0]
    assert (await cloud.as_project().get(f"{url}/{of_default['id']}")).status_code == 404


async def test_port_has_no_group_twice_and_none_of_two_kinds(cloud: Cloud) -> None:
    stateful = await cloud.make("security-groups", "security_group", name="a")
    stateless = await cloud.make("security-groups", "security_group", name="b", stateful=False)
    network = await cloud.make_network()
    port = await cloud.make_port(network, security_groups=[stateful["id"]])
    member = cloud.as_member()
    both, twice = [stateful["id"], stateless["id"]], [stateful["id"]] * 2
    for answer in (
        await member.post("/v2.0/ports", json={"port": {"network_id": network["id"], "security_groups": both}}),
        await member.put(f"/v2.0/ports/{port['id']}", json={"port": {"security_groups": both}}),
    ):
        assert (answer.status_code, error_type(answer)) == (409, "SecurityGroupConflict")
    for answer in (
        await member.post("/v2.0/ports", json={"port": {"network_id": network["id"], "security_groups": twice}}),
        await member.put(f"/v2.0/ports/{port['id']}", json={"port": {"security_groups": twice}}),
    ):
        assert (answer.status_code, error_type(answer)) == (400, "HTTPBadRequest")


async def test_administrator_who_asks_for_a_projects_groups_sees_its_default_one(cloud: Cloud) -> None:
    project = "ab" * 16
    found = (await cloud.as_admin().get(f"/v2.0/security-groups?project_id={project}")).json()["security_groups"]
    assert [(g["name"], g["project_id"]) for g in found] == [("default", project)]
    assert (await cloud.as_admin().get("/v2.0/security-groups?project_id=nobody")).json() == {"security_groups": []}


@pytest.mark.parametrize("kind", ["security-group-rules", "default-security-group-rules"])
async def test_rule_of_another_revision_is_not_deleted(cloud: Cloud, kind: str) -> None:
    admin, key = cloud.as_admin(), kind[:-1].replace("-", "_")
    body: dict[str, Any] = {"direction": "ingress", "protocol": "tcp", "port_range_min": 7, "port_range_max": 7}
    if kind == "security-group-rules":
        body["security_group_id"] = (await cloud.make("security-groups", "security_group", by=admin, name="g"))["id"]
    rule = await cloud.make(kind, key, by=admin, **body)
    path, number = f"/v2.0/{kind}/{rule['id']}", rule["revision_number"]
    refused = await admin.delete(path, headers={"If-Match": f"revision_number={number + 1}"})
    assert (refused.status_code, error_type(refused)) == (412, "RevisionNumberConstraintFailed")
    assert (await admin.delete(path, headers={"If-Match": f"revision_number={number}"})).status_code == 204
