"""A server's life through the public face."""

from __future__ import annotations

from typing import Any

import pytest


async def test_a_server_is_built_used_and_deleted_and_the_quota_is_back_at_zero(h: Any) -> None:
    server_id = await h.server(built=False)
    assert (await h.show(server_id))["status"] == "BUILD"
    await h.ganeti_does()
    shown = await h.show(server_id)
    assert shown["status"] == "ACTIVE"
    assert shown["addresses"]["net"][0]["addr"] == "10.0.0.2"
    assert h.quota.used["compute.instances"] == 1
    job = h.jobs("create")[0]["params"]
    assert job["tags"] == [f"synnefo:server:{server_id}"]
    assert job["disks"][0]["provider"] == "archipelago"
    assert (await h.as_member().delete(f"/v2.1/servers/{server_id}")).status_code == 204
    await h.ganeti_does()
    assert (await h.as_member().get(f"/v2.1/servers/{server_id}")).status_code == 404
    used = {k: v for k, v in h.quota.used.items() if v and k.startswith("compute.")}
    assert used == {}


async def test_a_failed_build_ends_in_error_with_a_readable_reason_and_can_be_deleted(h: Any) -> None:
    server_id = await h.server(built=False)
    await h.ganeti_does(fail="not enough memory on node1")
    shown = await h.show(server_id)
    assert shown["status"] == "ERROR"
    assert "not enough memory on node1" in shown["fault"]["message"]
    await h.as_member().delete(f"/v2.1/servers/{server_id}")
    await h.ganeti_does()
    assert (await h.as_member().get(f"/v2.1/servers/{server_id}")).status_code == 404
    assert not h.quota.used["compute.instances"]


async def test_a_server_deleted_while_it_is_built_goes_away_once_the_build_has_ended(h: Any) -> None:
    server_id = await h.server(built=False)
    await h.settle()
    assert (await h.as_member().delete(f"/v2.1/servers/{server_id}")).status_code == 204
    assert len(h.jobs("delete")) == 0
    await h.ganeti_does_all()
    assert len(h.jobs("delete")) == 1
    assert (await h.as_member().get(f"/v2.1/servers/{server_id}")).status_code == 404
    assert not h.quota.used["compute.instances"]


async def test_no_cluster_with_room_is_an_error_that_says_why(h: Any) -> None:
    await h.report(mem_free_mib=64)
    server_id = await h.server(built=False)
    await h.settle()
    shown = await h.show(server_id)
    assert shown["status"] == "ERROR"
    assert "alpha: not enough memory" in shown["fault"]["message"]


async def test_power_actions_go_through_task_states_to_the_new_state(h: Any) -> None:
    server_id = await h.server()
    assert await h.act(server_id, {"os-stop": None}) == 202
    assert (await h.show(server_id))["OS-EXT-STS:task_state"] == "powering-off"
    assert await h.act(server_id, {"os-start": None}) == 409
    await h.ganeti_does()
    assert (await h.show(server_id))["status"] == "SHUTOFF"
    assert await h.act(server_id, {"os-start": None}) == 202
    await h.ganeti_does()
    assert (await h.show(server_id))["status"] == "ACTIVE"
    assert await h.act(server_id, {"reboot": {"type": "HARD"}}) == 202
    assert (await h.show(server_id))["status"] == "HARD_REBOOT"
    await h.ganeti_does()
    assert (await h.show(server_id))["status"] == "ACTIVE"


async def test_a_resize_is_counted_at_the_larger_flavor_until_confirmed(h: Any) -> None:
    await h.flavor("m1.tiny", id="2", ram=512, vcpus=2)
    server_id = await h.server()
    assert await h.act(server_id, {"resize": {"flavorRef": "2"}}) == 202
    assert (await h.show(server_id))["status"] == "RESIZE"
    await h.ganeti_does_all()
    shown = await h.show(server_id)
    assert (shown["status"], shown["flavor"]["id"]) == ("VERIFY_RESIZE", "2")
    assert h.quota.used["compute.cores"] == 2
    assert await h.act(server_id, {"confirmResize": None}) == 204
    assert (await h.show(server_id))["status"] == "ACTIVE"
    assert await h.act(server_id, {"resize": {"flavorRef": "1"}}) == 202
    await h.ganeti_does_all()
    assert h.quota.used["compute.ram_mib"] == 512
    await h.act(server_id, {"confirmResize": None})
    await h.settle()
    assert h.quota.used["compute.ram_mib"] == 128


async def test_a_reverted_resize_gives_the_old_flavor_back(h: Any) -> None:
    await h.flavor("m1.tiny", id="2", ram=512, vcpus=2)
    server_id = await h.server()
    await h.act(server_id, {"resize": {"flavorRef": "2"}})
    await h.ganeti_does_all()
    assert await h.act(server_id, {"revertResize": None}) == 202
    await h.ganeti_does_all()
    shown = await h.show(server_id)
    assert (shown["status"], shown["flavor"]["id"]) == ("ACTIVE", "1")
    assert h.quota.used["compute.ram_mib"] == 128


async def test_a_failed_resize_leaves_the_server_as_it_was_and_running(h: Any) -> None:
    await h.flavor("m1.tiny", id="2", ram=512, vcpus=2)
    server_id = await h.server()
    await h.act(server_id, {"resize": {"flavorRef": "2"}})
    await h.ganeti_does()  # the stop
    await h.ganeti_does(fail="no memory")  # the change
    await h.ganeti_does_all()  # the start that takes it back
    shown = await h.show(server_id)
    assert (shown["status"], shown["flavor"]["id"]) == ("ACTIVE", "1")
    assert h.quota.used["compute.ram_mib"] == 128


@pytest.mark.parametrize(("asked", "shown"), [("AUTO", "AUTO"), (None, "MANUAL")])
async def test_a_resize_sets_the_disk_config_if_it_names_one(h: Any, asked: str | None, shown: str) -> None:
    await h.flavor("m1.tiny", id="2", ram=512, vcpus=2)
    server_id = await h.server()
    wanted = {"flavorRef": "2"} | ({"OS-DCF:diskConfig": asked} if asked else {})
    assert await h.act(server_id, {"resize": wanted}) == 202
    await h.ganeti_does_all()
    assert (await h.show(server_id))["OS-DCF:diskConfig"] == shown


async def test_a_disk_of_a_snapshot_is_as_large_as_it_unless_told(h: Any) -> None:
    snapshot = {"source_type": "snapshot", "destination_type": "volume", "uuid": h.ids.uuid(), "boot_index": 0}
    await h.server(imageRef="", block_device_mapping_v2=[snapshot])
    assert h.quota.used["volume.gigabytes"] == 7
    await h.server(imageRef="", block_device_mapping_v2=[snapshot | {"volume_size": 9}])
    assert h.quota.used["volume.gigabytes"] == 16


async def test_volumes_are_attached_and_detached(h: Any) -> None:
    server_id, volume_id = await h.server(), h.ids.uuid()
    url = f"/v2.1/servers/{server_id}/os-volume_attachments"
    answer = await h.as_member().post(url, json={"volumeAttachment": {"volumeId": volume_id}})
    assert answer.status_code == 200
    assert answer.json()["volumeAttachment"] == {"id": volume_id, "serverId": server_id, "volumeId": volume_id, "device": "/dev/vdb"}
    await h.ganeti_does()
    assert h.jobs("add_disk")[0]["params"]["disk"]["name"] == f"snf-vol-{volume_id}"
    assert len((await h.as_member().get(url)).json()["volumeAttachments"]) == 1
    assert (await h.as_member().delete(f"{url}/{volume_id}")).status_code == 202
    await h.ganeti_does()
    assert (await h.as_member().get(url)).json() == {"volumeAttachments": []}


async def test_a_refused_attach_leaves_nothing_under_way(h: Any) -> None:
    server_id, volume_id = await h.server(), h.ids.uuid()
    error = {"code": 409, "kind": "Conflict", "fault": "volume.in_use", "message": "volume is in use", "details": {}}
    h.peers["volume"].on("POST", "/internal/v1/servers/{id}/volumes/{volume}", (409, {"error": error}))
    url = f"/v2.1/servers/{server_id}/os-volume_attachments"
    answer = await h.as_member().post(url, json={"volumeAttachment": {"volumeId": volume_id}})
    assert answer.status_code == 400
    assert "volume is in use" in answer.json()["badRequest"]["message"]
    await h.settle()
    assert h.jobs("add_disk") == []


async def test_interfaces_are_attached_and_detached(h: Any) -> None:
    server_id = await h.server()
    url = f"/v2.1/servers/{server_id}/os-interface"
    answer = await h.as_member().post(url, json={"interfaceAttachment": {"net_id": "a0000000-0000-4000-8000-000000000001"}})
    assert answer.status_code == 200
    port_id = answer.json()["interfaceAttachment"]["port_id"]
    await h.ganeti_does()
    assert len((await h.as_member().get(url)).json()["interfaceAttachments"]) == 2
    assert (await h.as_member().delete(f"{url}/{port_id}")).status_code == 202
    await h.ganeti_does()
    assert len((await h.as_member().get(url)).json()["interfaceAttachments"]) == 1


async def test_security_groups_are_those_of_the_ports_and_shown_at_once(h: Any) -> None:
    server_id = await h.server()
    assert await h.act(server_id, {"addSecurityGroup": {"name": "web"}}) == 202
    assert (await h.show(server_id))["security_groups"] == [{"name": "default"}, {"name": "web"}]
    for name in ("web", "default"):
        assert await h.act(server_id, {"removeSecurityGroup": {"name": name}}) == 202
    assert "security_groups" not in await h.show(server_id)
    assert await h.act(server_id, {"addSecurityGroup": {}}) == 400
    error = {"code": 404, "kind": "SecurityGroupNotFound", "fault": "network.x", "message": "no such group", "details": {}}
    h.peers["network"].on("PUT", "/internal/v1/servers/{id}/security-groups", (404, {"error": error}))
    assert await h.act(server_id, {"addSecurityGroup": {"name": "x"}}) == 404
    other = await h.as_project().post(f"/v2.1/servers/{server_id}/action", json={"addSecurityGroup": {"name": "web"}})
    assert other.status_code == 404


async def test_an_image_is_made_of_the_root_disk(h: Any) -> None:
    server_id = await h.server()
    answer = await h.as_member().post(f"/v2.1/servers/{server_id}/action", json={"createImage": {"name": "snap"}})
    assert answer.status_code == 202
    assert answer.headers["Location"].endswith("/v2/images/c0ffee00-c0ff-4eec-8ffe-c0ffeec0ffee")
    assert h.world.images[0]["root"] == "cm9vdA=="


async def test_instance_actions_tell_what_was_done_and_by_which_request(h: Any) -> None:
    server_id = await h.server()
    url = f"/v2.1/servers/{server_id}/os-instance-actions"
    found = (await h.as_member().get(url)).json()["instanceActions"]
    assert [a["action"] for a in found] == ["create"]
    detail = (await h.as_member().get(f"{url}/{found[0]['request_id']}")).json()["instanceAction"]
    assert detail["events"][0]["result"] == "Success"


async def test_a_quota_that_is_full_refuses_the_server_before_anything_is_made(h: Any) -> None:
    h.quota.limits["compute.instances"] = 0
    answer = await h.as_member().post(
        "/v2.1/servers", json={"server": {"name": "s", "flavorRef": "1", "imageRef": "c0ffee00-c0ff-4eec-8ffe-c0ffeec0ffee"}}
    )
    assert answer.status_code == 403
    assert "compute.instances" in answer.json()["forbidden"]["message"]
    assert (await h.as_member().get("/v2.1/servers")).json() == {"servers": []}


async def test_lists_cost_the_same_number_of_statements_for_one_and_for_many(h: Any) -> None:
    from synnefo_common.db.recorder import record_queries

    await h.server()
    with record_queries(h.db) as one:
        await h.as_member().get("/v2.1/servers/detail")
    for _ in range(6):
        await h.server()
    with record_queries(h.db) as many:
        answer = await h.as_member().get("/v2.1/servers/detail")
    assert len(answer.json()["servers"]) == 7
    assert one.count == many.count == 3, many.texts()
