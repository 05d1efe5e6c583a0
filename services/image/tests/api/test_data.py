"""Image data through HTTP."""

import hashlib
from typing import Any

import pytest
from services.image.tests.factories import make_image
from starlette.requests import ClientDisconnect

from synnefo_common.testing import Harness

KEYS = {
    "name",
    "disk_format",
    "container_format",
    "visibility",
    "size",
    "virtual_size",
    "status",
    "checksum",
    "protected",
    "min_ram",
    "min_disk",
    "owner",
    "os_hidden",
    "os_hash_algo",
    "os_hash_value",
    "id",
    "created_at",
    "updated_at",
    "tags",
    "self",
    "file",
    "schema",
}


async def test_create_upload_download_delete(h: Harness) -> None:
    me = h.as_member()
    r = await me.post(
        "/v2/images", json={"name": "one", "disk_format": "raw", "container_format": "bare", "os_distro": "x"}
    )
    assert r.status_code == 201
    image = r.json()
    assert set(image) == KEYS | {"os_distro"}
    assert r.headers["Location"].endswith(f"/v2/images/{image['id']}")
    assert image["status"] == "queued" and image["size"] is None and image["visibility"] == "shared"
    assert (await me.get(image["file"])).status_code == 204
    data = bytes(range(256)) * 40_000
    octets = {"Content-Type": "application/octet-stream"}
    assert (await me.put(image["file"], content=data, headers=octets)).status_code == 204
    image = (await me.get(image["self"])).json()
    assert image["status"] == "active" and image["size"] == image["virtual_size"] == len(data)
    assert image["checksum"] == hashlib.md5(data).hexdigest()
    assert image["os_hash_algo"] == "sha512" and image["os_hash_value"] == hashlib.sha512(data).hexdigest()
    r = await me.get(image["file"])
    assert r.status_code == 200 and r.content == data
    assert r.headers["Content-MD5"] == image["checksum"] and r.headers["Content-Length"] == str(len(data))
    assert (await me.put(image["file"], content=data, headers=octets)).status_code == 409
    assert h.quota.used["image.bytes"] == len(data)
    assert (await me.delete(image["self"])).status_code == 204
    assert (await me.get(image["self"])).status_code == 404
    assert (await me.delete(image["self"])).status_code == 404
    await h.settle()
    assert h.quota.used["image.bytes"] == 0


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 9),
        ("bytes=90-", 206, 90, 99),
        ("bytes=-5", 206, 95, 99),
        ("bytes=90-1000", 206, 90, 99),
        ("bytes=100-", 416, 0, 0),
        ("bytes=9-1", 416, 0, 0),
        ("bytes=-", 416, 0, 0),
        ("lines=1-2", 416, 0, 0),
    ],
)
async def test_range(h: Harness, asked: str, status: int, start: int, end: int) -> None:
    data = bytes(range(100))
    image = await make_image(h.as_member(), data)
    r = await h.as_member().get(image["file"], headers={"Range": asked})
    assert r.status_code == status
    if status == 206:
        assert r.content == data[start : end + 1] and r.headers["Content-Range"] == f"bytes {start}-{end}/100"
        assert "Content-MD5" not in r.headers


async def test_upload_refusals(h: Harness) -> None:
    me, octets = h.as_member(), {"Content-Type": "application/octet-stream"}
    bare = (await me.post("/v2/images", json={"name": "x"})).json()
    assert (await me.put(bare["file"], content=b"x", headers=octets)).status_code == 400
    assert (await me.put(bare["file"], content=b"x", headers={"Content-Type": "text/plain"})).status_code == 415
    image = await make_image(me)
    assert (await h.as_project().put(image["file"], content=b"x", headers=octets)).status_code == 404
    assert (await h.as_reader().put(image["file"], content=b"x", headers=octets)).status_code == 403
    r = await me.put(image["file"], content=b"xy", headers=octets | {"x-openstack-image-size": "3"})
    assert r.status_code == 400 and (await me.get(image["self"])).json()["status"] == "queued"
    h.quota.limits["image.bytes"] = 3
    assert (await me.put(image["file"], content=b"four", headers=octets)).status_code == 413
    assert (await me.get(image["self"])).json()["status"] == "queued"
    assert (await me.put(image["file"], content=b"abc", headers=octets)).status_code == 204


async def test_upload_of_a_deleted_image_is_gone(h: Harness) -> None:
    image = await make_image(h.as_member())

    async def body() -> Any:
        yield b"half"
        assert (await h.as_member().delete(image["self"])).status_code == 204
        yield b"rest"

    r = await h.as_member().put(image["file"], content=body(), headers={"Content-Type": "application/octet-stream"})
    assert r.status_code == 410
    assert h.quota.used["image.bytes"] == 0


async def test_abandoned_upload_is_queued_again(h: Harness) -> None:
    image = await make_image(h.as_member())

    async def body() -> Any:
        yield b"half"
        raise ClientDisconnect

    await h.as_member().put(image["file"], content=body(), headers={"Content-Type": "application/octet-stream"})
    assert (await h.as_member().get(image["self"])).json()["status"] == "queued"


async def test_upload_of_a_dead_process_is_queued_again(h: Harness) -> None:
    from sqlalchemy import update

    from synnefo_image.db.images import images

    image = await make_image(h.as_member())
    async with h.db.begin() as uow:
        await uow.run(update(images).values(status="saving", upload_id="u", upload_until=h.clock.now_us() + 10_000_000))
    reconciler = h.service.reconcilers[0]
    assert not await reconciler.run_once()
    h.clock.advance(11)
    assert len(await reconciler.run_once(dry_run=True)) == 1
    assert (await h.as_member().get(image["self"])).json()["status"] == "saving"
    await reconciler.run_once()
    assert (await h.as_member().get(image["self"])).json()["status"] == "queued"


async def test_deactivate(h: Harness) -> None:
    me = h.as_member()
    image = await make_image(me, b"x")
    queued = await make_image(me)
    assert (await me.post(f"{queued['self']}/actions/deactivate")).status_code == 403
    assert (await me.post(f"{image['self']}/actions/deactivate")).status_code == 204
    assert (await me.get(image["self"])).json()["status"] == "deactivated"
    assert (await me.get(image["file"])).status_code == 403
    assert (await h.as_admin().get(image["file"])).status_code == 200
    assert (await me.post(f"{image['self']}/actions/deactivate")).status_code == 204
    assert (await me.post(f"{image['self']}/actions/reactivate")).status_code == 204
    assert (await me.get(image["file"])).content == b"x"


async def test_stage_and_import(h: Harness) -> None:
    me, octets = h.as_member(), {"Content-Type": "application/octet-stream"}
    image = await make_image(me)
    go = {"method": {"name": "glance-direct"}}
    assert (await me.post(f"{image['self']}/import", json=go)).status_code == 409
    assert (await me.put(f"{image['self']}/stage", content=b"abc", headers=octets)).status_code == 204
    assert (await me.get(image["self"])).json()["status"] == "uploading"
    assert (await me.get(image["file"])).status_code == 204
    assert (await me.post(f"{image['self']}/import", json={"method": {"name": "web-download"}})).status_code == 400
    assert (await me.post(f"{image['self']}/import", json=go)).status_code == 202
    assert (await me.get(image["file"])).content == b"abc"
