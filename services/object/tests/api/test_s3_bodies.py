"""How bodies come in over S3: signed, in signed chunks, with trailing checksums; and what happens to wrong ones."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from awscrt import checksums as crt
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from services.object.tests.s3 import REGION, SECRETS, World

DATA = bytes(range(256)) * 700


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with World(database_url) as running:
        await running.member.create_bucket(Bucket="bucket")
        yield running


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class _Fixed(S3SigV4Auth):  # type: ignore[misc]
    """Signs the payload type that the header names, as streaming clients do."""

    kind = ""

    def payload(self, request: Any) -> str:
        return self.kind


def sign(request: AWSRequest) -> dict[str, str]:
    signer = _Fixed(Credentials("MEMBER", SECRETS["MEMBER"]), "s3", REGION)
    signer.kind = request.headers["X-Amz-Content-SHA256"]
    signer.add_auth(request)
    return dict(request.headers.items())


def chunked(world: World, headers: dict[str, str], chunks: list[bytes], *, trailer: str = "", spoil: str = "") -> tuple[dict[str, str], bytes]:
    """Headers and body of an upload in signed chunks (AWS's «chunked upload» documents), written here anew."""
    request = AWSRequest(method="PUT", url=f"{world.url}/bucket/k", headers=headers)
    signed = sign(request)
    when, previous = signed["X-Amz-Date"], signed["Authorization"].rpartition("Signature=")[2]
    key = f"AWS4{SECRETS['MEMBER']}".encode()
    for part in (when[:8], REGION, "s3", "aws4_request"):
        key = _hmac(key, part)
    scope, empty = f"{when[:8]}/{REGION}/s3/aws4_request", hashlib.sha256(b"").hexdigest()
    body = b""
    for number, chunk in enumerate([*chunks, b""]):
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{when}\n{scope}\n{previous}\n{empty}\n{hashlib.sha256(chunk).hexdigest()}"
        previous = _hmac(key, text).hex()
        shown = "0" * 64 if spoil == f"chunk {number}" else previous
        body += f"{len(chunk):x};chunk-signature={shown}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
    if trailer:
        digest = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{when}\n{scope}\n{previous}\n{digest}"
        shown = "0" * 64 if spoil == "trailer" else _hmac(key, text).hex()
        body += f"{trailer}\r\nx-amz-trailer-signature:{shown}\r\n".encode()
    return signed, body + b"\r\n"


async def send(world: World, headers: dict[str, str], body: bytes) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.put(f"{world.url}/bucket/k", content=body, headers=headers)


def crc32(data: bytes) -> str:
    return base64.b64encode(binascii.crc32(data).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("spoil", ["", "chunk 0", "chunk 2", "chunk 3"])
async def test_every_chunk_is_signed(world: World, spoil: str) -> None:
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    headers = {"X-Amz-Content-SHA256": kind, "x-amz-decoded-content-length": str(len(DATA)), "content-encoding": "aws-chunked,gzip"}
    answer = await send(world, *chunked(world, headers, [DATA[:65536], DATA[65536:131072], DATA[131072:]], spoil=spoil))
    if spoil:
        assert answer.status_code == 403 and "SignatureDoesNotMatch" in answer.text
        assert (await world.member.fails("head_object", Bucket="bucket", Key="k"))[1] == 404
        return
    assert answer.status_code == 200, answer.text
    got = await world.member.get_object(Bucket="bucket", Key="k")
    assert got["ContentEncoding"] == "gzip"
    assert await world.member.read(Bucket="bucket", Key="k") == DATA


@pytest.mark.parametrize("spoil", ["", "trailer", "value"])
async def test_signed_trailer(world: World, spoil: str) -> None:
    headers = {
        "X-Amz-Content-SHA256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(DATA)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    value = crc32(b"other") if spoil == "value" else crc32(DATA)
    answer = await send(world, *chunked(world, headers, [DATA], trailer=f"x-amz-checksum-crc32:{value}", spoil=spoil))
    wanted = {"": (200, ""), "trailer": (403, "SignatureDoesNotMatch"), "value": (400, "BadDigest")}[spoil]
    assert answer.status_code == wanted[0] and wanted[1] in answer.text


async def unsigned(world: World, body: bytes, **more: str) -> httpx.Response:
    headers = {"X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "11", **more}
    request = AWSRequest(method="PUT", url=f"{world.url}/bucket/k", headers=headers)
    return await send(world, sign(request), body)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("crc32", binascii.crc32(b"hello world").to_bytes(4, "big")),
        ("crc32c", crt.crc32c(b"hello world").to_bytes(4, "big")),
        ("crc64nvme", crt.crc64nvme(b"hello world").to_bytes(8, "big")),
        ("sha1", hashlib.sha1(b"hello world").digest()),
        ("sha256", hashlib.sha256(b"hello world").digest()),
    ],
)
async def test_unsigned_trailer_with_every_checksum(world: World, name: str, digest: bytes) -> None:
    value = base64.b64encode(digest).decode()
    trailer = {"x-amz-trailer": f"x-amz-checksum-{name}"}
    answer = await unsigned(world, f"b\r\nhello world\r\n0\r\nx-amz-checksum-{name}:{value}\r\n\r\n".encode(), **trailer)
    assert answer.status_code == 200, answer.text
    assert answer.headers[f"x-amz-checksum-{name}"] == value
    head = await world.member.head_object(Bucket="bucket", Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{name.upper()}"] == value
    wrong = base64.b64encode(bytes(len(digest))).decode()
    answer = await unsigned(world, f"b\r\nhello world\r\n0\r\nx-amz-checksum-{name}:{wrong}\r\n\r\n".encode(), **trailer)
    assert answer.status_code == 400 and "BadDigest" in answer.text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"b\r\nhello", "IncompleteBody"),
        (b"b\r\nhello worldX\r\n0\r\n\r\n", "IncompleteBody"),
        (b"zz\r\nhello world\r\n0\r\n\r\n", "IncompleteBody"),
        (b"-1\r\n", "IncompleteBody"),
        (b"a\r\nhello worl\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", "IncompleteBody"),
        (b"c\r\nhello world!\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", "IncompleteBody"),
        (b"b\r\nhello world\r\n0\r\n\r\n", "MalformedTrailerError"),
        (b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:xx\r\n\r\n", "InvalidRequest"),
        (b"b" * 20000, "IncompleteBody"),
    ],
)
async def test_torn_chunks_leave_nothing(world: World, body: bytes, code: str) -> None:
    answer = await unsigned(world, body, **{"x-amz-trailer": "x-amz-checksum-crc32"})
    assert answer.status_code == 400 and f"<Code>{code}</Code>" in answer.text, answer.text
    assert (await world.member.fails("head_object", Bucket="bucket", Key="k"))[1] == 404


async def test_wrong_digests_are_refused(world: World) -> None:
    s3 = world.member
    for wrong, code in (
        ({"ContentMD5": base64.b64encode(bytes(16)).decode()}, "BadDigest"),
        ({"ContentMD5": "x"}, "InvalidDigest"),
        ({"ChecksumSHA256": base64.b64encode(bytes(32)).decode()}, "BadDigest"),
        ({"ChecksumCRC32": "x"}, "InvalidRequest"),
    ):
        assert (await s3.fails("put_object", Bucket="bucket", Key="k", Body=b"data", **wrong))[0] == code
    request = AWSRequest(method="PUT", url=f"{world.url}/bucket/k", headers={"X-Amz-Content-SHA256": "0" * 64})
    answer = await send(world, sign(request), b"data")
    assert answer.status_code == 400 and "XAmzContentSHA256Mismatch" in answer.text
    assert (await s3.fails("head_object", Bucket="bucket", Key="k"))[1] == 404


async def test_a_refused_upload_does_not_spoil_the_connection(world: World) -> None:
    """boto3 waits for «100 Continue», and does not send the body that was refused."""
    for _ in range(3):
        assert await world.other.fails("put_object", Bucket="bucket", Key="k", Body=b"12345678") == ("AccessDenied", 403)
        assert (await world.other.list_buckets())["Buckets"] == []
