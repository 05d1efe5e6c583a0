"""Volumes through HTTP."""

import json
from typing import Any

import pytest
from services.volume.tests.factories import IMAGE_ID, Volumes

from synnefo_common.db.recorder import record_queries
from synnefo_common.testing import Harness

CREATED = {
    "id",
    "status",
    "size",
    "availability_zone",
    "created_at",
    "updated_at",
    "name",
    "description",
    "volume_type",
    "snapshot_id",
    "source_volid",
    "metadata",
    "links",
    "user_id",
    "bootable",
    "encrypted",
    "replication_status",
    "consistencygroup_id",
    "multiattach",
    "attachments",
}
NOWHERE = "cccccccc-0000-4000-8000-000000000001"


async def test_life_of_an_empty_volume(h: Harness, v: Volumes) -> None:
    r = await h.as_member().post(
        f"{v.url}/volumes", json={"volume": {"size": 2, "name": "one", "metadata": {"a": "b"}}}
    )
    assert r.status_code == 202
    made = r.json()["volume"]
    assert set(made) == CREATED and made["status"] == "creating" and made["volume_type"] == "archipelago"
    assert made["links"][0]["href"].endswith(f"/v3/{h.project_id}/volumes/{made['id']}") and made["updated_at"] is None
    assert len(made["created_at"]) == len("2026-11-22T10:00:00.000000")
    volume = await v.wait(made["id"], "available")
    assert set(volume) == CREATED | {"os-vol-tenant-attr:tenant_id"} and volume["metadata"] == {"a": "b"}
    assert volume["bootable"] == "false" and await v.stored() == {made["id"]}
    assert v.used() == {"volumes": 1, "gigabytes": 2}
    assert (await h.as_member().delete(f"{v.url}/volumes/{made['id']}")).status_code == 202
    await v.wait_gone(made["id"])
    assert await v.stored() == set()
    await h.settle()
    assert v.used() == {} and not h.quota.pending


async def test_volume_of_an_image_is_a_clone(h: Harness, v: Volumes) -> None:
    root = await v.give_image(b"boot" * 1000)
    volume = await v.create(imageRef=IMAGE_ID, size=3)
    assert volume["bootable"] == "true" and volume["volume_image_metadata"]["image_id"] == IMAGE_ID
    assert volume["volume_image_metadata"]["os"] == "x" and volume["volume_image_metadata"]["size"] == "4000"
    assert await v.read(volume["id"], 0, 8) == b"bootboot" and await v.read(volume["id"], 1 << 30, 4) == bytes(4)
    info = await v.services.store.volume_info(volume["id"])
    assert info.size == 3 << 30 and info.origin == root.digest


async def test_volume_of_a_volume_and_of_a_snapshot(h: Harness, v: Volumes) -> None:
    one = await v.create()
    await v.write(one["id"], b"first")
    snapshot = await v.snapshot(one["id"])
    await v.write(one["id"], b"later")
    clone = await v.create(source_volid=one["id"], size=2)
    old = await v.create(snapshot_id=snapshot["id"], size=None)
    assert await v.read(clone["id"], 0, 5) == b"later" and clone["source_volid"] == one["id"] and clone["size"] == 2
    assert await v.read(old["id"], 0, 5) == b"first" and old["snapshot_id"] == snapshot["id"] and old["size"] == 1
    assert (await h.as_member().delete(f"{v.url}/snapshots/{snapshot['id']}")).status_code == 202
    assert await v.read(old["id"], 0, 5) == b"first"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"size": ""}, 400),
        ({"size": "#$%"}, 400),
        ({"size": 0}, 400),
        ({"size": "-1"}, 400),
        ({"size": 2**31}, 400),
        ({}, 400),
        ({"size": None}, 400),
        ({"size": True}, 400),
        ({"size": 1.5}, 400),
        ({"size": "1"}, 202),
        ({"size": 70000}, 400),
        ({"size": 1, "volume_type": NOWHERE}, 404),
        ({"size": 1, "snapshot_id": NOWHERE}, 404),
        ({"size": 1, "snapshot_id": "x"}, 400),
        ({"size": 1, "source_volid": NOWHERE}, 404),
        ({"size": 1, "imageRef": NOWHERE}, 400),
        ({"size": 1, "imageRef": "x"}, 400),
        ({"size": 1, "availability_zone": "no"}, 400),
        ({"size": 1, "multiattach": True}, 400),
        ({"size": 1, "name": "x" * 256}, 400),
        ({"size": 1, "name": "a\x00"}, 400),
        ({"size": 1, "metadata": {"": "x"}}, 400),
        ({"size": 1, "metadata": {"k": "x" * 256}}, 400),
        ({"size": 1, "metadata": {"k": 1}}, 400),
        ({"size": 1, "metadata": None, "consistencygroup_id": None, "imageRef": None}, 202),
        ({"size": 1, "name": None, "description": None, "unknown": 1}, 202),
        ("x", 400),
        (None, 400),
        ({"size": 1, "name": "\ud800"}, 400),
        ({"size": 1, "metadata": {"k": "\ud800"}}, 400),
    ],
)
async def test_create_checks(h: Harness, v: Volumes, body: Any, status: int) -> None:
    content = json.dumps({"volume": body})
    r = await h.as_member().post(f"{v.url}/volumes", content=content, headers={"Content-Type": "application/json"})
    assert r.status_code == status, r.text
    if status == 400:
        assert set(r.json()) == {"badRequest"} and r.json()["badRequest"]["code"] == 400


async def test_image_that_cannot_be_a_disk_is_refused(h: Harness, v: Volumes) -> None:
    for change in ({"status": "queued"}, {"disk_format": "qcow2"}, {"size": 2 << 30}, {"min_disk": 2}):
        await v.give_image(**change)
        r = await h.as_member().post(f"{v.url}/volumes", json={"volume": {"size": 1, "imageRef": IMAGE_ID}})
        assert r.status_code == 400, change
    assert v.used() == {} and not h.quota.pending


async def test_quota(h: Harness, v: Volumes) -> None:
    h.quota.limits |= {"volume.volumes": 1, "volume.gigabytes": 3}
    one = await v.create(size=2)
    r = await h.as_member().post(f"{v.url}/volumes", json={"volume": {"size": 1}})
    assert r.status_code == 413 and "overLimit" in r.json()
    assert (await v.act(one["id"], "os-extend", {"new_size": 4})).status_code == 413
    assert (await v.show(one["id"]))["status"] == "available"
    assert (await v.act(one["id"], "os-extend", {"new_size": 3})).status_code == 202
    volume = await v.wait(one["id"], "available")
    assert volume["size"] == 3 and v.used() == {"volumes": 1, "gigabytes": 3}
    assert (await v.services.store.volume_info(one["id"])).size == 3 << 30


async def test_update(h: Harness, v: Volumes) -> None:
    one = await v.create(description="d")
    r = await h.as_member().put(
        f"{v.url}/volumes/{one['id']}", json={"volume": {"name": "two", "metadata": {"x": "y"}}}
    )
    assert r.status_code == 200 and set(r.json()["volume"]) == CREATED
    shown = await v.show(one["id"])
    assert (shown["name"], shown["description"], shown["metadata"]) == ("two", "d", {"x": "y"}) and shown["updated_at"]
    assert (await h.as_member().put(f"{v.url}/volumes/{one['id']}", json={"volume": {"size": 3}})).status_code == 400
    assert (await h.as_member().put(f"{v.url}/volumes/{one['id']}", json={})).status_code == 400
    assert (await h.as_reader().put(f"{v.url}/volumes/{one['id']}", json={"volume": {"name": "x"}})).status_code == 403


async def test_lists(h: Harness, v: Volumes) -> None:
    made = [(await v.create(name=n, size=s, metadata={"n": n}))["id"] for n, s in (("a", 3), ("b", 1), ("c", 2))]
    me = h.as_member()

    async def names(query: str = "", kind: str = "/detail") -> list[str]:
        r = await me.get(f"{v.url}/volumes{kind}{query}")
        assert r.status_code == 200, r.text
        return [x["name"] for x in r.json()["volumes"]]

    assert await names() == ["c", "b", "a"] and await names(kind="") == ["c", "b", "a"]
    assert await names("?sort=size:asc") == ["b", "c", "a"] and await names("?sort_key=name&sort_dir=asc") == [
        "a",
        "b",
        "c",
    ]
    assert (
        await names("?name=b") == ["b"]
        and await names("?status=error") == []
        and await names("?status=available&name=a") == ["a"]
    )
    assert await names("?metadata=%7B%27n%27%3A+%27c%27%7D") == ["c"] and await names("?bootable=true") == []
    assert (
        await names("?limit=1&offset=1") == ["b"]
        and await names("?limit=0") == []
        and await names(f"?marker={made[1]}") == ["a"]
    )
    assert await names("?all_tenants=1") == ["c", "b", "a"]
    for bad in (
        "sort=nope",
        "sort_dir=up",
        "limit=-1",
        "limit=x",
        "offset=-1",
        "metadata=x",
        "name=%00",
        "all_tenants=maybe",
    ):
        assert (await me.get(f"{v.url}/volumes?{bad}")).status_code == 400, bad
    assert (await me.get(f"{v.url}/volumes?marker={NOWHERE}")).status_code == 404
    seen, url = [], f"{v.url}/volumes?limit=2&sort=name:asc"
    while url:
        body = (await me.get(url)).json()
        assert all(set(x) == {"id", "name", "links"} for x in body["volumes"])
        seen += [x["name"] for x in body["volumes"]]
        url = body["volumes_links"][0]["href"] if "volumes_links" in body else ""
    assert seen == ["a", "b", "c"]
    r = await h.as_project().get(f"{v.other_url}/volumes/detail")
    assert r.json() == {"volumes": []}
    admin = h.as_admin()
    all_of_them = await admin.get(f"/v3/{'9' * 32}/volumes/detail?all_tenants=True")
    assert {x["id"] for x in all_of_them.json()["volumes"]} == set(made)
    assert set(all_of_them.json()["volumes"][0]) - CREATED == {
        "os-vol-tenant-attr:tenant_id",
        "os-vol-host-attr:host",
        "os-vol-mig-status-attr:migstat",
        "os-vol-mig-status-attr:name_id",
        "migration_status",
    }


async def test_list_costs_two_statements(h: Harness, v: Volumes) -> None:
    counts = []
    for n in (1, 10):
        for _ in range(n):
            await v.create(wait=False)
        await h.settle()
        with record_queries(h.db) as q:
            await h.as_member().get(f"{v.url}/volumes/detail")
        counts.append(q.count)
    assert counts == [2, 2]


async def test_another_project_sees_nothing(h: Harness, v: Volumes) -> None:
    one = await v.create()
    other = h.as_project()
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("GET", "/metadata"),
        ("POST", "/metadata"),
        ("PUT", "/metadata"),
        ("GET", "/metadata/a"),
        ("PUT", "/metadata/a"),
        ("DELETE", "/metadata/a"),
        ("POST", "/action"),
    ):
        bodies = {
            "": {"volume": {}},
            "/metadata": {"metadata": {}},
            "/metadata/a": {"meta": {"a": "b"}},
            "/action": {"os-reserve": None},
        }
        body = bodies[path] if method in ("PUT", "POST") else None
        r = await other.request(method, f"{v.other_url}/volumes/{one['id']}{path}", json=body)
        assert r.status_code == 404, (method, path, r.text)
        assert "itemNotFound" in r.json()
    assert (await other.get(f"{v.url}/volumes")).status_code == 400
    assert (await h.anonymous().get(f"{v.url}/volumes")).status_code == 401
    for bad in ("x", NOWHERE, "x%00"):
        assert (await h.as_member().get(f"{v.url}/volumes/{bad}")).status_code == 404
    assert (await h.as_member().get(f"{v.url}/volumes/")).status_code == 404


async def test_delete_rules(h: Harness, v: Volumes) -> None:
    one = await v.create()
    await v.snapshot(one["id"])
    me = h.as_member()
    assert (await me.delete(f"{v.url}/volumes/{one['id']}")).status_code == 400
    assert (await me.delete(f"{v.url}/volumes/{one['id']}?cascade=True")).status_code == 202
    await v.wait_gone(one["id"])
    assert (await me.get(f"{v.url}/snapshots")).json() == {"snapshots": []}
    await h.settle()
    assert v.used() == {}


async def test_metadata(h: Harness, v: Volumes) -> None:
    one = await v.create(metadata={"a": "1"})
    me, url = h.as_member(), f"{v.url}/volumes/{one['id']}/metadata"
    assert (await me.get(url)).json() == {"metadata": {"a": "1"}}
    assert (await me.post(url, json={"metadata": {"b": "2"}})).json() == {"metadata": {"a": "1", "b": "2"}}
    assert (await me.get(f"{url}/b")).json() == {"meta": {"b": "2"}}
    assert (await me.put(f"{url}/b", json={"meta": {"b": "3"}})).json() == {"meta": {"b": "3"}}
    assert (await me.put(f"{url}/b", json={"meta": {"c": "3"}})).status_code == 400
    assert (await me.delete(f"{url}/a")).status_code == 200
    assert (await me.delete(f"{url}/a")).status_code == 404 and (await me.get(f"{url}/a")).status_code == 404
    assert (await me.put(url, json={"metadata": {"z": "9"}})).json() == {"metadata": {"z": "9"}}
    assert (await v.show(one["id"]))["metadata"] == {"z": "9"}
    for bad in (
        {},
        {"metadata": None},
        {"metadata": {"": "x"}},
        {"metadata": {"x" * 256: "y"}},
        {"metadata": {"x": None}},
    ):
        assert (await me.put(url, json=bad)).status_code == 400, bad
