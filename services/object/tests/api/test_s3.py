"""S3 by boto3: buckets, objects, listings, copies, ACLs, tags, presigned URLs, and what Swift sees of them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from botocore.handlers import disable_signing
from services.object.tests.s3 import S3, World


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with World(database_url) as running:
        yield running


async def test_an_object_is_the_same_for_s3_and_swift(world: World) -> None:
    s3, swift, account = world.member, world.h.as_member(), f"/v1/AUTH_{world.h.project_id}"
    await s3.create_bucket(Bucket="photos")
    assert [b["Name"] for b in (await s3.list_buckets())["Buckets"]] == ["photos"]
    put = await s3.put_object(Bucket="photos", Key="a/é b+c", Body=b"hello", ContentType="text/x", Metadata={"Kind": "cat"}, CacheControl="no-store")
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    got = await swift.get(f"{account}/photos/a/é b+c")
    assert (got.content, got.headers["content-type"], got.headers["x-object-meta-kind"]) == (b"hello", "text/x", "cat")
    assert got.headers["cache-control"] == "no-store" and not [n for n in got.headers if n.startswith("x-amz")]
    assert (await swift.put(f"{account}/photos/b", content=b"by swift", headers={"X-Object-Meta-Who": "me"})).status_code == 201
    head = await s3.head_object(Bucket="photos", Key="b")
    assert (head["ContentLength"], head["Metadata"]) == (8, {"who": "me"})
    assert [o["Key"] for o in (await s3.list_objects_v2(Bucket="photos"))["Contents"]] == ["a/é b+c", "b"]
    await s3.delete_object(Bucket="photos", Key="b")
    assert (await swift.get(f"{account}/photos/b")).status_code == 404
    assert await s3.fails("delete_bucket", Bucket="photos") == ("BucketNotEmpty", 409)
    await s3.delete_object(Bucket="photos", Key="a/é b+c")
    await s3.delete_object(Bucket="photos", Key="a/é b+c")
    await s3.delete_bucket(Bucket="photos")
    assert await s3.fails("delete_bucket", Bucket="photos") == ("NoSuchBucket", 404)


async def test_buckets_are_one_name_space(world: World) -> None:
    await world.member.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "RegionOne"})
    assert await world.member.fails("create_bucket", Bucket="mine") == ("BucketAlreadyOwnedByYou", 409)
    assert await world.other.fails("create_bucket", Bucket="mine") == ("BucketAlreadyExists", 409)
    assert await world.other.fails("list_objects_v2", Bucket="mine") == ("AccessDenied", 403)
    assert await world.other.fails("put_object", Bucket="mine", Key="k", Body=b"") == ("AccessDenied", 403)
    assert (await world.other.list_buckets())["Buckets"] == []
    assert await world.reader.fails("create_bucket", Bucket="theirs") == ("AccessDenied", 403)
    assert await world.member.fails("create_bucket", Bucket="No_Name") == ("InvalidBucketName", 400)
    assert (await world.member.get_bucket_location(Bucket="mine"))["LocationConstraint"] == "RegionOne"
    await world.member.delete_bucket(Bucket="mine")
    await world.other.create_bucket(Bucket="mine")
    # A container of that name in another project is that project's own affair.
    path = f"/v1/AUTH_{world.h.project_id}/mine"
    assert (await world.h.as_member().put(path)).status_code == 201
    await world.member.put_object(Bucket="mine", Key="k", Body=b"member's")
    assert await world.other.fails("get_object", Bucket="mine", Key="k") == ("NoSuchKey", 404)


async def test_wrong_signatures_are_refused(world: World) -> None:
    assert await world.s3("MEMBER", "wrong").fails("list_buckets") == ("SignatureDoesNotMatch", 403)
    assert await world.s3("NOBODY").fails("list_buckets") == ("InvalidAccessKeyId", 403)
    answer = await world.raw("GET", "/bbb", access=None)
    assert answer.status_code == 404 and "<Code>NoSuchBucket</Code>" in answer.text
    world.h.clock.advance(1000)
    assert await world.member.fails("list_buckets") == ("RequestTimeTooSkewed", 403)


async def test_a_deleted_key_ends_at_once(world: World) -> None:
    await world.member.list_buckets()
    world.gone.add("MEMBER")
    world.h.verifier.tokens.clear()  # what revocation does to the token of the remembered key
    assert await world.member.fails("list_buckets") == ("InvalidAccessKeyId", 403)


async def test_keys_are_asked_for_once(world: World) -> None:
    for _ in range(5):
        await world.member.list_buckets()
    assert len([r for r in world.h.peers["identity"].requests if r.path == "/internal/v1/signing-keys"]) == 1


async def test_listings_in_both_forms(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    names = ["a", "b/1", "b/2", "b/3", "c", "d/x/1", "e é&<"]
    for name in names:
        await s3.put_object(Bucket="bucket", Key=name, Body=name.encode())
    for operation in ("list_objects", "list_objects_v2"):
        pages = await s3.pages(operation, Bucket="bucket", PaginationConfig={"PageSize": 2})
        assert [len(p["Contents"]) for p in pages] == [2, 2, 2, 1]
        assert [o["Key"] for p in pages for o in p["Contents"]] == names
        pages = await s3.pages(operation, Bucket="bucket", Delimiter="/", PaginationConfig={"PageSize": 2})
        found = [[o["Key"] for o in p.get("Contents", [])] + [o["Prefix"] for o in p.get("CommonPrefixes", [])] for p in pages]
        assert found == [["a", "b/"], ["c", "d/"], ["e é&<"]]
        shown = (await getattr(s3, operation)(Bucket="bucket", Prefix="b/", Delimiter="/"))["Contents"]
        assert [o["Key"] for o in shown] == ["b/1", "b/2", "b/3"] and shown[0]["Size"] == 3
    assert [o["Key"] for o in (await s3.list_objects_v2(Bucket="bucket", StartAfter="b/3"))["Contents"]] == ["c", "d/x/1", "e é&<"]
    empty = await s3.list_objects_v2(Bucket="bucket", MaxKeys=0)
    assert (empty["KeyCount"], empty["IsTruncated"]) == (0, False)
    owned = await s3.list_objects_v2(Bucket="bucket", FetchOwner=True, MaxKeys=1)
    assert owned["Contents"][0]["Owner"]["ID"] == world.h.project_id


async def test_ranges_conditions_and_overrides(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    put = await s3.put_object(Bucket="bucket", Key="k", Body=b"0123456789")
    assert await s3.read(Bucket="bucket", Key="k", Range="bytes=2-4") == b"234"
    assert await s3.read(Bucket="bucket", Key="k", Range="bytes=-3") == b"789"
    assert await s3.fails("get_object", Bucket="bucket", Key="k", Range="bytes=10-") == ("InvalidRange", 416)
    assert await s3.fails("get_object", Bucket="bucket", Key="k", IfMatch='"no"') == ("PreconditionFailed", 412)
    assert (await s3.fails("get_object", Bucket="bucket", Key="k", IfNoneMatch=put["ETag"]))[1] == 304
    assert await s3.fails("get_object", Bucket="bucket", Key="nothing") == ("NoSuchKey", 404)
    assert (await s3.fails("head_object", Bucket="bucket", Key="nothing"))[1] == 404
    got = await s3.get_object(Bucket="bucket", Key="k", ResponseContentType="x/y", ResponseContentDisposition="attachment")
    assert (got["ContentType"], got["ContentDisposition"]) == ("x/y", "attachment")
    assert await s3.fails("put_object", Bucket="bucket", Key="k", Body=b"", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert await s3.fails("put_object", Bucket="bucket", Key="k", Body=b"", IfMatch='"no"') == ("PreconditionFailed", 412)
    assert await s3.fails("put_object", Bucket="bucket", Key="nothing", Body=b"", IfMatch='"no"') == ("NoSuchKey", 404)
    await s3.put_object(Bucket="bucket", Key="k", Body=b"new", IfMatch=put["ETag"])
    assert await s3.read(Bucket="bucket", Key="k") == b"new"


async def test_copies_move_no_data(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    await s3.put_object(Bucket="bucket", Key="a b", Body=b"data", Metadata={"x": "1"}, ContentType="t/1")
    copied = await s3.copy_object(Bucket="bucket", Key="k", CopySource={"Bucket": "bucket", "Key": "a b"})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(b"data").hexdigest()}"'
    head = await s3.head_object(Bucket="bucket", Key="k")
    assert (head["Metadata"], head["ContentType"]) == ({"x": "1"}, "t/1")
    own = {"Bucket": "bucket", "Key": "k", "CopySource": "bucket/k"}
    assert await s3.fails("copy_object", **own) == ("InvalidRequest", 400)
    await s3.copy_object(**own, MetadataDirective="REPLACE", Metadata={"y": "2"})
    assert (await s3.head_object(Bucket="bucket", Key="k"))["Metadata"] == {"y": "2"}
    assert await s3.fails("copy_object", **own | {"Key": "n"}, CopySourceIfMatch='"no"') == ("PreconditionFailed", 412)
    assert await s3.fails("copy_object", Bucket="bucket", Key="n", CopySource="bucket/nothing") == ("NoSuchKey", 404)
    assert await s3.fails("copy_object", Bucket="bucket", Key="n", CopySource="nothing/nothing") == ("NoSuchBucket", 404)
    await world.other.create_bucket(Bucket="other")
    assert await world.other.fails("copy_object", Bucket="other", Key="n", CopySource="bucket/k") == ("AccessDenied", 403)


async def test_spaces_belong_to_a_key_and_to_a_tag(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    for key in (" ", " k ", "k"):
        await s3.put_object(Bucket="bucket", Key=key, Body=b"x")
    await s3.put_object_tagging(Bucket="bucket", Key="k", Tagging={"TagSet": [{"Key": " t ", "Value": " v"}]})
    assert (await s3.get_object_tagging(Bucket="bucket", Key="k"))["TagSet"] == [{"Key": " t ", "Value": " v"}]
    await s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": " "}, {"Key": " k "}]})
    assert [o["Key"] for o in (await s3.list_objects_v2(Bucket="bucket"))["Contents"]] == ["k"]


async def test_many_deletes_at_once(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    for name in ("a", "b", "c"):
        await s3.put_object(Bucket="bucket", Key=name, Body=b"")
    wanted = {"Objects": [{"Key": "a"}, {"Key": "b&"}, {"Key": "b"}]}
    assert [d["Key"] for d in (await s3.delete_objects(Bucket="bucket", Delete=wanted))["Deleted"]] == ["a", "b&", "b"]
    assert [o["Key"] for o in (await s3.list_objects_v2(Bucket="bucket"))["Contents"]] == ["c"]
    refused = await world.other.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "c"}]})
    assert refused["Errors"][0]["Code"] == "AccessDenied"


async def test_an_object_may_be_public_in_a_private_bucket(world: World) -> None:
    s3, nobody = world.member, world.s3("", "").client
    nobody.meta.events.register("choose-signer.s3.*", disable_signing)
    await s3.create_bucket(Bucket="bucket")
    await s3.put_object(Bucket="bucket", Key="open", Body=b"for all", ACL="public-read")
    await s3.put_object(Bucket="bucket", Key="known", Body=b"for some", ACL="authenticated-read")
    await s3.put_object(Bucket="bucket", Key="own", Body=b"mine", ACL="bucket-owner-full-control")
    anonymous = S3(nobody)
    assert await anonymous.read(Bucket="bucket", Key="open") == b"for all"
    assert await world.other.read(Bucket="bucket", Key="known") == b"for some"
    for who, key in ((anonymous, "known"), (anonymous, "own"), (world.other, "own"), (anonymous, "none"), (world.other, "none")):
        assert await who.fails("get_object", Bucket="bucket", Key=key) == ("AccessDenied", 403)
    assert await anonymous.fails("list_objects_v2", Bucket="bucket") == ("AccessDenied", 403)
    grants = (await s3.get_object_acl(Bucket="bucket", Key="open"))["Grants"]
    assert [g["Permission"] for g in grants] == ["FULL_CONTROL", "READ"] and grants[1]["Grantee"]["URI"].endswith("/AllUsers")
    # Reading is all that it gives, and a copy has the ACL that the copy is given.
    assert await world.other.fails("put_object", Bucket="bucket", Key="open", Body=b"x") == ("AccessDenied", 403)
    assert await world.other.fails("put_object_acl", Bucket="bucket", Key="open", ACL="private") == ("AccessDenied", 403)
    to_itself = {"Bucket": "bucket", "Key": "open", "CopySource": "bucket/open", "MetadataDirective": "REPLACE"}
    assert await world.other.fails("copy_object", **to_itself) == ("AccessDenied", 403)
    await s3.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/open")
    swift, path = world.h.as_member(), f"/v1/AUTH_{world.h.project_id}/bucket"
    assert (await swift.put(f"{path}/by-swift", headers={"X-Copy-From": "bucket/open"})).status_code == 201
    for key in ("copy", "by-swift"):
        assert await anonymous.fails("get_object", Bucket="bucket", Key=key) == ("AccessDenied", 403)
    await s3.put_object_tagging(Bucket="bucket", Key="open", Tagging={"TagSet": [{"Key": "t", "Value": "v"}]})
    assert await anonymous.read(Bucket="bucket", Key="open") == b"for all"
    await s3.put_object_acl(Bucket="bucket", Key="open", ACL="private")
    assert await anonymous.fails("get_object", Bucket="bucket", Key="open") == ("AccessDenied", 403)
    policy = await s3.get_object_acl(Bucket="bucket", Key="open")
    wanted = {"Owner": policy["Owner"], "Grants": [*policy["Grants"], grants[1]]}
    await s3.put_object_acl(Bucket="bucket", Key="open", AccessControlPolicy=wanted)
    assert await anonymous.read(Bucket="bucket", Key="open") == b"for all"
    await s3.put_object(Bucket="bucket", Key="open", Body=b"new")
    assert await anonymous.fails("get_object", Bucket="bucket", Key="open") == ("AccessDenied", 403)


async def test_each_version_has_its_own_acl(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    await s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    old = (await s3.put_object(Bucket="bucket", Key="k", Body=b"old", ACL="authenticated-read"))["VersionId"]
    new = (await s3.put_object(Bucket="bucket", Key="k", Body=b"new"))["VersionId"]
    assert await world.other.read(Bucket="bucket", Key="k", VersionId=old) == b"old"
    for version in ({}, {"VersionId": new}):
        assert await world.other.fails("get_object", Bucket="bucket", Key="k", **version) == ("AccessDenied", 403)
    upload = (await s3.create_multipart_upload(Bucket="bucket", Key="parts", ACL="authenticated-read"))["UploadId"]
    part = await s3.upload_part(Bucket="bucket", Key="parts", UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    await s3.complete_multipart_upload(Bucket="bucket", Key="parts", UploadId=upload, MultipartUpload=parts)
    assert await world.other.read(Bucket="bucket", Key="parts") == b"part"


async def test_listings_and_head_tell_the_same_time(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    await s3.put_object(Bucket="bucket", Key="k", Body=b"")
    listed = (await s3.list_objects_v2(Bucket="bucket"))["Contents"][0]["LastModified"]
    assert listed == (await s3.head_object(Bucket="bucket", Key="k"))["LastModified"]


async def test_canned_acls_are_the_containers(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="public", ACL="public-read")
    await s3.put_object(Bucket="public", Key="k", Body=b"for all")
    assert (await world.raw("GET", "/public/k", access=None)).content == b"for all"
    assert "<Key>k</Key>" in (await world.raw("GET", "/public", access=None)).text
    assert (await world.raw("PUT", "/public/k", b"x", access=None)).status_code == 403
    grants = (await s3.get_bucket_acl(Bucket="public"))["Grants"]
    assert [g["Permission"] for g in grants] == ["FULL_CONTROL", "READ"]
    await s3.put_bucket_acl(Bucket="public", ACL="private")
    answer = await world.raw("GET", "/public/k", access=None)
    assert answer.status_code == 403 and "<Code>AccessDenied</Code>" in answer.text
    await s3.put_bucket_acl(Bucket="public", ACL="authenticated-read")
    assert await world.other.read(Bucket="public", Key="k") == b"for all"
    assert await world.other.fails("put_object", Bucket="public", Key="k", Body=b"") == ("AccessDenied", 403)
    await s3.put_bucket_acl(Bucket="public", ACL="public-read-write")
    await world.other.put_object(Bucket="public", Key="k2", Body=b"")
    assert await s3.fails("put_object", Bucket="public", Key="k", Body=b"", GrantRead="id=somebody") == ("NotImplemented", 501)


async def test_presigned_urls(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    async with httpx.AsyncClient(trust_env=False) as client:
        put = s3.client.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "a b"}, ExpiresIn=60)
        assert (await client.put(put, content=b"signed")).status_code == 200
        get = s3.client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a b", "ResponseContentType": "x/y"}, ExpiresIn=60)
        answer = await client.get(get)
        assert (answer.content, answer.headers["content-type"]) == (b"signed", "x/y")
        assert (await client.get(get.replace("a%20b", "other"))).status_code == 403
        assert (await client.put(get, content=b"")).status_code == 403
        world.h.clock.advance(61)
        answer = await client.get(get)
        assert answer.status_code == 403 and "expired" in answer.text


async def test_tags(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    await s3.put_object(Bucket="bucket", Key="k", Body=b"", Tagging="a=1&b=%26")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "&"}]
    assert (await s3.get_object_tagging(Bucket="bucket", Key="k"))["TagSet"] == tags
    assert (await s3.get_object(Bucket="bucket", Key="k"))["TagCount"] == 2
    await s3.put_object_tagging(Bucket="bucket", Key="k", Tagging={"TagSet": [{"Key": "z", "Value": ""}]})
    assert (await s3.get_object_tagging(Bucket="bucket", Key="k"))["TagSet"] == [{"Key": "z", "Value": ""}]
    await s3.delete_object_tagging(Bucket="bucket", Key="k")
    assert (await s3.get_object_tagging(Bucket="bucket", Key="k"))["TagSet"] == []
    many = {"TagSet": [{"Key": str(i), "Value": ""} for i in range(11)]}
    assert (await s3.fails("put_object_tagging", Bucket="bucket", Key="k", Tagging=many))[0] == "InvalidTag"


async def test_what_is_not_offered_is_refused(world: World) -> None:
    s3 = world.member
    await s3.create_bucket(Bucket="bucket")
    for operation in (
        "get_bucket_policy",
        "get_bucket_lifecycle_configuration",
        "get_bucket_notification_configuration",
        "get_bucket_website",
        "get_bucket_cors",
        "get_bucket_tagging",
    ):
        assert await s3.fails(operation, Bucket="bucket") == ("NotImplemented", 501), operation
    assert await s3.fails("get_object_lock_configuration", Bucket="bucket") == ("ObjectLockConfigurationNotFoundError", 404)
    for extra in ({"ServerSideEncryption": "AES256"}, {"ObjectLockLegalHoldStatus": "ON"}, {"WebsiteRedirectLocation": "/"}, {"GrantRead": "id=x"}):
        assert await s3.fails("put_object", Bucket="bucket", Key="k", Body=b"", **extra) == ("NotImplemented", 501), extra
    assert (await s3.fails("put_object", Bucket="bucket", Key="k", Body=b"", StorageClass="GLACIER"))[0] == "InvalidStorageClass"
    assert await s3.fails("head_object", Bucket="bucket", Key="k") == ("404", 404)


async def test_quota_is_that_of_the_project(world: World) -> None:
    await world.member.create_bucket(Bucket="bucket")
    await world.h.quota.set_limits(world.h.project_id, {"object.bytes": 10})
    await world.member.put_object(Bucket="bucket", Key="k", Body=b"12345678")
    assert await world.member.fails("put_object", Bucket="bucket", Key="k2", Body=b"12345678") == ("QuotaExceeded", 403)
    assert await world.member.fails("copy_object", Bucket="bucket", Key="k2", CopySource="bucket/k") == ("QuotaExceeded", 403)
