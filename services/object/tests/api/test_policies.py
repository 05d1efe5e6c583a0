"""Storage policies: pools of their own, chosen by the container; a piece is read from the pool that it lies in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
import pytest_asyncio
from pydantic import ValidationError
from services.object.tests.pithos import DATA, P, hashmap_of
from services.object.tests.s3 import World

from synnefo_archipelago import Root
from synnefo_common.testing import Harness, wait_until
from synnefo_object.main import build
from synnefo_object.settings import Settings

A = f"/v1/AUTH_{Harness.project_id}"
BLOCK = 4 << 20
FAST = {"X-Storage-Policy": "fast"}
POOLS = ("", "fast", "old")


def settings() -> dict[str, Any]:
    mark = uuid4().hex
    return {
        "store_url": f"memory:base-{mark}",
        "policies": [
            {"name": "Policy-0", "default": True},
            {"name": "Fast", "aliases": ["quick"], "store_url": f"memory:fast-{mark}"},
            {"name": "old", "deprecated": True, "store_url": f"memory:old-{mark}"},
        ],
        "expirer_period_s": 0.05,
        "usage_period_s": 0.05,
    }


@pytest_asyncio.fixture
async def h(database_url: str) -> AsyncIterator[Harness]:
    async with Harness(build, Settings, settings(), database_url=database_url) as harness:
        yield harness


async def roots(h: Harness, pool: str) -> list[Root]:
    answer = await h.internal().get(f"/internal/v1/roots?epoch=1&limit=1000&pool={pool}")
    assert answer.status_code == 200
    return [Root.from_bytes(base64.b64decode(row["root"])) for row in answer.json()["roots"]]


async def assert_whole(h: Harness) -> None:
    """What is told of each pool is all there, in that very pool: so a sweep by these roots takes nothing from anybody."""
    for pool in POOLS:
        store = h.service.app.state.services.stores.of(pool)
        for root in await roots(h, pool):
            async for _ in store.iter_range(root):
                pass


async def counts(h: Harness) -> list[int]:
    return [len(await roots(h, pool)) for pool in POOLS]


async def containers(me: httpx.AsyncClient) -> None:
    assert (await me.put(f"{A}/base")).status_code == 201
    assert (await me.put(f"{A}/fast", headers=FAST)).status_code == 201


async def test_container_has_the_policy_that_it_was_made_with(h: Harness) -> None:
    me = h.as_member()
    for name, asked, shown in (("a", "", "Policy-0"), ("b", "fAsT", "Fast"), ("c", "QUICK", "Fast"), ("d", "policy-0", "Policy-0")):
        assert (await me.put(f"{A}/{name}", headers={"X-Storage-Policy": asked})).status_code == 201
        assert (await me.head(f"{A}/{name}")).headers["x-storage-policy"] == shown
        assert (await me.get(f"{A}/{name}?format=json")).headers["x-storage-policy"] == shown
    assert (await me.put(f"{A}/e", headers={"X-Storage-Policy": "none"})).status_code == 400
    assert (await me.put(f"{A}/e", headers={"X-Storage-Policy": "old"})).status_code == 400
    assert (await me.head(f"{A}/e")).status_code == 404
    assert (await me.put(f"{A}/b", headers={"X-Storage-Policy": "Policy-0"})).status_code == 409
    for headers in ({}, FAST, {"X-Storage-Policy": "quick"}):
        assert (await me.put(f"{A}/b", headers=headers)).status_code == 202
    assert (await me.post(f"{A}/b", headers={"X-Storage-Policy": "Policy-0"})).status_code == 204
    assert (await me.head(f"{A}/b")).headers["x-storage-policy"] == "Fast"
    assert all(set(row) == {"name", "count", "bytes", "last_modified"} for row in (await me.get(f"{A}?format=json")).json())


async def test_info_lists_policies_without_deprecated_ones(h: Harness) -> None:
    assert (await h.client().get("/info")).json()["swift"]["policies"] == [
        {"name": "Policy-0", "aliases": "Policy-0", "default": True},
        {"name": "Fast", "aliases": "Fast, quick"},
    ]


async def test_account_tells_the_share_of_each_policy(h: Harness) -> None:
    me = h.as_member()
    await containers(me)
    await me.put(f"{A}/fast/o", content=b"12345")
    await me.put(f"{A}/base/o", content=b"1")
    await me.put(f"{A}/base/p", content=b"22")
    for answer in (await me.head(A), await me.get(A)):
        found = {name: value for name, value in answer.headers.items() if name.startswith("x-account-storage-policy-")}
        assert found == {
            "x-account-storage-policy-fast-container-count": "1",
            "x-account-storage-policy-fast-object-count": "1",
            "x-account-storage-policy-fast-bytes-used": "5",
            "x-account-storage-policy-policy-0-container-count": "1",
            "x-account-storage-policy-policy-0-object-count": "2",
            "x-account-storage-policy-policy-0-bytes-used": "3",
        }
        assert answer.headers["x-account-bytes-used"] == "8"


async def test_quota_of_a_policy_stops_it_alone(h: Harness) -> None:
    me, reseller = h.as_member(), h.client(h.token("ResellerAdmin", project_id="0" * 32))
    await containers(me)
    quota = {"X-Account-Quota-Bytes-Policy-Fast": "5"}
    assert (await me.post(A, headers=quota)).status_code == 403
    assert (await reseller.post(A, headers=quota)).status_code == 204
    assert (await me.head(A)).headers["x-account-quota-bytes-policy-fast"] == "5"
    assert (await me.put(f"{A}/base/o", content=b"123456")).status_code == 201
    assert (await me.put(f"{A}/fast/o", content=b"12345")).status_code == 201
    assert (await me.put(f"{A}/fast/p", content=b"1")).status_code == 413
    assert (await me.put(f"{A}/base/p", content=b"1")).status_code == 201


async def test_bytes_go_to_the_pool_of_the_container(h: Harness) -> None:
    me = h.as_member()
    await containers(me)
    await me.put(f"{A}/base/o", content=b"base")
    await me.put(f"{A}/fast/o", content=b"fast")
    assert await counts(h) == [1, 1, 0]
    await assert_whole(h)
    assert (await me.get(f"{A}/fast/o")).content == b"fast"
    assert (await h.internal().get("/internal/v1/roots?epoch=1&pool=none")).status_code == 400


@pytest.mark.parametrize(("source", "to"), [("base", "fast"), ("fast", "base")])
async def test_copies_and_large_objects_across_policies(h: Harness, source: str, to: str) -> None:
    me = h.as_member()
    await containers(me)
    data = b"".join(bytes([i]) * (BLOCK // 2) for i in range(1, 6))
    etag = (await me.put(f"{A}/{source}/o", content=data)).headers["etag"]
    await me.put(f"{A}/{to}/t", content=b"tail")
    assert (await me.put(f"{A}/{to}/copy", headers={"X-Copy-From": f"{source}/o"})).status_code == 201
    head = {"X-Copy-From": f"{source}/o", "Range": f"bytes=0-{BLOCK - 1}"}
    assert (await me.put(f"{A}/{to}/part", headers=head)).status_code == 201
    parts = [{"path": f"{source}/o", "etag": etag}, {"path": f"{to}/t"}]
    assert (await me.put(f"{A}/{to}/slo?multipart-manifest=put", content=orjson.dumps(parts))).status_code == 201
    assert (await me.get(f"{A}/{to}/slo")).content == data + b"tail"
    assert (await me.put(f"{A}/{source}/joined", headers={"X-Copy-From": f"{to}/slo"})).status_code == 201
    before = await counts(h)
    assert (await me.delete(f"{A}/{source}/o")).status_code == 204
    assert sum(await counts(h)) == sum(before) - 1
    await assert_whole(h)
    copy = await me.get(f"{A}/{to}/copy")
    assert (copy.content, copy.headers["etag"]) == (data, etag)
    assert (await me.get(f"{A}/{to}/part")).content == data[:BLOCK]
    assert (await me.get(f"{A}/{source}/joined")).content == data + b"tail"


@pytest.mark.parametrize("header", ["X-Versions-Location", "X-History-Location"])
async def test_versions_kept_in_a_container_of_another_policy(h: Harness, header: str) -> None:
    me = h.as_member()
    await containers(me)
    await me.post(f"{A}/base", headers={header: "fast"})
    for body in (b"1", b"22"):
        assert (await me.put(f"{A}/base/o", content=body)).status_code == 201
    names = (await me.get(f"{A}/fast")).text.split()
    assert (await me.get(f"{A}/fast/{names[0]}")).content == b"1"
    await assert_whole(h)
    assert (await me.delete(f"{A}/base/o")).status_code == 204
    await assert_whole(h)
    if header == "X-Versions-Location":
        assert (await me.get(f"{A}/base/o")).content == b"1"


async def test_versions_restore_and_expiry_in_a_pool(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{A}/fast", headers=FAST | {"X-Versions-Enabled": "true"})
    first = (await me.put(f"{A}/fast/o", content=b"1")).headers["x-object-version-id"]
    await me.put(f"{A}/fast/o", content=b"22")
    assert await counts(h) == [0, 2, 0]
    assert (await me.put(f"{A}/fast/o?version-id={first}")).status_code == 201
    assert (await me.get(f"{A}/fast/o")).content == b"1"
    await assert_whole(h)
    await me.put(f"{A}/quick", headers=FAST)
    await me.put(f"{A}/quick/o", content=b"x", headers={"X-Delete-After": "1"})
    await wait_until(lambda: _is_gone(me, f"{A}/quick?format=json"), timeout_s=10)


async def _is_gone(me: httpx.AsyncClient, path: str) -> bool:
    return bool((await me.get(path)).json() == [])


async def test_pithos_updates_moves_and_hashmaps_across_policies(h: Harness) -> None:
    me = h.as_member()
    await me.put(f"{P}/base")
    await me.put(f"{P}/fast", headers=FAST)
    data = b"a" * (BLOCK + 5)
    await me.put(f"{P}/base/o", content=data, headers=DATA)
    absent = await me.put(f"{P}/fast/h?hashmap&format=json", json=hashmap_of(data))
    assert absent.status_code == 409  # the account has the blocks, that pool has not
    for at in (0, BLOCK):
        assert (await me.post(f"{P}/fast?update&format=json", content=data[at : at + BLOCK], headers=DATA)).status_code == 202
    assert (await me.put(f"{P}/fast/h?hashmap&format=json", json=hashmap_of(data))).status_code == 201
    assert (await me.get(f"{P}/fast/h")).content == data
    move = {"X-Move-From": "/base/o"}
    assert (await me.put(f"{P}/fast/moved", headers=move)).status_code == 201
    append = {"Content-Range": "bytes */*", **DATA}
    assert (await me.post(f"{P}/fast/moved?update", content=b"tail", headers=append)).status_code in (202, 204)
    assert (await me.get(f"{P}/fast/moved")).content == data + b"tail"
    await me.put(f"{P}/base/whole", content=b"head", headers=DATA)
    source = {"Content-Range": "bytes */*", "X-Source-Object": "/fast/h", **DATA}
    assert (await me.post(f"{P}/base/whole?update", headers=source)).status_code in (202, 204)
    assert (await me.get(f"{P}/base/whole")).content == b"head" + data
    listed = (await me.get(f"{P}/fast/moved?version=list&format=json")).json()["versions"]
    assert len(listed) >= 1
    await assert_whole(h)


@pytest.mark.parametrize("part_size", [BLOCK + (1 << 20), 2 * BLOCK])
async def test_s3_copies_and_parts_across_policies(database_url: str, part_size: int) -> None:
    async with World(database_url, **settings()) as world:
        h, s3 = world.h, world.member
        me = h.as_member()
        await s3.create_bucket(Bucket="base-bucket")
        await me.put(f"{A}/fast-bucket", headers=FAST)
        data = bytes(range(256)) * (part_size // 256)
        upload = (await s3.create_multipart_upload(Bucket="base-bucket", Key="o"))["UploadId"]
        parts = []
        for number, piece in ((1, data), (2, b"tail")):
            done = await s3.upload_part(Bucket="base-bucket", Key="o", UploadId=upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": done["ETag"]})
        await s3.complete_multipart_upload(Bucket="base-bucket", Key="o", UploadId=upload, MultipartUpload={"Parts": parts})
        assert (await me.put(f"{A}/fast-bucket/copy", headers={"X-Copy-From": "base-bucket/o"})).status_code == 201
        await me.put(f"{A}/fast-bucket/plain", content=data)
        copied = await _multipart_copy(s3, "base-bucket", "p", "fast-bucket/plain")
        assert copied == data
        before = (await me.head(f"{A}/base-bucket/o")).headers["etag"]
        await me.delete(f"{A}/base-bucket/o")
        got = await me.get(f"{A}/fast-bucket/copy")
        assert (got.content == data + b"tail", got.headers["etag"]) == (True, before)
        await assert_whole(h)
        assert hashlib.md5((await me.get(f"{A}/fast-bucket/plain")).content).hexdigest() == hashlib.md5(data).hexdigest()


async def _multipart_copy(s3: Any, bucket: str, key: str, source: str) -> bytes:
    upload = (await s3.create_multipart_upload(Bucket=bucket, Key=key))["UploadId"]
    done = await s3.upload_part_copy(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, CopySource=source)
    parts = [{"PartNumber": 1, "ETag": done["CopyPartResult"]["ETag"]}]
    await s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    body = (await s3.get_object(Bucket=bucket, Key=key))["Body"]
    return bytes(await asyncio.to_thread(body.read))


@pytest.mark.parametrize(
    ("policies", "why"),
    [
        ([{"name": "a"}], "exactly one policy must be the default"),
        ([{"name": "a", "default": True, "deprecated": True}], "deprecated and cannot be the default"),
        ([{"name": "a", "default": True}, {"name": "b"}], "exactly one policy must have no store_url"),
        ([{"name": "a", "default": True}, {"name": "b", "aliases": ["A"], "store_url": "memory:x"}], "twice"),
        ([{"name": "a b", "default": True}], "letters, digits and hyphens"),
        ([{"name": "a", "default": True}, {"name": "b", "store_url": "file:///x/"}], "the store of another pool"),
        ([{"name": "a", "default": True}, {"name": "b", "store_url": "http://x"}], "no URL of a store"),
    ],
)
def test_wrong_policies_are_refused_at_start(policies: Sequence[dict[str, Any]], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings.model_validate({"policies": policies, "store_url": "file:///x", "service_password": "p", "database_url": "sqlite://"})
