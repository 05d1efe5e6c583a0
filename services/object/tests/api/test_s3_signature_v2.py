"""S3 signed in version 2, as older clients do: headers, presigned URLs, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from urllib.parse import urlencode

import httpx
import pytest
import pytest_asyncio
from services.object.tests.s3 import SECRETS, World


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with World(database_url) as running:
        yield running


def signed(text: str, access: str = "MEMBER") -> str:
    return base64.b64encode(hmac.new(SECRETS[access].encode(), text.encode(), hashlib.sha1).digest()).decode()


async def send(method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"") -> httpx.Response:
    raw = {name.encode(): value.encode("latin-1") for name, value in (headers or {}).items()}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, url, headers=raw, content=body)


async def test_boto3_by_headers(world: World) -> None:
    s3 = world.s3("MEMBER", signature_version="s3")
    await s3.create_bucket(Bucket="old")
    await s3.put_object(Bucket="old", Key="a/é b+c", Body=b"hello", ContentType="text/x", Metadata={"Kind": "cat"})
    assert await s3.read(Bucket="old", Key="a/é b+c", ResponseContentType="x/y") == b"hello"
    upload = await s3.create_multipart_upload(Bucket="old", Key="big")
    part = await s3.upload_part(Bucket="old", Key="big", UploadId=upload["UploadId"], PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    await s3.complete_multipart_upload(Bucket="old", Key="big", UploadId=upload["UploadId"], MultipartUpload=parts)
    assert [o["Key"] for o in (await s3.list_objects_v2(Bucket="old"))["Contents"]] == ["a/é b+c", "big"]
    assert (await world.member.get_object(Bucket="old", Key="big"))["ContentLength"] == 4
    await s3.delete_objects(Bucket="old", Delete={"Objects": [{"Key": "a/é b+c"}, {"Key": "big"}]})
    await s3.delete_bucket(Bucket="old")


async def test_presigned_urls(world: World) -> None:
    s3 = world.s3("MEMBER", signature_version="s3")
    await s3.create_bucket(Bucket="old")
    put = s3.client.generate_presigned_url("put_object", {"Bucket": "old", "Key": "a b"}, ExpiresIn=60)
    assert "AWSAccessKeyId=" in put
    assert (await send("PUT", put, body=b"hello")).status_code == 200
    get = s3.client.generate_presigned_url("get_object", {"Bucket": "old", "Key": "a b", "ResponseContentType": "x/y"}, ExpiresIn=60)
    got = await send("GET", get)
    assert (got.content, got.headers["content-type"]) == (b"hello", "x/y")
    assert (await send("DELETE", get)).status_code == 403
    assert (await send("GET", get.replace("a%20b", "other"))).status_code == 403
    for expires, words in ((int(time.time()) - 1, "expired"), ("soon", "Invalid date")):
        text = f"GET\n\n\n{expires}\n/s3/old/a b"
        query = urlencode({"AWSAccessKeyId": "MEMBER", "Expires": expires, "Signature": signed(text)})
        refused = await send("GET", f"{world.url}/old/a%20b?{query}")
        assert refused.status_code == 403 and words in refused.text


async def test_either_path_and_either_date_may_be_signed(world: World) -> None:
    await world.member.create_bucket(Bucket="old")
    now = formatdate(usegmt=True)
    for resource in ("/s3/old", "/old"):
        by_date = signed(f"GET\n\n\n{now}\n{resource}?acl")
        assert (await send("GET", f"{world.url}/old?acl", {"Date": now, "Authorization": f"AWS MEMBER:{by_date}"})).status_code == 200
        by_amz = signed(f"GET\n\n\n\nx-amz-date:{now}\n{resource}?acl")
        answer = await send("GET", f"{world.url}/old?acl", {"Date": "any", "x-amz-date": now, "Authorization": f"AWS MEMBER:{by_amz}"})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("authorization", "date", "code"),
    [
        ("AWS MEMBER:wrong", None, "SignatureDoesNotMatch"),
        ("AWS NOBODY:{}", None, "InvalidAccessKeyId"),
        ("AWS MEMBER", None, "InvalidArgument"),
        ("AWS MEMBER\xff:{}", None, "InvalidArgument"),
        ("AWS " + "x" * 2000 + ":{}", None, "InvalidArgument"),
        ("AWS MEMBER:" + "x" * 2000, None, "InvalidArgument"),
        ("AWS MEMBER:{}", "yesterday", "AccessDenied"),
        ("AWS MEMBER:{}", formatdate(0, usegmt=True), "RequestTimeTooSkewed"),
        ("Basic x", None, "InvalidRequest"),
    ],
)
async def test_what_is_not_signed_well_is_refused(world: World, authorization: str, date: str | None, code: str) -> None:
    date = date or formatdate(usegmt=True)
    signature = signed(f"GET\n\n\n{date}\n/s3/")
    answer = await send("GET", f"{world.url}/", {"Date": date, "Authorization": authorization.format(signature)})
    assert answer.status_code in (400, 403) and f"<Code>{code}</Code>" in answer.text, answer.text


async def test_texts_that_cannot_be_sent_are_not_signed(world: World) -> None:
    now = formatdate(usegmt=True)
    headers = {"Date": now, "x-amz-meta-x": "\xff", "Authorization": "AWS MEMBER:x"}
    answer = await send("GET", f"{world.url}/", headers)
    assert answer.status_code == 403 and "SignatureDoesNotMatch" in answer.text


async def test_a_key_that_is_gone_is_refused(world: World) -> None:
    s3 = world.s3("MEMBER", signature_version="s3")
    await s3.list_buckets()
    world.gone.add("MEMBER")
    assert await s3.fails("list_buckets") == ("InvalidAccessKeyId", 403)


async def test_a_body_signed_in_chunks_needs_version_4(world: World) -> None:
    await world.member.create_bucket(Bucket="old")
    now = formatdate(usegmt=True)
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    text = f"PUT\n\n\n{now}\nx-amz-content-sha256:{kind}\nx-amz-decoded-content-length:1\n/s3/old/k"
    headers = {"Date": now, "Authorization": f"AWS MEMBER:{signed(text)}", "x-amz-content-sha256": kind, "x-amz-decoded-content-length": "1"}
    answer = await send("PUT", f"{world.url}/old/k", headers, b"1;chunk-signature=x\r\na\r\n")
    assert answer.status_code == 403 and "AccessDenied" in answer.text
