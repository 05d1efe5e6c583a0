"""A browser's form that uploads to a bucket: what its policy allows, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from services.object.tests.s3 import SECRETS, World

FIELDS = {"acl": "private", "Content-Type": "text/x-form", "x-amz-meta-kind": "cat"}
CONDITIONS = [{"acl": "private"}, ["starts-with", "$Content-Type", "text/"], ["eq", "$x-amz-meta-kind", "cat"]]


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with World(database_url) as running:
        await running.member.create_bucket(Bucket="bucket")
        yield running


async def post(world: World, fields: dict[str, str], data: bytes = b"by a form", name: str = "C:\\pictures\\cat 1.png") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"{world.url}/bucket", data=fields, files={"file": (name, data)})


def presigned(world: World, key: str, *, fields: dict[str, str] = FIELDS, conditions: list[Any] = CONDITIONS, expires_s: int = 60) -> dict[str, str]:
    """A form's fields as boto3 makes them."""
    made = world.member.client.generate_presigned_post("bucket", key, Fields=dict(fields), Conditions=list(conditions), ExpiresIn=expires_s)
    found: dict[str, str] = made["fields"]
    return found


def signed(policy: object, *, raw: bool = False) -> dict[str, str]:
    """In version 2."""
    text = str(policy) if raw else base64.b64encode(json.dumps(policy).encode()).decode()
    signature = base64.b64encode(hmac.new(SECRETS["MEMBER"].encode(), text.encode(), hashlib.sha1).digest()).decode()
    return {"AWSAccessKeyId": "MEMBER", "policy": text, "signature": signature}


async def test_a_form_uploads_what_its_policy_allows(world: World) -> None:
    answer = await post(world, presigned(world, "in/${filename}"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["etag"] == f'"{hashlib.md5(b"by a form").hexdigest()}"' and answer.headers["location"] == "/bucket/in/cat%201.png"
    got = await world.member.get_object(Bucket="bucket", Key="in/cat 1.png")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"by a form", "text/x-form", {"kind": "cat"})
    assert (await world.h.as_member().head(f"/v1/AUTH_{world.h.project_id}/bucket")).headers["x-container-bytes-used"] == "9"


async def test_where_a_form_goes_afterwards(world: World) -> None:
    def fields(name: str, value: str) -> dict[str, str]:
        return presigned(world, "k", fields={name: value}, conditions=[["starts-with", f"${name}", ""]])

    made = await post(world, fields("success_action_status", "201"))
    assert made.status_code == 201 and "<Bucket>bucket</Bucket><Key>k</Key>" in made.text
    assert (await post(world, fields("success_action_status", "200"))).status_code == 200
    assert (await post(world, fields("success_action_status", "404"))).status_code == 204
    sent = await post(world, fields("success_action_redirect", "http://site.test/done?a=b"))
    tag = hashlib.md5(b"by a form").hexdigest()
    assert (sent.status_code, sent.headers["location"]) == (303, f"http://site.test/done?a=b&bucket=bucket&key=k&etag=%22{tag}%22")
    assert (await post(world, fields("success_action_redirect", "javascript:alert(1)"))).status_code == 204


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"Content-Type": "image/png"}, 403, "AccessDenied"),
        ({"x-amz-meta-kind": "dog"}, 403, "AccessDenied"),
        ({"x-amz-meta-more": "x"}, 403, "AccessDenied"),
        ({"x-ignore-this": "x"}, 204, ""),
        ({"key": "another"}, 403, "AccessDenied"),
        ({"key": ""}, 400, "InvalidArgument"),
        ({"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
        ({"x-amz-credential": "NOBODY/20130524/RegionOne/s3/aws4_request", "x-amz-date": "20130524T000000Z"}, 403, "InvalidAccessKeyId"),
        ({"x-amz-date": "yesterday"}, 400, "InvalidRequest"),
        ({"x-amz-meta-large": "x" * 30_000}, 400, "MaxPostPreDataLengthExceeded"),
    ],
)
async def test_another_form_than_the_signed_is_refused(world: World, change: dict[str, str], status: int, code: str) -> None:
    answer = await post(world, presigned(world, "k") | change)
    assert answer.status_code == status and f"<Code>{code}</Code>" in (answer.text or "<Code></Code>")
    listed = await world.member.list_objects_v2(Bucket="bucket")
    assert listed["KeyCount"] == (1 if status == 204 else 0)


async def test_the_size_is_what_the_policy_allows(world: World) -> None:
    fields = presigned(world, "k", fields={}, conditions=[["content-length-range", 4, 8]])
    assert "<Code>EntityTooSmall</Code>" in (await post(world, fields, b"123")).text
    assert "<Code>EntityTooLarge</Code>" in (await post(world, fields, b"123456789")).text
    assert await world.member.fails("head_object", Bucket="bucket", Key="k") == ("404", 404)
    assert (await post(world, fields, b"12345678")).status_code == 204


GOOD = {"expiration": "2099-01-01T00:00:00.000Z", "conditions": [{"bucket": "bucket"}, ["starts-with", "$key", ""]]}


@pytest.mark.parametrize(
    ("policy", "status", "code"),
    [
        (GOOD, 204, ""),
        (GOOD | {"expiration": "2020-01-01T00:00:00Z"}, 403, "AccessDenied"),
        (GOOD | {"expiration": "soon"}, 400, "InvalidPolicyDocument"),
        ({"conditions": GOOD["conditions"]}, 400, "InvalidPolicyDocument"),
        ({"expiration": GOOD["expiration"]}, 400, "InvalidPolicyDocument"),
        (GOOD | {"conditions": [{}]}, 400, "InvalidPolicyDocument"),
        (GOOD | {"conditions": [["content-length-range", 0]]}, 400, "InvalidPolicyDocument"),
        (GOOD | {"conditions": [["content-length-range", -1, 0]]}, 400, "InvalidPolicyDocument"),
        (GOOD | {"conditions": [["starts-with", "$key", ""], {"bucket": "other"}]}, 403, "AccessDenied"),
        (GOOD | {"conditions": [{"bucket": "bucket"}]}, 403, "AccessDenied"),
        ([], 400, "InvalidPolicyDocument"),
    ],
)
async def test_policies_in_version_2(world: World, policy: object, status: int, code: str) -> None:
    answer = await post(world, {"key": "k", **signed(policy)})
    assert answer.status_code == status and f"<Code>{code}</Code>" in (answer.text or "<Code></Code>")


async def test_what_is_no_form_or_not_signed(world: World) -> None:
    good = {"key": "k", **signed(GOOD)}
    assert (await post(world, {"key": "k", **signed("no base64", raw=True)})).status_code == 400
    assert (await post(world, {**good, "signature": "AAAA"})).status_code == 403
    assert (await post(world, {name: good[name] for name in ("key", "policy")})).status_code == 400
    assert (await post(world, {name: good[name] for name in ("key", "signature", "AWSAccessKeyId")})).status_code == 400
    assert (await post(world, {"key": "k"})).status_code == 403
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(f"{world.url}/bucket", data=good)).status_code == 412
        assert (await client.post(f"{world.url}/bucket", data=good, files={"other": b"x"})).status_code == 400
    assert "Contents" not in await world.member.list_objects_v2(Bucket="bucket")
