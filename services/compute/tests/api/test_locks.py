"""Locks, and actions that lead out of states which no server of ours is in."""

from __future__ import annotations

from typing import Any

import pytest

NETWORK = "a0000000-0000-4000-8000-000000000001"


async def test_a_locked_server_is_changed_by_nobody_of_its_project(h: Any) -> None:
    server_id = await h.server()
    url = f"/v2.1/servers/{server_id}"
    port_id = (await h.as_member().get(f"{url}/os-interface")).json()["interfaceAttachments"][0]["port_id"]
    for _ in range(2):
        assert await h.act(server_id, {"lock": None}) == 202
    member = h.as_member()
    refused = [
        *[await member.post(f"{url}/action", json=a) for a in ({"os-stop": None}, {"reboot": {"type": "SOFT"}}, {"forceDelete": None})],
        await member.post(f"{url}/action", json={"resize": {"flavorRef": "1"}}),
        await member.delete(url),
        await member.put(f"{url}/metadata/a", json={"meta": {"a": "1"}}),
        await member.post(f"{url}/os-interface", json={"interfaceAttachment": {"net_id": NETWORK}}),
        await member.delete(f"{url}/os-interface/{port_id}"),
        await member.post(f"{url}/os-volume_attachments", json={"volumeAttachment": {"volumeId": h.ids.uuid()}}),
    ]
    for answer in refused:
        assert (answer.status_code, answer.json()) == (409, {"conflictingRequest": {"code": 409, "message": f"Instance {server_id} is locked"}})
    assert (await member.put(url, json={"server": {"name": "renamed"}})).status_code == 200
    assert await h.act(server_id, {"unlock": None}) == 202
    assert await h.act(server_id, {"os-stop": None}) == 202
    done = [a["action"] for a in (await member.get(f"{url}/os-instance-actions")).json()["instanceActions"]]
    assert sorted(done) == ["create", "lock", "stop", "unlock"]


async def test_an_administrators_lock_holds_against_the_owner_and_binds_no_administrator(h: Any) -> None:
    server_id = await h.server()
    action = f"/v2.1/servers/{server_id}/action"
    assert (await h.as_admin().post(action, json={"lock": None})).status_code == 202
    assert await h.act(server_id, {"lock": None}) == 202
    assert await h.act(server_id, {"unlock": None}) == 403
    assert await h.act(server_id, {"os-stop": None}) == 409
    assert (await h.as_admin().post(action, json={"os-stop": None})).status_code == 202
    await h.ganeti_does()
    assert (await h.as_admin().post(action, json={"unlock": None})).status_code == 202
    assert await h.act(server_id, {"os-start": None}) == 202


@pytest.mark.parametrize("name", ["restore", "resume", "unpause", "unrescue", "unshelve"])
async def test_what_undoes_an_action_that_we_have_not_is_a_conflict(h: Any, name: str) -> None:
    server_id = await h.server()
    answer = await h.as_member().post(f"/v2.1/servers/{server_id}/action", json={name: None})
    assert answer.status_code == 409
    assert answer.json()["conflictingRequest"]["message"] == f"Cannot '{name}' instance {server_id} while it is in vm_state active"
    assert (await h.as_project().post(f"/v2.1/servers/{server_id}/action", json={name: None})).status_code == 404


async def test_a_path_with_a_slash_at_its_end_is_another_path(h: Any) -> None:
    assert (await h.as_admin().get("/v2.1/os-simple-tenant-usage/")).status_code == 404
    assert (await h.as_member().get("/v2.1/servers/")).status_code == 404
    assert (await h.anonymous().get("/v2.1/")).json()["version"]["id"] == "v2.1"


async def test_a_flavor_may_have_no_description_but_null(h: Any) -> None:
    flavor = {"name": "f", "ram": 1, "vcpus": 1, "disk": 0}
    assert (await h.as_admin().post("/v2.1/flavors", json={"flavor": flavor | {"description": None}})).status_code == 200
    assert (await h.as_admin().post("/v2.1/flavors", json={"flavor": flavor | {"description": "d"}})).status_code == 400
