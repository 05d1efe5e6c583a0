"""Signed requests of random parts: whatever is asked, the answer is never the server's error. (`tests/fuzz` sends unsigned ones.)"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from services.object.tests.s3 import REGION, SECRETS, World
from tests.fuzz.strict_database import hold_to_postgres

from synnefo_common.http.testing import asgi_client

NASTY = [
    "",
    "0",
    "-1",
    "1",
    "2",
    "é",
    "\U0001f600",
    "a b",
    "%",
    "a/b",
    "/",
    "null",
    "9" * 18,
    "9" * 30,
    "x" * 1100,
    "1-2",
    "bytes=0-1",
    "bytes=5-",
    "&<>",
    "\x01",
]
BUCKETS = ["/bucket", "/bucket", "/bucket", "/nothing", "/B"]
KEYS = ["/k", "/k", "/mpu", "//a/../b", "/" + "é" * 600]
# method, whether an object's, subresource
CALLS = [
    ("GET", False, ""),
    ("GET", False, "versions"),
    ("GET", False, "uploads"),
    ("GET", False, "acl"),
    ("GET", False, "versioning"),
    ("HEAD", False, ""),
    ("PUT", False, ""),
    ("PUT", False, "acl"),
    ("PUT", False, "versioning"),
    ("POST", False, "delete"),
    ("DELETE", False, ""),
    ("GET", False, "location"),
    ("GET", True, ""),
    ("GET", True, "tagging"),
    ("GET", True, "uploadId"),
    ("HEAD", True, ""),
    ("PUT", True, ""),
    ("PUT", True, "tagging"),
    ("PUT", True, "uploadId"),
    ("POST", True, "uploads"),
    ("POST", True, "uploadId"),
    ("DELETE", True, ""),
    ("PATCH", True, ""),
    ("OPTIONS", False, ""),
]
QUERIES = [
    "versionId", "partNumber", "partNumber", "list-type", "prefix", "delimiter", "marker", "max-keys", "encoding-type", "start-after", "max-parts",
    "continuation-token", "key-marker", "version-id-marker", "upload-id-marker", "max-uploads", "part-number-marker", "response-content-type",
    "fetch-owner", "max-buckets",
]  # fmt: skip
HEADERS = [
    "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-copy-source-if-match", "x-amz-metadata-directive", "x-amz-tagging", "x-amz-acl", "range",
    "if-match", "if-none-match", "if-modified-since", "content-md5", "x-amz-checksum-crc32", "x-amz-checksum-algorithm", "x-amz-checksum-type",
    "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-meta-a", "x-amz-meta-", "content-type", "x-amz-checksum-mode", "x-amz-mp-object-size",
    "x-amz-sdk-checksum-algorithm", "x-amz-tagging-directive",
]  # fmt: skip
PART = "<Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
BODIES = [
    b"", b"x", b"<", b"<a/>", b"\xff\xfe<\x00", b"<!DOCTYPE a [<!ENTITY b 'c'>]><Delete>&b;</Delete>", b"<Tagging><TagSet/></Tagging>",
    b"<Delete><Object><Key>k</Key></Object><Object><Key>a</Key><VersionId>zz</VersionId></Object></Delete>", b"<Delete/>",
    f"<CompleteMultipartUpload>{PART}</CompleteMultipartUpload>".encode(), b"<CompleteMultipartUpload/>",
    b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", b"<VersioningConfiguration/>",
    b"<AccessControlPolicy><AccessControlList><Grant/></AccessControlList></AccessControlPolicy>",
    b"<CreateBucketConfiguration><LocationConstraint>x</LocationConstraint></CreateBucketConfiguration>", b"5\r\nhello\r\n0\r\n\r\n",
    b"<a>" * 100, b"<Delete><Object><Key>\xf0\x9f\x98\x80&#1;</Key></Object></Delete>",
]  # fmt: skip
PAYLOADS = [
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-X", "x",
]  # fmt: skip


class _Signer(S3SigV4Auth):  # type: ignore[misc]
    kind: str | None = None

    def payload(self, request: Any) -> str:
        return self.kind or str(super().payload(request))


@pytest.mark.slow
async def test_no_signed_request_is_answered_with_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_to_postgres(monkeypatch)
    dice = random.Random(20)
    async with World() as world:
        await world.member.create_bucket(Bucket="bucket")
        await world.member.put_object(Bucket="bucket", Key="k", Body=b"hello")
        upload = (await world.member.create_multipart_upload(Bucket="bucket", Key="mpu"))["UploadId"]
        wrong: list[str] = []
        seen: Counter[int] = Counter()
        async with asgi_client(world.h.service.app) as client:
            for _ in range(1500):
                method, is_object, subresource = dice.choice(CALLS)
                asked = [(dice.choice(QUERIES), dice.choice([*NASTY, "1"])) for _ in range(dice.randrange(3))]
                asked += [(subresource, upload if dice.random() < 0.7 else dice.choice(NASTY))] if subresource else []
                query = "&".join(f"{quote(name)}={quote(value)}" for name, value in asked)
                headers = {
                    dice.choice(HEADERS): dice.choice([*NASTY, "bucket/k", "CRC32", "COMPOSITE", "x-amz-checksum-crc32"])
                    for _ in range(dice.randrange(3))
                }
                headers = {name: value for name, value in headers.items() if value.isprintable()}
                path = dice.choice(BUCKETS) + (dice.choice(KEYS) if is_object else "")
                url = "http://testserver/s3" + quote(path) + (f"?{query}" if query else "")
                body = dice.choice(BODIES) if method in ("PUT", "POST") else b""
                request = AWSRequest(method=method, url=url, data=body, headers={k: v.encode().decode("latin-1") for k, v in headers.items()})
                signer = _Signer(Credentials("MEMBER", SECRETS["MEMBER"]), "s3", REGION)
                signer.kind = dice.choice(PAYLOADS) if dice.random() < 0.2 else None
                signer.add_auth(request)
                sent = {name: value.encode("latin-1") if isinstance(value, str) else value for name, value in request.headers.items()}
                answer = await client.request(method, url, content=body, headers=sent)
                seen[answer.status_code] += 1
                if answer.status_code >= 500 and answer.status_code != 501:
                    wrong.append(f"{method} {url} {headers} {body[:60]!r}: {answer.status_code} {answer.text[:200]}")
        assert seen[200] > 100 and seen[403] < 500, seen
        assert not wrong, "\n".join(wrong[:10])
