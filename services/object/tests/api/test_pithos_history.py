"""What was: versions of objects, how a container was at a time, and taking history away."""

import asyncio

import pytest
from services.object.tests.pithos import DATA, P, S, names, put

from synnefo_common.testing import Harness


async def versions(me: object, path: str) -> list[int]:
    r = await me.get(f"{path}?version=list&format=json")  # type: ignore[attr-defined]
    assert r.status_code == 200, r.text
    return [version for version, _ in r.json()["versions"]]


def now(h: Harness) -> str:
    return f"{h.clock.now_us() / 1_000_000:.6f}"


async def test_every_version_can_be_read(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    made = [(await put(me, f"{P}/c/o", body)).headers["x-object-version"] for body in (b"one", b"second", b"3")]
    assert await versions(me, f"{P}/c/o") == [int(v) for v in made]
    for version, body in zip(made, (b"one", b"second", b"3"), strict=True):
        r = await me.get(f"{P}/c/o?version={version}")
        assert (r.content, r.headers["x-object-version"], r.headers["content-length"]) == (body, version, str(len(body)))
        assert (await me.get(f"{P}/c/o?version={version}", headers={"Range": "bytes=0-0"})).content == body[:1]
        assert (await me.get(f"{P}/c/o?hashmap&version={version}")).json()["bytes"] == len(body)
        assert (await me.head(f"{S}/c/o?version={version}")).headers["etag"] == r.headers["etag"]
    xml = (await me.get(f"{P}/c/o?version=list&format=xml")).text
    assert xml.count("<version timestamp=") == 3
    assert (await me.get(f"{P}/c/o?version=list")).status_code == 400
    for wrong in ("1", "0", "x", "-1", "99999999999999999999", "%00"):
        assert (await me.get(f"{P}/c/o?version={wrong}")).status_code in (400, 404)


async def test_uuid_stays_through_changes_and_history_outlives_deletion(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o", b"one")
    uuid = (await me.head(f"{P}/c/o")).headers["x-object-uuid"]
    await put(me, f"{P}/c/o", b"two")
    assert (await me.head(f"{P}/c/o")).headers["x-object-uuid"] == uuid
    seen = await versions(me, f"{P}/c/o")
    assert (await me.delete(f"{P}/c/o")).status_code == 204
    assert (await me.get(f"{P}/c/o")).status_code == 404
    assert await versions(me, f"{P}/c/o") == seen
    restored = await me.put(f"{P}/c/o", headers={"X-Copy-From": "/c/o", "X-Source-Version": str(seen[0])})
    assert restored.status_code == 201, restored.text
    r = await me.get(f"{P}/c/o")
    assert r.content == b"one" and r.headers["x-object-uuid"] != uuid


async def test_restore_by_copy_onto_itself(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    old = (await put(me, f"{P}/c/o", b"good", X_Object_Meta_A="1")).headers["x-object-version"]
    await put(me, f"{P}/c/o", b"bad")
    r = await me.request("COPY", f"{P}/c/o", headers={"Destination": "/c/o", "X-Source-Version": old})
    assert r.status_code == 201
    got = await me.get(f"{P}/c/o")
    assert (got.content, got.headers["x-object-meta-a"]) == (b"good", "1")
    assert len(await versions(me, f"{P}/c/o")) == 3


async def test_a_container_as_it_was(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    before = now(h)
    await put(me, f"{P}/c/a", b"1")
    await put(me, f"{P}/c/dir/b", b"22")
    await asyncio.sleep(0.002)
    middle = now(h)
    await asyncio.sleep(0.002)
    await put(me, f"{P}/c/a", b"4444")
    await me.delete(f"{P}/c/dir/b")
    await put(me, f"{P}/c/new", b"x")
    assert await names(me, f"{P}/c") == ["a", "new"]
    assert await names(me, f"{P}/c?until={before}") == []
    assert await names(me, f"{P}/c?until={middle}") == ["a", "dir/b"]
    assert await names(me, f"{S}/c?until={middle}&delimiter=/") == ["a", "dir/"]
    rows = (await me.get(f"{P}/c?until={middle}&format=json")).json()
    assert [row["bytes"] for row in rows] == [1, 2] and "last_modified" not in rows[0]
    head = (await me.head(f"{P}/c?until={middle}")).headers
    assert (head["x-container-object-count"], head["x-container-bytes-used"]) == ("2", "3")
    assert float(head["x-container-until-timestamp"]) <= float(middle)
    account = (await me.head(f"{P}?until={middle}")).headers
    assert (account["x-account-container-count"], account["x-account-bytes-used"]) == ("1", "3")
    assert await names(me, f"{P}?until={middle}") == ["c"]
    assert await names(me, f"{P}?until=1") == []


@pytest.mark.parametrize("until", ["x", "-1", "1e9", "99999999999999", ""])
async def test_times_that_are_none(h: Harness, until: str) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    for path in (P, f"{P}/c"):
        assert (await me.get(f"{path}?until={until}")).status_code == 400
        assert (await me.head(f"{path}?until={until}")).status_code == 400
    assert (await me.delete(f"{P}/c?until={until}")).status_code == 400


async def test_purge_frees_what_it_takes_away(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    for body in (b"1", b"22", b"333"):
        await put(me, f"{P}/c/o", body)
    await put(me, f"{P}/c/p", b"55555")
    await me.delete(f"{P}/c/p")
    assert (await me.head(f"{P}/c")).headers["x-container-bytes-used"] == "11"
    second = (await versions(me, f"{P}/c/o"))[1]
    assert (await me.delete(f"{P}/c/o?until={second / 1e6:.6f}")).status_code == 204
    assert len(await versions(me, f"{P}/c/o")) == 1
    assert (await me.get(f"{P}/c/o")).content == b"333"
    assert (await me.head(f"{P}/c")).headers["x-container-bytes-used"] == "8"
    assert (await me.delete(f"{P}/c?until={now(h)}")).status_code == 204
    head = (await me.head(f"{P}/c")).headers
    assert (head["x-container-object-count"], head["x-container-bytes-used"]) == ("1", "3")
    assert (await me.get(f"{P}/c/p?version=list&format=json")).status_code == 404


async def test_a_container_goes_with_its_history_but_not_with_objects(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    await put(me, f"{P}/c/o", b"1")
    await put(me, f"{P}/c/dir/o", b"2")
    assert (await me.delete(f"{P}/c")).status_code == 409
    assert (await me.delete(f"{P}/c?delimiter=/")).status_code == 204
    assert await names(me, f"{P}/c") == []
    assert await versions(me, f"{P}/c/o")
    assert (await me.delete(f"{P}/c")).status_code == 204
    assert (await me.head(f"{P}/c")).status_code == 404
    assert (await me.head(P)).headers["x-account-bytes-used"] == "0"


async def test_versioning_is_one_switch_in_all_spellings(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/auto")
    await me.put(f"{P}/none", headers={"X-Container-Policy-Versioning": "none"})
    await me.put(f"{S}/swift")
    for container, versioning, kept in (("auto", "auto", 2), ("none", "none", 1), ("swift", "none", 1)):
        assert (await me.head(f"{P}/{container}")).headers["x-container-policy-versioning"] == versioning
        await put(me, f"{P}/{container}/o", b"1")
        await put(me, f"{P}/{container}/o", b"2")
        assert len(await versions(me, f"{P}/{container}/o")) == kept
    assert (await me.post(f"{P}/swift?update", headers={"X-Container-Policy-Versioning": "auto"})).status_code == 202
    assert (await me.head(f"{S}/swift")).headers["x-versions-enabled"] == "True"
    assert (await me.post(f"{S}/swift", headers={"X-Container-Policy-Versioning": "never"})).status_code == 400
    assert (await me.post(f"{P}/auto", headers=DATA | {"X-Container-Meta-A": "1"})).status_code == 202
    head = (await me.head(f"{P}/auto")).headers
    assert (head["x-container-policy-versioning"], head["x-container-meta-a"]) == ("auto", "1")
