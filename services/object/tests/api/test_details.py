"""Details that Swift's own functional tests look at."""

import time

import httpx
import pytest
from services.object.tests.api.test_features import A, md5, signed_url

from synnefo_common.testing import Harness

EMPTY = md5(b"")


@pytest.fixture
def me(h: Harness) -> httpx.AsyncClient:
    return h.as_member()


async def test_manifest_stays_one_when_its_metadata_changes(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/s", content=b"part")
    await me.put(f"{A}/c/big?multipart-manifest=put", json=[{"path": "c/s"}, {"path": "c/s"}])
    before = (await me.head(f"{A}/c/big")).headers
    assert (await me.post(f"{A}/c/big", headers={"X-Object-Meta-A": "1"})).status_code == 202
    after = await me.head(f"{A}/c/big")
    assert (after.status_code, after.headers["x-object-meta-a"]) == (200, "1")
    assert [after.headers[n] for n in ("etag", "content-length")] == [before[n] for n in ("etag", "content-length")]
    assert (await me.get(f"{A}/c/big")).content == b"partpart"
    raw = await me.get(f"{A}/c/big?multipart-manifest=get&format=raw")
    assert raw.headers["etag"] == md5(raw.content) and raw.headers["content-type"] == before["content-type"]


async def test_signed_url_reads_what_the_object_is_made_of(me: httpx.AsyncClient, h: Harness) -> None:
    nobody, until = h.anonymous(), int(time.time()) + 100
    await me.post(A, headers={"X-Account-Meta-Temp-URL-Key": "akey"})
    await me.put(f"{A}/c", headers={"X-Container-Meta-Temp-URL-Key": "ckey"})
    await me.put(f"{A}/d")
    await me.put(f"{A}/c/seg", content=b"in")
    await me.put(f"{A}/d/seg", content=b"out")
    for place in ("c", "d"):
        await me.put(f"{A}/c/dlo-{place}", content=b"", headers={"X-Object-Manifest": f"{place}/seg"})
        await me.put(f"{A}/c/slo-{place}?multipart-manifest=put", json=[{"path": f"{place}/seg"}])
        await me.put(f"{A}/c/link-{place}", content=b"", headers={"X-Symlink-Target": f"{place}/seg"})
    for kind in ("dlo", "slo", "link"):
        assert (await nobody.get(signed_url("GET", f"{A}/c/{kind}-c", until, "ckey"))).content == b"in"
        assert (await nobody.get(signed_url("GET", f"{A}/c/{kind}-d", until, "akey"))).content == b"out"
        refused = 409 if kind == "slo" else 401
        assert (await nobody.get(signed_url("GET", f"{A}/c/{kind}-d", until, "ckey"))).status_code == refused


async def test_link_tells_where_it_points(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/l", content=b"", headers={"X-Symlink-Target": "c/o"})
    r = await me.get(f"{A}/c/l")
    assert (r.status_code, r.headers["content-location"]) == (404, f"{A}/c/o")
    static = {"X-Symlink-Target": "c/o", "X-Symlink-Target-Etag": md5(b"hello")}
    r = await me.put(f"{A}/c/s", content=b"", headers=static)
    assert (r.status_code, r.text) == (409, "X-Symlink-Target does not exist")
    await me.put(f"{A}/c/o", content=b"hello", headers={"Content-Type": "text/x"})
    r = await me.put(f"{A}/c/s", content=b"", headers=static)
    assert (r.status_code, r.headers["content-location"]) == (201, f"{A}/c/o")
    assert (await me.get(f"{A}/c/s?symlink=get")).headers["content-type"] == "text/x"
    r = await me.get(f"{A}/c/s", headers={"If-Match": "other"})
    assert (r.status_code, r.headers["content-location"]) == (412, f"{A}/c/o")
    r = await me.post(f"{A}/c/s", headers={"X-Object-Meta-A": "1"})
    assert (r.status_code, r.headers["location"], r.headers["x-symlink-target-etag"]) == (307, f"{A}/c/o", md5(b"hello"))
    r = await me.head(f"{A}/c/s?symlink=get")
    assert (r.headers["x-object-meta-a"], r.headers["x-symlink-target"]) == ("1", "c/o")
    assert (await me.post(f"{A}/c/o", headers={"X-Symlink-Target": "c/x"})).status_code == 400
    await me.put(f"{A}/c/o", content=b"other")
    r = await me.get(f"{A}/c/s")
    assert (r.status_code, r.headers["content-location"]) == (409, f"{A}/c/o")


async def test_static_links_to_links(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"hello")
    await me.put(f"{A}/c/dynamic", content=b"", headers={"X-Symlink-Target": "c/o"})
    for name, target, etag, status in (
        ("one", "c/o", md5(b"hello"), 201),
        ("two", "c/one", md5(b"hello"), 201),
        ("three", "c/dynamic", EMPTY, 201),
        ("bad", "c/dynamic", md5(b"hello"), 409),
        ("worse", "c/one", EMPTY, 409),
    ):
        r = await me.put(f"{A}/c/{name}", content=b"", headers={"X-Symlink-Target": target, "X-Symlink-Target-Etag": etag})
        assert r.status_code == status, name
        if status == 201:
            assert (await me.get(f"{A}/c/{name}")).content == b"hello"


async def test_copy_of_a_range(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"test")
    r = await me.request("COPY", f"{A}/c/o", headers={"Destination": "c/p", "Range": "bytes=1-2"})
    assert r.status_code == 201
    r = await me.get(f"{A}/c/p")
    assert (r.content, r.headers["etag"]) == (b"es", md5(b"es"))
    r = await me.request("COPY", f"{A}/c/o", headers={"Destination": "c/p", "Range": "bytes=9-"})
    assert r.status_code == 416


async def test_times_of_deletion(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    assert (await me.put(f"{A}/c/o", content=b"", headers={"X-Delete-At": "1" * 100})).status_code == 201
    assert (await me.head(f"{A}/c/o")).headers["x-delete-at"] == "9" * 10
    for value, status in (("bad", 400), ("5", 412), ("9" * 10, 204)):
        assert (await me.delete(f"{A}/c/o", headers={"X-If-Delete-At": value})).status_code == status


async def test_both_conditions_hold(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"hello")
    old = {"If-Match": md5(b"hello"), "If-Unmodified-Since": "Thu, 01 Jan 2004 00:00:00 GMT"}
    assert (await me.get(f"{A}/c/o", headers=old)).status_code == 412


@pytest.mark.parametrize("path", ["/v1//c/o", "/v1/AUTH_x//o", "/v1///o"])
async def test_path_with_a_gap_is_not_found(me: httpx.AsyncClient, path: str) -> None:
    assert (await me.get(path)).status_code == 404


async def test_bulk_delete_at_any_level(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"hello")
    r = await me.request("DELETE", f"{A}/c/o?bulk-delete", content=b"c/o", headers={"Accept": "application/json", "Content-Type": "text/plain"})
    assert (r.status_code, r.json()["Number Deleted"]) == (200, 1)


async def test_history_marks_every_delete_and_a_stack_takes_the_marks_back(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/v é")
    await me.put(f"{A}/c")
    await me.post(f"{A}/c", headers={"X-History-Location": "v%20%C3%A9", "X-Remove-History-Location": "x"})
    assert (await me.head(f"{A}/c")).headers["x-history-location"] == "v%20%C3%A9"
    for data in (b"1", b"2"):
        await me.put(f"{A}/c/o", content=data)
    assert [(await me.delete(f"{A}/c/o")).status_code for _ in range(2)] == [204, 404]
    assert (await me.head(f"{A}/v é")).headers["x-container-object-count"] == "4"
    await me.post(f"{A}/c", headers={"X-Versions-Location": "v%20%C3%A9"})
    assert (await me.delete(f"{A}/c/o")).status_code == 204
    assert (await me.get(f"{A}/c/o")).status_code == 404
    assert (await me.delete(f"{A}/c/o")).status_code == 204
    assert (await me.get(f"{A}/c/o")).content == b"2"
    assert (await me.head(f"{A}/v é")).headers["x-container-object-count"] == "1"


async def test_account_tells_the_domain_of_its_project(me: httpx.AsyncClient) -> None:
    assert (await me.head(A)).headers["x-account-project-domain-id"] == "default"


@pytest.mark.parametrize(("domain", "status"), [("default", 200), ("elsewhere", 403)])
async def test_acl_by_name_holds_within_the_default_domain(me: httpx.AsyncClient, h: Harness, domain: str, status: int) -> None:
    other = h.as_project()
    identity = h.peers["identity"]
    identity.on("GET", f"/internal/v1/projects/{h.project_id}", {"name": "mine", "domain_id": domain})
    identity.on("GET", f"/internal/v1/projects/{h.other_project_id}", {"name": "theirs", "domain_id": "default"})
    identity.on("GET", f"/internal/v1/users/{h.other_user_id}", {"name": "joe", "domain_id": "default"})
    await me.put(f"{A}/c", headers={"X-Container-Read": "theirs:joe"})
    await me.put(f"{A}/c/o", content=b"hello")
    assert (await other.get(f"{A}/c/o")).status_code == status


async def test_manifest_with_a_segment_that_the_reader_may_not_see_is_a_conflict(me: httpx.AsyncClient, h: Harness) -> None:
    await me.put(f"{A}/c", headers={"X-Container-Read": ".r:*"})
    await me.put(f"{A}/hidden")
    await me.put(f"{A}/hidden/s", content=b"part")
    await me.put(f"{A}/c/big?multipart-manifest=put", json=[{"path": "hidden/s"}])
    assert (await h.anonymous().get(f"{A}/c/big")).status_code == 409
    assert (await me.get(f"{A}/c/big")).content == b"part"


async def test_object_of_a_stack_without_its_container_can_be_deleted(me: httpx.AsyncClient) -> None:
    for kind, status in (("Versions", 204), ("History", 412)):
        await me.put(f"{A}/c", headers={f"X-{kind}-Location": ""})
        await me.put(f"{A}/c/o", content=b"1")
        await me.post(f"{A}/c", headers={f"X-{kind}-Location": "gone"})
        assert (await me.delete(f"{A}/c/o")).status_code == status
        await me.post(f"{A}/c", headers={f"X-Remove-{kind}-Location": "x"})


async def test_a_container_that_is_not_empty_conflicts_in_words_that_clients_compare(h: Harness) -> None:
    me, container = h.as_member(), f"/v1/AUTH_{h.project_id}/full"
    await me.put(container)
    await me.put(f"{container}/o", content=b"x")
    answer = await me.delete(container)
    assert answer.status_code == 409
    assert answer.text == "<html><h1>Conflict</h1><p>There was a conflict when trying to complete your request.</p></html>"
