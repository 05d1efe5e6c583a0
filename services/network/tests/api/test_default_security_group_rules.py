"""The templates of rules that new security groups start with."""

from __future__ import annotations

from typing import Any

from .conftest import Cloud, error_type

PATH = "/v2.0/default-security-group-rules"
KEYS = ("direction", "ethertype", "protocol", "port_range_min", "remote_group_id")


async def _templates(cloud: Cloud, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await cloud.as_reader().get(f"{PATH}{query}")).json()["default_security_group_rules"]
    return found


def _said(rules: list[dict[str, Any]], parent: str = "PARENT") -> set[tuple[Any, ...]]:
    return {tuple("PARENT" if r[k] == parent else r[k] for k in KEYS) for r in rules}


async def test_groups_start_with_the_rules_of_the_templates(cloud: Cloud) -> None:
    admin, member = cloud.as_admin(), cloud.as_member()
    assert _said(await _templates(cloud)) == {
        (direction, version, None, None, remote)
        for direction, remote in (("egress", None), ("ingress", "PARENT"))
        for version in ("IPv4", "IPv6")
    }
    made = await cloud.make("default-security-group-rules", "default_security_group_rule", by=admin, direction="ingress", protocol="icmp")
    assert (made["used_in_default_sg"], made["used_in_non_default_sg"]) == (False, True)
    (v6,) = await _templates(cloud, "?direction=egress&ethertype=IPv6")
    assert (await admin.delete(f"{PATH}/{v6['id']}")).status_code == 204
    group = await cloud.make("security-groups", "security_group", name="web")
    assert _said(group["security_group_rules"]) == {("egress", "IPv4", None, None, None), ("ingress", "IPv4", "icmp", None, None)}
    assert cloud.quota.used["network.security_group_rules"] == 2
    (default,) = (await member.get("/v2.0/security-groups?name=default")).json()["security_groups"]
    templates = await _templates(cloud, "?used_in_default_sg=true")
    assert _said(default["security_group_rules"], default["id"]) == _said(templates)
    assert len(templates) == 3


async def test_groups_without_templates_start_empty(cloud: Cloud) -> None:
    for template in await _templates(cloud):
        assert (await cloud.as_admin().delete(f"{PATH}/{template['id']}")).status_code == 204
    group = await cloud.make("security-groups", "security_group", name="web")
    assert group["security_group_rules"] == []
    (default,) = (await cloud.as_member().get("/v2.0/security-groups?name=default")).json()["security_groups"]
    assert default["security_group_rules"] == []


async def test_no_two_templates_of_a_kind_of_group_mean_the_same(cloud: Cloud) -> None:
    admin = cloud.as_admin()
    body = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}

    async def post(**more: Any) -> Any:
        return await admin.post(PATH, json={"default_security_group_rule": {**body, **more}})

    assert (await post(used_in_default_sg=True, used_in_non_default_sg=False)).status_code == 201
    assert (await post(used_in_default_sg=False, used_in_non_default_sg=True)).status_code == 201
    again = await post(used_in_default_sg=True, used_in_non_default_sg=True)
    assert (again.status_code, error_type(again)) == (409, "DefaultSecurityGroupRuleExists")
    assert error_type(await post(remote_group_id="0" * 8 + "-0000-4000-8000-" + "0" * 12)) == "SecurityGroupNotFound"


async def test_only_administrators_change_templates(cloud: Cloud) -> None:
    template = (await _templates(cloud))[0]
    shown = await cloud.as_member().get(f"{PATH}/{template['id']}")
    assert shown.json()["default_security_group_rule"] == template
    assert (await cloud.as_manager().delete(f"{PATH}/{template['id']}")).status_code == 403
    refused = await cloud.as_manager().post(PATH, json={"default_security_group_rule": {"direction": "ingress"}})
    assert (refused.status_code, error_type(refused)) == (403, "PolicyNotAuthorized")
    gone = await cloud.as_admin().delete(f"{PATH}/nothing")
    assert (gone.status_code, error_type(gone)) == (404, "DefaultSecurityGroupRuleNotFound")
