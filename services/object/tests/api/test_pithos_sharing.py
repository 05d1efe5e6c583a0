"""Sharing with users and groups, what lies below shared directories, what others see, and public links."""

import hmac

import pytest
from services.object.tests.pithos import DATA, DIRECTORY, OTHER, B, P, S, names, put

from synnefo_common.testing import Harness

YOU = Harness.other_user_id


async def test_reading_and_writing_by_user_group_and_everybody(h: Harness) -> None:
    me, you = h.as_member(), h.as_project()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o", b"data")
    assert (await me.post(f"{P}", headers={"X-Account-Group-Team": f"somebody,{YOU}"})).status_code == 202
    append = DATA | {"Content-Range": "bytes */*"}
    for sharing, may_read, may_write in (
        ("", False, False),
        ("read=nobody", False, False),
        (f"read={YOU}", True, False),
        (f"write={YOU}", True, True),
        ("read=*", True, False),
        ("read=a,b; write=*", True, True),
        (f"read={Harness.project_id}:team", True, False),
        (f"write=AUTH_{Harness.project_id}:Team", True, True),
        (f"write={Harness.other_project_id}", True, True),
        (f"read={Harness.project_id}:none", False, False),
    ):
        assert (await me.post(f"{P}/c/o?update", headers={"X-Object-Sharing": sharing})).status_code == 202, sharing
        for spelling in (P, S):
            assert (await you.get(f"{spelling}/c/o")).status_code == (200 if may_read else 403), sharing
            assert (await you.head(f"{spelling}/c/o")).status_code == (200 if may_read else 403), sharing
        assert (await you.get(f"{P}/c/o?hashmap")).status_code == (200 if may_read else 403)
        assert (await you.get(f"{P}/c/o?version=list&format=json")).status_code == (200 if may_read else 403)
        r = await you.post(f"{P}/c/o?update", content=b"x", headers=append)
        assert r.status_code == (204 if may_write else 403), sharing
        assert (await you.delete(f"{P}/c/o")).status_code == 403
        assert (await you.delete(f"{S}/c/o")).status_code == 403
        assert (await you.post(f"{P}/c/o?update", headers={"X-Object-Sharing": "read=*"})).status_code == 403
        assert (await you.post(f"{P}/c/o?update", headers={"X-Object-Public": "true"})).status_code == 403
        assert (await h.anonymous().get(f"{P}/c/o")).status_code == 401
        if may_read:
            head = (await you.head(f"{P}/c/o")).headers
            assert head["x-object-allowed-to"] == ("write" if may_write else "read") and "x-object-sharing" not in head
    await me.post(f"{P}/c/o?update", headers={"X-Object-Sharing": f"write={YOU}"})
    await you.post(f"{P}/c/o?update", content=b"x", headers=append)
    head = (await me.head(f"{P}/c/o")).headers
    assert (head["x-object-modified-by"], head["x-object-sharing"]) == (YOU, f"write={YOU}")


async def test_the_nearest_directory_counts(h: Harness) -> None:
    me, you = h.as_member(), h.as_project()
    await me.put(f"{P}/c")
    for name in ("d", "d/e", "d/e/f"):
        await me.put(f"{P}/c/{name}", headers=DIRECTORY)
    await put(me, f"{P}/c/plain")  # no directory: shares nothing below it
    for name in ("d/1", "d/e/2", "d/e/f/3", "d/own", "d!", "d0", "plain/4", "d/e-x"):
        await put(me, f"{P}/c/{name}", name.encode())

    async def share(name: str, value: str) -> None:
        assert (await me.post(f"{P}/c/{name}?update", headers={"X-Object-Sharing": value})).status_code == 202

    async def seen() -> list[str]:
        by_get = [n for n in all_names if (await you.get(f"{P}/c/{n}")).status_code == 200]
        listed = await you.get(f"{P}/c?format=json")
        by_list = [row["name"] for row in listed.json()] if listed.status_code == 200 else []
        assert by_get == by_list
        return by_list

    all_names = await names(me, f"{P}/c")
    await share("d", f"read={YOU}")
    await share("plain", f"read={YOU}")
    assert await seen() == ["d", "d/1", "d/e", "d/e-x", "d/e/2", "d/e/f", "d/e/f/3", "d/own", "plain"]
    await share("d/e", "read=nobody")
    await share("d/e/f", f"write={YOU}")
    await share("d/own", "read=nobody")
    await share("d/e-x", "read=nobody")
    assert await seen() == ["d", "d/1", "d/e/f", "d/e/f/3", "plain"]
    head = (await me.head(f"{P}/c/d/e/2")).headers
    assert (head["x-object-sharing"], head["x-object-shared-by"]) == ("read=nobody", f"{Harness.project_id}/c/d/e")
    assert await names(you, f"{P}/c?delimiter=/") == ["d", "d/", "plain"]
    assert await names(you, f"{P}/c?prefix=d&delimiter=/") == ["d/1", "d/e/"]
    assert await names(you, f"{P}/c?limit=2&marker=d/1") == ["d/e/f", "d/e/f/3"]
    # In a directory that others may write to they may make objects, and these are the owner's.
    assert (await you.put(f"{P}/c/d/e/f/new", content=b"x", headers=DATA)).status_code == 201
    assert (await you.put(f"{P}/c/d/new", content=b"x", headers=DATA)).status_code == 403
    assert await names(me, f"{P}/c?shared") == ["d", "d/1", "d/e", "d/e-x", "d/e/2", "d/e/f", "d/e/f/3", "d/e/f/new", "d/own", "plain"]


async def test_what_is_shared_with_me(h: Harness) -> None:
    me, you = h.as_member(), h.as_project()
    for container in ("a", "b"):
        await me.put(f"{P}/{container}")
        await put(me, f"{P}/{container}/o")
    assert (await you.get("/v1/")).status_code == 204
    assert (await you.get(P)).status_code == 403
    assert (await you.get(f"{P}/b")).status_code == 403
    await me.post(f"{P}/b/o?update", headers={"X-Object-Sharing": f"read={YOU}"})
    assert (await you.get("/v1/")).text == f"{Harness.project_id}\n"
    assert [a["name"] for a in (await you.get("/v1/?format=json")).json()] == [Harness.project_id]
    assert f"<name>{Harness.project_id}</name>" in (await you.get("/v1/?format=xml")).text
    r = await you.get(f"{P}?format=json")
    assert [c["name"] for c in r.json()] == ["b"] and "bytes" not in r.json()[0] and "x-account-bytes-used" not in r.headers
    r = await you.get(f"{P}/b?format=json")
    assert [o["name"] for o in r.json()] == ["o"] and r.json()[0]["x_object_allowed_to"] == "read"
    assert "x-container-bytes-used" not in r.headers and r.headers["x-container-block-size"] == str(B)
    assert (await you.get(f"{P}?until=1")).status_code == 403
    assert (await you.get(f"{P}/b?public")).status_code == 403
    assert await names(me, f"{P}?shared") == ["b"]
    assert (await h.anonymous().get("/v1/")).status_code == 401
    # What is deleted and made anew is another object.
    await me.delete(f"{P}/b/o")
    assert (await you.get("/v1/")).status_code == 204
    await put(me, f"{P}/b/o")
    assert (await you.get(f"{P}/b/o")).status_code == 403


async def test_sharing_does_not_follow_copies_and_moves(h: Harness) -> None:
    me, you = h.as_member(), h.as_project()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o", X_Object_Sharing=f"read={YOU}", X_Object_Public="true")
    link = (await me.head(f"{P}/c/o")).headers["x-object-public"]
    await me.request("COPY", f"{P}/c/o", headers={"Destination": "/c/copy"})
    assert (await you.get(f"{P}/c/copy")).status_code == 403
    await me.request("MOVE", f"{P}/c/o", headers={"Destination": "/c/moved"})
    await me.request("MOVE", f"{P}/c/moved", headers={"Destination": "/c/o"})
    assert (await you.get(f"{P}/c/o")).status_code == 403
    assert (await you.get(link)).status_code == 404


@pytest.mark.parametrize("value", ["read", "read=", "all=x", "read=a;b", "read=:x", "read=x:", "read=a:b:c", "read=" + ",".join(map(str, range(33)))])
async def test_sharing_headers_that_are_none(h: Harness, value: str) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o")
    assert (await me.post(f"{P}/c/o?update", headers={"X-Object-Sharing": value})).status_code == 400
    assert "x-object-sharing" not in (await me.head(f"{P}/c/o")).headers


async def test_groups_are_set_merged_and_limited(h: Harness) -> None:
    me = h.as_member()
    await me.post(P, headers={"X-Account-Group-A": "x,y", "X-Account-Group-B": "z"})
    head = (await me.head(P)).headers
    assert (head["x-account-group-a"], head["x-account-group-b"]) == ("x,y", "z")
    await me.post(f"{P}?update", headers={"X-Account-Group-A": "", "X-Account-Group-C": "z"})
    assert {n for n in (await me.head(P)).headers if n.startswith("x-account-group")} == {"x-account-group-b", "x-account-group-c"}
    await me.post(P, headers={"X-Account-Group-D": "z"})
    assert {n for n in (await me.head(P)).headers if n.startswith("x-account-group")} == {"x-account-group-d"}
    assert (await me.post(P, headers={"X-Account-Group-E": ",".join(f"u{i}" for i in range(33))})).status_code == 400
    assert (await me.post(f"{P}?update", headers={f"X-Account-Group-G{i}": "u" for i in range(32)})).status_code == 400
    assert (await h.as_project().post(P, headers={"X-Account-Group-E": "x"})).status_code == 403


async def test_public_links(h: Harness) -> None:
    me, nobody = h.as_member(), h.anonymous()
    await me.put(f"{P}/c")
    data = b"0123456789"
    await put(me, f"{P}/c/o", data, X_Object_Public="true", X_Object_Meta_Secret="s", Content_Disposition="attachment; filename=x")
    link = (await me.head(f"{P}/c/o")).headers["x-object-public"]
    assert link.startswith("/public/") and len(link) >= len("/public/") + 16
    r = await nobody.get(link)
    assert (r.status_code, r.content) == (200, data)
    assert not [n for n in r.headers if n.startswith("x-object-")] and r.headers["content-disposition"] == "attachment; filename=x"
    assert (await nobody.get(f"{link}?disposition-type=inline")).headers["content-disposition"] == "inline"
    assert (await nobody.get(link, headers={"Range": "bytes=2-3"})).content == b"23"
    assert (await nobody.get(link, headers={"Range": "bytes=20-"})).status_code == 416
    parts = await nobody.get(link, headers={"Range": "bytes=0-1,4-5"})
    assert parts.status_code == 206 and parts.headers["content-type"].startswith("multipart/byteranges")
    etag = r.headers["etag"]
    assert (await nobody.get(link, headers={"If-None-Match": etag})).status_code == 304
    assert (await nobody.get(link, headers={"If-Match": '"x"'})).status_code == 412
    assert (await nobody.head(link)).headers["content-length"] == "10"
    assert (await nobody.put(link, content=b"x")).status_code == 405
    # It stays through new data and being set again, and every logged-in user may read the object itself.
    await put(me, f"{P}/c/o", b"new", X_Object_Public="true")
    assert (await nobody.get(link)).content == b"new"
    assert (await h.as_project().get(f"{P}/c/o")).content == b"new"
    assert (await h.as_project().get(f"{P}/c")).status_code == 403  # but is not told of it
    assert await names(me, f"{P}/c?public") == ["o"] and await names(me, f"{P}?public") == ["c"]
    assert (await me.get(f"{P}/c?format=json")).json()[0]["x_object_public"] == link
    assert (await me.post(f"{P}/c/o?update", headers={"X-Object-Public": "false"})).status_code == 202
    assert (await nobody.get(link)).status_code == 404
    await me.post(f"{P}/c/o?update", headers={"X-Object-Public": "true"})
    again = (await me.head(f"{P}/c/o")).headers["x-object-public"]
    assert again != link
    await me.delete(f"{P}/c/o")
    assert (await nobody.get(again)).status_code == 404
    assert (await me.put(f"{P}/c/o", content=b"x", headers=DATA | {"X-Object-Public": "maybe"})).status_code == 400
    for wrong in ("/public/", "/public/%00", "/public/x/y", "/public/%FF"):
        assert (await nobody.get(wrong)).status_code == 404


async def test_other_account_cannot_be_changed(h: Harness) -> None:
    you = h.as_project()
    await h.as_member().put(f"{P}/c")
    assert (await you.put(f"{P}/x")).status_code == 403
    assert (await you.post(f"{P}/c", headers={"X-Container-Meta-A": "1"})).status_code == 403
    assert (await you.post(f"{P}/c", content=b"block", headers=DATA)).status_code == 403
    assert (await you.delete(f"{P}/c?delimiter=/")).status_code == 403
    assert (await you.delete(f"{P}/c?until=1")).status_code == 403
    assert (await you.head(OTHER)).status_code == 204


async def test_a_signed_url_opens_no_history_and_takes_nothing_from_others(h: Harness) -> None:
    me, nobody = h.as_member(), h.anonymous()
    await me.put(f"{S}/c", headers={"X-Versions-Enabled": "true"})
    await put(me, f"{S}/c/o", b"old")
    version = (await me.head(f"{S}/c/o")).headers["x-object-version"]
    await put(me, f"{S}/c/o", b"new")
    await put(me, f"{S}/c/o/secret", b"secret")
    await me.post(S, headers={"X-Account-Meta-Temp-URL-Key": "key"})

    def signed(method: str) -> dict[str, str]:
        expires = str(h.clock.now_us() // 1_000_000 + 600)
        message = f"{method}\n{expires}\n{S}/c/o".encode()
        return {"temp_url_sig": hmac.new(b"key", message, "sha256").hexdigest(), "temp_url_expires": expires}

    assert (await nobody.get(f"{S}/c/o", params=signed("GET"))).content == b"new"
    assert (await nobody.get(f"{S}/c/o", params=signed("GET") | {"version": version})).content == b"new"
    assert (await nobody.get(f"{S}/c/o", params=signed("GET") | {"version": "list", "format": "json"})).status_code == 401
    for header in ("X-Move-From", "X-Copy-From"):
        r = await nobody.put(f"{S}/c/o", params=signed("PUT") | {"delimiter": "/"}, headers={header: "/c/o/secret"})
        assert r.status_code in (400, 401)
    source = {"X-Source-Object": "/c/o/secret", "Content-Range": "bytes */*"}
    assert (await nobody.post(f"{S}/c/o", params=signed("POST") | {"update": ""}, headers=source)).status_code == 401
    assert (await nobody.post(f"{S}/c/o", params=signed("POST") | {"update": ""}, headers={"X-Object-Public": "true"})).status_code == 401
    assert (await nobody.delete(f"{S}/c/o", params=signed("DELETE") | {"delimiter": "/"})).status_code == 401
    assert (await nobody.delete(f"{S}/c/o", params=signed("DELETE") | {"until": "9999999999"})).status_code == 401
    assert (await me.get(f"{S}/c/o/secret")).content == b"secret"
