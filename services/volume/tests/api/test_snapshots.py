"""Snapshots through HTTP."""

import pytest
from services.volume.tests.factories import SERVER_ID, Volumes

from synnefo_common.testing import Harness

SUMMARY = {"id", "created_at", "updated_at", "name", "description", "volume_id", "status", "size", "metadata"}
DETAIL = SUMMARY | {"os-extended-snapshot-attributes:progress", "os-extended-snapshot-attributes:project_id"}


async def test_life_of_a_snapshot(h: Harness, v: Volumes) -> None:
    one = await v.create(size=2)
    me = h.as_member()
    r = await me.post(f"{v.url}/snapshots", json={"snapshot": {"volume_id": one["id"], "name": "s", "metadata": {"a": "b"}}})
    assert r.status_code == 202 and set(r.json()["snapshot"]) == SUMMARY and r.json()["snapshot"]["status"] == "creating"
    snapshot = await v.snapshot(one["id"])
    assert set(snapshot) == DETAIL and snapshot["size"] == 2
    assert snapshot["os-extended-snapshot-attributes:progress"] == "100%"
    assert v.used() == {"volumes": 1, "gigabytes": 6, "snapshots": 2}
    url = f"{v.url}/snapshots/{snapshot['id']}"
    r = await me.put(url, json={"snapshot": {"name": "t", "description": "d"}})
    assert r.status_code == 200 and set(r.json()["snapshot"]) == SUMMARY and r.json()["snapshot"]["name"] == "t"
    assert (await me.put(url, json={"snapshot": {}})).status_code == 400
    listed = (await me.get(f"{v.url}/snapshots/detail?volume_id={one['id']}&sort=created_at:asc")).json()["snapshots"]
    assert [s["name"] for s in listed] == ["s", "t"] and set(listed[0]) == DETAIL
    page = (await me.get(f"{v.url}/snapshots?limit=1")).json()
    assert len(page["snapshots"]) == 1 and page["snapshots_links"][0]["rel"] == "next"
    assert set(page["snapshots"][0]) == SUMMARY
    assert (await h.as_project().get(f"{v.other_url}/snapshots/{snapshot['id']}")).status_code == 404
    assert (await me.delete(url)).status_code == 202
    assert (await me.get(url)).status_code == 404 and (await me.delete(url)).status_code == 404
    await h.settle()
    assert v.used() == {"volumes": 1, "gigabytes": 4, "snapshots": 1}


async def test_snapshot_of_an_attached_volume_needs_force(h: Harness, v: Volumes) -> None:
    one = await v.create()
    await v.act(one["id"], "os-attach", {"instance_uuid": SERVER_ID, "mountpoint": "/dev/vdb"})
    body = {"snapshot": {"volume_id": one["id"], "force": False}}
    assert (await h.as_member().post(f"{v.url}/snapshots", json=body)).status_code == 400
    assert (await v.snapshot(one["id"], force="True"))["status"] == "available"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"volume_id": "x"}, 400),
        ({"volume_id": SERVER_ID}, 404),
        ({"volume_id": None}, 404),
        ({"name": "x" * 256}, 400),
    ],
)
async def test_create_checks(h: Harness, v: Volumes, body: dict[str, object], status: int) -> None:
    assert (await h.as_member().post(f"{v.url}/snapshots", json={"snapshot": body})).status_code == status


async def test_metadata_and_admin_actions(h: Harness, v: Volumes) -> None:
    one = await v.create()
    snapshot = await v.snapshot(one["id"], metadata={"a": "1"})
    me, url = h.as_member(), f"{v.url}/snapshots/{snapshot['id']}"
    assert (await me.post(f"{url}/metadata", json={"metadata": {"b": "2"}})).json() == {"metadata": {"a": "1", "b": "2"}}
    assert (await me.get(f"{url}/metadata/b")).json() == {"meta": {"b": "2"}}
    assert (await me.delete(f"{url}/metadata/b")).status_code == 200
    admin_url = f"/v3/{'9' * 32}/snapshots/{snapshot['id']}/action"
    assert (await me.post(f"{url}/action", json={"os-force_delete": {}})).status_code == 403
    assert (await h.as_admin().post(admin_url, json={"os-reset_status": {"status": "error"}})).status_code == 202
    assert (await me.get(url)).json()["snapshot"]["status"] == "error"
    assert (await h.as_admin().post(admin_url, json={"os-reset_status": {"status": "x"}})).status_code == 400
    assert (await h.as_admin().post(admin_url, json={"os-force_delete": {}})).status_code == 202
    assert (await me.get(url)).status_code == 404


async def test_status_of_a_passing_snapshot_is_reported(h: Harness, v: Volumes) -> None:
    made = await v.snapshot((await v.create())["id"])
    url, me = f"{v.url}/snapshots/{made['id']}", h.as_member()
    report = {"os-update_snapshot_status": {"status": "error", "progress": "80%"}}
    assert (await me.post(f"{url}/action", json=report)).status_code == 400
    reset = await h.as_admin().post(f"/v3/{'9' * 32}/snapshots/{made['id']}/action", json={"os-reset_status": {"status": "creating"}})
    assert reset.status_code == 202
    assert (await h.as_reader().post(f"{url}/action", json=report)).status_code == 403
    assert (await me.post(f"{url}/action", json=report)).status_code == 202
    shown = (await me.get(url)).json()["snapshot"]
    assert (shown["status"], shown["os-extended-snapshot-attributes:progress"]) == ("error", "80%")
