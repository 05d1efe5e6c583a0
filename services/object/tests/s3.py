"""boto3 against the service on a loopback port; identity is a fake peer that knows the keys of two projects and of a reader."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
from collections.abc import Callable
from typing import Any

import boto3
import httpx
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from synnefo_common.testing import Harness
from synnefo_object.main import build
from synnefo_object.settings import Settings

REGION = "RegionOne"
SECRETS = {"MEMBER": "member-secret", "OTHER": "other-secret", "READER": "reader-secret"}


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class S3:
    """`await s3.put_object(Bucket=…)`: a boto3 client's calls, in threads."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self.client, name)

        async def run(*args: Any, **kwargs: Any) -> Any:
            return await asyncio.to_thread(call, *args, **kwargs)

        return run

    async def pages(self, operation: str, **kwargs: Any) -> list[Any]:
        return await asyncio.to_thread(lambda: list(self.client.get_paginator(operation).paginate(**kwargs)))

    async def read(self, **kwargs: Any) -> bytes:
        """A GET's body."""
        return await asyncio.to_thread(lambda: bytes(self.client.get_object(**kwargs)["Body"].read()))

    async def fails(self, operation: str, **kwargs: Any) -> tuple[str, int]:
        """Code and status of the error that a call must give."""
        try:
            await getattr(self, operation)(**kwargs)
        except ClientError as error:
            return error.response["Error"]["Code"], int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        raise AssertionError(f"{operation} did not fail")


class World:
    """`async with World() as world`: the service, and clients for it."""

    def __init__(self, database_url: str = "sqlite://", **overrides: Any) -> None:
        self.port = free_port()
        settings = {"store_url": "memory:", "listen_port": self.port, "expirer_period_s": 0.05, "usage_period_s": 0.05, **overrides}
        self.h = Harness(build, Settings, settings, database_url=database_url)
        self.url = f"http://127.0.0.1:{self.port}/s3"
        self.gone: set[str] = set()
        self._clients: list[Any] = []

    async def __aenter__(self) -> World:
        await self.h.__aenter__()
        self.h.peers["identity"].on("GET", "/internal/v1/signing-keys", self._signing_key)
        self.h.peers["identity"].on("POST", "/internal/v1/signatures", self._check_signature)
        await self.h.service._listen(self.h.service.app, "127.0.0.1", self.port)
        self.member, self.other, self.reader = self.s3("MEMBER"), self.s3("OTHER"), self.s3("READER")
        return self

    async def __aexit__(self, *exc: object) -> None:
        for client in self._clients:
            client.close()
        await self.h.__aexit__(*exc)

    def _signing_key(self, request: Any) -> Any:
        access = request.query["access"]
        if access not in SECRETS or access in self.gone:
            return 404, {"error": {"code": 404, "kind": "NotFound", "fault": "not_found", "message": "no such key", "details": {}}}
        key = f"AWS4{SECRETS[access]}".encode()
        for part in (*request.query["scope"].split("/"), "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return {"key": key.hex(), "token": self._token(access)}

    def _check_signature(self, request: Any) -> Any:
        """Version 2: one of the texts must be signed."""
        access, texts, given = (request.json[name] for name in ("access", "texts", "signature"))
        if access not in SECRETS or access in self.gone:
            return 404, {"error": {"code": 404, "kind": "NotFound", "fault": "not_found", "message": "no such key", "details": {}}}
        made = {base64.b64encode(hmac.new(SECRETS[access].encode(), text.encode(), hashlib.sha1).digest()).decode() for text in texts}
        if given not in made:
            return 409, {"error": {"code": 409, "kind": "Conflict", "fault": "conflict", "message": "not signed", "details": {}}}
        return {"token": self._token(access)}

    def _token(self, access: str) -> str:
        h = self.h
        project = h.other_project_id if access == "OTHER" else h.project_id
        user = h.other_user_id if access == "OTHER" else h.user_id
        roles = ("reader",) if access == "READER" else ("member", "reader")
        return h.token(*roles, project_id=project, user_id=user)

    def s3(self, access: str, secret: str | None = None, *, url: str | None = None, **config: Any) -> S3:
        """A client; no access key is nobody's."""
        options: dict[str, Any] = {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}, "signature_version": "s3v4"}
        client = boto3.client(
            "s3",
            endpoint_url=url or self.url,
            region_name=REGION,
            aws_access_key_id=access,
            aws_secret_access_key=secret or SECRETS.get(access, "x"),
            config=Config(**options | config),
        )
        self._clients.append(client)
        return S3(client)

    async def raw(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, *, access: str | None = "MEMBER"
    ) -> httpx.Response:
        """A request by hand, signed unless by nobody. The path is sent as it is."""
        url = self.url + path
        given = dict(headers or {})
        if access is not None:
            request = AWSRequest(method=method, url=url, data=body, headers=given)
            S3SigV4Auth(Credentials(access, SECRETS[access]), "s3", REGION).add_auth(request)
            given = dict(request.headers.items())
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.request(method, url, content=body, headers=given)
