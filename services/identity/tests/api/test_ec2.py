"""EC2 keys: OS-EC2, tokens for signed requests, keys for services, secrets at rest, and their end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest
from services.identity.tests.cloud import Cloud, created
from sqlalchemy import text

from synnefo_identity.domain import ec2

SCOPE = "20261122/RegionOne/s3"
STRING = "AWS4-HMAC-SHA256\n20261122T101112Z\n20261122/RegionOne/s3/aws4_request\n" + "ab" * 32


async def who(client: httpx.AsyncClient) -> tuple[str, str]:
    """User and project of the client's token."""
    token = (await client.get("/v3/auth/tokens", headers={"X-Subject-Token": client.headers["X-Auth-Token"]})).json()["token"]
    return token["user"]["id"], token["project"]["id"]


async def keys_of(client: httpx.AsyncClient) -> dict[str, Any]:
    me, project = await who(client)
    made = await client.post(f"/v3/users/{me}/credentials/OS-EC2", json={"tenant_id": project})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()["credential"]
    return found


async def signing_key(cloud: Cloud, access: str) -> httpx.Response:
    service = await cloud.login("object")
    return await service.get("/internal/v1/signing-keys", params={"access": access, "scope": SCOPE})


async def test_keys_live_as_in_keystone(cloud: Cloud) -> None:
    demo, other = await cloud.login("demo"), await cloud.login("alt_demo")
    me, project = await who(demo)
    keys = await keys_of(demo)
    assert (keys["user_id"], keys["tenant_id"], keys["trust_id"]) == (me, project, None)
    path = f"/v3/users/{me}/credentials/OS-EC2"
    assert keys["links"]["self"].endswith(f"{path}/{keys['access']}")
    assert (await demo.get(f"{path}/{keys['access']}")).json()["credential"] == keys
    assert (await demo.get(path)).json()["credentials"] == [keys]
    # The same credential by the general API, under the hash of its access key.
    shown = (await demo.get("/v3/credentials", params={"type": "ec2"})).json()["credentials"]
    assert [c["id"] for c in shown] == [hashlib.sha256(keys["access"].encode()).hexdigest()]
    assert json.loads(shown[0]["blob"])["secret"] == keys["secret"]
    assert (await demo.get("/v3/credentials", params={"type": "totp"})).json()["credentials"] == []
    for refused in (
        await other.get(path),
        await other.get(f"{path}/{keys['access']}"),
        await other.delete(f"{path}/{keys['access']}"),
        await other.post(path, json={"tenant_id": project}),
    ):
        assert refused.status_code == 403
    mine = f"/v3/users/{(await who(other))[0]}/credentials/OS-EC2"
    assert (await other.get(f"{mine}/{keys['access']}")).status_code == 404
    assert (await demo.delete(f"{path}/{keys['access']}")).status_code == 204
    assert (await demo.get(f"{path}/{keys['access']}")).status_code == 404
    assert (await demo.post(path, json={"tenant_id": "0" * 32})).status_code == 404
    assert (await demo.post(path, json={})).status_code == 400


async def test_secrets_are_encrypted_at_rest(cloud: Cloud) -> None:
    keys = await keys_of(await cloud.login("demo"))
    async with cloud.db.read() as uow:
        stored = [row.blob for row in await uow.all(text("SELECT blob FROM credentials"))]
    assert len(stored) == 1
    assert keys["secret"] not in stored[0] and keys["access"] not in stored[0]


async def test_a_service_checks_signatures_without_the_secret(cloud: Cloud) -> None:
    demo = await cloud.login("demo")
    keys = await keys_of(demo)
    params = {"access": keys["access"], "scope": SCOPE}
    assert (await demo.get("/internal/v1/signing-keys", params=params)).status_code == 403
    answer = await signing_key(cloud, keys["access"])
    assert keys["secret"] not in answer.text
    assert answer.json()["key"] == ec2.signing_key(keys["secret"], SCOPE.split("/")).hex()
    assert await who(cloud.client(answer.json()["token"])) == await who(demo)
    assert (await signing_key(cloud, "nobody")).status_code == 404


async def test_identity_checks_signatures_of_version_2(cloud: Cloud) -> None:
    demo, service = await cloud.login("demo"), await cloud.login("object")
    keys = await keys_of(demo)
    good = base64.b64encode(hmac.new(keys["secret"].encode(), b"GET\n\n\nnow\n/b", hashlib.sha1).digest()).decode()
    body = {"access": keys["access"], "texts": ["GET\n\n\nnow\n/s3/b", "GET\n\n\nnow\n/b"], "signature": good}
    assert (await demo.post("/internal/v1/signatures", json=body)).status_code == 403
    answer = await service.post("/internal/v1/signatures", json=body)
    assert keys["secret"] not in answer.text
    assert await who(cloud.client(answer.json()["token"])) == await who(demo)
    assert (await service.post("/internal/v1/signatures", json=body | {"texts": ["other"]})).status_code == 409
    assert (await service.post("/internal/v1/signatures", json=body | {"access": "nobody"})).status_code == 404


async def test_a_reader_has_keys_of_its_own(cloud: Cloud) -> None:
    """As in Keystone: keys give no more than the roles that their holder has."""
    admin, demo = await cloud.login("admin"), await cloud.login("demo")
    _, project = await who(demo)
    reader = await created(admin, "users", {"user": {"name": "looker", "password": "looker-password"}})
    role = (await admin.get("/v3/roles", params={"name": "reader"})).json()["roles"][0]["id"]
    assert (await admin.put(f"/v3/projects/{project}/users/{reader['id']}/roles/{role}")).status_code == 204
    looker = await cloud.login("looker", "looker-password", {"project": {"id": project}})
    keys = await keys_of(looker)
    assert (await looker.delete(f"/v3/users/{reader['id']}/credentials/OS-EC2/{keys['access']}")).status_code == 204


async def test_deleted_keys_are_void_with_all_their_tokens(cloud: Cloud) -> None:
    demo = await cloud.login("demo")
    keys = await keys_of(demo)
    token = (await signing_key(cloud, keys["access"])).json()["token"]
    rescoped = (await cloud.rescope(token)).headers["X-Subject-Token"]
    assert await cloud.is_good(token) and await cloud.is_good(rescoped)
    me, _ = await who(demo)
    assert (await demo.delete(f"/v3/users/{me}/credentials/OS-EC2/{keys['access']}")).status_code == 204
    assert not await cloud.is_good(token) and not await cloud.is_good(rescoped)
    assert await cloud.is_good(demo.headers["X-Auth-Token"])
    assert (await signing_key(cloud, keys["access"])).status_code == 404


async def test_keys_of_a_disabled_user_are_of_no_use(cloud: Cloud) -> None:
    admin, demo = await cloud.login("admin"), await cloud.login("demo")
    keys = await keys_of(demo)
    me, _ = await who(demo)
    assert (await admin.patch(f"/v3/users/{me}", json={"user": {"enabled": False}})).status_code == 200
    assert (await signing_key(cloud, keys["access"])).status_code == 404


async def test_keys_for_a_project_without_a_role_are_of_no_use(cloud: Cloud) -> None:
    demo, other = await cloud.login("demo"), await cloud.login("alt_demo")
    me, _ = await who(demo)
    _, foreign = await who(other)
    made = await demo.post(f"/v3/users/{me}/credentials/OS-EC2", json={"tenant_id": foreign})
    assert made.status_code == 201
    assert (await signing_key(cloud, made.json()["credential"]["access"])).status_code == 404


def _signed(keys: dict[str, Any]) -> dict[str, Any]:
    key = ec2.signing_key(keys["secret"], SCOPE.split("/"))
    signature = hmac.new(key, STRING.encode(), hashlib.sha256).hexdigest()
    return {"access": keys["access"], "token": base64.urlsafe_b64encode(STRING.encode()).decode(), "signature": signature}


async def test_s3tokens_tells_a_service_who_signed(cloud: Cloud) -> None:
    demo, service = await cloud.login("demo"), await cloud.login("object")
    keys = await keys_of(demo)
    body = {"credentials": _signed(keys)}
    assert (await cloud.anonymous.post("/v3/s3tokens", json=body)).status_code == 401
    assert (await demo.post("/v3/s3tokens", json=body)).status_code == 403
    answer = await service.post("/v3/s3tokens", json=body)
    assert answer.status_code == 200, answer.text
    token = answer.json()["token"]
    assert (token["user"]["id"], token["project"]["id"]) == await who(demo)
    assert token["methods"] == ["ec2credential"] and "X-Subject-Token" not in answer.headers
    wrong = {"credentials": _signed(keys) | {"signature": "0" * 64}}
    assert (await service.post("/v3/s3tokens", json=wrong)).status_code == 401
    assert (await service.post("/v3/s3tokens", json={"credentials": {"access": "nobody"}})).status_code == 404
    assert (await service.post("/v3/s3tokens", json={})).status_code == 400


@pytest.mark.parametrize("version", [2, 4])
async def test_ec2tokens_gives_a_token_for_a_request_signed_by_keystones_client(cloud: Cloud, version: int) -> None:
    signer = pytest.importorskip("keystoneclient.contrib.ec2.utils").Ec2Signer
    demo, service = await cloud.login("demo"), await cloud.login("object")
    keys = await keys_of(demo)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(cloud.clock.now_us() // 1_000_000))
    request: dict[str, Any] = {"access": keys["access"], "host": "ec2:8080", "verb": "GET", "path": "/", "params": {}, "headers": {}}
    if version == 2:
        request["params"] = {"SignatureVersion": "2", "Action": "a b", "Timestamp": stamp}
    else:
        credential = f"{keys['access']}/{stamp[:8]}/RegionOne/ec2/aws4_request"
        authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature=x"
        request["headers"] = {"Host": "ec2:8080", "X-Amz-Date": stamp, "Authorization": authorization}
        request["body_hash"] = hashlib.sha256(b"").hexdigest()
    request["signature"] = signer(keys["secret"]).generate(request)
    answer = await service.post("/v3/ec2tokens", json={"credentials": request})
    assert answer.status_code == 200, answer.text
    assert await who(cloud.client(answer.headers["X-Subject-Token"])) == await who(demo)
    late = {"credentials": request}
    cloud.clock.advance(1000)
    assert (await (await cloud.login("object")).post("/v3/ec2tokens", json=late)).status_code == 401


async def test_keys_made_with_an_application_credential_have_its_rights(cloud: Cloud) -> None:
    demo = await cloud.login("demo")
    me, project = await who(demo)
    path = f"/v3/users/{me}/application_credentials"

    async def with_one(name: str, *, unrestricted: bool) -> tuple[httpx.AsyncClient, str]:
        body = {"application_credential": {"name": name, "roles": [{"name": "reader"}], "unrestricted": unrestricted}}
        made = (await demo.post(path, json=body)).json()["application_credential"]
        proof = {"id": made["id"], "secret": made["secret"]}
        identity = {"methods": ["application_credential"], "application_credential": proof}
        login = await cloud.anonymous.post("/v3/auth/tokens", json={"auth": {"identity": identity}})
        return cloud.client(login.headers["X-Subject-Token"]), made["id"]

    restricted, _ = await with_one("a", unrestricted=False)
    body = {"credential": {"type": "ec2", "project_id": project, "blob": '{"access": "a", "secret": "s"}'}}
    assert (await restricted.post("/v3/credentials", json=body)).status_code == 403
    client, application = await with_one("b", unrestricted=True)
    made = await created(client, "credentials", body)
    assert json.loads(made["blob"])["app_cred_id"] == application
    token = (await signing_key(cloud, "a")).json()["token"]
    shown = (await demo.get("/v3/auth/tokens", headers={"X-Subject-Token": token})).json()["token"]
    assert [role["name"] for role in shown["roles"]] == ["reader"]
    free = {"credential": {"blob": '{"access": "a", "secret": "s"}'}}
    assert (await client.patch(f"/v3/credentials/{made['id']}", json=free)).status_code == 400
    assert (await demo.delete(f"{path}/{application}")).status_code == 204
    assert (await signing_key(cloud, "a")).status_code == 404


async def test_general_credentials_of_type_ec2_are_checked(cloud: Cloud) -> None:
    demo = await cloud.login("demo")
    _, project = await who(demo)
    blob = '{"access": "mine", "secret": "s"}'
    for wrong in ({"blob": "no json"}, {"blob": "{}"}, {"blob": '{"access": 1, "secret": "s"}'}, {"project_id": None}):
        body = {"credential": {"type": "ec2", "project_id": project, "blob": blob} | wrong}
        assert (await demo.post("/v3/credentials", json=body)).status_code == 400, wrong
    made = await created(demo, "credentials", {"credential": {"type": "ec2", "project_id": project, "blob": blob}})
    again = await demo.post("/v3/credentials", json={"credential": {"type": "ec2", "project_id": project, "blob": blob}})
    assert again.status_code == 409
    token = (await signing_key(cloud, "mine")).json()["token"]
    new = {"credential": {"blob": '{"access": "mine", "secret": "new"}'}}
    assert (await demo.patch(f"/v3/credentials/{made['id']}", json=new)).status_code == 200
    assert not await cloud.is_good(token)
    assert json.loads((await demo.get(f"/v3/credentials/{made['id']}")).json()["credential"]["blob"])["secret"] == "new"
    assert (await demo.patch(f"/v3/credentials/{made['id']}", json={"credential": {"type": "cert"}})).status_code == 400
