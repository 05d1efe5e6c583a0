"""Image records through HTTP."""

import json
from typing import Any

import pytest
from services.image.tests.factories import V20, V21, make_image, patch

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


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"container_format": "wrong"}, 400),
        ({"disk_format": "wrong"}, 400),
        ({"visibility": "x"}, 400),
        ({"min_ram": -1}, 400),
        ({"min_disk": 2**31}, 400),
        ({"min_disk": True}, 400),
        ({"protected": "yes"}, 400),
        ({"tags": ["x" * 256]}, 400),
        ({"tags": "x"}, 400),
        ({"name": "x" * 256}, 400),
        ({"name": "a\x00b"}, 400),
        ({"id": "x"}, 400),
        ({"prop": 1}, 400),
        ({"prop": None}, 400),
        ({"p" * 256: "x"}, 400),
        ({"self": "x"}, 403),
        ({"status": "active"}, 403),
        ({"size": 1}, 403),
        ({"os_glance_x": "x"}, 403),
        ({"deleted": "x"}, 403),
        ({"owner": "other"}, 403),
        ({"visibility": "public"}, 403),
        ({"visibility": "community"}, 201),
        ({"name": None}, 201),
        ({"prop": "\U0001f600"}, 201),
        ({f"p{i}": "x" for i in range(129)}, 413),
        ({"tags": [str(i) for i in range(129)]}, 413),
        ([], 400),
        ("x", 400),
    ],
)
async def test_create_checks(h: Harness, body: Any, status: int) -> None:
    r = await h.as_member().post("/v2/images", json=body)
    assert r.status_code == status, r.text


async def test_create_with_lone_surrogate_is_refused(h: Harness) -> None:
    for body in (b'{"name": "\\ud800"}', b'{"prop": "\\ud800"}', b'{"\\ud800": "x"}', b"{", b"\xff"):
        r = await h.as_member().post("/v2/images", content=body, headers={"Content-Type": "application/json"})
        assert r.status_code == 400


async def test_create_with_a_taken_id_is_409(h: Harness) -> None:
    image = await make_image(h.as_member())
    assert (await h.as_project().post("/v2/images", json={"id": image["id"]})).status_code == 409


async def test_patch(h: Harness) -> None:
    me = h.as_member()
    image = await make_image(me, os_distro="x")
    r = await patch(
        me,
        image,
        {"op": "replace", "path": "/name", "value": "two"},
        {"op": "add", "path": "/a~1b", "value": "c"},
        {"op": "replace", "path": "/tags", "value": ["t2", "t1", "t2"]},
        {"op": "remove", "path": "/os_distro"},
    )
    assert r.status_code == 200, r.text
    changed = (await me.get(image["self"])).json()
    assert r.json() == changed
    assert (
        changed["name"] == "two"
        and changed["a/b"] == "c"
        and "os_distro" not in changed
        and changed["tags"] == ["t2", "t1"]
    )
    r = await patch(me, image, {"replace": "/name", "value": "three"}, kind=V20)
    assert r.json()["name"] == "three"


@pytest.mark.parametrize(
    ("ops", "status"),
    [
        ([{"op": "remove", "path": "/name"}], 403),
        ([{"op": "remove", "path": "/none"}], 409),
        ([{"op": "replace", "path": "/none", "value": "x"}], 409),
        ([{"op": "replace", "path": "/id", "value": "x"}], 403),
        ([{"op": "add", "path": "/checksum", "value": "x"}], 403),
        ([{"op": "move", "path": "/name", "value": "x"}], 400),
        ([{"op": "add", "path": "/name"}], 400),
        ([{"op": "add", "value": "x"}], 400),
        ([{"op": "add", "path": "name", "value": "x"}], 400),
        ([{"op": "add", "path": "/a/b", "value": "x"}], 400),
        ([{"op": "add", "path": "/", "value": "x"}], 400),
        ([{"op": "replace", "path": "/visibility", "value": "public"}], 403),
        (["x"], 400),
        ({}, 400),
        ([{"op": "replace", "path": "/owner", "value": "x"}], 403),
        ([{"op": "replace", "path": "/min_ram", "value": "x"}], 400),
        ([{"op": "add", "path": "/locations/-", "value": {"url": "x", "metadata": {}}}], 403),
        ([], 200),
        ([{"op": "add", "path": 5, "value": "x"}], 400),
        ([{"op": "replace", "path": "/visibility", "value": "private"}], 200),
    ],
)
async def test_patch_checks(h: Harness, ops: Any, status: int) -> None:
    image = await make_image(h.as_member())
    r = await h.as_member().patch(image["self"], content=json.dumps(ops), headers={"Content-Type": V21})
    assert r.status_code == status, r.text


async def test_patch_needs_its_media_type(h: Harness) -> None:
    image = await make_image(h.as_member())
    r = await h.as_member().patch(image["self"], json=[])
    assert r.status_code == 415 and V21 in r.headers["Accept-Patch"]


async def test_formats_are_fixed_with_data(h: Harness) -> None:
    image = await make_image(h.as_member(), b"x")
    assert (
        await patch(h.as_member(), image, {"op": "replace", "path": "/disk_format", "value": "iso"})
    ).status_code == 403


async def test_protected_image_is_not_deleted(h: Harness) -> None:
    image = await make_image(h.as_member(), protected=True)
    assert (await h.as_member().delete(image["self"])).status_code == 403
    assert (
        await patch(h.as_member(), image, {"op": "replace", "path": "/protected", "value": False})
    ).status_code == 200
    assert (await h.as_member().delete(image["self"])).status_code == 204


async def test_visibility(h: Harness) -> None:
    me, other = h.as_member(), h.as_project()
    private = await make_image(me, visibility="private")
    community = await make_image(me, visibility="community")
    public = await make_image(h.as_admin(), visibility="public")

    async def seen(query: str = "") -> set[str]:
        return {i["id"] for i in (await other.get(f"/v2/images{query}")).json()["images"]}

    assert (await other.get(private["self"])).status_code == 404
    assert (await other.get(community["self"])).status_code == 200
    assert (await other.delete(community["self"])).status_code == 403
    assert (await patch(other, public, {"op": "replace", "path": "/name", "value": "x"})).status_code == 403
    assert await seen() == {public["id"]}
    assert await seen("?visibility=community") == {community["id"]}
    assert await seen("?visibility=all") == {public["id"], community["id"]}
    assert await seen("?visibility=private") == set()
    assert (await other.get("/v2/images?visibility=x")).status_code == 400
    assert {i["id"] for i in (await h.as_admin().get("/v2/images")).json()["images"]} == {
        private["id"],
        community["id"],
        public["id"],
    }


async def test_list_filters(h: Harness) -> None:
    me = h.as_member()
    a = await make_image(me, b"aaaa", name="a", tags=["red", "x y"], os_distro="debian")
    b = await make_image(me, b"b", name='b,"c', disk_format="qcow2", protected=True)
    hidden = await make_image(me, name="h", os_hidden=True)

    async def names(**query: Any) -> list[str]:
        r = await me.get("/v2/images", params=query | {"sort": "name:asc"})
        assert r.status_code == 200, r.text
        return [i["name"] for i in r.json()["images"]]

    assert await names() == ["a", 'b,"c']
    assert await names(os_hidden="true") == ["h"] and hidden
    assert await names(name="a") == ["a"]
    assert await names(name='in:a,"b,\\"c"') == ["a", 'b,"c']
    assert await names(id=f"in:{a['id']},{b['id']}") == ["a", 'b,"c']
    assert await names(tag="red") == ["a"] and await names(tag=["red", "x y"]) == ["a"] and await names(tag="no") == []
    assert (
        await names(os_distro="debian") == ["a"]
        and await names(os_distro="x") == []
        and await names(**{'a"b': "x"}) == []
    )
    assert await names(size_min="2") == ["a"] and await names(size_max=1) == ['b,"c']
    assert await names(protected="true") == ['b,"c'] and await names(disk_format="qcow2") == ['b,"c']
    assert await names(status="active", container_format="bare") == ["a", 'b,"c']
    assert (
        await names(created_at=f"gte:{a['created_at']}") == ["a", 'b,"c']
        and await names(created_at="lt:2000-01-01T00:00:00Z") == []
    )
    assert await names(owner=h.project_id) == ["a", 'b,"c'] and await names(owner="x") == []
    for bad in (
        "size_min=x",
        "protected=1",
        "created_at=gt:x",
        "member_status=x",
        "name=in:",
        'name=in:"x',
        "sort=x",
        "sort_key=x",
        "sort_dir=x",
        "sort=name&sort_key=name",
        "limit=-1",
        "limit=x",
        "marker=x",
        "changes-since=x",
        "name=%00",
        "min_ram=99999999999",
        "size_min=99999999999999999999",
    ):
        assert (await me.get(f"/v2/images?{bad}")).status_code == 400, bad


async def test_list_pages(h: Harness) -> None:
    me = h.as_member()
    made = {(await make_image(me, name=n))["id"] for n in (None, "b", "a", None, "c")}
    for order in ("", "&sort=name:asc", "&sort_key=size&sort_key=name&sort_dir=asc&sort_dir=desc"):
        seen, url = [], f"/v2/images?limit=2{order}"
        while url:
            body = (await me.get(url)).json()
            assert body["schema"] == "/v2/schemas/images" and body["first"].startswith("/v2/images?limit=2")
            seen += [i["id"] for i in body["images"]]
            url = body.get("next")
        assert len(seen) == 5 and set(seen) == made
    body = (await me.get("/v2/images?limit=0")).json()
    assert body["images"] == [] and "next" not in body


async def test_list_costs_one_statement(h: Harness) -> None:
    from synnefo_common.db.recorder import record_queries

    counts = []
    for n in (1, 20):
        for _ in range(n):
            await make_image(h.as_member())
        with record_queries(h.db) as q:
            await h.as_member().get("/v2/images?limit=100")
        counts.append(q.count)
    assert counts == [1, 1]
