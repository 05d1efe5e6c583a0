"""One of everything that a project can own, each with a mark in every text that its owner may set."""

from __future__ import annotations

from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.fleet import Fleet, User

from synnefo_common.testing import wait_until

MARK = "canary-7d1f"
BUCKET = f"{MARK}-bucket"


async def make(fleet: Fleet, owner: User) -> dict[str, str]:
    """Ids by the names that path parameters have."""
    project = owner.project_id

    async def post(service: str, path: str, kind: str, body: dict[str, Any]) -> str:
        answer = await owner.json(service, "POST", path, {kind: body})
        return str(answer[kind]["id"])

    network = await post("network", "/v2.0/networks", "network", {"name": MARK, "description": MARK})
    subnet = await post("network", "/v2.0/subnets", "subnet", {"network_id": network, "ip_version": 4, "cidr": "10.77.0.0/24", "name": MARK})
    group = await post("network", "/v2.0/security-groups", "security_group", {"name": MARK, "description": MARK})
    ingress = {"security_group_id": group, "direction": "ingress", "description": MARK}
    rule = await post("network", "/v2.0/security-group-rules", "security_group_rule", ingress)
    port = await post("network", "/v2.0/ports", "port", {"network_id": network, "name": MARK, "description": MARK})
    public = await fleet.admin.json("network", "POST", "/v2.0/networks", {"network": {"name": "outside", "router:external": True}})
    outside = public["network"]["id"]
    await fleet.admin.json("network", "POST", "/v2.0/subnets", {"subnet": {"network_id": outside, "ip_version": 4, "cidr": "203.0.113.0/24"}})
    floating = await post("network", "/v2.0/floatingips", "floatingip", {"floating_network_id": outside, "description": MARK})
    router = await post("network", "/v2.0/routers", "router", {"name": MARK, "external_gateway_info": {"network_id": outside}})
    interface = {"subnet_id": subnet}
    await owner.json("network", "PUT", f"/v2.0/routers/{router}/add_router_interface", interface)
    forwarding = {"protocol": "tcp", "external_port": 22, "internal_port": 22, "internal_port_id": port, "description": MARK}
    forwarded = await post("network", f"/v2.0/floatingips/{floating}/port_forwardings", "port_forwarding", forwarding)
    scope = await post("network", "/v2.0/address-scopes", "address_scope", {"name": MARK, "ip_version": 4})
    pool = await post("network", "/v2.0/subnetpools", "subnetpool", {"name": MARK, "prefixes": ["10.79.0.0/16"], "address_scope_id": scope})
    addresses = await post("network", "/v2.0/address-groups", "address_group", {"name": MARK, "addresses": ["10.77.0.0/24"]})
    sharing = {"object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": MARK}
    shared = await post("network", "/v2.0/rbac-policies", "rbac_policy", sharing)
    mine = {"policy": {"name": MARK, "project_id": owner.project_id}}
    policy = (await fleet.admin.json("network", "POST", "/v2.0/qos/policies", mine))["policy"]["id"]
    marking = {"dscp_marking_rule": {"dscp_mark": 8}}
    marked = (await fleet.admin.json("network", "POST", f"/v2.0/qos/policies/{policy}/dscp_marking_rules", marking))["dscp_marking_rule"]["id"]

    image_id = await image(owner, MARK)
    volume = await post("volume", f"/v3/{project}/volumes", "volume", {"size": 1, "name": MARK, "description": MARK, "metadata": {MARK: MARK}})
    await _reaches(owner, "volume", f"/v3/{project}/volumes/{volume}", "volume", "available")
    snapshot = await post("volume", f"/v3/{project}/snapshots", "snapshot", {"volume_id": volume, "name": MARK, "metadata": {MARK: MARK}})
    await _reaches(owner, "volume", f"/v3/{project}/snapshots/{snapshot}", "snapshot", "available")

    keypair = await owner.json("compute", "POST", "/v2.1/os-keypairs", {"keypair": {"name": MARK}})
    together = await post("compute", "/v2.1/os-server-groups", "server_group", {"name": MARK, "policies": ["affinity"]})
    server = await post("compute", "/v2.1/servers", "server", {
        "name": MARK, "flavorRef": "1", "imageRef": image_id, "networks": [{"uuid": network}], "metadata": {MARK: MARK},
        "key_name": keypair["keypair"]["name"],
    })  # fmt: skip
    await _reaches(owner, "compute", f"/v2.1/servers/{server}", "server", "ACTIVE")
    await owner.json("compute", "POST", f"/v2.1/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    await _reaches(owner, "volume", f"/v3/{project}/volumes/{volume}", "volume", "in-use")
    actions = await owner.json("compute", "GET", f"/v2.1/servers/{server}/os-instance-actions")
    interfaces = await owner.json("compute", "GET", f"/v2.1/servers/{server}/os-interface")

    for path in (f"/v1/AUTH_{project}/{MARK}", f"/v1/AUTH_{project}/{MARK}/{MARK}"):
        put = await owner.call("object", "PUT", path, content=MARK.encode() if path.count(MARK) == 2 else b"")
        assert put.status_code == 201, put.text

    me = (await owner.call("identity", "GET", "/v3/auth/tokens", headers={"X-Subject-Token": owner.token})).json()["token"]["user"]["id"]
    access_key, secret = await ec2_keys(owner, me)
    for path in (f"/s3/{BUCKET}", f"/s3/{BUCKET}/{MARK}"):
        headers = signed(access_key, secret, "PUT", path, MARK.encode() if path.count(MARK) == 2 else b"")
        put = await owner.call("object", "PUT", path, content=MARK.encode() if path.count(MARK) == 2 else b"", headers=headers)
        assert put.status_code == 200, put.text
    credential = await post("identity", "/v3/credentials", "credential", {"type": "cert", "blob": MARK})
    application = await post("identity", f"/v3/users/{me}/application_credentials", "application_credential", {"name": MARK, "description": MARK})
    return {
        "network_id": network, "subnet_id": subnet, "security_group_id": group, "security_group_rule_id": rule, "port_id": port,
        "router_id": router, "port_forwarding_id": forwarded, "address_scope_id": scope, "subnetpool_id": pool, "address_group_id": addresses,
        "rbac_policy_id": shared, "policy_id": policy, "rule_id": marked,
        "floatingip_id": floating, "image_id": image_id, "volume_id": volume, "snapshot_id": snapshot, "server_id": server, "user_id": me,
        "server_group_id": together,
        "credential_id": credential, "application_credential_id": application, "project_id": project,
        "request_id": actions["instanceActions"][0]["request_id"],
        "access_key": access_key, "bucket": BUCKET,
        "server_port_id": interfaces["interfaceAttachments"][0]["port_id"],
    }  # fmt: skip


async def ec2_keys(owner: User, user_id: str) -> tuple[str, str]:
    """New keys for S3."""
    made = await owner.json("identity", "POST", f"/v3/users/{user_id}/credentials/OS-EC2", {"tenant_id": owner.project_id})
    return made["credential"]["access"], made["credential"]["secret"]


def signed(access_key: str, secret: str, method: str, path: str, body: bytes) -> dict[str, str]:
    """The headers of a request to S3."""
    request = AWSRequest(method=method, url=f"http://object{path}", data=body)
    S3SigV4Auth(Credentials(access_key, secret), "s3", "RegionOne").add_auth(request)
    return dict(request.headers.items())


async def image(owner: User, name: str) -> str:
    """A private image, named, tagged and filled with the name."""
    return await owner.make_image(name, name.encode() * 400, tags=[name])


async def _reaches(owner: User, service: str, path: str, kind: str, status: str) -> None:
    async def there() -> bool:
        return bool((await owner.json(service, "GET", path))[kind]["status"] == status)

    await wait_until(there, 40, what=f"{kind} {status}")


async def seen(owner: User, ids: dict[str, str]) -> dict[str, Any]:
    """What the owner sees of it all: the same before and after what others tried."""
    project = ids["project_id"]
    views = [
        ("network", f"/v2.0/{kind}?project_id={project}&sort_key=id")
        for kind in (
            "networks", "subnets", "ports", "security-groups", "security-group-rules", "floatingips", "routers", "address-scopes", "subnetpools",
            "address-groups", "rbac-policies", "qos/policies",
        )
    ]
    views += [
        ("image", f"/v2/images?owner={project}"), ("image", f"/v2/images/{ids['image_id']}/members"), ("volume", f"/v3/{project}/volumes/detail"),
        ("volume", f"/v3/{project}/snapshots/detail"), ("compute", "/v2.1/servers/detail"), ("compute", "/v2.1/os-keypairs"),
        ("compute", "/v2.1/os-server-groups"),
        ("compute", f"/v2.1/servers/{ids['server_id']}/os-volume_attachments"), ("compute", f"/v2.1/servers/{ids['server_id']}/os-interface"),
        ("compute", f"/v2.1/os-quota-sets/{project}"), ("network", f"/v2.0/quotas/{project}"), ("volume", f"/v3/{project}/os-quota-sets/{project}"),
        ("object", f"/v1/AUTH_{project}?format=json"), ("object", f"/v1/AUTH_{project}/{MARK}?format=json"),
        ("object", f"/v1/AUTH_{project}/{BUCKET}?format=json"), ("identity", "/v3/credentials"),
        ("identity", f"/v3/users/{ids['user_id']}/application_credentials"), ("identity", "/v3/auth/projects"),
    ]  # fmt: skip
    return {f"{service} {path}": await owner.json(service, "GET", path) for service, path in views}
