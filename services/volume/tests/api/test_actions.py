"""Actions on volumes through HTTP."""

from typing import Any

import pytest
from services.volume.tests.factories import SERVER_ID, Volumes

from synnefo_archipelago import Root
from synnefo_common.testing import Harness
from synnefo_volume.app.store import root_of


async def test_attach_and_detach(h: Harness, v: Volumes) -> None:
    one = await v.create()
    assert (await v.act(one["id"], "os-reserve", {})).status_code == 202
    assert (await v.show(one["id"]))["status"] == "attaching"
    assert (await v.act(one["id"], "os-reserve", {})).status_code == 400
    body = {"instance_uuid": SERVER_ID, "mountpoint": "/dev/vdc"}
    assert (await v.act(one["id"], "os-attach", body)).status_code == 202
    shown = await v.show(one["id"])
    assert shown["status"] == "in-use" and set(shown["attachments"][0]) == {
        "id",
        "attachment_id",
        "volume_id",
        "server_id",
        "host_name",
        "device",
        "attached_at",
    }
    assert (shown["attachments"][0]["server_id"], shown["attachments"][0]["device"]) == (SERVER_ID, "/dev/vdc")
    assert (await v.act(one["id"], "os-attach", body)).status_code == 400
    assert (await h.as_member().delete(f"{v.url}/volumes/{one['id']}")).status_code == 400
    assert (await v.act(one["id"], "os-begin_detaching")).status_code == 202
    assert (await v.show(one["id"]))["status"] == "detaching"
    assert (await v.act(one["id"], "os-roll_detaching")).status_code == 202
    assert (await v.show(one["id"]))["status"] == "in-use"
    assert (await v.act(one["id"], "os-detach", {"attachment_id": SERVER_ID})).status_code == 404
    assert (await v.act(one["id"], "os-detach", {})).status_code == 202
    shown = await v.show(one["id"])
    assert shown["status"] == "available" and shown["attachments"] == []
    assert (await v.act(one["id"], "os-begin_detaching")).status_code == 400


async def test_unreserve(h: Harness, v: Volumes) -> None:
    one = await v.create()
    await v.act(one["id"], "os-reserve")
    assert (await v.act(one["id"], "os-unreserve")).status_code == 202
    assert (await v.show(one["id"]))["status"] == "available"


@pytest.mark.parametrize(
    "body",
    [
        {"os-extend": {"new_size": 1}},
        {"os-extend": {"new_size": None}},
        {"os-extend": {"new_size": "x"}},
        {"os-extend": {}},
        {"os-extend": {"new_size": 2, "x": 1}},
        {"os-extend": None},
        {"os-attach": {"mountpoint": "/dev/vdb"}},
        {"os-no": {}},
        {},
        [],
        {"os-attach": {"mountpoint": "", "host_name": "h"}},
        {"os-set_bootable": {"bootable": "maybe"}},
        {"os-attach": "x"},
        {"os-attach": {"mountpoint": "/x", "instance_uuid": "x"}},
        {"os-retype": {"new_type": "archipelago"}},
        {"os-extend": {"new_size": 10**12}},
        {"os-unset_image_metadata": {}},
        {"os-reserve": {}, "os-extend": {}},
        5,
    ],
)
async def test_bad_actions_are_400(h: Harness, v: Volumes, body: Any) -> None:
    one = await v.create()
    r = await h.as_member().post(f"{v.url}/volumes/{one['id']}/action", json=body)
    assert r.status_code == 400, r.text


async def test_flags_and_image_metadata(h: Harness, v: Volumes) -> None:
    one = await v.create()
    assert (await v.act(one["id"], "os-set_bootable", {"bootable": "True"})).status_code == 200
    assert (await v.act(one["id"], "os-update_readonly_flag", {"readonly": True})).status_code == 202
    shown = await v.show(one["id"])
    assert shown["bootable"] == "true" and shown["metadata"] == {"readonly": "True"} and "volume_image_metadata" not in shown
    body = {"instance_uuid": SERVER_ID, "mountpoint": "/dev/vdc"}
    assert (await v.act(one["id"], "os-attach", body)).status_code == 400
    r = await v.act(one["id"], "os-set_image_metadata", {"metadata": {"k": "v", "l": "w"}})
    assert r.status_code == 200 and r.json() == {"metadata": {"k": "v", "l": "w"}}
    assert (await v.act(one["id"], "os-unset_image_metadata", {"key": "l"})).status_code == 200
    assert (await v.act(one["id"], "os-unset_image_metadata", {"key": "l"})).status_code == 404
    assert (await v.act(one["id"], "os-show_image_metadata")).json() == {"metadata": {"k": "v"}}
    assert (await v.show(one["id"]))["volume_image_metadata"] == {"k": "v"}


async def test_connection(h: Harness, v: Volumes) -> None:
    one = await v.create()
    r = await v.act(one["id"], "os-initialize_connection", {"connector": {"host": "x"}})
    assert r.status_code == 200 and r.json()["connection_info"]["data"]["volume_id"] == one["id"]
    assert (await v.act(one["id"], "os-terminate_connection", {"connector": {"host": "x"}})).status_code == 202


async def test_admin_actions(h: Harness, v: Volumes) -> None:
    one = await v.create()
    admin, url = h.as_admin(), f"/v3/{'9' * 32}/volumes/{one['id']}/action"
    assert (await v.act(one["id"], "os-reset_status", {"status": "error"})).status_code == 403
    assert (await v.act(one["id"], "os-force_delete", {})).status_code == 403
    assert (await admin.post(url, json={"os-reset_status": {"status": "error"}})).status_code == 202
    assert (await v.show(one["id"]))["status"] == "error"
    assert (await admin.post(url, json={"os-reset_status": {"status": "in-use"}})).status_code == 400
    assert (await admin.post(url, json={"os-reset_status": {"status": "nonsense"}})).status_code == 400
    assert (await admin.post(url, json={"os-reset_status": {}})).status_code == 400
    assert (await admin.post(url, json={"os-reset_status": {"status": "creating"}})).status_code == 202
    assert (await h.as_member().delete(f"{v.url}/volumes/{one['id']}")).status_code == 400
    assert (await admin.post(url, json={"os-force_delete": {}})).status_code == 202
    await v.wait_gone(one["id"])


async def test_upload_to_image(h: Harness, v: Volumes) -> None:
    one = await v.create()
    await v.write(one["id"], b"data")
    h.peers["image"].on("POST", "/internal/v1/images", lambda r: (201, {**r.json, "id": "i"}))
    r = await v.act(one["id"], "os-volume_upload_image", {"image_name": "img", "force": False})
    assert r.status_code == 202, r.text
    assert set(r.json()["os-volume_upload_image"]) == {
        "id",
        "updated_at",
        "status",
        "display_description",
        "size",
        "volume_type",
        "image_id",
        "container_format",
        "disk_format",
        "image_name",
    }
    root: Root | None = root_of(h.peers["image"].requests[-1].json["root"])
    assert root is not None and await v.services.store.read(root, 0, 4) == b"data"
    assert (await v.act(one["id"], "os-volume_upload_image", {"image_name": "i", "disk_format": "qcow2"})).status_code == 400


async def test_force_detach_frees_a_volume_in_error(h: Harness, v: Volumes) -> None:
    volume, admin = await v.create(), h.as_admin()
    attach = {"instance_uuid": SERVER_ID, "mountpoint": "/dev/vdb"}
    assert (await v.act(volume["id"], "os-attach", attach)).status_code == 202
    url = f"/v3/{'9' * 32}/volumes/{volume['id']}/action"
    assert (await admin.post(url, json={"os-reset_status": {"status": "error"}})).status_code == 202
    assert (await admin.post(url, json={"os-force_detach": {"connector": None}})).status_code == 202
    shown = await v.show(volume["id"])
    assert (shown["status"], shown["attachments"]) == ("available", [])
