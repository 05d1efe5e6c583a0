"""Large objects: parts by number, links as segments, manifests that are copied, heartbeats."""

import hashlib
from typing import Any

import httpx
import pytest

from synnefo_archipelago.drivers.memory import MemoryDriver
from synnefo_common.testing import Harness

A = f"/v1/AUTH_{Harness.project_id}"


@pytest.fixture
def me(h: Harness) -> httpx.AsyncClient:
    return h.as_member()


async def big(me: httpx.AsyncClient, *names: str) -> None:
    await me.put(f"{A}/c")
    for name in names:
        await me.put(f"{A}/c/{name}", content=name.encode() * 3)
    assert (await me.put(f"{A}/c/big?multipart-manifest=put", json=[{"path": f"c/{name}"} for name in names])).status_code == 201


async def test_part_by_its_number(me: httpx.AsyncClient) -> None:
    await big(me, "a", "bb")
    r = await me.get(f"{A}/c/big?part-number=2")
    assert (r.status_code, r.content, r.headers["x-parts-count"], r.headers["content-range"]) == (206, b"bbbbbb", "2", "bytes 3-8/9")
    r = await me.head(f"{A}/c/big?part-number=1")
    assert (r.status_code, r.headers["content-length"], r.headers["content-range"]) == (206, "3", "bytes 0-2/9")
    r = await me.get(f"{A}/c/big?part-number=3")
    assert (r.status_code, r.text, r.headers["content-range"]) == (416, "The requested part number is not satisfiable", "bytes */9")
    for bad in ("0", "-1", "x", "1.0", ""):
        assert (await me.get(f"{A}/c/big?part-number={bad}")).status_code == 400
    assert (await me.get(f"{A}/c/big?part-number=1", headers={"Range": "bytes=0-1"})).status_code == 400
    assert (await me.get(f"{A}/c/a?part-number=7")).content == b"aaa"  # only a static large object has parts
    r = await me.request("COPY", f"{A}/c/big?part-number=2", headers={"Destination": "c/part"})
    assert r.status_code == 201
    r = await me.get(f"{A}/c/part")
    assert (r.content, r.headers["etag"]) == (b"bbbbbb", hashlib.md5(b"bbbbbb").hexdigest())


async def test_links_as_segments(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/data", content=b"data")
    await me.put(f"{A}/c/link", content=b"", headers={"X-Symlink-Target": "c/data"})
    etag = hashlib.md5(b"data").hexdigest()
    await me.put(f"{A}/c/static", content=b"", headers={"X-Symlink-Target": "c/data", "X-Symlink-Target-Etag": etag})
    r = await me.put(f"{A}/c/big?multipart-manifest=put", json=[{"path": "c/link", "etag": etag, "size_bytes": 4}, {"path": "c/static"}])
    assert r.status_code == 201, r.text
    assert (await me.get(f"{A}/c/big")).content == b"datadata"
    await me.put(f"{A}/c/data", content=b"DATA")
    assert (await me.get(f"{A}/c/big")).status_code == 409


async def test_manifests_in_manifests_have_an_end(me: httpx.AsyncClient) -> None:
    await big(me, "a")
    for depth in range(10):
        below = f"{depth - 1}" if depth else "big"
        assert (await me.put(f"{A}/c/{depth}?multipart-manifest=put", json=[{"path": f"c/{below}"}])).status_code == 201
    assert (await me.get(f"{A}/c/8")).content == b"aaa"
    assert (await me.get(f"{A}/c/9")).status_code == 409


async def test_copied_manifest_needs_segments_where_it_goes(me: httpx.AsyncClient) -> None:
    await big(me, "a", "bb")
    r = await me.request("COPY", f"{A}/c/big?multipart-manifest=get", headers={"Destination": "c/copy"})
    assert r.status_code == 201
    await me.delete(f"{A}/c/a")
    r = await me.request("COPY", f"{A}/c/big?multipart-manifest=get", headers={"Destination": "c/copy"})
    assert (r.status_code, "c/a, 404 Not Found" in r.text) == (400, True)


async def test_heartbeat_answers_at_once_and_tells_at_the_end(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/a", content=b"aaa")
    url = f"{A}/c/big?multipart-manifest=put&heartbeat=on"
    r = await me.put(url, json=[{"path": "c/a"}], headers={"Accept": "application/json"})
    assert (r.status_code, r.text.startswith(" ")) == (202, True)
    report = httpx.Response(200, text=r.text.strip()).json()
    assert (report["Response Status"], report["Errors"]) == ("201 Created", [])
    r = await me.put(url, json=[{"path": "c/a"}, {"path": "c/none"}])
    assert r.status_code == 202
    assert r.text.startswith(" \r\n\r\nResponse Body: Bad Request\n") and r.text.endswith("Errors:\nc/none, 404 Not Found\n")
    r = await me.put(f"{A}/c/big?multipart-manifest=put", json=[{"path": "c/none"}], headers={"Accept": "application/json"})
    assert (r.status_code, r.json()) == (400, {"Errors": [["c/none", "404 Not Found"]]})


async def test_copy_of_a_large_object_is_plain(me: httpx.AsyncClient) -> None:
    await big(me, "a", "bb")
    assert (await me.request("COPY", f"{A}/c/big", headers={"Destination": "c/plain"})).status_code == 201
    await me.delete(f"{A}/c/a")
    r = await me.get(f"{A}/c/plain")
    assert (r.content, r.headers["etag"]) == (b"aaabbbbbb", hashlib.md5(b"aaabbbbbb").hexdigest())
    assert "x-static-large-object" not in r.headers


async def test_copy_of_a_large_object_writes_no_blocks(me: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    block = 4 << 20
    data = [bytes([i]) * block for i in (1, 2, 3)]
    await me.put(f"{A}/c")
    for i, part in enumerate(data):
        await me.put(f"{A}/c/{i}", content=part if i < 2 else part[:1000])
    await me.put(f"{A}/c/big?multipart-manifest=put", json=[{"path": f"c/{i}"} for i in range(3)])
    written: list[int] = []
    put = MemoryDriver.put

    def count(self: MemoryDriver, space: Any, key: str, parts: Any, **how: Any) -> Any:
        written.append(sum(len(part) for part in parts))
        return put(self, space, key, parts, **how)

    monkeypatch.setattr(MemoryDriver, "put", count)
    assert (await me.request("COPY", f"{A}/c/big", headers={"Destination": "c/plain"})).status_code == 201
    assert (await me.request("COPY", f"{A}/c/plain", headers={"Destination": "c/again"})).status_code == 201
    assert sum(written) < 4096
    r = await me.get(f"{A}/c/again")
    whole = data[0] + data[1] + data[2][:1000]
    assert (r.content == whole, r.headers["etag"]) == (True, hashlib.md5(whole).hexdigest())
