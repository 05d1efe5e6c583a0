"""Members, tags, documents and the internal API through HTTP."""

import base64
from dataclasses import replace
from typing import Any

from services.image.tests.factories import make_image

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


async def test_members(h: Harness) -> None:
    me, other, third = h.as_member(), h.as_project(), h.as_project("f" * 32)
    image = await make_image(me, b"x")
    url = f"{image['self']}/members"
    r = await me.post(url, json={"member": h.other_project_id})
    assert r.status_code == 200
    assert set(r.json()) == {"member_id", "image_id", "status", "created_at", "updated_at", "schema"}
    assert r.json()["status"] == "pending" and r.json()["schema"] == "/v2/schemas/member"
    assert (await me.post(url, json={"member": h.other_project_id})).status_code == 409
    assert (await me.post(url, json={"member": ""})).status_code == 400
    assert (await me.post(url, json={})).status_code == 400

    async def listed(query: str = "") -> bool:
        return image["id"] in [i["id"] for i in (await other.get(f"/v2/images{query}")).json()["images"]]

    assert (await other.get(image["self"])).status_code == 200
    assert (
        not await listed()
        and await listed("?member_status=pending")
        and await listed("?member_status=all&visibility=shared")
    )
    assert (await me.put(f"{url}/{h.other_project_id}", json={"status": "accepted"})).status_code == 403
    assert (await other.put(f"{url}/{h.other_project_id}", json={"status": "no"})).status_code == 400
    r = await other.put(f"{url}/{h.other_project_id}", json={"status": "accepted"})
    assert r.status_code == 200 and r.json()["status"] == "accepted" and await listed()
    assert (await other.get(image["file"])).content == b"x"
    await me.post(url, json={"member": "x"})
    assert len((await me.get(url)).json()["members"]) == 2
    assert [m["member_id"] for m in (await other.get(url)).json()["members"]] == [h.other_project_id]
    assert (await other.get(f"{url}/x")).status_code == 404
    assert (await other.post(url, json={"member": "y"})).status_code == 403
    assert (await third.get(url)).status_code == 404
    assert (await me.get(f"{url}/{h.other_project_id}")).status_code == 200
    assert (await other.delete(f"{url}/{h.other_project_id}")).status_code == 403
    assert (await me.delete(f"{url}/{h.other_project_id}")).status_code == 204
    assert (await me.delete(f"{url}/{h.other_project_id}")).status_code == 404
    assert (await other.get(image["self"])).status_code == 404
    private = await make_image(me, visibility="private")
    assert (await me.get(f"{private['self']}/members")).status_code == 403
    assert (await me.post(f"{private['self']}/members", json={"member": "y"})).status_code == 403


async def test_tags(h: Harness) -> None:
    me = h.as_member()
    image = await make_image(me)
    assert (await me.put(f"{image['self']}/tags/red%20one")).status_code == 204
    assert (await me.put(f"{image['self']}/tags/red%20one")).status_code == 204
    assert (await me.get(image["self"])).json()["tags"] == ["red one"]
    assert (await me.put(f"{image['self']}/tags/{'x' * 256}")).status_code == 400
    assert (await h.as_project().put(f"{image['self']}/tags/x")).status_code == 404
    assert (await me.delete(f"{image['self']}/tags/red%20one")).status_code == 204
    assert (await me.delete(f"{image['self']}/tags/red%20one")).status_code == 404


async def test_documents(h: Harness) -> None:
    r = await h.anonymous().get("/")
    assert r.status_code == 300 and r.json()["versions"][0]["status"] == "CURRENT"
    assert r.json()["versions"][0]["links"][0]["href"].endswith("/v2/")
    assert (await h.anonymous().get("/versions")).status_code == 200
    for name in ("image", "images", "member", "members"):
        r = await h.as_reader().get(f"/v2/schemas/{name}")
        assert r.status_code == 200 and r.json()["name"] == name
    assert (await h.as_member().get("/v2/info/import")).json()["import-methods"]["value"] == ["glance-direct"]
    assert (await h.anonymous().get("/v2/images")).status_code == 401
    assert (await h.as_member().get("/v2/images/")).status_code == 404
    assert (await h.as_member().delete("/v2/images/")).status_code == 404


async def test_internal(h: Harness) -> None:
    me, peer = h.as_member(), h.internal()
    image = await make_image(me, b"bytes", visibility="private", prop="x")
    assert (await me.get(f"/internal/v1/images/{image['id']}")).status_code == 403
    r = await peer.get(f"/internal/v1/images/{image['id']}?project_id={h.project_id}")
    found = r.json()
    assert found["root"] and found["properties"] == {"prop": "x"} and found["size"] == 5
    r = await peer.get(f"/internal/v1/images/{image['id']}?project_id=other")
    assert r.status_code == 404 and r.json()["error"]["fault"] == "image.image.not_found"
    body = {
        "project_id": h.project_id,
        "user_id": h.user_id,
        "name": "snap",
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "private",
        "min_disk": 1,
        "min_ram": 0,
        "properties": {"base": "y"},
        "root": found["root"],
        "size": 5,
    }
    r = await peer.post("/internal/v1/images", json=body, headers={"Idempotency-Key": "k:1"})
    assert r.status_code == 201, r.text
    again = await peer.post("/internal/v1/images", json=body, headers={"Idempotency-Key": "k:1"})
    assert again.json()["id"] == r.json()["id"]
    snap = (await me.get(f"/v2/images/{r.json()['id']}")).json()
    assert snap["status"] == "active" and snap["base"] == "y" and h.quota.used["image.bytes"] == 10
    assert (await me.get(snap["file"])).content == b"bytes"
    assert (await peer.post("/internal/v1/images", json=body | {"root": "eHh4"})).status_code == 400
    roots = (await peer.get("/internal/v1/roots?epoch=1")).json()
    assert roots["complete"] and {r["id"] for r in roots["roots"]} == {image["id"], snap["id"]}
    first = (await peer.get("/internal/v1/roots?epoch=1&limit=1")).json()
    rest = (await peer.get(f"/internal/v1/roots?epoch=1&limit=10&after={first['next']}")).json()
    assert not first["complete"] and rest["complete"] and len(rest["roots"]) == 1
    await _replace_root(h, snap, found["root"])
    for _ in range(2):
        assert (await peer.delete(f"/internal/v1/images/{snap['id']}")).status_code == 204


async def _replace_root(h: Harness, image: dict[str, Any], old: str) -> None:
    """Only the old root is exchanged, only for a frozen one of the same size; the bytes stay."""
    peer = h.internal()
    store = h.service.app.state.services.store
    writer = store.writer()
    await writer.write(b"bytes")
    new = await writer.finish()
    blob, other = (base64.b64encode(r.to_bytes()).decode() for r in (replace(new, generation=7), replace(new, size=4)))
    url = "/internal/v1/roots/replace"
    assert (await peer.post(url, json={"id": image["id"], "old": old, "new": "eHh4"})).status_code == 400
    assert (await peer.post(url, json={"id": image["id"], "old": old, "new": other})).status_code == 400
    assert (await h.as_admin().post(url, json={"id": image["id"], "old": old, "new": blob})).status_code == 403
    for ident, is_replaced in ((image["id"], True), (image["id"], False), ("gone", False)):
        r = await peer.post(url, json={"id": ident, "old": old, "new": blob})
        assert r.json() == {"replaced": is_replaced}, r.text
    roots = (await peer.get("/internal/v1/roots")).json()["roots"]
    assert {"id": image["id"], "root": blob} in roots
    assert (await h.as_member().get(image["file"])).content == b"bytes"
