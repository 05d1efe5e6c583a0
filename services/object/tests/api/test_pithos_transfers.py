"""COPY, MOVE and DELETE of one object and of all below a name."""

import pytest
from services.object.tests.pithos import DIRECTORY, OTHER, P, S, names, put

from synnefo_common.testing import Harness


async def test_move_keeps_the_object_and_copy_makes_a_new_one(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await me.put(f"{P}/d")
    await put(me, f"{P}/c/o", b"data", X_Object_Meta_A="1", X_Object_Meta_B="2")
    uuid = (await me.head(f"{P}/c/o")).headers["x-object-uuid"]
    r = await me.request("COPY", f"{P}/c/o", headers={"Destination": "/d/copy", "X-Object-Meta-B": "", "X-Object-Meta-C": "3"})
    assert r.status_code == 201
    copy = (await me.head(f"{P}/d/copy")).headers
    assert copy["x-object-uuid"] != uuid and copy["x-object-version"] == r.headers["x-object-version"]
    assert {n: v for n, v in copy.items() if n.startswith("x-object-meta")} == {"x-object-meta-a": "1", "x-object-meta-c": "3"}
    for method, path, headers in (
        ("MOVE", f"{P}/c/o", {"Destination": "/d/moved"}),
        ("PUT", f"{P}/c/back", {"X-Move-From": "/d/moved"}),
        ("MOVE", f"{S}/c/back", {"Destination": "/d/last%20name%20%C3%BC"}),
    ):
        r = await me.request(method, path, headers=headers)
        assert r.status_code == 201, (method, path, r.text)
    assert await names(me, f"{P}/c") == []
    assert await names(me, f"{P}/d") == ["copy", "last name ü"]
    moved = await me.get(f"{P}/d/last name ü")
    assert moved.content == b"data" and moved.headers["x-object-uuid"] == uuid
    assert (await me.get(f"{P}/c/o?version=list&format=json")).json()["versions"]  # its history stayed


async def test_a_move_over_an_object_is_the_moved_one(h: Harness) -> None:
    me = h.as_member()
    for container, policy in (("auto", {}), ("none", {"X-Container-Policy-Versioning": "none"})):
        await me.put(f"{P}/{container}", headers=policy)
        await put(me, f"{P}/{container}/a", b"from")
        await put(me, f"{P}/{container}/b", b"to")
        uuid = (await me.head(f"{P}/{container}/a")).headers["x-object-uuid"]
        assert (await me.request("MOVE", f"{P}/{container}/a", headers={"Destination": f"/{container}/b"})).status_code == 201
        got = await me.get(f"{P}/{container}/b")
        assert (got.content, got.headers["x-object-uuid"]) == (b"from", uuid)
        assert await names(me, f"{P}/{container}") == ["b"]
    head = (await me.head(f"{P}/none")).headers
    assert (head["x-container-object-count"], head["x-container-bytes-used"]) == ("1", "4")
    assert (await me.request("MOVE", f"{P}/none/b", headers={"Destination": "/none/b"})).status_code == 201
    assert (await me.get(f"{P}/none/b")).content == b"from"


async def test_directories_are_copied_moved_and_deleted_whole(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await me.put(f"{P}/c/dir", headers=DIRECTORY)
    inside = [f"dir/{i:03}" for i in range(230)] + ["dir/sub/a", "dir/sub/b/c"]
    for name in inside:
        await put(me, f"{P}/c/{name}", name.encode())
    await put(me, f"{P}/c/dir2", b"outside")
    r = await me.request("COPY", f"{P}/c/dir?delimiter=/", headers={"Destination": "/c/new"})
    assert r.status_code == 201
    assert await names(me, f"{P}/c?prefix=new") == sorted(["new", *(n.replace("dir", "new", 1) for n in inside)])
    assert (await me.get(f"{P}/c/new/sub/b/c")).content == b"dir/sub/b/c"
    assert (await me.head(f"{P}/c/new")).headers["content-type"] == "application/directory"
    r = await me.put(f"{P}/c/moved?delimiter=/", headers={"X-Move-From": "/c/dir"})
    assert r.status_code == 201
    assert await names(me, f"{P}/c?prefix=dir") == ["dir2"]
    assert len(await names(me, f"{P}/c?prefix=moved")) == len(inside) + 1
    assert (await me.delete(f"{P}/c/moved?delimiter=/")).status_code == 204
    assert (await me.delete(f"{P}/c/new?delimiter=/")).status_code == 204
    assert await names(me, f"{P}/c") == ["dir2"]
    assert (await me.delete(f"{P}/c/new?delimiter=/")).status_code == 404
    assert (await me.head(f"{P}/c")).headers["x-container-object-count"] == "1"


async def test_between_accounts(h: Harness) -> None:
    me, other = h.as_member(), h.as_project()
    await me.put(f"{P}/c")
    await other.put(f"{OTHER}/d")
    await put(me, f"{P}/c/o", b"data")
    refused = await other.put(f"{OTHER}/d/o", headers={"X-Copy-From": "/c/o", "X-Source-Account": Harness.project_id})
    assert refused.status_code == 403
    await me.post(f"{P}/c/o?update", headers={"X-Object-Sharing": f"read={Harness.other_user_id}"})
    ok = await other.put(f"{OTHER}/d/o", headers={"X-Copy-From": "/c/o", "X-Source-Account": Harness.project_id})
    assert ok.status_code == 201
    assert (await other.get(f"{OTHER}/d/o")).content == b"data"
    taken = await other.put(f"{OTHER}/d/p", headers={"X-Move-From": "/c/o", "X-Source-Account": Harness.project_id})
    assert taken.status_code == 403  # reading gives no right to take away
    pushed = await me.request("COPY", f"{P}/c/o", headers={"Destination": "/d/x", "Destination-Account": Harness.other_project_id})
    assert pushed.status_code == 403


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("COPY", {}, 400),
        ("MOVE", {}, 400),
        ("COPY", {"Destination": "c"}, 400),
        ("COPY", {"Destination": "/none/o"}, 404),
        ("MOVE", {"Destination": "/c/p", "If-Match": '"x"'}, 412),
        ("COPY", {"Destination": "/c/p", "X-Source-Version": "1"}, 404),
        ("COPY", {"Destination": "/c/" + "x" * 1025}, 400),
        ("PUT", {"X-Copy-From": "c"}, 400),
        ("PUT", {"X-Copy-From": "/c/none"}, 404),
        ("PUT", {"X-Move-From": "/none/o"}, 404),
    ],
)
async def test_what_cannot_be_copied(h: Harness, method: str, headers: dict[str, str], status: int) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o")
    assert (await me.request(method, f"{P}/c/o", headers=headers)).status_code == status
    assert (await me.get(f"{P}/c/o")).content == b"data"
