"""Changing an object in place: ranges, appending, cutting, parts of other objects; each change a version of its own."""

import asyncio
import os
import random

import pytest
from services.object.tests.pithos import DATA, B, P, S, object_hash, put

from synnefo_common.testing import Harness


async def test_ranges_append_and_truncate_follow_a_model(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    rng = random.Random(11)
    model = rng.randbytes(2 * B + 100)
    await put(me, f"{P}/c/o", model)
    for _ in range(25):
        offset = rng.choice([None, 0, min(B, len(model)), len(model), rng.randrange(len(model) + 1)])
        data = rng.randbytes(rng.choice([1, 100, B, B + 1]))
        cut = rng.choice([None, None, rng.randrange(len(model) + 1)])
        start = len(model) if offset is None else offset
        last = rng.choice([str(start + len(data) - 1), ""])
        headers = DATA | {"Content-Range": "bytes */*" if offset is None else f"bytes {offset}-{last}/*"}
        if cut is not None:
            headers["X-Object-Bytes"] = str(cut)
        r = await me.post(f"{P}/c/o?update", content=data, headers=headers)
        assert r.status_code == 204, r.text
        model = (model[:start] + data + model[start + len(data) :])[:cut]
        if len(model) > 6 * B:
            model = model[: 3 * B]
            r = await me.post(f"{P}/c/o?update", content=b"", headers=DATA | {"Content-Range": "bytes */*", "X-Object-Bytes": str(len(model))})
            assert r.status_code == 204
        assert r.headers["etag"] == object_hash(model)
    got = await me.get(f"{P}/c/o")
    assert got.content == model
    assert got.headers["x-object-hash"] == object_hash(model)
    assert got.headers["content-type"] == "text/plain"


async def test_parallel_appends_all_arrive(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/log", b"")
    lines = [b"line %03d\n" % i for i in range(20)]
    headers = DATA | {"Content-Range": "bytes */*"}
    answers = await asyncio.gather(*(me.post(f"{P}/c/log?update", content=line, headers=headers) for line in lines))
    assert {r.status_code for r in answers} == {204}
    assert sorted((await me.get(f"{P}/c/log")).content.splitlines(keepends=True)) == lines
    assert len((await me.get(f"{P}/c/log?version=list&format=json")).json()["versions"]) == 21


@pytest.mark.parametrize(
    ("content_range", "extra", "status"),
    [
        ("", {}, 400),
        ("bytes 11-/*", {}, 416),
        ("bytes 5-4/*", {}, 416),
        ("bytes x-y/*", {}, 416),
        ("bytes 0-3/99", {}, 416),
        ("bytes 8-11/10", {}, 416),
        ("bytes 0-9/*", {}, 400),  # four bytes come
        ("bytes 0-3/*", {"X-Object-Bytes": "-1"}, 400),
        ("bytes 0-3/*", {"X-Object-Bytes": "many"}, 400),
        ("bytes 0-3/10", {}, 204),
        ("bytes 10-/*", {}, 204),
    ],
)
async def test_ranges_that_cannot_be(h: Harness, content_range: str, extra: dict[str, str], status: int) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o", b"0123456789")
    headers = DATA | extra | ({"Content-Range": content_range} if content_range else {})
    assert (await me.post(f"{P}/c/o?update", content=b"abcd", headers=headers)).status_code == status
    if status != 204:
        assert (await me.get(f"{P}/c/o")).content == b"0123456789"


async def test_parts_of_other_objects_and_versions(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    source = os.urandom(2 * B + 3)
    old = (await put(me, f"{P}/c/source", source)).headers["x-object-version"]
    await put(me, f"{P}/c/source", b"new")
    await put(me, f"{P}/c/o", b"x" * B)
    headers = {"Content-Range": "bytes */*", "X-Source-Object": "/c/source", "X-Source-Version": old}
    assert (await me.post(f"{P}/c/o?update", headers=headers)).status_code == 204
    headers = {"Content-Range": f"bytes 0-{B}/*", "X-Source-Object": "/c/source", "X-Source-Version": old}
    assert (await me.post(f"{P}/c/o?update", headers=headers)).status_code == 204
    expected = source[: B + 1] + (b"x" * B + source)[B + 1 :]
    got = await me.get(f"{P}/c/o")
    assert got.content == expected and got.headers["x-object-hash"] == object_hash(expected)
    headers = {"Content-Range": "bytes 0-100/*", "X-Source-Object": "/c/source"}
    assert (await me.post(f"{P}/c/o?update", headers=headers)).status_code == 400  # longer than it is
    headers = {"Content-Range": "bytes */*", "X-Source-Object": "nowhere"}
    assert (await me.post(f"{P}/c/o?update", headers=headers)).status_code == 400
    headers = {"Content-Range": "bytes */*", "X-Source-Object": "/c/none"}
    assert (await me.post(f"{P}/c/o?update", headers=headers)).status_code == 404


async def test_conditions_on_updates(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    etag = (await put(me, f"{P}/c/o", b"one")).headers["etag"]
    headers = DATA | {"Content-Range": "bytes */*"}
    assert (await me.post(f"{P}/c/o?update", content=b"x", headers=headers | {"If-Match": '"other"'})).status_code == 412
    assert (await me.post(f"{P}/c/o?update", content=b"x", headers=headers | {"If-None-Match": etag})).status_code == 412
    answers = await asyncio.gather(*(me.post(f"{P}/c/o?update", content=b"x", headers=headers | {"If-Match": etag}) for _ in range(8)))
    assert sorted(r.status_code for r in answers) == [204] + [412] * 7
    assert (await me.get(f"{P}/c/o")).content == b"onex"


async def test_only_one_of_many_replaces_what_all_have_seen(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    etag = (await put(me, f"{P}/c/o", b"first")).headers["etag"]
    headers = {"If-Match": etag, "Content-Type": "text/plain"}
    answers = await asyncio.gather(*(me.put(f"{P}/c/o", content=b"%d" % i, headers=headers) for i in range(10)))
    assert sorted(r.status_code for r in answers) == [201] + [412] * 9


async def test_metadata_is_replaced_or_merged_and_makes_a_version(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    first = (await put(me, f"{P}/c/o", b"data", X_Object_Meta_A="1", X_Object_Meta_B="2")).headers
    r = await me.post(f"{P}/c/o?update", headers={"X-Object-Meta-B": "", "X-Object-Meta-C": "%CE%B1", "Content-Type": "text/plain"})
    assert r.status_code == 202 and int(r.headers["x-object-version"]) > int(first["x-object-version"])
    head = (await me.head(f"{P}/c/o")).headers
    assert {n: v for n, v in head.items() if n.startswith("x-object-meta-")} == {"x-object-meta-a": "1", "x-object-meta-c": "%CE%B1"}
    assert head["etag"] == first["etag"]
    assert (await me.get(f"{S}/c/o")).headers.raw.count((b"x-object-meta-c", "α".encode())) == 1  # as itself in Swift's spelling
    await me.post(f"{P}/c/o", headers={"X-Object-Meta-D_E": "4"})
    head = (await me.head(f"{P}/c/o")).headers
    assert {n for n in head if n.startswith("x-object-meta-")} == {"x-object-meta-d-e"}
    old = (await me.head(f"{P}/c/o?version={first['x-object-version']}")).headers
    assert old["x-object-meta-b"] == "2"


async def test_swift_clients_post_makes_no_version(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{S}/c")
    await me.put(f"{S}/c/o", content=b"data")
    before = (await me.head(f"{S}/c/o")).headers["x-object-version"]
    assert (await me.post(f"{S}/c/o", headers=DATA | {"X-Object-Meta-A": "1"})).status_code == 202
    head = (await me.head(f"{S}/c/o")).headers
    assert (head["x-object-version"], head["x-object-meta-a"], head["content-length"]) == (before, "1", "4")


async def test_quota_holds_for_what_grows(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c", headers={"X-Container-Policy-Quota": "20", "X-Container-Policy-Versioning": "none"})
    await put(me, f"{P}/c/o", b"0123456789")
    headers = DATA | {"Content-Range": "bytes */*"}
    assert (await me.post(f"{P}/c/o?update", content=b"x" * 10, headers=headers)).status_code == 204
    assert (await me.post(f"{P}/c/o?update", content=b"x", headers=headers)).status_code == 413
    assert (await me.post(f"{P}/c/o?update", content=b"y", headers=DATA | {"Content-Range": "bytes 0-0/*"})).status_code == 204
    assert (await me.head(f"{P}/c")).headers["x-container-bytes-used"] == "20"
