"""Versions by boto3: kept, listed, read, made current again, deleted for good; suspended buckets and their null version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from services.object.tests.s3 import World

K = {"Bucket": "bucket", "Key": "k"}


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with World(database_url) as running:
        await running.member.create_bucket(Bucket="bucket")
        yield running


async def keep(world: World, status: str) -> None:
    await world.member.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": status})


async def listed(world: World, **more: Any) -> list[tuple[str, str, bool, bool]]:
    """(key, version, is latest, is a marker) of all pages."""
    pages = await world.member.pages("list_object_versions", Bucket="bucket", **more)
    found = [(v["Key"], v["VersionId"], v["IsLatest"], False) for p in pages for v in p.get("Versions", [])]
    found += [(v["Key"], v["VersionId"], v["IsLatest"], True) for p in pages for v in p.get("DeleteMarkers", [])]
    return found


async def test_versions_live_as_in_s3(world: World) -> None:
    s3 = world.member
    assert "Status" not in await s3.get_bucket_versioning(Bucket="bucket")
    assert "VersionId" not in await s3.put_object(**K, Body=b"zero")
    await keep(world, "Enabled")
    assert (await s3.get_bucket_versioning(Bucket="bucket"))["Status"] == "Enabled"
    one = (await s3.put_object(**K, Body=b"one"))["VersionId"]
    two = (await s3.put_object(**K, Body=b"two"))["VersionId"]
    assert [await s3.read(**K, VersionId=v) for v in (two, one, "null")] == [b"two", b"one", b"zero"]
    assert await listed(world) == [("k", two, True, False), ("k", one, False, False), ("k", "null", False, False)]
    deleted = await s3.delete_object(**K)
    marker = deleted["VersionId"]
    assert deleted["DeleteMarker"] is True
    assert await s3.fails("get_object", **K) == ("NoSuchKey", 404)
    assert await s3.fails("get_object", **K, VersionId=marker) == ("MethodNotAllowed", 405)
    assert ("k", marker, True, True) in await listed(world)
    assert await s3.fails("get_object", **K, VersionId="1234") == ("NoSuchVersion", 404)
    assert await s3.fails("get_object", **K, VersionId="not one") == ("InvalidArgument", 400)
    # Without the marker the version before it is current again, under its own id.
    assert (await s3.delete_object(**K, VersionId=marker))["DeleteMarker"] is True
    got = await s3.get_object(**K)
    assert got["VersionId"] == two and await s3.read(**K) == b"two"
    await s3.delete_object(**K, VersionId=two)
    assert await s3.read(**K) == b"one"
    await s3.copy_object(**K, CopySource={**K, "VersionId": "null"})
    assert await s3.read(**K) == b"zero"
    assert await s3.fails("delete_bucket", Bucket="bucket") == ("BucketNotEmpty", 409)
    for _, version, *_ in await listed(world):
        await s3.delete_object(**K, VersionId=version)
    assert await listed(world) == []
    head = await world.h.as_member().head(f"/v1/AUTH_{world.h.project_id}")
    assert (head.headers["x-account-bytes-used"], head.headers["x-account-object-count"]) == ("0", "0")
    await s3.delete_bucket(Bucket="bucket")


async def test_a_suspended_bucket_has_one_null_version(world: World) -> None:
    s3 = world.member
    await keep(world, "Enabled")
    one = (await s3.put_object(**K, Body=b"one"))["VersionId"]
    await keep(world, "Suspended")
    assert (await s3.put_object(**K, Body=b"null 1"))["VersionId"] == "null"
    await s3.put_object(**K, Body=b"null 2")
    assert await listed(world) == [("k", "null", True, False), ("k", one, False, False)]
    assert await s3.read(**K, VersionId="null") == b"null 2"
    deleted = await s3.delete_object(**K)
    assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    assert await listed(world) == [("k", one, False, False), ("k", "null", True, True)]
    await s3.delete_object(**K, VersionId="null")
    assert await s3.read(**K) == b"one"
    head = await world.h.as_member().head(f"/v1/AUTH_{world.h.project_id}")
    assert (head.headers["x-account-bytes-used"], head.headers["x-account-object-count"]) == ("3", "1")


async def test_listings_of_versions_page_through_names(world: World) -> None:
    s3 = world.member
    await keep(world, "Enabled")
    for name in ("a", "b/1", "b/2", "c"):
        for body in (b"1", b"2", b"3"):
            await s3.put_object(Bucket="bucket", Key=name, Body=body)
    everything = await listed(world)
    assert len(everything) == 12 and [v[0] for v in everything if v[2]] == ["a", "b/1", "b/2", "c"]
    for size in (1, 2, 5):
        assert await listed(world, PaginationConfig={"PageSize": size}) == everything
    pages = await s3.pages("list_object_versions", Bucket="bucket", Delimiter="/", PaginationConfig={"PageSize": 4})
    assert [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])] == ["b/"]
    assert [v["Key"] for page in pages for v in page.get("Versions", [])] == ["a"] * 3 + ["c"] * 3


async def test_many_versions_are_deleted_at_once(world: World) -> None:
    s3 = world.member
    await keep(world, "Enabled")
    one = (await s3.put_object(**K, Body=b"one"))["VersionId"]
    answer = await s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "k"}, {"Key": "k", "VersionId": one}]})
    assert answer["Deleted"][0]["DeleteMarker"] is True and answer["Deleted"][1]["VersionId"] == one
    assert [v[3] for v in await listed(world)] == [True]


async def test_tags_belong_to_a_version(world: World) -> None:
    s3 = world.member
    await keep(world, "Enabled")
    one = (await s3.put_object(**K, Body=b"one", Tagging="a=1"))["VersionId"]
    await s3.put_object(**K, Body=b"two")
    assert (await s3.get_object_tagging(**K))["TagSet"] == []
    assert (await s3.get_object_tagging(**K, VersionId=one))["TagSet"] == [{"Key": "a", "Value": "1"}]
    await s3.put_object_tagging(**K, VersionId=one, Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    assert (await s3.get_object_tagging(**K, VersionId=one))["TagSet"] == [{"Key": "b", "Value": "2"}]
