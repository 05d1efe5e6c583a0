"""Who may call what: a table of every route of the application. A route that the table does not name fails the first test."""

from __future__ import annotations

from typing import Any

import pytest

from synnefo_common.testing import routes_of

IMAGE = "c0ffee00-c0ff-4eec-8ffe-c0ffeec0ffee"
UUID = "deadbeef-dead-4eef-8ead-deadbeefdead"
S, F, Q, H, G = "/v2.1/servers", "/v2.1/flavors", "/v2.1/os-quota-sets/{project_id}", "/v2.1/os-hypervisors", "/v2.1/os-server-groups"
SERVER, FLAVOR = S + "/{server_id}", F + "/{flavor_id}"
ACTIONS = [
    {"os-start": None}, {"os-stop": None}, {"reboot": {"type": "SOFT"}}, {"resize": {"flavorRef": "2"}}, {"confirmResize": None},
    {"revertResize": None}, {"createImage": {"name": "i"}}, {"os-getConsoleOutput": {}}, {"forceDelete": None},
]  # fmt: skip

# (method, path) → a valid body. Who may: `open` everyone, `reader`, `member`, `admin`, `service`.
OPEN = {("GET", "/"), ("GET", "/v2.1"), ("GET", "/v2.1/"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")}
READER = {
    ("GET", F), ("GET", F + "/detail"), ("GET", FLAVOR), ("GET", FLAVOR + "/os-extra_specs"), ("GET", FLAVOR + "/os-extra_specs/{key}"),
    ("GET", S), ("GET", S + "/detail"), ("GET", SERVER), ("GET", SERVER + "/ips"), ("GET", SERVER + "/ips/{network}"),
    ("GET", SERVER + "/metadata"), ("GET", SERVER + "/metadata/{key}"), ("GET", SERVER + "/os-volume_attachments"),
    ("GET", SERVER + "/os-volume_attachments/{volume_id}"), ("GET", SERVER + "/os-interface"), ("GET", SERVER + "/os-interface/{port_id}"),
    ("GET", SERVER + "/os-instance-actions"), ("GET", SERVER + "/os-instance-actions/{request_id}"), ("GET", "/v2.1/os-keypairs"),
    ("GET", "/v2.1/os-keypairs/{name}"), ("GET", Q), ("GET", Q + "/detail"), ("GET", Q + "/defaults"), ("GET", "/v2.1/limits"),
    ("GET", "/v2.1/os-availability-zone"), ("GET", "/v2.1/extensions"), ("GET", "/v2.1/extensions/{alias}"),
    ("GET", "/v2.1/os-simple-tenant-usage/{project_id}"), ("GET", SERVER + "/os-server-password"),
    ("GET", G), ("GET", G + "/{server_group_id}"),
}  # fmt: skip
# Keypairs are a user's own: a reader keeps his.
READER_WRITES: dict[tuple[str, str], Any] = {
    ("POST", "/v2.1/os-keypairs"): {"keypair": {"name": "k"}}, ("DELETE", "/v2.1/os-keypairs/{name}"): None,
}  # fmt: skip
MEMBER: dict[tuple[str, str], Any] = {
    ("POST", S): {"server": {"name": "s", "flavorRef": "1", "imageRef": IMAGE}},
    ("PUT", SERVER): {"server": {"name": "t"}},
    ("DELETE", SERVER): None,
    ("POST", SERVER + "/action"): {"os-stop": None},
    ("POST", SERVER + "/metadata"): {"metadata": {"a": "b"}},
    ("PUT", SERVER + "/metadata"): {"metadata": {"a": "b"}},
    ("PUT", SERVER + "/metadata/{key}"): {"meta": {"key": "b"}},
    ("DELETE", SERVER + "/metadata/{key}"): None,
    ("DELETE", SERVER + "/os-server-password"): None,
    ("POST", SERVER + "/os-volume_attachments"): {"volumeAttachment": {"volumeId": UUID}},
    ("DELETE", SERVER + "/os-volume_attachments/{volume_id}"): None,
    ("POST", SERVER + "/os-interface"): {"interfaceAttachment": {"net_id": UUID}},
    ("DELETE", SERVER + "/os-interface/{port_id}"): None,
    ("POST", G): {"server_group": {"name": "g", "policies": ["affinity"]}},
    ("DELETE", G + "/{server_group_id}"): None,
}
ADMIN: dict[tuple[str, str], Any] = {
    ("POST", F): {"flavor": {"name": "f", "ram": 1, "vcpus": 1, "disk": 0}},
    ("DELETE", FLAVOR): None,
    ("POST", FLAVOR + "/os-extra_specs"): {"extra_specs": {"a": "b"}},
    ("PUT", FLAVOR + "/os-extra_specs/{key}"): {"key": "b"},
    ("DELETE", FLAVOR + "/os-extra_specs/{key}"): None,
    ("GET", FLAVOR + "/os-flavor-access"): None,
    ("POST", FLAVOR + "/action"): {"addTenantAccess": {"tenant": "p"}},
    ("PUT", Q): {"quota_set": {"cores": 1}},
    ("DELETE", Q): None,
    ("GET", "/v2.1/os-quota-class-sets/{class_name}"): None,
    ("PUT", "/v2.1/os-quota-class-sets/{class_name}"): {"quota_class_set": {"cores": 1}},
    ("GET", H): None,
    ("GET", H + "/detail"): None,
    ("GET", H + "/statistics"): None,
    ("GET", H + "/{hypervisor_id}"): None,
    ("GET", H + "/{hypervisor_id}/uptime"): None,
    ("GET", H + "/{pattern}/search"): None,
    ("GET", H + "/{pattern}/servers"): None,
    ("GET", "/v2.1/os-services"): None,
    ("GET", "/v2.1/os-aggregates"): None,
    ("GET", "/v2.1/os-availability-zone/detail"): None,
    ("GET", "/v2.1/os-simple-tenant-usage"): None,
    ("GET", "/admin/v1/audit"): None,
    ("POST", "/admin/v1/reconcile"): {"dry_run": True},
}
SERVICE = {("GET", "/internal/v1/servers/{server_id}"), ("GET", "/internal/v1/commissions/{commission_id}")}
BODIES = READER_WRITES | MEMBER | ADMIN


async def call(client: Any, method: str, path: str, server_id: str = UUID, project_id: str = "p" * 32) -> Any:
    values = {
        "server_id": server_id, "project_id": project_id, "flavor_id": "1", "key": "key", "network": "net", "volume_id": UUID, "port_id": UUID,
        "request_id": "req-1", "name": "k", "alias": "os-keypairs", "hypervisor_id": "1", "pattern": "a", "commission_id": UUID,
        "class_name": "default", "server_group_id": UUID,
    }  # fmt: skip
    return await client.request(method, path.format(**values), json=BODIES.get((method, path)))


async def test_the_table_names_every_route(h: Any) -> None:
    assert routes_of(h.service.app) == OPEN | READER | SERVICE | set(BODIES)


async def test_without_a_token_only_discovery_and_health_answer(h: Any) -> None:
    for method, path in sorted(routes_of(h.service.app)):
        for client in (h.anonymous(), h.client("made-up")):
            answer = await call(client, method, path)
            if (method, path) in OPEN:
                assert answer.status_code == 200, path
            else:
                assert answer.status_code == 401, (method, path)
                assert answer.json()["error"]["code"] == 401
                assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


async def test_a_member_may_not_call_what_is_the_administrators_or_the_services(h: Any) -> None:
    server_id = await h.server()
    for method, path in sorted(set(ADMIN) | SERVICE):
        answer = await call(h.as_member(), method, path, server_id, h.project_id)
        assert answer.status_code == 403, (method, path, answer.text)
        assert ("error" if path.startswith(("/internal", "/admin")) else "forbidden") in answer.json()
    answer = await h.as_member().post(f"{S}/{server_id}/action", json={"os-resetState": {"state": "active"}})
    assert answer.status_code == 403
    body = {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "availability_zone": "nova:alpha"}
    assert (await h.as_member().post(S, json={"server": body})).status_code == 403
    assert (await h.as_member().get("/v2.1/os-keypairs?user_id=somebody")).status_code == 403
    assert (await h.as_member().get(f"/v2.1/limits?tenant_id={h.other_project_id}")).status_code == 403
    assert (await h.as_member().get(f"/v2.1/os-quota-sets/{h.other_project_id}")).status_code == 403


async def test_a_reader_reads_but_does_not_write(h: Any) -> None:
    server_id = await h.server()
    for method, path in sorted(READER):
        answer = await call(h.as_reader(), method, path, server_id, h.project_id)
        assert answer.status_code in (200, 404), (path, answer.text)
    for method, path in sorted(MEMBER):
        answer = await call(h.as_reader(), method, path, server_id, h.project_id)
        assert answer.status_code == 403, (method, path, answer.text)
    for body in ACTIONS:
        answer = await h.as_reader().post(f"{S}/{server_id}/action", json=body)
        assert answer.status_code == 403, body
    assert (await h.show(server_id))["status"] == "ACTIVE"


async def test_another_projects_server_is_not_found_by_any_route(h: Any) -> None:
    server_id = await h.server(metadata={"key": "v"})
    before = await h.show(server_id)
    for method, path in sorted(READER | set(MEMBER)):
        if "{server_id}" in path:
            answer = await call(h.as_project(), method, path, server_id)
            assert answer.status_code == 404, (method, path, answer.text)
            assert "itemNotFound" in answer.json()
    for body in [*ACTIONS, {"pause": None}, {"rebuild": {"imageRef": IMAGE}}]:
        answer = await h.as_project().post(f"{S}/{server_id}/action", json=body)
        assert answer.status_code == 404, body
    assert (await h.as_project().get(S + "/detail")).json() == {"servers": []}
    assert (await h.as_project().get(f"{S}?limit=1&marker={server_id}")).status_code == 400
    assert await h.show(server_id) == before


@pytest.mark.parametrize("server_id", ["x", UUID, "-1", "9" * 400, "a%00b", "%F0%28%8C%28", "{"])
async def test_an_id_of_nothing_is_not_found_by_any_route(h: Any, server_id: str) -> None:
    for client in (h.as_member(), h.as_admin()):
        for method, path in sorted(READER | set(MEMBER)):
            if "{server_id}" in path:
                answer = await call(client, method, path, server_id)
                assert answer.status_code == 404, (method, path, answer.text)


async def test_the_administrator_sees_and_changes_every_projects_servers(h: Any) -> None:
    server_id = await h.server()
    shown = (await h.as_admin().get(f"{S}/{server_id}")).json()["server"]
    assert shown["OS-EXT-SRV-ATTR:host"] == "alpha"
    assert (await h.as_admin().get(S)).json() == {"servers": []}
    assert len((await h.as_admin().get(f"{S}?all_tenants=1")).json()["servers"]) == 1
    assert len((await h.as_admin().get(f"{S}?all_tenants=1&project_id={h.other_project_id}")).json()["servers"]) == 0
    assert (await h.as_admin().post(f"{S}/{server_id}/action", json={"os-resetState": {"state": "error"}})).status_code == 202
    assert (await h.as_admin().delete(f"{S}/{server_id}")).status_code == 204
    await h.ganeti_does()
    assert (await h.as_admin().get(f"{S}/{server_id}")).status_code == 404
    assert len((await h.as_admin().get(f"{S}?all_tenants=1&deleted=1")).json()["servers"]) == 1
