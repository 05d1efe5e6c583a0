"""What `GET /info` names beyond the plain calls."""

import hashlib
import hmac
import io
import tarfile
import time

import httpx
import pytest

from synnefo_common.testing import Harness

A = f"/v1/AUTH_{Harness.project_id}"


@pytest.fixture
def me(h: Harness) -> httpx.AsyncClient:
    return h.as_member()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


async def test_info_needs_no_token(h: Harness) -> None:
    r = await h.anonymous().get("/info")
    assert r.status_code == 200
    assert r.json()["swift"]["max_file_size"] == 5368709122
    assert "tempurl" in r.json() and "s3api" not in r.json()


async def test_dynamic_large_object(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    for i in range(3):
        await me.put(f"{A}/c/seg/{i}", content=b"part%d-" % i)
    assert (await me.put(f"{A}/c/big", content=b"", headers={"X-Object-Manifest": "c/seg/"})).status_code == 201
    r = await me.get(f"{A}/c/big")
    assert r.content == b"part0-part1-part2-"
    assert r.headers["etag"] == '"' + md5("".join(md5(b"part%d-" % i) for i in range(3)).encode()) + '"'
    assert r.headers["x-object-manifest"] == "c/seg/"
    assert (await me.head(f"{A}/c/big")).headers["content-length"] == "18"
    assert (await me.get(f"{A}/c/big", headers={"Range": "bytes=4-8"})).content == b"0-par"
    assert (await me.get(f"{A}/c/big?multipart-manifest=get")).content == b""
    assert (await me.put(f"{A}/c/bad", content=b"", headers={"X-Object-Manifest": "nonsense"})).status_code == 400
    r = await me.put(f"{A}/c/flat", headers={"X-Copy-From": "c/big", "Content-Length": "0"})
    assert r.status_code == 201
    r = await me.get(f"{A}/c/flat")
    assert r.content == b"part0-part1-part2-" and "x-object-manifest" not in r.headers and r.headers["etag"] == md5(r.content)


async def test_static_large_object(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/s")
    parts = []
    for i in range(3):
        data = b"part%d-" % i
        await me.put(f"{A}/s/{i}", content=data)
        parts.append({"path": f"/s/{i}", "etag": md5(data), "size_bytes": len(data)})
    r = await me.put(f"{A}/c/big?multipart-manifest=put", json=parts)
    assert r.status_code == 201, r.text
    etag = '"' + md5("".join(p["etag"] for p in parts).encode()) + '"'  # type: ignore[misc]
    assert r.headers["etag"] == etag
    r = await me.get(f"{A}/c/big")
    assert (r.content, r.headers["etag"], r.headers["x-static-large-object"]) == (b"part0-part1-part2-", etag, "True")
    assert (await me.head(f"{A}/c/big")).headers["content-length"] == "18"
    assert (await me.get(f"{A}/c/big", headers={"Range": "bytes=5-12"})).content == b"-part1-p"
    r = await me.get(f"{A}/c/big?multipart-manifest=get")
    assert [p["name"] for p in r.json()] == ["/s/0", "/s/1", "/s/2"]
    raw = await me.get(f"{A}/c/big?multipart-manifest=get&format=raw")
    assert raw.json() == parts
    [row] = (await me.get(f"{A}/c?format=json")).json()
    assert row["bytes"] == 18 and row["slo_etag"] == etag
    r = await me.put(f"{A}/c/nest?multipart-manifest=put", json=[{"path": "c/big", "range": "6-11"}, {"path": "s/0"}])
    assert r.status_code == 201, r.text
    assert (await me.get(f"{A}/c/nest")).content == b"part1-part0-"
    r = await me.put(f"{A}/c/x?multipart-manifest=put", json=[{"path": "/s/none"}, {"path": "/s/0", "etag": "0" * 32}])
    assert r.status_code == 400 and "404 Not Found" in r.text and "Etag Mismatch" in r.text
    for bad in (
        "{}",
        "[]",
        "[1]",
        '[{"path": 1}]',
        '[{"path": "/s/0", "x": 1}]',
        "nonsense",
        '[{"path":"/s/0","range":"-"}]',
    ):
        assert (await me.put(f"{A}/c/x?multipart-manifest=put", content=bad)).status_code == 400, bad
    await me.put(f"{A}/s/2", content=b"other")
    assert (await me.get(f"{A}/c/big")).status_code == 409
    r = await me.delete(f"{A}/c/big?multipart-manifest=delete", headers={"Accept": "application/json"})
    assert r.json()["Number Deleted"] == 4, r.text
    assert (await me.get(f"{A}/s")).status_code == 204


async def test_bulk_delete(me: httpx.AsyncClient, h: Harness) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/a b", content=b"1")
    await me.put(f"{A}/c/é", content=b"1")
    body = "/c/a%20b\nc/%C3%A9\n/c/none\n\n/c\n"
    r = await me.post(f"{A}?bulk-delete", content=body, headers={"Accept": "application/json", "Content-Type": "text/plain"})
    assert r.status_code == 200
    assert r.json() == {
        "Number Deleted": 3,
        "Number Not Found": 1,
        "Response Body": "",
        "Response Status": "200 OK",
        "Errors": [],
    }
    await me.put(f"{A}/full")
    await me.put(f"{A}/full/o", content=b"1")
    r = await me.post(f"{A}?bulk-delete", content="/full", headers={"Accept": "application/json"})
    assert r.json()["Errors"] == [["/full", "409 Conflict"]] and r.json()["Response Status"] == "400 Bad Request"
    r = await h.as_project().post(f"{A}?bulk-delete", content="/full/o", headers={"Accept": "application/json"})
    assert r.json()["Errors"] == [["/full/o", "403 Forbidden"]]


async def test_extract_archive(me: httpx.AsyncClient) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("one/a", "one/b/c", "two/d"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))
    r = await me.put(f"{A}?extract-archive=tar.gz", content=buffer.getvalue(), headers={"Accept": "application/json"})
    assert r.json()["Number Files Created"] == 3, r.text
    assert (await me.get(f"{A}/one/b/c")).content == b"abc"
    r = await me.put(f"{A}/up/x?extract-archive=tar.gz", content=buffer.getvalue(), headers={"Accept": "application/json"})
    assert r.json()["Response Status"] == "201 Created"
    assert (await me.get(f"{A}/up/x/two/d")).content == b"abc"
    r = await me.put(f"{A}?extract-archive=tar", content=b"junk", headers={"Accept": "application/json"})
    assert r.json()["Response Status"] == "400 Bad Request"
    assert (await me.put(f"{A}?extract-archive=zip", content=b"junk")).status_code == 400


def sign(message: str, key: str, digest: str = "sha256") -> str:
    return hmac.new(key.encode(), message.encode(), digest).hexdigest()


def signed_url(method: str, path: str, until: int, key: str, digest: str = "sha256") -> str:
    signature = sign(f"{method}\n{until}\n{path}", key, digest)
    return f"{path}?temp_url_sig={signature}&temp_url_expires={until}"


async def test_temp_url(me: httpx.AsyncClient, h: Harness) -> None:
    nobody = h.anonymous()
    await me.put(f"{A}/c", headers={"X-Container-Meta-Temp-URL-Key": "ckey"})
    await me.post(A, headers={"X-Account-Meta-Temp-URL-Key": "akey"})
    await me.put(f"{A}/c/o", content=b"hello")
    until = int(time.time()) + 100
    for digest in ("sha1", "sha256", "sha512"):
        for key in ("akey", "ckey"):
            url = signed_url("GET", f"{A}/c/o", until, key, digest)
            r = await nobody.get(url)
            assert (r.status_code, r.content) == (200, b"hello")
    assert r.headers["content-disposition"] == "attachment; filename=\"o\"; filename*=UTF-8''o"
    assert (await nobody.head(url)).status_code == 200
    assert (await nobody.put(url, content=b"x")).status_code == 401
    assert (await nobody.get(url.replace("/c/o?", "/c/p?"))).status_code == 401
    assert (await nobody.put(signed_url("PUT", f"{A}/c/new", until, "akey"), content=b"x")).status_code == 201
    prefix = sign(f"GET\n{until}\nprefix:{A}/c/n", "ckey")
    assert (await nobody.get(f"{A}/c/new?temp_url_sig={prefix}&temp_url_expires={until}&temp_url_prefix=n")).status_code == 200
    assert (await nobody.get(f"{A}/c/o?temp_url_sig={prefix}&temp_url_expires={until}&temp_url_prefix=n")).status_code == 401
    assert (await nobody.get(signed_url("GET", f"{A}/c/o", until - 200, "akey"))).status_code == 401
    for bad in ("temp_url_sig=x", "temp_url_expires=1", "temp_url_sig=é&temp_url_expires=99999999999999999999"):
        assert (await nobody.get(f"{A}/c/o?{bad}")).status_code == 401


async def test_form_post(me: httpx.AsyncClient, h: Harness) -> None:
    nobody = h.anonymous()
    await me.put(f"{A}/c", headers={"X-Container-Meta-Temp-URL-Key": "ckey"})
    until = int(time.time()) + 100
    path = f"{A}/c/up_"
    fields = {"redirect": "", "max_file_size": "1000", "max_file_count": "2", "expires": str(until)}
    fields["signature"] = sign("\n".join([path, *fields.values()]), "ckey", "sha1")
    r = await nobody.post(path, data=fields, files=[("f1", ("a.txt", b"A" * 500, "text/plain")), ("f2", ("b.txt", b"", "text/plain"))])
    assert r.status_code == 201, r.text
    r = await me.get(f"{A}/c/up_a.txt")
    assert (r.content, r.headers["content-type"]) == (b"A" * 500, "text/plain")
    assert (await me.get(f"{A}/c/up_b.txt")).content == b""
    r = await nobody.post(path, data=fields, files=[("f1", ("big", b"A" * 1001))])
    assert r.status_code == 413
    assert (await me.head(f"{A}/c/up_big")).status_code == 404
    fields["expires"] = str(until + 1)
    assert (await nobody.post(path, data=fields, files=[("f1", ("a", b"A"))])).status_code == 401


async def test_symlinks(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"hello", headers={"X-Object-Meta-A": "1"})
    assert (await me.put(f"{A}/c/l", content=b"", headers={"X-Symlink-Target": "c/o"})).status_code == 201
    r = await me.get(f"{A}/c/l")
    assert (r.content, r.headers["content-location"], r.headers["x-object-meta-a"]) == (b"hello", f"{A}/c/o", "1")
    r = await me.get(f"{A}/c/l?symlink=get")
    assert (r.content, r.headers["x-symlink-target"]) == (b"", "c/o")
    assert (await me.post(f"{A}/c/l", headers={"X-Object-Meta-B": "1"})).status_code == 307
    assert (await me.put(f"{A}/c/l2", content=b"x", headers={"X-Symlink-Target": "c/o"})).status_code == 400
    assert (await me.put(f"{A}/c/l2", content=b"", headers={"X-Symlink-Target": "c"})).status_code == 412
    await me.put(f"{A}/c/x", content=b"", headers={"X-Symlink-Target": "c/y"})
    await me.put(f"{A}/c/y", content=b"", headers={"X-Symlink-Target": "c/x"})
    assert (await me.get(f"{A}/c/x")).status_code == 409
    static = {"X-Symlink-Target": "c/o", "X-Symlink-Target-Etag": md5(b"hello")}
    assert (await me.put(f"{A}/c/s", content=b"", headers=static)).status_code == 201
    assert (await me.get(f"{A}/c/s")).content == b"hello"
    await me.put(f"{A}/c/o", content=b"other")
    assert (await me.get(f"{A}/c/s")).status_code == 409
    assert (await me.delete(f"{A}/c/l")).status_code == 204
    assert (await me.get(f"{A}/c/o")).content == b"other"


async def test_static_web(me: httpx.AsyncClient, h: Harness) -> None:
    nobody = h.anonymous()
    web = {
        "X-Container-Read": ".r:*,.rlistings",
        "X-Container-Meta-Web-Index": "index.html",
        "X-Container-Meta-Web-Error": "error.html",
    }
    await me.put(f"{A}/c", headers=web)
    for name, data in {
        "index.html": b"front",
        "sub/index.html": b"sub",
        "404error.html": b"missing",
        "plain/x": b"x",
    }.items():
        await me.put(f"{A}/c/{name}", content=data)
    r = await nobody.get(f"{A}/c")
    assert (r.status_code, r.headers["location"]) == (301, f"http://testserver{A}/c/")
    assert (await nobody.get(f"{A}/c/")).content == b"front"
    assert (await nobody.get(f"{A}/c/sub/")).content == b"sub"
    assert (await nobody.get(f"{A}/c/sub")).status_code == 301
    r = await nobody.get(f"{A}/c/none")
    assert (r.status_code, r.content) == (404, b"missing")
    assert (await me.get(f"{A}/c?format=json")).json()
    await me.post(f"{A}/c", headers={"X-Container-Meta-Web-Listings": "true", "X-Remove-Container-Meta-Web-Index": "x"})
    r = await nobody.get(f"{A}/c/")
    assert r.status_code == 200 and "404error.html" in r.text and "sub/" in r.text
    assert (await nobody.get(f"{A}/c/plain/")).status_code == 200


async def test_versions(me: httpx.AsyncClient) -> None:
    await me.put(f"{A}/v")
    assert (await me.put(f"{A}/c", headers={"X-Versions-Location": "v"})).status_code == 201
    assert (await me.head(f"{A}/c")).headers["x-versions-location"] == "v"
    for i in range(3):
        assert (await me.put(f"{A}/c/o", content=b"%d" % i)).status_code == 201
    names = (await me.get(f"{A}/v")).text.splitlines()
    assert len(names) == 2 and all(n.startswith("001o/") for n in names)
    for i in (1, 0):
        assert (await me.delete(f"{A}/c/o")).status_code == 204
        assert (await me.get(f"{A}/c/o")).content == b"%d" % i
    assert (await me.delete(f"{A}/c/o")).status_code == 204
    assert (await me.get(f"{A}/c/o")).status_code == 404
    assert (await me.head(A)).headers["x-account-bytes-used"] == "0"
    await me.post(f"{A}/c", headers={"X-History-Location": "v"})
    shown = (await me.head(f"{A}/c")).headers
    assert shown["x-history-location"] == "v" and "x-versions-location" not in shown
    await me.put(f"{A}/c/o", content=b"1")
    assert (await me.delete(f"{A}/c/o")).status_code == 204
    assert (await me.get(f"{A}/c/o")).status_code == 404
    kinds = [e["content_type"] for e in (await me.get(f"{A}/v?format=json")).json()]
    assert len(kinds) == 2 and kinds[1] == "application/x-deleted;swift_versions_deleted=1"
    await me.post(f"{A}/c", headers={"X-Remove-History-Location": "x"})
    assert "x-history-location" not in (await me.head(f"{A}/c")).headers


async def test_quotas(me: httpx.AsyncClient, h: Harness) -> None:
    await me.put(f"{A}/c", headers={"X-Container-Meta-Quota-Bytes": "10", "X-Container-Meta-Quota-Count": "2"})
    assert (await me.put(f"{A}/c/a", content=b"x" * 8)).status_code == 201
    assert (await me.put(f"{A}/c/b", content=b"x" * 3)).status_code == 413
    assert (await me.put(f"{A}/c/a", content=b"x" * 10)).status_code == 201
    assert (await me.put(f"{A}/c/b", content=b"")).status_code == 201
    assert (await me.put(f"{A}/c/d", content=b"")).status_code == 413
    assert (await me.put(f"{A}/c", headers={"X-Container-Meta-Quota-Bytes": "many"})).status_code == 400
    assert (await me.post(A, headers={"X-Account-Meta-Quota-Bytes": "1"})).status_code == 403
    reseller = h.client(h.token("ResellerAdmin", project_id="0" * 32))
    assert (await reseller.post(A, headers={"X-Account-Meta-Quota-Bytes": "20"})).status_code == 204
    await me.put(f"{A}/free")
    assert (await me.put(f"{A}/free/a", content=b"x" * 11)).status_code == 413
    assert (await me.put(f"{A}/free/a", content=b"x" * 10)).status_code == 201
    assert (await me.head(A)).headers["x-account-quota-bytes"] == "20"


async def test_account_quotas_by_their_new_names(me: httpx.AsyncClient, h: Harness) -> None:
    reseller = h.client(h.token("ResellerAdmin", project_id="0" * 32))
    await me.put(f"{A}/c")
    for quota in ("Quota-Bytes", "Quota-Count", "Quota-Bytes-Policy-Policy-0", "Quota-Count-Policy-Policy-0"):
        set_it, remove_it = {f"X-Account-{quota}": "0"}, {f"X-Remove-Account-{quota}": "x"}
        assert (await me.post(A, headers=set_it)).status_code == 403
        assert (await reseller.post(A, headers={f"X-Account-{quota}": "few"})).status_code == 400
        assert (await reseller.post(A, headers=set_it)).status_code == 204
        assert (await me.get(A)).headers[f"x-account-{quota.lower()}"] == "0"
        assert (await me.put(f"{A}/c/o", content=b"x")).status_code == 413
        assert (await me.post(A, headers=remove_it)).status_code == 403
        assert (await reseller.post(A, headers=remove_it)).status_code == 204
        assert f"x-account-{quota.lower()}" not in (await me.head(A)).headers
        assert (await me.put(f"{A}/c/o", content=b"x")).status_code == 201
        await me.delete(f"{A}/c/o")
    assert (await me.post(A, headers={"X-Account-Meta-Quota-Count": "1"})).status_code == 204  # plain metadata


async def test_ledger_limit(me: httpx.AsyncClient, h: Harness) -> None:
    await h.quota.set_limits(h.project_id, {"object.bytes": 10})
    await me.put(f"{A}/c")
    assert (await me.put(f"{A}/c/a", content=b"x" * 8)).status_code == 201
    r = await me.put(f"{A}/c/b", content=b"x" * 8)
    assert r.status_code == 413 and "object.bytes" in r.text
    assert (await me.get(f"{A}/c/b")).status_code == 404


async def test_cors(me: httpx.AsyncClient, h: Harness) -> None:
    nobody = h.anonymous()
    meta = {
        "X-Container-Read": ".r:*",
        "X-Container-Meta-Access-Control-Allow-Origin": "http://a.example http://b.example",
    }
    await me.put(f"{A}/c", headers=meta)
    await me.put(f"{A}/c/o", content=b"hello")
    r = await nobody.get(f"{A}/c/o", headers={"Origin": "http://a.example"})
    assert r.headers["access-control-allow-origin"] == "http://a.example"
    assert "access-control-allow-origin" not in (await nobody.get(f"{A}/c/o", headers={"Origin": "http://x.example"})).headers
    ask = {"Origin": "http://b.example", "Access-Control-Request-Method": "PUT"}
    r = await nobody.options(f"{A}/c/o", headers=ask)
    assert r.status_code == 200 and r.headers["access-control-allow-origin"] == "http://b.example"
    assert (await nobody.options(f"{A}/c/o", headers=ask | {"Origin": "http://x.example"})).status_code == 401
