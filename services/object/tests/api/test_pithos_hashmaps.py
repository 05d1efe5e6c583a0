"""Objects by hashmap: what a sync client does, and that a hash alone gives nobody anything."""

import os

import pytest
from services.object.tests.pithos import DATA, OTHER, B, P, S, block_hashes, hashmap_of, names, object_hash, put

from synnefo_common.testing import Harness
from synnefo_object.app.pithos import housekeeping
from synnefo_object.main import build
from synnefo_object.settings import Settings


@pytest.mark.parametrize("size", [0, 1, B - 1, B, B + 1, 3 * B, 5 * B - 1])
async def test_object_hash_and_hashmap(h: Harness, size: int) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    data = os.urandom(min(size, 64)) + b"x" * (size - min(size, 64))
    await put(me, f"{P}/c/o", data)
    head = (await me.head(f"{P}/c/o")).headers
    assert head["x-object-hash"] == object_hash(data)
    r = await me.get(f"{P}/c/o?hashmap&format=json")
    assert r.status_code == 200
    assert r.json() == {"block_hash": "sha256", "block_size": B, "bytes": size, "hashes": block_hashes(data)}
    xml = (await me.get(f"{P}/c/o?hashmap&format=xml")).text
    assert xml.count("<hash>") == len(block_hashes(data)) and f'bytes="{size}"' in xml
    for kind, body in (("json", r.content), ("xml", xml.encode())):
        again = await me.put(f"{P}/c/copy-{kind}?hashmap&format={kind}", content=body, headers=DATA)
        assert again.status_code == 201, again.text
        assert again.headers["etag"] == object_hash(data)
        assert (await me.get(f"{P}/c/copy-{kind}")).content == data


async def test_zeros_need_no_upload(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    data = bytes(2 * B + 5)
    assert (await me.put(f"{P}/c/o?hashmap", json=hashmap_of(data))).status_code == 201
    r = await me.get(f"{P}/c/o")
    assert r.content == data
    assert r.headers["x-object-hash"] == object_hash(data)


async def test_sync_sends_only_what_is_missing(h: Harness) -> None:
    """A client's way: hash, offer the map, send what is missing, offer it again."""
    me = h.as_member()
    await me.put(f"{P}/c")
    sent = 0

    async def sync(name: str, data: bytes) -> None:
        nonlocal sent
        offer = await me.put(f"{P}/c/{name}?hashmap&format=json", json=hashmap_of(data))
        if offer.status_code == 409:
            missing = offer.json()
            by_hash = dict(zip(block_hashes(data), range(0, len(data), B), strict=True))
            for hash_ in missing:
                block = data[by_hash[hash_] : by_hash[hash_] + B]
                r = await me.post(f"{P}/c?update&format=json", content=block, headers=DATA)
                assert r.status_code == 202 and r.json() == [hash_]
                sent += len(block)
            offer = await me.put(f"{P}/c/{name}?hashmap&format=json", json=hashmap_of(data))
        assert offer.status_code == 201, offer.text
        assert (await me.get(f"{P}/c/{name}")).content == data

    data = os.urandom(3 * B + 100)
    await sync("file", data)
    assert sent == len(data)
    sent = 0
    await sync("file", data)
    await sync("again under another name", data)
    assert sent == 0
    changed = data[:B] + os.urandom(B) + data[2 * B :]
    await sync("file", changed)
    assert sent == B


async def test_what_an_ordinary_upload_left_counts_as_present(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{S}/c")
    data, small = os.urandom(B + 1), b"small"
    assert (await me.put(f"{S}/c/o", content=data)).status_code == 201
    assert (await me.put(f"{S}/c/s", content=small)).status_code == 201
    new = os.urandom(B)
    r = await me.put(f"{S}/c/p?hashmap", json=hashmap_of(data[:B] + new))
    assert (r.status_code, r.json()) == (409, block_hashes(new))
    assert (await me.put(f"{S}/c/t?hashmap", json=hashmap_of(small))).status_code == 201
    assert (await me.get(f"{S}/c/t")).content == small


async def test_knowing_hashes_of_another_account_gives_nothing(h: Harness) -> None:
    me, other = h.as_member(), h.as_project()
    await me.put(f"{P}/c")
    await other.put(f"{OTHER}/c")
    data = os.urandom(2 * B + 7)
    await put(me, f"{P}/c/secret", data)
    wanted = await other.put(f"{OTHER}/c/stolen?hashmap", json=hashmap_of(data))
    invented = await other.put(f"{OTHER}/c/stolen?hashmap", json=hashmap_of(os.urandom(2 * B + 7)))
    assert (wanted.status_code, wanted.json()) == (409, block_hashes(data))
    assert invented.status_code == 409 and len(invented.json()) == 3
    assert (await other.get(f"{OTHER}/c/stolen")).status_code == 404
    # Whoever has the bytes may upload them, and nobody is told that they were there.
    r = await other.post(f"{OTHER}/c", content=data, headers=DATA)
    assert r.status_code == 202 and r.text.split() == block_hashes(data)
    assert (await other.put(f"{OTHER}/c/own?hashmap", json=hashmap_of(data))).status_code == 201
    assert (await other.get(f"{OTHER}/c/own")).content == data


async def test_shared_writer_may_not_refer_to_the_owners_blocks(h: Harness) -> None:
    me, other = h.as_member(), h.as_project()
    await me.put(f"{P}/c")
    secret = os.urandom(B)
    await put(me, f"{P}/c/secret", secret)
    await put(me, f"{P}/c/open", b"", X_Object_Sharing=f"write={Harness.other_user_id}")
    assert (await other.put(f"{P}/c/open?hashmap", json=hashmap_of(secret))).status_code == 409
    r = await other.post(f"{P}/c", content=secret, headers=DATA)
    assert r.status_code == 202
    assert (await other.put(f"{P}/c/open?hashmap", json=hashmap_of(secret))).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"bytes": 42}',
        b'{"bytes": 42, "hashes": "no list"}',
        b'{"bytes": 42, "hashes": null}',
        b'{"bytes": 42, "hashes": [1]}',
        b'{"bytes": 42, "hashes": ["zz"]}',
        b'{"bytes": -1, "hashes": []}',
        b'{"bytes": true, "hashes": []}',
        b'{"bytes": "1", "hashes": []}',
        b'{"bytes": 45390000000000000000000000000000000000, "hashes": []}',
        b'{"bytes": 42, "hashes": []}',
        b'{"bytes": 1e400, "hashes": []}',
    ],
)
async def test_malformed_hashmaps(h: Harness, body: bytes) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    assert (await me.put(f"{P}/c/o?hashmap", content=body, headers=DATA)).status_code == 400
    assert await names(me, f"{P}/c") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<object>",
        b"<object/>",
        b'<object bytes="x"/>',
        b'<!DOCTYPE x [<!ENTITY a "b">]><object bytes="0"/>',
        b'<object bytes="1"><hash>zz</hash></object>',
    ],
)
async def test_malformed_hashmaps_in_xml(h: Harness, body: bytes) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    assert (await me.put(f"{P}/c/o?hashmap&format=xml", content=body, headers=DATA)).status_code == 400


async def test_block_longer_than_its_place_is_refused(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    data = os.urandom(B) + b"x" * 10  # zeros at the end would make the block shorter
    await put(me, f"{P}/c/o", data)
    wrong = hashmap_of(data) | {"bytes": B + 9}
    assert (await me.put(f"{P}/c/p?hashmap", json=wrong)).status_code == 400


async def test_blocks_are_listed_in_each_format(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    data = os.urandom(B + 3)
    r = await me.post(f"{P}/c?update&format=xml", content=data, headers=DATA)
    assert (r.status_code, r.text.count("<item>")) == (202, 2)
    assert (await me.post(f"{P}/c", content=data, headers=DATA)).text.split() == block_hashes(data)

    async def pieces() -> object:
        for at in range(0, len(data), 65_537):
            yield data[at : at + 65_537]

    r = await me.post(f"{P}/c?format=json", content=pieces(), headers=DATA)  # type: ignore[arg-type]
    assert r.json() == block_hashes(data)


async def test_hashmap_keeps_conditions_and_metadata(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c")
    data = os.urandom(10)
    etag = (await put(me, f"{P}/c/o", data, X_Object_Meta_A="1")).headers["etag"]
    refused = await me.put(f"{P}/c/o?hashmap", json=hashmap_of(data), headers={"If-None-Match": etag})
    assert refused.status_code == 412
    r = await me.put(f"{P}/c/o?hashmap", json=hashmap_of(data), headers={"If-Match": etag, "X-Object-Meta-B": "2", "Content-Type": "image/x"})
    assert r.status_code == 201
    head = (await me.head(f"{P}/c/o")).headers
    assert (head["content-type"], head["x-object-meta-b"], head["etag"]) == ("image/x", "2", object_hash(data))
    assert "x-object-meta-a" not in head


async def test_blocks_that_no_object_came_for_are_limited_and_forgotten(h: Harness) -> None:
    me = h.as_member()
    svc = h.service.app.state.services
    svc.settings = svc.settings.model_copy(update={"staging_bytes": B + B // 2})
    await me.put(f"{P}/c")
    first, second, third = (os.urandom(B) for _ in range(3))
    assert (await me.post(f"{P}/c", content=first, headers=DATA)).status_code == 202
    assert (await me.post(f"{P}/c", content=second, headers=DATA)).status_code == 413
    assert (await me.put(f"{P}/c/o?hashmap", json=hashmap_of(first))).status_code == 201  # an object's blocks do not wait
    assert (await me.post(f"{P}/c", content=second, headers=DATA)).status_code == 202
    await housekeeping.tidy_once(h.service.app.state.services)
    assert (await me.put(f"{P}/c/p?hashmap", json=hashmap_of(second))).status_code == 201
    svc.settings = svc.settings.model_copy(update={"staging_bytes": 1 << 30})
    assert (await me.post(f"{P}/c", content=third, headers=DATA)).status_code == 202
    h.clock.advance(25 * 3600)
    await housekeeping.tidy_once(h.service.app.state.services)
    assert (await me.put(f"{P}/c/q?hashmap", json=hashmap_of(third))).json() == block_hashes(third)
    assert (await me.put(f"{P}/c/r?hashmap", json=hashmap_of(first))).status_code == 201


async def test_what_was_deleted_is_held_no_longer_than_a_day(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/c", headers={"X-Container-Policy-Versioning": "none"})
    data = os.urandom(B)
    await put(me, f"{P}/c/o", data)
    assert (await me.put(f"{P}/c/p?hashmap", json=hashmap_of(data))).status_code == 201
    for name in ("o", "p"):
        await me.delete(f"{P}/c/{name}")
    h.clock.advance(25 * 3600)
    await housekeeping.tidy_once(h.service.app.state.services)
    assert (await me.put(f"{P}/c/p?hashmap", json=hashmap_of(data))).status_code == 409


async def test_holding_a_block_in_one_pool_tells_nothing_of_another_pool(database_url: str) -> None:
    """Who has the data under one policy must not learn by its hashes that somebody else keeps it under another."""
    policies = [{"name": "gold", "default": True}, {"name": "cold", "store_url": "memory:"}]
    async with Harness(build, Settings, {"store_url": "memory:", "policies": policies}, database_url=database_url) as h:
        me, other, cold = h.as_member(), h.as_project(), {"X-Storage-Policy": "cold"}
        data = os.urandom(B + 3)
        await me.put(f"{P}/warm")
        await put(me, f"{P}/warm/o", data)
        await me.put(f"{P}/cold", headers=cold)
        await other.put(f"{OTHER}/cold", headers=cold)
        await put(other, f"{OTHER}/cold/o", data)
        offer = await me.put(f"{P}/cold/o?hashmap&format=json", json=hashmap_of(data))
        assert offer.status_code == 409 and sorted(offer.json()) == sorted(block_hashes(data))
        assert (await me.post(f"{P}/cold?update", content=data, headers=DATA)).status_code == 202
        assert (await me.put(f"{P}/cold/o?hashmap&format=json", json=hashmap_of(data))).status_code == 201
        assert (await me.get(f"{P}/cold/o")).content == data
        assert (await me.put(f"{P}/cold/again?hashmap&format=json", json=hashmap_of(data))).status_code == 201
