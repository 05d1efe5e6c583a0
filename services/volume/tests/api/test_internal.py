"""Disks of servers, as compute asks for them."""

import time
from typing import Any

import httpx
from services.volume.tests.factories import IMAGE_ID, SERVER_ID, Volumes

from synnefo_archipelago.leases import Lease
from synnefo_common.db.recorder import record_queries
from synnefo_common.testing import Harness
from synnefo_volume.app.store import root_of

URL = f"/internal/v1/servers/{SERVER_ID}/volumes"


async def put(h: Harness, *disks: dict[str, Any], key: str = "saga:volumes", reserved: bool = True) -> httpx.Response:
    body = {"project_id": h.project_id, "user_id": h.user_id, "reserved": reserved, "volumes": list(disks)}
    return await h.internal().put(URL, json=body, headers={"Idempotency-Key": key})


ROOT = {
    "boot_index": 0,
    "source": "image",
    "uuid": IMAGE_ID,
    "size_gib": 2,
    "delete_on_termination": True,
    "visible": False,
    "name": "",
}


async def test_boot_from_an_image(h: Harness, v: Volumes) -> None:
    root = await v.give_image(b"boot")
    with record_queries(h.db) as q:
        r = await put(h, ROOT)
    assert r.status_code == 200, r.text
    assert q.count <= 5, q.texts()
    disk = r.json()["volumes"][0]
    assert (
        disk["ganeti_disk"] == f"snf-vol-{disk['id']}"
        and disk["device_name"] == "/dev/vda"
        and disk["status"] == "in-use"
    )
    assert (disk["size_gib"], disk["bootable"], disk["boot_index"], disk["visible"]) == (2, True, 0, False)
    assert disk["origin_digest"] == root.digest and await v.read(disk["id"], 0, 4) == b"boot"
    again = await put(h, ROOT)
    assert again.json() == r.json() and await v.stored() == {disk["id"]}
    assert v.used() == {}
    assert (await h.as_member().get(f"{v.url}/volumes/{disk['id']}")).status_code == 404
    assert (await h.as_member().get(f"{v.url}/volumes")).json() == {"volumes": []}
    assert (await h.internal().get(URL)).json() == r.json()
    await h.settle()
    assert not h.events_of("volume.attachment.created")  # compute has the answer
    for _ in range(2):
        assert (await h.internal().delete(URL)).status_code == 204
    assert await v.stored() == set()
    await h.settle()
    assert [e["volume"]["id"] for e in h.events_of("volume.attachment.deleted")] == [disk["id"]]


async def test_boot_from_volumes(h: Harness, v: Volumes) -> None:
    mine = await v.create()
    blank = {"boot_index": 1, "source": "blank", "size_gib": 3, "delete_on_termination": True, "visible": True}
    old = {"boot_index": 0, "source": "volume", "uuid": mine["id"], "delete_on_termination": False, "size_gib": 0}
    r = await put(h, old, blank, reserved=False)
    assert r.status_code == 200, r.text
    first, second = r.json()["volumes"]
    assert first["id"] == mine["id"] and second["device_name"] == "/dev/vdb"
    assert v.used() == {"volumes": 2, "gigabytes": 4}
    shown = await v.show(mine["id"])
    assert shown["status"] == "in-use" and shown["attachments"][0]["server_id"] == SERVER_ID
    assert (await v.act(mine["id"], "os-detach", {})).status_code == 409
    assert (await h.internal().delete(URL)).status_code == 204
    assert (await v.show(mine["id"]))["status"] == "available"
    assert await v.stored() == {mine["id"]}
    await h.settle()
    assert v.used() == {"volumes": 1, "gigabytes": 1}


async def test_refused_boot_has_no_effect(h: Harness, v: Volumes) -> None:
    mine = await v.create()
    blank = {"source": "blank", "size_gib": 3, "visible": True}
    missing = {"source": "volume", "uuid": IMAGE_ID}
    assert (await put(h, blank, missing, reserved=False)).status_code == 404
    assert (await put(h, blank, ROOT)).status_code == 400  # no such image
    assert (await put(h, {"source": "blank", "size_gib": 0})).status_code == 400
    assert (await put(h, {"source": "snapshot", "uuid": IMAGE_ID, "size_gib": 1})).status_code == 404
    await v.act(mine["id"], "os-attach", {"instance_uuid": SERVER_ID, "mountpoint": "/dev/vdb"})
    assert (await put(h, blank, {"source": "volume", "uuid": mine["id"]}, reserved=False)).status_code == 409
    assert await v.stored() == {mine["id"]} and v.used() == {"volumes": 1, "gigabytes": 1} and not h.quota.pending
    assert (await h.internal().get(URL)).json() == {"volumes": []}  # what a client claims is no disk of the server


async def test_what_a_new_server_is_to_have_is_checked_before_it_is_accepted(h: Harness, v: Volumes) -> None:
    async def check(**source: Any) -> tuple[int, Any]:
        r = await h.internal().post("/internal/v1/servers/check", json={"project_id": h.project_id, "volumes": [source]})
        return r.status_code, r.json().get("sizes_gib") or r.json()["error"]["message"]

    one = await v.create(size=2)
    taken = await v.snapshot(one["id"])
    assert await check(source="volume", uuid=one["id"]) == (200, [2])
    assert await check(source="volume", uuid=one["id"], boot_index=0) == (400, f"Invalid input received: Volume {one['id']} is not bootable.")
    assert await check(source="snapshot", uuid=taken["id"]) == (200, [2])
    assert await check(source="snapshot", uuid=taken["id"], size_gib=5) == (200, [5])
    assert (await check(source="snapshot", uuid=taken["id"], size_gib=1))[0] == 400
    assert (await check(source="snapshot", uuid=one["id"]))[0] == (await check(source="volume", uuid=IMAGE_ID))[0] == 404
    await v.act(one["id"], "os-set_bootable", {"bootable": True})
    assert (await check(source="volume", uuid=one["id"], boot_index=0))[0] == 200
    await v.act(one["id"], "os-reserve")
    assert (await check(source="volume", uuid=one["id"]))[0] == 409


async def test_attach_detach(h: Harness, v: Volumes) -> None:
    one = await v.create()
    body = {"project_id": h.project_id, "user_id": h.user_id}
    for _ in range(2):
        r = await h.internal().post(f"{URL}/{one['id']}", json=body)
        assert r.status_code == 200 and r.json()["device_name"] == "/dev/vda", r.text
    other = f"/internal/v1/servers/{IMAGE_ID}/volumes/{one['id']}"
    assert (await h.internal().post(other, json=body)).status_code == 409
    assert (await h.internal().post(f"{URL}/{one['id']}", json={"project_id": "x"})).status_code == 404
    assert (await h.internal().delete(other)).status_code == 204
    assert (await v.show(one["id"]))["status"] == "in-use"
    for _ in range(2):
        assert (await h.internal().delete(f"{URL}/{one['id']}")).status_code == 204
    assert (await v.show(one["id"]))["status"] == "available"
    await h.settle()
    assert len(h.events_of("volume.attachment.created")) == 1 == len(h.events_of("volume.attachment.deleted"))
    assert (await h.as_member().get(URL)).status_code == 403


async def test_grow_root_and_freeze(h: Harness, v: Volumes) -> None:
    await v.give_image(b"boot")
    disk = (await put(h, ROOT)).json()["volumes"][0]
    for _ in range(2):
        r = await h.internal().put(f"{URL}/root/size", json={"size_gib": 5})
        assert r.status_code == 200 and r.json()["size_gib"] == 5
    assert (await v.services.store.volume_info(disk["id"])).size == 5 << 30
    assert (await h.internal().put(f"{URL}/root/size", json={"size_gib": 4})).status_code == 400
    r = await h.internal().post(f"/internal/v1/volumes/{disk['id']}/freeze", json={"project_id": h.project_id})
    assert r.status_code == 200 and r.json()["size_bytes"] == 5 << 30
    root = root_of(r.json()["root"])
    assert root is not None and root.digest == r.json()["digest"] and await v.services.store.read(root, 0, 4) == b"boot"
    assert (
        await h.internal().post(f"/internal/v1/volumes/{disk['id']}/freeze", json={"project_id": "x"})
    ).status_code == 404


async def test_open_volume_is_busy(h: Harness, v: Volumes) -> None:
    await v.give_image(b"boot")
    disk = (await put(h, ROOT)).json()["volumes"][0]
    driver = v.services.store.store.driver
    lease = Lease(driver, disk["id"], owner="node", ttl_s=60, clock=time.time, monotonic=time.monotonic)
    lease.acquire(force=False)
    r = await h.internal().post(f"/internal/v1/volumes/{disk['id']}/freeze", json={"project_id": h.project_id})
    assert r.status_code == 409 and r.json()["error"]["fault"] == "volume.volume.busy"
    assert (await h.internal().delete(URL)).status_code == 503


async def test_roots(h: Harness, v: Volumes) -> None:
    one = await v.create()
    made = {f"s:{(await v.snapshot(one['id']))['id']}" for _ in range(3)}
    seen, after = [], ""
    while True:
        page = (await h.internal().get(f"/internal/v1/roots?epoch=1&limit=2&after={after}")).json()
        seen += [r["id"] for r in page["roots"]]
        if page["complete"]:
            break
        after = page["next"]
    assert sorted(seen) == sorted(made)
