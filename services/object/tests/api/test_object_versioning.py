"""Swift's object versioning: X-Versions-Enabled, `?versions`, `?version-id=`."""

from typing import Any

import httpx
import pytest

from synnefo_common.testing import Harness

A = f"/v1/AUTH_{Harness.project_id}"
ENABLED, SUSPENDED = {"X-Versions-Enabled": "true"}, {"X-Versions-Enabled": "false"}
DELETED = "application/x-deleted;swift_versions_deleted=1"


@pytest.fixture
def me(h: Harness) -> httpx.AsyncClient:
    return h.as_member()


async def put(me: httpx.AsyncClient, name: str, body: bytes) -> str:
    r = await me.put(f"{A}/c/{name}", content=body)
    assert r.status_code == 201
    return str(r.headers.get("x-object-version-id", ""))


async def versions(me: httpx.AsyncClient, query: str = "") -> list[Any]:
    r = await me.get(f"{A}/c?versions{query}")
    assert r.status_code == 200, r.text
    found: list[Any] = r.json()
    return found


async def names(me: httpx.AsyncClient, query: str = "") -> list[tuple[str, str, bool] | str]:
    return [v.get("subdir") or (v["name"], v["version_id"], v["is_latest"]) for v in await versions(me, query)]


async def test_each_version_by_its_id(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c", headers=ENABLED)
    assert (await me.head(f"{A}/c")).headers["x-versions-enabled"] == "True"
    one, two = await put(me, "o", b"1"), await put(me, "o", b"22")
    r = await me.get(f"{A}/c/o")
    assert (r.content, r.headers["x-object-version-id"], r.headers["content-location"]) == (b"22", two, f"{A}/c/o?version-id={two}")
    r = await me.get(f"{A}/c/o?version-id={one}")
    assert (r.content, r.headers["x-object-version-id"]) == (b"1", one)
    assert (await me.head(f"{A}/c/o?version-id={two}")).headers["content-length"] == "2"
    r = await me.delete(f"{A}/c/o")
    marker = r.headers["x-object-version-id"]
    assert r.status_code == 204
    r = await me.get(f"{A}/c/o")
    assert (r.status_code, r.headers["x-object-version-id"]) == (404, "null")
    r = await me.get(f"{A}/c/o?version-id={marker}")
    assert (r.status_code, r.headers["x-object-version-id"], r.headers["content-type"]) == (404, marker, DELETED)
    assert await names(me) == [("o", marker, True), ("o", two, False), ("o", one, False)]
    assert (await versions(me))[0]["content_type"] == DELETED
    again = await me.delete(f"{A}/c/o")
    assert again.status_code == 404 and again.headers["x-object-version-id"] > marker
    for bad in ("x", "null"):
        assert (await me.put(f"{A}/c/o?version-id={bad}", content=b"")).status_code == 400
    assert (await me.get(f"{A}/c/o?version-id=x")).status_code == 400
    assert (await me.get(f"{A}/c/o?version-id=12.5")).status_code == 404
    assert (await me.post(f"{A}/c/o?version-id={one}")).status_code == 400
    r = await me.delete(f"{A}/c")
    assert (r.status_code, r.text) == (409, "Delete all versions before deleting container.")


async def test_old_version_becomes_current_again_under_its_id(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c", headers=ENABLED)
    ids = [await put(me, "o", b"x" * i) for i in (1, 2, 3)]
    r = await me.put(f"{A}/c/o?version-id={ids[0]}", content=b"")
    assert (r.status_code, r.headers["x-object-version-id"]) == (201, ids[0])
    assert (await me.get(f"{A}/c/o")).content == b"x"
    assert await names(me) == [("o", ids[2], False), ("o", ids[1], False), ("o", ids[0], True)]
    assert (await me.head(f"{A}/c")).headers["x-container-bytes-used"] == "6"
    assert (await me.put(f"{A}/c/o?version-id={ids[1]}", content=b"body")).status_code == 400
    r = await me.put(f"{A}/c/o?version-id=5", content=b"")
    assert (r.status_code, r.text) == (404, "The specified version does not exist")
    await me.delete(f"{A}/c/o")
    assert (await me.put(f"{A}/c/o?version-id={ids[1]}", content=b"")).status_code == 201
    head = (await me.head(f"{A}/c")).headers
    assert (head["x-container-object-count"], head["x-container-bytes-used"]) == ("1", "6")
    assert (await me.get(f"{A}/c/o")).content == b"xx"
    r = await me.put(f"{A}/c/copy?version-id={ids[2]}", headers={"X-Copy-From": "c/o", "Content-Length": "0"})
    assert r.status_code == 201
    assert (await me.get(f"{A}/c/copy")).content == b"xxx"
    r = await me.request("COPY", f"{A}/c/o?version-id={ids[0]}", headers={"Destination": "c/o"})
    assert (r.status_code, r.headers["x-object-version-id"] > ids[2]) == (201, True)
    assert (await me.get(f"{A}/c/o")).content == b"x"


async def test_delete_of_one_version_leaves_the_others(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c", headers=ENABLED)
    ids = [await put(me, "o", b"x" * i) for i in (1, 2, 3)]
    r = await me.delete(f"{A}/c/o?version-id={ids[0]}")
    assert (r.status_code, r.headers["x-object-version-id"], r.headers["x-object-current-version-id"]) == (204, ids[0], ids[2])
    assert (await me.delete(f"{A}/c/o?version-id={ids[0]}")).status_code == 404
    r = await me.delete(f"{A}/c/o?version-id={ids[2]}")
    assert (r.status_code, r.headers["x-object-current-version-id"]) == (204, "null")
    assert (await me.get(f"{A}/c/o")).status_code == 404  # none takes its place
    assert await names(me) == [("o", ids[1], False)]
    assert (await me.head(f"{A}/c")).headers["x-container-bytes-used"] == "2"
    await put(me, "o", b"four")
    assert (await me.delete(f"{A}/c/o?version-id=null")).status_code == 204  # the link goes, the version stays
    assert (await me.get(f"{A}/c/o")).status_code == 404
    assert (await me.head(f"{A}/c")).headers["x-container-bytes-used"] == "6"
    for version in await versions(me):
        assert (await me.delete(f"{A}/c/o?version-id={version['version_id']}")).status_code == 204
    head = (await me.head(f"{A}/c")).headers
    assert (head["x-container-object-count"], head["x-container-bytes-used"]) == ("0", "0")
    assert (await me.delete(f"{A}/c")).status_code == 204


async def test_listing_goes_on_where_a_page_ended(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await put(me, "null", b"n")
    await me.post(f"{A}/c", headers=ENABLED)
    for name in ("a", "b", "b", "b", "d/1", "d/2", "d/2"):
        await put(me, name, name.encode())
    await me.delete(f"{A}/c/never")
    await me.delete(f"{A}/c/d/1")
    whole = await names(me)
    assert [v[:1][0] for v in whole] == ["a", "b", "b", "b", "d/1", "d/1", "d/2", "d/2", "never", "null"]
    for limit in (1, 2, 3):
        for reverse in ("", "&reverse=true"):
            found: list[Any] = []
            query = ""
            while page := await versions(me, f"&limit={limit}{query}{reverse}"):
                found += page
                query = f"&marker={page[-1]['name']}&version_marker={page[-1]['version_id']}"
            expected = [v[:2] for v in whole]
            assert [(v["name"], v["version_id"]) for v in found] == (expected[::-1] if reverse else expected)
    assert await names(me, "&prefix=d/1") == whole[4:6]
    assert [v if isinstance(v, str) else v[0] for v in await names(me, "&delimiter=/")] == ["a", "b", "b", "b", "d/", "never", "null"]
    assert [v if isinstance(v, str) else v[0] for v in await names(me, "&delimiter=/&reverse=1&limit=4")] == ["null", "never", "d/", "b"]
    assert [v if isinstance(v, str) else v[0] for v in await names(me, "&delimiter=/&marker=b")] == ["d/", "never", "null"]
    for bad in ("&delimiter=1", "&version_marker=1", "&marker=a&version_marker=x"):
        assert (await me.get(f"{A}/c?versions{bad}")).status_code == 400
    assert (await me.get(f"{A}/c?versions&format=xml")).status_code == 406
    assert (await me.get(f"{A}/c?versions", headers={"Accept": "text/plain"})).status_code == 406
    [entry] = (await me.get(f"{A}/c?format=json&prefix=a")).json()
    assert entry["version_symlink"] is True and entry["symlink_path"] == f"{A}/c/a?version-id={whole[0][1]}"


async def test_unversioned_container_lists_null_versions(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await put(me, "o", b"1")
    assert await names(me) == [("o", "null", True)]
    assert (await me.get(f"{A}/c/o?version-id=null")).content == b"1"
    assert "x-object-version-id" not in (await me.get(f"{A}/c/o")).headers
    assert (await me.get(f"{A}/c/o?version-id=5")).status_code == 400
    await me.post(f"{A}/c", headers=ENABLED)
    await put(me, "o", b"2")
    assert (await me.get(f"{A}/c/o?version-id=null")).status_code == 404


async def test_versions_are_for_the_account_alone(me: httpx.AsyncClient, h: Harness) -> None:
    await me.put(f"{A}/c", headers=ENABLED | {"X-Container-Read": ".r:*,.rlistings", "X-Container-Write": "*:*"})
    one = await put(me, "o", b"1")
    await put(me, "o", b"2")
    other = h.as_project()
    assert (await other.get(f"{A}/c/o")).content == b"2"
    for method in ("GET", "HEAD", "DELETE"):
        assert (await other.request(method, f"{A}/c/o?version-id={one}")).status_code == 403
    assert (await h.anonymous().get(f"{A}/c/o?version-id={one}")).status_code == 401


async def test_quota_counts_versions(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c", headers=ENABLED | {"X-Container-Meta-Quota-Bytes": "10"})
    await put(me, "o", b"12345")
    await put(me, "o", b"12345")
    assert (await me.put(f"{A}/c/o", content=b"1")).status_code == 413


async def test_manifest_of_a_version_goes_with_its_segments(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c", headers=ENABLED)
    await me.put(f"{A}/s")
    for name in ("a", "b"):
        await me.put(f"{A}/s/{name}", content=name.encode() * 3)
    ids = [(await me.put(f"{A}/c/big?multipart-manifest=put", json=[{"path": f"s/{n}"}])).headers["x-object-version-id"] for n in ("a", "b")]
    assert (await me.get(f"{A}/c/big?version-id={ids[0]}")).content == b"aaa"
    r = await me.delete(f"{A}/c/big?multipart-manifest=delete&version-id={ids[0]}", headers={"Accept": "application/json"})
    assert r.json()["Number Deleted"] == 2
    assert (await me.get(f"{A}/c/big")).content == b"bbb"
    assert (await me.get(f"{A}/s")).text == "b\n"


async def test_collector_sees_what_moves_between_current_and_kept(me: httpx.AsyncClient, h: Harness) -> None:
    await me.put(f"{A}/c", headers=ENABLED)
    ids = [await put(me, "o", b"x" * i) for i in (1, 2)]
    first = (await h.internal().get("/internal/v1/roots?epoch=1&limit=1")).json()
    await me.put(f"{A}/c/o?version-id={ids[0]}", content=b"")  # what was met goes to the other table, and the other way round
    rest = (await h.internal().get(f"/internal/v1/roots?epoch=1&limit=10&after={first['next']}")).json()
    assert len({r["root"] for r in first["roots"] + rest["roots"]}) == 2 and rest["complete"]
    for bad in ("WzEsMCwwLCIiXQ==", "x", "W10="):
        assert (await h.internal().get(f"/internal/v1/roots?epoch=1&after={bad}")).status_code == 400


async def test_other_ways_of_versioning_are_refused_beside_it(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/old")
    await me.put(f"{A}/c", headers={"X-Versions-Location": "old"})
    assert (await me.post(f"{A}/c", headers=ENABLED)).status_code == 400
    await me.put(f"{A}/d", headers=ENABLED)
    assert (await me.post(f"{A}/d", headers={"X-History-Location": "old"})).status_code == 400
    assert (await me.post(f"{A}/d", headers=SUSPENDED)).status_code == 204
    assert (await me.head(f"{A}/d")).headers["x-versions-enabled"] == "False"
