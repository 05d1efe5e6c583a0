"""What belongs to one project is not there for another: every route of every service, called with another's ids.

The owner's things carry a mark in every text; no answer to a stranger holds it, and all stays as it was.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.fleet import ORDER, Fleet
from tests.isolation.belongings import MARK, ec2_keys, image, make, seen, signed

from synnefo_common.testing import routes_of

# Parameters that name what a project or user owns. All others have a value that means nothing to anyone.
OWNED = {
    "network_id", "subnet_id", "security_group_id", "security_group_rule_id", "port_id", "floatingip_id", "router_id",
    "port_forwarding_id", "address_scope_id", "subnetpool_id", "address_group_id", "policy_id", "rbac_policy_id", "rule_id",
    "image_id", "volume_id", "snapshot_id",
    "server_id", "server_group_id", "item_id", "resource_id", "project_id", "quota_project_id", "user_id", "actor_id", "place_id", "credential_id",
    "application_credential_id", "account", "tenant_id", "access_key", "bucket",
}  # fmt: skip
HARMLESS = {
    "key": MARK, "alias": "quotas", "commission_id": "c" * 32, "flavor_id": "1", "hypervisor_id": "1", "pattern": "a", "name": MARK, "network": MARK,
    "quota_class": "default", "host": MARK, "rule_type": "dscp_marking", "tag": MARK, "type_id": "e" * 32, "container": MARK, "object": MARK,
    "member_id": "f" * 32, "request_id": "", "link": "f" * 32, "agent_id": "9" * 32, "default_security_group_rule_id": "9" * 32,
    "domain_id": "default", "endpoint_id": "a" * 32, "group_id": "b" * 32, "limit_id": "1" * 32, "registered_limit_id": "2" * 32, "region_id": "R",
    "class_name": "default", "role_id": "3" * 32, "prior_role_id": "3" * 32, "job_id": "6" * 32, "implied_role_id": "4" * 32, "service_id": "5" * 32,
}  # fmt: skip
COLLECTIONS = {
    "networks": "network_id", "subnets": "subnet_id", "ports": "port_id", "floatingips": "floatingip_id", "security-groups": "security_group_id",
    "security-group-rules": "security_group_rule_id", "routers": "router_id", "address-scopes": "address_scope_id", "subnetpools": "subnetpool_id",
    "address-groups": "address_group_id", "policies": "policy_id",
}  # fmt: skip
# Keystone and Swift answer 403 for what is another's, and the quotas and usage of another project are an administrator's.
FORBIDDEN = re.compile(
    r"identity /v3/|object /(v1|s3)/|[a-z]+ /(internal|admin)/"
    r"|network /v2.0/(network-ip-availabilities|quotas|agents|auto-allocated-topology|default-security-group-rules)/"
    r"|compute /v2.1/os-(quota-sets|simple-tenant-usage)/|volume /v3/.*/os-quota-sets/"
)
WRONG_PASSWORD = "POST /v3/users/{user_id}/password"  # 401: only who knows the old one may change it
# Answers without regard to whose the id is.
PUBLIC = {
    "GET /v2.1/os-quota-sets/{project_id}/defaults", "GET /v2.0/quotas/{project_id}/default",
    "GET /v3/{project_id}/os-quota-sets/{quota_project_id}/defaults",
}  # fmt: skip
# S3 tells by the name that it is taken, and a bucket's POST takes what the query says.
S3 = {"PUT /s3/{bucket}": {409}, "POST /s3/{bucket}": {412}, "POST /s3/{bucket}/{key:path}": {405}}
# Rules of QoS policies are a manager's: a member is told that before anyone looks whether there is such a policy.
BY_ROLE = {f"POST /v2.0/qos/policies/{{policy_id}}/{kind}_rules": {403} for kind in ("bandwidth_limit", "dscp_marking", "minimum_bandwidth")}
BODIES: dict[str, Any] = {
    "POST /v3/users/{user_id}/credentials/OS-EC2": {"tenant_id": "7" * 32},
    "POST /v2.1/servers/{server_id}/metadata": {"metadata": {"a": "b"}},
    "PUT /v2.1/servers/{server_id}/metadata": {"metadata": {"a": "b"}},
    "PUT /v2.1/servers/{server_id}/metadata/{key}": {"meta": {MARK: "b"}},
    "PUT /v2.1/servers/{server_id}": {"server": {"name": "mine"}},
    "POST /v2.1/servers/{server_id}/action": {"os-stop": None},
    "POST /v2.1/servers/{server_id}/os-volume_attachments": {"volumeAttachment": {"volumeId": "6" * 32}},
    "POST /v2.1/servers/{server_id}/os-interface": {"interfaceAttachment": {}},
    "PUT /v2.1/os-quota-sets/{project_id}": {"quota_set": {"cores": 1}},
    "PUT /v2.0/quotas/{project_id}": {"quota": {"port": 1}},
    "PUT /v3/{project_id}/os-quota-sets/{quota_project_id}": {"quota_set": {"volumes": 1}},
    "PUT /v2.0/networks/{network_id}": {"network": {"name": "mine"}},
    "PUT /v2.0/subnets/{subnet_id}": {"subnet": {"name": "mine"}},
    "PUT /v2.0/ports/{port_id}": {"port": {"name": "mine"}},
    "PUT /v2.0/floatingips/{floatingip_id}": {"floatingip": {"description": "mine"}},
    "PUT /v2.0/floatingips/{floatingip_id}/port_forwardings/{port_forwarding_id}": {"port_forwarding": {"description": "mine"}},
    "POST /v2.0/floatingips/{floatingip_id}/port_forwardings": {
        "port_forwarding": {"protocol": "tcp", "external_port": 1, "internal_port": 1, "internal_port_id": "11111111-1111-4111-8111-111111111111"}
    },
    "PUT /v2.0/agents/{agent_id}": {"agent": {"description": "mine"}},
    "PUT /v2.0/routers/{router_id}": {"router": {"name": "mine"}},
    "PUT /v2.0/routers/{router_id}/add_router_interface": {"subnet_id": "8" * 32},
    "PUT /v2.0/routers/{router_id}/remove_router_interface": {"subnet_id": "8" * 32},
    "PUT /v2.0/routers/{router_id}/add_extraroutes": {"router": {"routes": []}},
    "PUT /v2.0/routers/{router_id}/remove_extraroutes": {"router": {"routes": []}},
    "PUT /v2.0/address-scopes/{address_scope_id}": {"address_scope": {"name": "mine"}},
    "PUT /v2.0/subnetpools/{subnetpool_id}": {"subnetpool": {"name": "mine"}},
    "PUT /v2.0/subnetpools/{subnetpool_id}/add_prefixes": {"prefixes": ["10.88.0.0/16"]},
    "PUT /v2.0/subnetpools/{subnetpool_id}/remove_prefixes": {"prefixes": ["10.88.0.0/16"]},
    "PUT /v2.0/address-groups/{address_group_id}": {"address_group": {"name": "mine"}},
    "PUT /v2.0/address-groups/{address_group_id}/add_addresses": {"addresses": ["10.88.0.0/16"]},
    "PUT /v2.0/address-groups/{address_group_id}/remove_addresses": {"addresses": ["10.88.0.0/16"]},
    "PUT /v2.0/rbac-policies/{rbac_policy_id}": {"rbac_policy": {"target_tenant": "mine"}},
    "PUT /v2.0/qos/policies/{policy_id}": {"policy": {"name": "mine"}},
    "POST /v2.0/qos/policies/{policy_id}/bandwidth_limit_rules": {"bandwidth_limit_rule": {"max_kbps": 1}},
    "POST /v2.0/qos/policies/{policy_id}/dscp_marking_rules": {"dscp_marking_rule": {"dscp_mark": 8}},
    "POST /v2.0/qos/policies/{policy_id}/minimum_bandwidth_rules": {"minimum_bandwidth_rule": {"min_kbps": 1}},
    "PUT /v2.0/qos/policies/{policy_id}/bandwidth_limit_rules/{rule_id}": {"bandwidth_limit_rule": {"max_kbps": 1}},
    "PUT /v2.0/qos/policies/{policy_id}/dscp_marking_rules/{rule_id}": {"dscp_marking_rule": {"dscp_mark": 8}},
    "PUT /v2.0/qos/policies/{policy_id}/minimum_bandwidth_rules/{rule_id}": {"minimum_bandwidth_rule": {"min_kbps": 1}},
    "PUT /v2.0/security-groups/{security_group_id}": {"security_group": {"name": "mine"}},
    "PUT /v2.0/{collection}/{resource_id}/tags": {"tags": ["mine"]},
    "POST /v2.0/{collection}/{resource_id}/tags": {"tags": ["mine"]},
    "PATCH /v2/images/{image_id}": [{"op": "replace", "path": "/name", "value": "mine"}],
    "POST /v2/images/{image_id}/import": {"method": {"name": "glance-direct"}},
    "POST /v2/images/{image_id}/members": {"member": "7" * 32},
    "PUT /v2/images/{image_id}/members/{member_id}": {"status": "accepted"},
    "POST /v3/{project_id}/volumes/{volume_id}/action": {"os-extend": {"new_size": 2}},
    "PUT /v3/{project_id}/volumes/{volume_id}": {"volume": {"name": "mine"}},
    "POST /v3/{project_id}/snapshots/{snapshot_id}/action": {"os-reset_status": {"status": "error"}},
    "PUT /v3/{project_id}/snapshots/{snapshot_id}": {"snapshot": {"name": "mine"}},
    "PUT /v3/{project_id}/volumes/{item_id}/metadata/{key}": {"meta": {MARK: "b"}},
    "PUT /v3/{project_id}/snapshots/{item_id}/metadata/{key}": {"meta": {MARK: "b"}},
    "PATCH /v3/credentials/{credential_id}": {"credential": {"blob": "mine"}},
    "PATCH /v3/users/{user_id}": {"user": {"email": "mine"}},
    "POST /v3/users/{user_id}/password": {"user": {"password": "mine", "original_password": "not theirs"}},
    "POST /v3/users/{user_id}/application_credentials": {"application_credential": {"name": "mine"}},
    "PATCH /v3/projects/{project_id}": {"project": {"name": "mine"}},
    "PUT /v3/projects/{project_id}/tags": {"tags": ["mine"]},
}
METADATA = {"metadata": {"a": "b"}}
JSON_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
STREAM = {"Content-Type": "application/octet-stream"}


def asked(template: str, ids: dict[str, str], own_project: str) -> list[str]:
    """The template's paths with the owner's ids. In volume's the first project is that of the token."""
    names = re.findall(r"{(\w+)(?::\w+)?}", template)
    unknown = set(names) - OWNED - set(HARMLESS) - {"collection"}
    assert not unknown, f"{template}: say in this file what {unknown} names"
    values = HARMLESS | ids | {
        "item_id": ids["volume_id" if "/volumes/" in template else "snapshot_id"], "quota_project_id": ids["project_id"], "actor_id": ids["user_id"],
        "place_id": ids["project_id"], "account": f"AUTH_{ids['project_id']}", "tenant_id": ids["project_id"],
    }  # fmt: skip
    if "/os-interface/" in template:
        values["port_id"] = ids["server_port_id"]
    if template.startswith("/v3/{project_id}/"):
        values["project_id"] = own_project
    variants = [values]
    if "account" in names:  # both spellings: Swift's and Pithos'
        variants.append(values | {"account": ids["project_id"]})
    if "collection" in names:
        variants = [values | {"collection": plural, "resource_id": ids[name]} for plural, name in COLLECTIONS.items()]
    return [re.sub(r"{(\w+)(?::\w+)?}", r"{\1}", template).format(**chosen) for chosen in variants]


def names_anothers(template: str) -> bool:
    template = template.removeprefix("/v3/{project_id}/")  # the token's own project, in volume's paths
    return bool(OWNED & set(re.findall(r"{(\w+)(?::\w+)?}", template)))


def references(ids: dict[str, str], own_project: str, own_image: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Requests for something of one's own that is made of another's."""
    server = {"name": "s", "flavorRef": "1", "imageRef": own_image}
    port = {"network_id": ids["network_id"]}
    rule = {"security_group_id": ids["security_group_id"], "direction": "ingress"}
    return [
        ("compute", "/v2.1/servers", {"server": {**server, "imageRef": ids["image_id"]}}),
        ("compute", "/v2.1/servers", {"server": {**server, "networks": [{"uuid": ids["network_id"]}]}}),
        ("compute", "/v2.1/servers", {"server": {**server, "networks": [{"port": ids["port_id"]}]}}),
        ("compute", "/v2.1/servers", {"server": {**server, "key_name": MARK}}),
        *[
            ("compute", "/v2.1/servers", {"server": {**server, "imageRef": "", "block_device_mapping_v2": [
                {"boot_index": 0, "source_type": kind, "destination_type": "volume", "uuid": ids[f"{kind}_id"]},
            ]}}) for kind in ("volume", "snapshot")
        ],
        ("volume", f"/v3/{own_project}/volumes", {"volume": {"size": 1, "imageRef": ids["image_id"]}}),
        ("volume", f"/v3/{own_project}/volumes", {"volume": {"size": 1, "snapshot_id": ids["snapshot_id"]}}),
        ("volume", f"/v3/{own_project}/volumes", {"volume": {"size": 1, "source_volid": ids["volume_id"]}}),
        ("volume", f"/v3/{own_project}/snapshots", {"snapshot": {"volume_id": ids["volume_id"]}}),
        ("network", "/v2.0/ports", {"port": port}),
        ("network", "/v2.0/subnets", {"subnet": {**port, "ip_version": 4, "cidr": "10.78.0.0/24"}}),
        ("network", "/v2.0/security-group-rules", {"security_group_rule": rule}),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_another_projects_things_are_not_there_on_any_route_of_any_service() -> None:
    wrong: list[str] = []
    calls = 0
    async with Fleet() as fleet:
        ids = await make(fleet, fleet.demo)
        before = await seen(fleet.demo, ids)
        assert str(before).count(MARK) > 20, "the marks are not where they should be"
        me = (await fleet.alt.call("identity", "GET", "/v3/auth/tokens", headers={"X-Subject-Token": fleet.alt.token})).json()["token"]["user"]["id"]
        keys = await ec2_keys(fleet.alt, me)
        for service in ORDER:
            for method, template in sorted(routes_of(fleet.services[service].app)):
                route = f"{method} {template}"
                if template == "/internal/v1/revocations":
                    continue  # a long poll, for services only: their own tests refuse people
                how: dict[str, Any] = {}
                if template.endswith(("/file", "/stage")) and method == "PUT":
                    how = {"content": b"mine", "headers": STREAM}
                elif service == "object" and method in ("PUT", "POST"):
                    how = {"content": b"" if route == "PUT /s3/{bucket}" else b"mine"}
                elif method in ("POST", "PUT", "PATCH"):
                    how = {"json": BODIES.get(route, METADATA if template.endswith("/metadata") else {})}
                    how |= {"headers": JSON_PATCH} if method == "PATCH" and service == "image" else {}
                for path in asked(template, ids, fleet.alt.project_id):
                    if template.startswith("/s3/"):
                        how["headers"] = signed(*keys, method, path, how.get("content", b""))
                    answer = await fleet.alt.call(service, method, path, **how)
                    calls += 1
                    told = f"{service}: {route}: {answer.status_code} {answer.text[:150]}"
                    if MARK in answer.text.replace(path, "") and answer.status_code < 300:
                        wrong.append(f"shown to a stranger: {told}")
                    if answer.status_code >= 500:
                        wrong.append(f"a fault: {told}")
                    if names_anothers(template) and route not in PUBLIC:
                        expected = {403, 404} if FORBIDDEN.match(f"{service} {template}") else {404}
                        if route == WRONG_PASSWORD:
                            expected = {401}
                        expected = BY_ROLE.get(route, S3.get(route, expected))
                        if answer.status_code not in expected:
                            wrong.append(f"not {expected}: {told}")
        own_image = await image(fleet.alt, "mine")
        for service, path, body in references(ids, fleet.alt.project_id, own_image):
            answer = await fleet.alt.call(service, "POST", path, json=body)
            if answer.status_code not in (400, 404) or MARK in answer.text.replace(str(body), ""):
                wrong.append(f"{service}: {path} {body}: {answer.status_code} {answer.text[:150]}")
        fleet.demo.token = ""
        await fleet.demo.login()
        after = await seen(fleet.demo, ids)
    print(f"{calls} calls")
    wrong += [f"changed by a stranger: {view}\n{before[view]}\n{after[view]}" for view in before if before[view] != after[view]]
    assert not wrong, "\n".join(wrong)
