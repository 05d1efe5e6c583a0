"""Multipart uploads by boto3: parts joined by their maps, listed, copied, aborted; what remains counts and is told to the collector."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from services.object.tests.s3 import S3, World

from synnefo_archipelago import Root

BLOCK = 4 << 20


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with World(database_url, s3_min_part_bytes=1000) as running:
        await running.member.create_bucket(Bucket="bucket")
        yield running


async def begin(s3: S3, key: str = "k", **more: Any) -> dict[str, Any]:
    made = await s3.create_multipart_upload(Bucket="bucket", Key=key, **more)
    return {"Bucket": "bucket", "Key": key, "UploadId": made["UploadId"]}


async def upload(s3: S3, where: dict[str, Any], parts: list[bytes], **more: Any) -> list[dict[str, Any]]:
    done = []
    for number, data in enumerate(parts, 1):
        answer = await s3.upload_part(**where, PartNumber=number, Body=data, **more)
        done.append({"PartNumber": number, **{k: v for k, v in answer.items() if k == "ETag" or k.startswith("Checksum")}})
    return done


async def held(world: World) -> int:
    head = await world.h.as_member().head(f"/v1/AUTH_{world.h.project_id}")
    return int(head.headers["x-account-bytes-used"])


async def roots(world: World) -> list[bytes]:
    answer = await world.h.internal().get("/internal/v1/roots", params={"epoch": "1"})
    assert answer.status_code == 200, answer.text
    return [base64.b64decode(row["root"]) for row in answer.json()["roots"]]


@pytest.mark.parametrize("sizes", [(BLOCK, BLOCK, 5), (5000, 7000, 1), (BLOCK + 1, 3000)], ids=["whole blocks", "small", "mixed"])
async def test_parts_become_one_object_without_a_copy(world: World, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    s3, parts = world.member, [os.urandom(size) for size in sizes]
    where = await begin(s3, Metadata={"a": "b"}, ContentType="x/y")
    done = await upload(s3, where, parts)
    store = world.h.service.app.state.services.stores.of("").store

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("data is moved")

    with monkeypatch.context() as patch:
        patch.setattr(store, "writer", refuse)
        patch.setattr(store, "iter_range", refuse)
        completed = await s3.complete_multipart_upload(**where, MultipartUpload={"Parts": done})
    etag = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest() + f"-{len(parts)}"
    assert completed["ETag"] == f'"{etag}"'
    whole = b"".join(parts)
    assert await s3.read(Bucket="bucket", Key="k") == whole
    got = await world.h.as_member().get(f"/v1/AUTH_{world.h.project_id}/bucket/k")
    assert got.content == whole and got.headers["etag"] == etag and got.headers["x-object-meta-a"] == "b"
    cut = sizes[0] - 2
    assert await s3.read(Bucket="bucket", Key="k", Range=f"bytes={cut}-{cut + 3}") == whole[cut : cut + 4]
    part = await s3.get_object(Bucket="bucket", Key="k", PartNumber=2)
    assert (part["PartsCount"], part["ContentLength"]) == (len(parts), sizes[1])
    assert await s3.read(Bucket="bucket", Key="k", PartNumber=2) == parts[1]
    assert await s3.fails("get_object", Bucket="bucket", Key="k", PartNumber=9) == ("InvalidPartNumber", 416)
    assert await held(world) == len(whole)
    listed = (await s3.list_objects_v2(Bucket="bucket"))["Contents"][0]
    assert (listed["Size"], listed["ETag"]) == (len(whole), f'"{etag}"')
    assert sum(Root.from_bytes(root).size for root in await roots(world)) == len(whole)
    # Copies, by S3 and by Swift, are as whole as the object.
    await s3.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/k")
    assert await s3.read(Bucket="bucket", Key="copy") == whole
    swift = {"X-Copy-From": "bucket/k"}
    assert (await world.h.as_member().put(f"/v1/AUTH_{world.h.project_id}/bucket/copy2", headers=swift)).status_code == 201
    assert await s3.read(Bucket="bucket", Key="copy2") == whole
    # The answer of a completion that was lost is given again.
    again = await s3.complete_multipart_upload(**where, MultipartUpload={"Parts": done})
    assert again["ETag"] == completed["ETag"]


async def test_parts_count_and_are_listed_until_aborted(world: World) -> None:
    s3 = world.member
    where = await begin(s3, "a/1")
    other = await begin(s3, "b")
    await upload(s3, where, [b"x" * 1000, b"y" * 500])
    await s3.upload_part(**where, PartNumber=2, Body=b"z" * 700)
    assert await held(world) == 1700
    assert sorted(Root.from_bytes(root).size for root in await roots(world)) == [700, 1000]
    pages = await s3.pages("list_parts", **where, PaginationConfig={"PageSize": 1})
    assert [(p["PartNumber"], p["Size"]) for page in pages for p in page["Parts"]] == [(1, 1000), (2, 700)]
    pages = await s3.pages("list_multipart_uploads", Bucket="bucket", PaginationConfig={"PageSize": 1})
    assert [u["Key"] for page in pages for u in page["Uploads"]] == ["a/1", "b"]
    rolled = await s3.list_multipart_uploads(Bucket="bucket", Delimiter="/")
    assert [p["Prefix"] for p in rolled["CommonPrefixes"]] == ["a/"] and [u["Key"] for u in rolled["Uploads"]] == ["b"]
    assert "Contents" not in await s3.list_objects_v2(Bucket="bucket")
    assert await world.other.fails("list_parts", **where) == ("AccessDenied", 403)
    await s3.abort_multipart_upload(**where)
    assert await held(world) == 0 and await roots(world) == []
    for operation in ("abort_multipart_upload", "list_parts"):
        assert await s3.fails(operation, **where) == ("NoSuchUpload", 404)
    assert await s3.fails("upload_part", **where, PartNumber=1, Body=b"") == ("NoSuchUpload", 404)
    await upload(s3, other, [b"x" * 10])
    await s3.delete_bucket(Bucket="bucket")  # with what was abandoned in it
    assert await held(world) == 0 and await roots(world) == []


async def test_wrong_completions_are_refused(world: World) -> None:
    s3 = world.member
    where = await begin(s3)
    done = await upload(s3, where, [b"x" * 1000, b"y" * 999, b"z"])

    async def fails(parts: list[dict[str, Any]]) -> str:
        return (await s3.fails("complete_multipart_upload", **where, MultipartUpload={"Parts": parts}))[0]

    assert await fails([done[1], done[0]]) == "InvalidPartOrder"
    assert await fails([done[0], done[0]]) == "InvalidPartOrder"
    assert await fails([done[0], {"PartNumber": 7, "ETag": done[0]["ETag"]}]) == "InvalidPart"
    assert await fails([{"PartNumber": 1, "ETag": done[1]["ETag"]}]) == "InvalidPart"
    assert await fails(done) == "EntityTooSmall"
    assert await fails([]) == "MalformedXML"
    assert (await s3.fails("upload_part", **where, PartNumber=10001, Body=b""))[0] == "InvalidArgument"
    await s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [done[0], done[2]]})
    assert await s3.read(Bucket="bucket", Key="k") == b"x" * 1000 + b"z"
    assert await held(world) == 1001


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("CRC32", "COMPOSITE"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"), ("SHA256", "COMPOSITE")]
)
async def test_checksums_of_parts_make_that_of_the_object(world: World, algorithm: str, kind: str) -> None:
    s3 = world.member
    where = await begin(s3, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    done = await upload(s3, where, [b"x" * 2000, b"y" * 999], ChecksumAlgorithm=algorithm)
    assert all(f"Checksum{algorithm}" in part for part in done)
    completed = await s3.complete_multipart_upload(**where, MultipartUpload={"Parts": done})
    value = completed[f"Checksum{algorithm}"]
    assert value.endswith("-2") == (kind == "COMPOSITE")
    whole = await s3.put_object(Bucket="bucket", Key="whole", Body=b"x" * 2000 + b"y" * 999, ChecksumAlgorithm=algorithm)
    assert (value == whole[f"Checksum{algorithm}"]) == (kind == "FULL_OBJECT")
    head = await s3.head_object(Bucket="bucket", Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (value, kind)


async def test_parts_are_copied(world: World) -> None:
    s3 = world.member
    await s3.put_object(Bucket="bucket", Key="source", Body=b"0123456789" * 200)
    where = await begin(s3)
    source = {"Bucket": "bucket", "Key": "source"}
    one = await s3.upload_part_copy(**where, PartNumber=1, CopySource=source)
    two = await s3.upload_part_copy(**where, PartNumber=2, CopySource=source, CopySourceRange="bytes=5-8")
    assert await s3.fails("upload_part_copy", **where, PartNumber=3, CopySource=source, CopySourceRange="bytes=5-99999") == ("InvalidArgument", 400)
    parts = [{"PartNumber": n, "ETag": p["CopyPartResult"]["ETag"]} for n, p in enumerate((one, two), 1)]
    await s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert await s3.read(Bucket="bucket", Key="k") == b"0123456789" * 200 + b"5678"


async def test_a_quota_counts_parts(world: World) -> None:
    s3 = world.member
    await world.h.quota.set_limits(world.h.project_id, {"object.bytes": 2500})
    where = await begin(s3)
    done = await upload(s3, where, [b"x" * 1000, b"y" * 1000])
    assert await s3.fails("upload_part", **where, PartNumber=3, Body=b"z" * 1000) == ("QuotaExceeded", 403)
    await s3.complete_multipart_upload(**where, MultipartUpload={"Parts": done})
    assert await held(world) == 2000
