"""The calls of the main story, and their edges."""

import hashlib
import os
from collections.abc import AsyncIterator

import httpx
import pytest

from synnefo_common.testing import Harness

A = f"/v1/AUTH_{Harness.project_id}"
MIB = 1 << 20


@pytest.fixture
def me(h: Harness) -> httpx.AsyncClient:
    return h.as_member()


async def test_container_and_object_life(me: httpx.AsyncClient) -> None:
    r = await me.put(f"{A}/c")
    assert (r.status_code, r.headers["content-length"]) == (201, "0")
    assert r.headers["x-trans-id"].startswith("tx")
    assert (await me.put(f"{A}/c")).status_code == 202
    r = await me.put(f"{A}/c/o", content=b"hello", headers={"X-Object-Meta-Color": "blue", "Content-Type": "text/x"})
    assert r.status_code == 201, r.text
    assert r.headers["etag"] == hashlib.md5(b"hello").hexdigest()
    r = await me.get(f"{A}/c/o")
    assert (r.status_code, r.content) == (200, b"hello")
    assert r.headers["content-type"] == "text/x"
    assert r.headers["x-object-meta-color"] == "blue"
    assert r.headers["accept-ranges"] == "bytes"
    r = await me.head(f"{A}/c/o")
    assert (r.status_code, r.headers["content-length"]) == (200, "5")
    r = await me.get(f"{A}/c?format=json")
    [row] = r.json()
    assert row.keys() == {"bytes", "content_type", "hash", "last_modified", "name"}
    assert (row["name"], row["bytes"]) == ("o", 5)
    r = await me.head(A)
    assert r.status_code == 204
    assert (
        r.headers["x-account-container-count"],
        r.headers["x-account-object-count"],
        r.headers["x-account-bytes-used"],
    ) == ("1", "1", "5")
    assert (await me.delete(f"{A}/c")).status_code == 409
    assert (await me.post(f"{A}/c/o", headers={"X-Object-Meta-Size": "big"})).status_code == 202
    r = await me.head(f"{A}/c/o")
    assert "x-object-meta-color" not in r.headers
    assert r.headers["x-object-meta-size"] == "big"
    assert r.headers["content-type"] == "text/x"
    assert (await me.delete(f"{A}/c/o")).status_code == 204
    assert (await me.delete(f"{A}/c/o")).status_code == 404
    assert (await me.delete(f"{A}/c")).status_code == 204
    assert (await me.delete(f"{A}/c")).status_code == 404
    r = await me.head(A)
    assert (r.headers["x-account-container-count"], r.headers["x-account-bytes-used"]) == ("0", "0")


async def test_large_object_comes_back_whole_and_in_ranges(me: httpx.AsyncClient) -> None:
    data = os.urandom(9 * MIB + 17)
    await me.put(f"{A}/c")

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 65536):
            yield data[at : at + 65536]

    r = await me.put(f"{A}/c/big", content=pieces())
    assert r.status_code == 201
    assert r.headers["etag"] == hashlib.md5(data).hexdigest()
    assert (await me.get(f"{A}/c/big")).content == data
    r = await me.get(f"{A}/c/big", headers={"Range": f"bytes=100-{5 * MIB}"})
    assert (r.status_code, r.content) == (206, data[100 : 5 * MIB + 1])
    assert r.headers["content-range"] == f"bytes 100-{5 * MIB}/{len(data)}"
    assert (await me.get(f"{A}/c/big", headers={"Range": "bytes=-10"})).content == data[-10:]
    r = await me.get(f"{A}/c/big", headers={"Range": "bytes=0-3,10-12"})
    assert r.status_code == 206
    assert r.headers["content-type"].startswith("multipart/byteranges;boundary=")
    assert data[:4] in r.content and data[10:13] in r.content
    assert len(r.content) == int(r.headers["content-length"])
    r = await me.get(f"{A}/c/big", headers={"Range": f"bytes={len(data)}-"})
    assert (r.status_code, r.headers["content-range"]) == (416, f"bytes */{len(data)}")
    assert (await me.get(f"{A}/c/big", headers={"Range": "bytes=5-1"})).status_code == 200


async def test_wrong_etag_leaves_nothing(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    assert (await me.put(f"{A}/c/o", content=b"x", headers={"ETag": "0" * 32})).status_code == 422
    assert (await me.get(f"{A}/c/o")).status_code == 404
    assert (await me.head(f"{A}/c")).headers["x-container-object-count"] == "0"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"5d41402abc4b2a76b9719d911017c592"'}, 200),
        ({"If-Match": "nope"}, 412),
        ({"If-None-Match": "5d41402abc4b2a76b9719d911017c592"}, 304),
        ({"If-None-Match": "nope"}, 200),
        ({"If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"}, 304),
        ({"If-Modified-Since": "Thu, 01 Jan 2004 00:00:00 GMT"}, 200),
        ({"If-Unmodified-Since": "Thu, 01 Jan 2004 00:00:00 GMT"}, 412),
        ({"If-Unmodified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"}, 200),
    ],
)
async def test_conditions(me: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"hello")
    assert (await me.get(f"{A}/c/o", headers=headers)).status_code == status
    assert (await me.head(f"{A}/c/o", headers=headers)).status_code == status


async def test_if_none_match_star_makes_only_new_objects(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    assert (await me.put(f"{A}/c/o", content=b"1", headers={"If-None-Match": "*"})).status_code == 201
    assert (await me.put(f"{A}/c/o", content=b"2", headers={"If-None-Match": "*"})).status_code == 412
    assert (await me.put(f"{A}/c/o", content=b"2", headers={"If-None-Match": "x"})).status_code == 400
    assert (await me.get(f"{A}/c/o")).content == b"1"


async def test_listing_parameters(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    names = ["a", "b/1", "b/2", "b/x/1", "c", "d/1", "e--f", "é", "\U0001f600", "b!", "dir/"]
    for name in names:
        assert (await me.put(f"{A}/c/{name}", content=b"")).status_code == 201

    async def listed(query: str) -> list[str]:
        r = await me.get(f"{A}/c?format=json&{query}")
        assert r.status_code == 200, r.text
        return [e.get("name") or e["subdir"] for e in r.json()]

    ordered = sorted(names, key=lambda n: n.encode())
    assert await listed("") == ordered
    assert await listed("reverse=true") == ordered[::-1]
    assert await listed("limit=2") == ordered[:2]
    assert await listed("limit=0") == []
    assert await listed("marker=b/2") == [n for n in ordered if n.encode() > b"b/2"]
    assert await listed("end_marker=c") == [n for n in ordered if n.encode() < b"c"]
    assert await listed("prefix=b/") == ["b/1", "b/2", "b/x/1"]
    assert await listed("delimiter=/") == ["a", "b!", "b/", "c", "d/", "dir/", "e--f", "é", "\U0001f600"]
    assert await listed("delimiter=/&reverse=on") == ["a", "b!", "b/", "c", "d/", "dir/", "e--f", "é", "\U0001f600"][::-1]
    assert await listed("delimiter=/&marker=b/") == ["c", "d/", "dir/", "e--f", "é", "\U0001f600"]
    assert await listed("delimiter=/&limit=3") == ["a", "b!", "b/"]
    assert await listed("delimiter=/&prefix=b/") == ["b/1", "b/2", "b/x/"]
    assert await listed("delimiter=--") == [
        "a",
        "b!",
        "b/1",
        "b/2",
        "b/x/1",
        "c",
        "d/1",
        "dir/",
        "e--",
        "é",
        "\U0001f600",
    ]
    assert await listed("path=b") == ["b/1", "b/2"]
    assert await listed("path=") == ["a", "b!", "c", "dir/", "e--f", "é", "\U0001f600"]
    assert (await me.get(f"{A}/c?limit=10001")).status_code == 412
    assert (await me.get(f"{A}/c?limit=x")).status_code == 200
    r = await me.get(f"{A}/c?delimiter=/")
    assert r.text.splitlines()[:3] == ["a", "b!", "b/"]
    assert r.headers["content-type"] == "text/plain; charset=utf-8"
    r = await me.get(f"{A}/c?format=xml&limit=3&delimiter=/")
    assert r.headers["content-type"] == "application/xml; charset=utf-8"
    assert '<subdir name="b/"><name>b/</name></subdir>' in r.text and '<container name="c">' in r.text
    r = await me.get(f"{A}/c", headers={"Accept": "application/json"})
    assert len(r.json()) == len(names)
    assert (await me.get(f"{A}/c", headers={"Accept": "image/png"})).status_code == 406
    assert (await me.get(f"{A}?format=json")).json()[0].keys() == {"bytes", "count", "last_modified", "name"}
    assert (await me.get(f"{A}?prefix=zz")).status_code == 204


async def test_raw_names(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    for raw, name in (
        ("a%2Fb", "a/b"),
        ("a//b", "a//b"),
        ("tr/", "tr/"),
        ("x%0Ay", "x\ny"),
        ("p%2541", "p%41"),
        ("%C3%A9", "é"),
        (".", "."),
    ):
        if raw == ".":
            continue
        url = httpx.URL(f"http://x{A}/c/o").copy_with(raw_path=f"{A}/c/{raw}".encode())
        assert (await me.put(url, content=raw.encode())).status_code == 201
        assert (await me.get(url)).content == raw.encode()
        listed = [e["name"] for e in (await me.get(f"{A}/c?format=json")).json()]
        assert name in listed
    for raw in ("%FF", "a%00b"):
        url = httpx.URL("http://x/").copy_with(raw_path=f"{A}/c/{raw}".encode())
        assert (await me.put(url, content=b"")).status_code == 412
    assert (await me.put(f"{A}/c/{'n' * 1024}", content=b"")).status_code == 201
    assert (await me.put(f"{A}/c/{'n' * 1025}", content=b"")).status_code == 400
    assert (await me.put(f"{A}/{'n' * 256}")).status_code == 201
    assert (await me.put(f"{A}/{'n' * 257}")).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Container-Meta-" + "n" * 128: "v"}, 202),
        ({"X-Container-Meta-" + "n" * 129: "v"}, 400),
        ({"X-Container-Meta-N": "v" * 256}, 202),
        ({"X-Container-Meta-N": "v" * 257}, 400),
        ({"X-Container-Meta-": "v"}, 400),
        ({f"X-Container-Meta-{i}": "v" for i in range(90)}, 202),
        ({f"X-Container-Meta-{i}": "v" for i in range(91)}, 400),
        ({f"X-Container-Meta-{i:02}": "v" * 200 for i in range(21)}, 400),
    ],
)
async def test_metadata_limits(me: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    await me.put(f"{A}/c")
    r = await me.put(f"{A}/c", headers=headers)
    assert r.status_code == status
    if status == 202:
        shown = (await me.head(f"{A}/c")).headers
        assert all(shown[name] == value for name, value in headers.items())


async def test_metadata_removal(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c", headers={"X-Container-Meta-A": "1", "X-Container-Meta-B": "2"})
    assert (await me.post(f"{A}/c", headers={"X-Remove-Container-Meta-A": "x", "X-Container-Meta-C": "3"})).status_code == 204
    shown = (await me.head(f"{A}/c")).headers
    assert "x-container-meta-a" not in shown and shown["x-container-meta-b"] == "2" and shown["x-container-meta-c"] == "3"
    await me.post(f"{A}/c", headers={"X-Container-Meta-B": ""})
    assert "x-container-meta-b" not in (await me.head(f"{A}/c")).headers
    assert (await me.post(A, headers={"X-Account-Meta-T": "1"})).status_code == 204
    assert (await me.head(A)).headers["x-account-meta-t"] == "1"
    assert (await me.post(A, headers={"X-Remove-Account-Meta-T": "1"})).status_code == 204
    assert "x-account-meta-t" not in (await me.head(A)).headers
    assert (await me.post(f"{A}/none", headers={"X-Container-Meta-C": "3"})).status_code == 404


async def test_lengths(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    request = me.build_request("PUT", f"{A}/c/o")
    request.headers.pop("content-length", None)
    assert (await me.send(request)).status_code == 411
    request = me.build_request("PUT", f"{A}/c/o", headers={"Content-Length": "5368709123"}, content=b"")
    request.headers["content-length"] = "5368709123"
    assert (await me.send(request)).status_code == 413
    request = me.build_request("PUT", f"{A}/c/o", content=b"abc")
    request.headers["content-length"] = "10"
    assert (await me.send(request)).status_code == 499
    assert (await me.get(f"{A}/c/o")).status_code == 404


async def test_copy(me: httpx.AsyncClient, h: Harness) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/d")
    await me.put(f"{A}/c/o", content=b"hello", headers={"X-Object-Meta-A": "1", "Content-Type": "text/x"})
    r = await me.put(f"{A}/d/p", headers={"X-Copy-From": "/c/o", "X-Object-Meta-B": "2", "Content-Length": "0"})
    assert r.status_code == 201, r.text
    assert r.headers["x-copied-from"] == "c/o" and r.headers["x-copied-from-last-modified"]
    r = await me.get(f"{A}/d/p")
    assert (r.content, r.headers["x-object-meta-a"], r.headers["x-object-meta-b"]) == (b"hello", "1", "2")
    assert r.headers["content-type"] == "text/x"
    r = await me.request("COPY", f"{A}/c/o", headers={"Destination": "d/q", "X-Fresh-Metadata": "true"})
    assert r.status_code == 201
    assert "x-object-meta-a" not in (await me.head(f"{A}/d/q")).headers
    assert (await me.request("COPY", f"{A}/c/o")).status_code == 412
    assert (await me.request("COPY", f"{A}/c/none", headers={"Destination": "d/q"})).status_code == 404
    other = h.as_project()
    B = f"/v1/AUTH_{h.other_project_id}"
    await other.put(f"{B}/x")
    r = await me.request("COPY", f"{A}/c/o", headers={"Destination": "x/o", "Destination-Account": f"AUTH_{h.other_project_id}"})
    assert r.status_code == 403
    await other.post(f"{B}/x", headers={"X-Container-Write": f"{h.project_id}:*"})
    r = await me.request("COPY", f"{A}/c/o", headers={"Destination": "x/o", "Destination-Account": f"AUTH_{h.other_project_id}"})
    assert r.status_code == 201
    assert (await other.get(f"{B}/x/o")).content == b"hello"


async def test_who_may(me: httpx.AsyncClient, h: Harness) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"hello")
    reader, other, nobody = h.as_reader(), h.as_project(), h.anonymous()
    assert (await reader.get(f"{A}/c/o")).status_code == 200
    assert (await reader.put(f"{A}/c/p", content=b"")).status_code == 403
    assert (await reader.put(f"{A}/z")).status_code == 403
    for path in (A, f"{A}/c", f"{A}/c/o", f"{A}/nope", f"{A}/c/nope"):
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            assert (await other.request(method, path)).status_code == 403, (method, path)
            assert (await nobody.request(method, path)).status_code == 401, (method, path)
    reseller = h.client(h.token("ResellerAdmin", project_id="0" * 32))
    assert (await reseller.get(f"{A}/c/o")).status_code == 200
    assert (await me.put(A)).status_code == 405
    assert (await me.delete(A)).status_code == 405
    await me.post(f"{A}/c", headers={"X-Container-Read": ".r:*"})
    assert (await nobody.get(f"{A}/c/o")).content == b"hello"
    assert (await nobody.get(f"{A}/c")).status_code == 401
    await me.post(f"{A}/c", headers={"X-Container-Read": ".r:*,.rlistings"})
    r = await nobody.get(f"{A}/c")
    assert r.status_code == 200 and "x-container-read" not in r.headers
    assert (await me.head(f"{A}/c")).headers["x-container-read"] == ".r:*,.rlistings"
    await me.post(f"{A}/c", headers={"X-Container-Read": f"{h.other_project_id}:{h.other_user_id}"})
    assert (await other.get(f"{A}/c")).status_code == 200
    assert (await nobody.get(f"{A}/c/o")).status_code == 401
    assert (await other.put(f"{A}/c/p", content=b"")).status_code == 403
    await me.post(f"{A}/c", headers={"X-Container-Write": f"*:{h.other_user_id}"})
    assert (await other.put(f"{A}/c/p", content=b"")).status_code == 201
    assert (await other.delete(f"{A}/c/p")).status_code == 204
    assert (await me.post(f"{A}/c", headers={"X-Container-Write": ".r:*"})).status_code == 400
    assert (await me.post(f"{A}/c", headers={"X-Container-Read": ".x:*"})).status_code == 400


async def test_expiry(me: httpx.AsyncClient, h: Harness) -> None:
    from synnefo_common.testing import wait_until

    await me.put(f"{A}/c")
    assert (await me.put(f"{A}/c/o", content=b"hello", headers={"X-Delete-After": "100"})).status_code == 201
    assert (await me.put(f"{A}/c/p", content=b"hello", headers={"X-Delete-At": "100"})).status_code == 400
    assert int((await me.head(f"{A}/c/o")).headers["x-delete-at"]) > 100
    h.clock.advance(101)
    assert (await me.get(f"{A}/c/o")).status_code == 404

    async def gone() -> bool:
        return (await me.head(f"{A}/c")).headers["x-container-object-count"] == "0"

    await wait_until(gone)


async def test_usage_is_reported(me: httpx.AsyncClient, h: Harness) -> None:
    from synnefo_common.testing import wait_until

    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"hello")
    await wait_until(lambda: sum(e["provisions"]["object.bytes"] for e in h.events_of("quota.adjusted")) == 5)
    await me.put(f"{A}/c/o", content=b"hi")
    await wait_until(lambda: sum(e["provisions"]["object.bytes"] for e in h.events_of("quota.adjusted")) == 2)
    await me.delete(f"{A}/c/o")
    await wait_until(lambda: sum(e["provisions"]["object.bytes"] for e in h.events_of("quota.adjusted")) == 0)


async def test_roots_walk(me: httpx.AsyncClient, h: Harness) -> None:
    await me.put(f"{A}/c")
    for i in range(5):
        await me.put(f"{A}/c/{i}", content=b"x")
    assert (await me.get("/internal/v1/roots")).status_code == 403
    ids, after = [], ""
    for _ in range(10):
        body = (await h.internal().get(f"/internal/v1/roots?epoch=1&limit=2&after={after}")).json()
        ids += [r["id"] for r in body["roots"]]
        after = body["next"]
        if body["complete"]:
            break
    assert [i.split("/")[1] for i in ids] == list("01234")
