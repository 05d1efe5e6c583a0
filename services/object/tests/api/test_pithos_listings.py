"""Listings, metadata queries, containers and accounts as Pithos has them; conditions, formats, and bad input."""

import xml.etree.ElementTree as ET

import pytest
from services.object.tests.pithos import DATA, B, P, S, names, object_hash, put

from synnefo_common.db.recorder import record_queries
from synnefo_common.testing import Harness


async def test_json_and_xml_tell_all_of_an_object(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o <&>", b"data", X_Object_Sharing="read=*", X_Object_Public="true")
    await put(me, f"{P}/c/z", b"")
    row = (await me.get(f"{P}/c?format=json")).json()[0]
    head = (await me.head(f"{P}/c/o <&>")).headers
    assert {k: row[k] for k in ("name", "bytes", "hash", "content_type", "x_object_hash")} == {
        "name": "o <&>", "bytes": 4, "hash": head["etag"], "content_type": "text/plain", "x_object_hash": object_hash(b"data"),
    }  # fmt: skip
    assert str(row["x_object_version"]) == head["x-object-version"] and row["x_object_uuid"] == head["x-object-uuid"]
    assert row["x_object_version_timestamp"] == head["x-object-version-timestamp"]
    assert (row["x_object_modified_by"], row["x_object_sharing"], row["x_object_public"]) == (h.user_id, "read=*", head["x-object-public"])
    tree = ET.fromstring((await me.get(f"{P}/c?format=xml")).content)
    assert tree.attrib["name"] == "c"
    assert {e.tag: e.text for e in tree[0]} == {k: str(v) for k, v in row.items()}
    assert (await me.get(f"{P}/c")).text == "o <&>\nz\n"
    # Swift's listing has Swift's keys and no others (of versions it shows the links behind which Swift keeps them).
    await me.put(f"{S}/plain")
    await me.put(f"{S}/plain/o", content=b"data")
    assert set((await me.get(f"{S}/plain?format=json")).json()[0]) == {"bytes", "content_type", "hash", "last_modified", "name"}


async def test_pseudo_hierarchy(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    for name in ("photos/animals/cat", "photos/animals/dog", "photos/me", "photos/", "photos", "plain"):
        await put(me, f"{P}/c/{name}")
    assert await names(me, f"{P}/c?delimiter=/") == ["photos", "photos/", "plain"]
    assert await names(me, f"{P}/c?prefix=photos&delimiter=/") == ["photos/", "photos/animals/", "photos/me"]
    assert await names(me, f"{P}/c?prefix=/photos/a") == ["photos/animals/cat", "photos/animals/dog"]
    assert (await me.get(f"{P}/c?path=photos")).text.split() == ["photos/", "photos/me"]
    assert await names(me, f"{P}/c?limit=2&marker=photos/animals/cat") == ["photos/animals/dog", "photos/me"]
    assert (await me.get(f"{P}/c?limit=10001")).status_code == 412


async def test_metadata_queries(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    for name, quality, stock in (("apple", "high", "3"), ("pear", "low", "1"), ("grape", "", "2"), ("dir/fig", "high", "")):
        headers = {f"X_Object_Meta_{key}": value for key, value in (("Quality", quality), ("Stock", stock)) if value}
        await put(me, f"{P}/c/{name}", b"data", **headers)
    await put(me, f"{P}/c/plain")

    async def found(query: str) -> list[str]:
        r = await me.get(f"{P}/c", params={"meta": query, "format": "json"})
        assert r.status_code == 200, r.text
        return [row["name"] for row in r.json()]

    assert await found("quality") == ["apple", "dir/fig", "pear"]
    assert await found("!Quality") == ["grape", "plain"]
    assert await found("Quality=high") == ["apple", "dir/fig"]
    assert await found("Quality!=high") == ["pear"]
    assert await found("quality, stock>=2") == ["apple"]
    assert await found("stock>1") == ["apple", "grape"]
    assert await found("stock<=1") == ["pear"]
    assert await found("!stock, quality") == ["dir/fig"]
    assert await names(me, f"{P}/c?meta=quality&delimiter=/") == ["apple", "dir/", "pear"]
    assert await names(me, f"{P}/c?meta=quality&limit=1&marker=apple") == ["dir/fig"]
    for wrong in ("quality'", '"', "a b", "$.x", "=x", "!", ",".join("abcdefghijklmnopqrstuvwxyzabcdefghijklmn")):
        assert (await me.get(f"{P}/c", params={"meta": wrong})).status_code == 400, wrong


async def test_a_listing_costs_the_same_statements_whatever_its_length(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    counts = []
    for more in (3, 30):
        for i in range(more):
            await put(me, f"{P}/c/{more}-{i:03}/x", X_Object_Sharing="read=*")
        for query in ("", "delimiter=/", "meta=a", "shared", "until=99999999999"):
            with record_queries() as queries:
                assert (await me.get(f"{P}/c?format=json&{query}")).status_code == 200
            counts.append(len(queries.statements))
    assert counts[:5] == counts[5:]


async def test_containers_and_their_policy(h: Harness) -> None:
    me = h.as_member()
    assert (await me.put(f"{P}/c", headers={"X-Container-Meta-A": "%CE%B1", "X-Container-Policy-Quota": "1000"})).status_code == 201
    assert (await me.put(f"{P}/c", headers={"X-Container-Meta-B": "2"})).status_code == 202
    head = (await me.head(f"{P}/c")).headers
    assert (head["x-container-meta-a"], head["x-container-meta-b"]) == ("%CE%B1", "2")
    assert (head["x-container-policy-quota"], head["x-container-policy-versioning"]) == ("1000", "auto")
    assert (head["x-container-block-size"], head["x-container-block-hash"]) == (str(B), "sha256")
    assert (await me.post(f"{P}/c?update", headers={"X-Container-Meta-A": ""})).status_code == 202
    assert "x-container-meta-a" not in (await me.head(f"{P}/c")).headers
    assert (await me.post(f"{P}/c", headers={"X-Container-Meta-C": "3"})).status_code == 202
    head = (await me.head(f"{P}/c")).headers
    assert "x-container-meta-b" not in head and head["x-container-policy-quota"] == "1000"
    r = await me.put(f"{P}/c/o", content=b"x" * 1001, headers=DATA)
    assert r.status_code == 413
    assert (await me.post(f"{P}/c?update", headers={"X-Container-Policy-Quota": ""})).status_code == 202
    assert (await me.put(f"{P}/c/o", content=b"x" * 1001, headers=DATA)).status_code == 201
    for name, value in (("Quota", "many"), ("Quota", "-1"), ("Versioning", "x"), ("Color", "red")):
        assert (await me.post(f"{P}/c?update", headers={f"X-Container-Policy-{name}": value})).status_code == 400
    [row] = (await me.get(f"{P}?format=json")).json()
    assert (row["name"], row["count"], row["bytes"], row["x_container_policy"]) == ("c", 1, 1001, {"quota": "0", "versioning": "auto"})
    tree = ET.fromstring((await me.get(f"{P}?format=xml")).content)
    assert [e.text for e in tree[0].find("x_container_policy") or ()] == ["quota", "0", "versioning", "auto"]
    assert (await me.get(P)).text == "c\n"


async def test_account_metadata(h: Harness) -> None:
    me = h.as_member()
    assert (await me.get(P)).status_code == 204
    assert (await me.post(P, headers={"X-Account-Meta-A": "1", "X-Account-Meta-B": "2"})).status_code == 202
    assert (await me.post(f"{P}?update", headers={"X-Account-Meta-B": "", "X-Account-Meta-C": "3"})).status_code == 202
    head = await me.head(P)
    assert head.status_code == 204
    assert {n for n in head.headers if n.startswith("x-account-meta")} == {"x-account-meta-a", "x-account-meta-c"}
    assert (await me.post(P, headers={"X-Account-Meta-D": "4"})).status_code == 202
    assert {n for n in (await me.head(P)).headers if n.startswith("x-account-meta")} == {"x-account-meta-d"}
    assert (await me.head(S)).headers["x-account-meta-d"] == "4"


async def test_conditions_of_time_hold_on_every_level(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o")
    past, future = "Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 01 Jan 2099 00:00:00 GMT"
    for path in (P, f"{P}/c", f"{P}/c/o"):
        assert (await me.head(path, headers={"If-Modified-Since": future})).status_code == 304
        assert (await me.get(path, headers={"If-Modified-Since": past})).status_code == 200
        assert (await me.get(path, headers={"If-Modified-Since": "never"})).status_code == 200
        assert (await me.get(path, headers={"If-Unmodified-Since": past})).status_code == 412
        assert (await me.get(path, headers={"If-Unmodified-Since": future})).status_code == 200


async def test_uploads_as_pithos_wants_them(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    assert (await me.put(f"{P}/c/o", content=b"x")).status_code == 411  # no Content-Type
    assert (await me.put(f"{S}/c/o", content=b"x")).status_code == 201  # Swift does without
    assert (await me.put(f"{P}/c/o", content=b"x", headers=DATA | {"ETag": "0" * 32})).status_code == 422
    r = await me.put(f"{P}/c/o", content=b"x", headers=DATA)
    head = (await me.head(f"{P}/c/o")).headers
    assert r.headers["x-object-version"] == head["x-object-version"] and r.headers["etag"] == head["etag"]
    assert (await me.put(f"{P}/c/o", content=b"x", headers=DATA | {"If-None-Match": "*"})).status_code == 412
    assert (await me.put(f"{P}/c/o", content=b"x", headers=DATA | {"If-None-Match": r.headers["etag"]})).status_code == 412
    assert (await me.put(f"{P}/c/o", content=b"x", headers=DATA | {"If-None-Match": head["x-object-hash"]})).status_code == 412
    assert (await me.put(f"{P}/c/o", content=b"x", headers=DATA | {"If-Match": '"other"'})).status_code == 412
    assert (await me.put(f"{P}/none/o", content=b"x", headers=DATA)).status_code == 404
    await put(me, f"{P}/c/part1", b"ab")
    await put(me, f"{P}/c/part2", b"cd")
    await put(me, f"{P}/c/whole", b"", X_Object_Manifest="c/part")
    got = await me.get(f"{P}/c/whole")
    assert got.content == b"abcd" and got.headers["x-object-manifest"] == "c/part"
    await me.post(f"{P}/c/whole?update", headers={"X-Object-Public": "true"})
    link = (await me.head(f"{P}/c/whole")).headers["x-object-public"]
    assert (await h.anonymous().get(link)).content == b"abcd"


@pytest.mark.parametrize("name", ["ñandú/καλημέρα", "a b?c#d%", "日本語", "trailing ", "/lead", "a\nb", "~'\"<>&"])
async def test_names_of_any_script_and_sign(h: Harness, name: str) -> None:
    from urllib.parse import quote

    me = h.as_member()
    container, path = quote("κουτί"), quote(name)
    await me.put(f"{P}/{container}")
    await put(me, f"{P}/{container}/{path}", b"x")
    assert await names(me, f"{P}/{container}") == [name]
    assert (await me.post(f"{P}/{container}/{path}?update", headers={"X-Object-Sharing": quote("read=αλίκη,βασίλης", safe="=,")})).status_code == 202
    r = await me.request("MOVE", f"{P}/{container}/{path}", headers={"Destination": f"/{container}/{quote('νέο/' + name)}"})
    assert r.status_code == 201, r.text
    assert (await me.get(f"{P}/{container}/{quote('νέο/' + name)}?version=list&format=xml")).status_code == 200


async def test_swifts_extensions_work_in_pithos_spelling(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o", b"x")
    assert (await me.put(f"{P}/c/link", headers=DATA | {"X-Symlink-Target": "c/o"})).status_code == 201
    assert (await me.get(f"{P}/c/link")).content == b"x"
    r = await me.post(f"{P}?bulk-delete", content=b"/c/o\n/c/link\n", headers={"Content-Type": "text/plain"})
    assert r.status_code == 200
    assert await names(me, f"{P}/c") == []


async def test_html_form_with_a_token(h: Harness) -> None:
    me, nobody = h.as_member(), h.anonymous()
    await me.put(f"{P}/c")
    token = me.headers["X-Auth-Token"]
    r = await nobody.post(f"{P}/c/o", params={"X-Auth-Token": token}, files={"X-Object-Data": ("name", b"data", "image/png")})
    head = (await me.head(f"{P}/c/o")).headers
    assert (r.status_code, r.text, head["content-type"]) == (201, head["etag"], "image/png")
    assert (await nobody.post(f"{P}/c/o", params={"X-Auth-Token": "x"}, files={"X-Object-Data": b"new"})).status_code == 401
    assert (await nobody.post(f"{P}/c/o", params={"X-Auth-Token": token}, files={"Other": b"new"})).status_code == 400
    assert (await me.get(f"{P}/c/o")).content == b"data"
