"""Logging in, scoping, showing and revoking tokens."""

from __future__ import annotations

from typing import Any

import pytest
from services.identity.tests.cloud import Cloud, parse_iso

from synnefo_common.db.recorder import record_queries

PROJECT = {"project": {"name": "demo", "domain": {"name": "Default"}}}
MESSAGE = "The request you have made requires authentication."


async def test_discovery_needs_no_token(cloud: Cloud) -> None:
    versions = await cloud.anonymous.get("/")
    assert versions.status_code == 300
    (value,) = versions.json()["versions"]["values"]
    assert value["id"] == "v3.14"
    assert value["links"] == [{"rel": "self", "href": "http://identity/v3/"}]
    version = await cloud.anonymous.get("/v3/")
    assert version.status_code == 200
    assert version.json() == {"version": value}


async def test_project_token_says_everything_keystone_says(cloud: Cloud) -> None:
    answer = await cloud.ask_token("demo", scope=PROJECT)
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert set(token) == {
        "methods", "user", "audit_ids", "expires_at", "issued_at", "project", "is_domain", "roles", "catalog",
    }  # fmt: skip
    assert token["methods"] == ["password"]
    assert token["user"]["domain"] == {"id": "default", "name": "Default"}
    assert token["user"]["password_expires_at"] is None
    assert token["project"]["name"] == "demo"
    assert token["project"]["domain"] == {"id": "default", "name": "Default"}
    assert token["is_domain"] is False
    assert {r["name"] for r in token["roles"]} == {"member", "reader"}
    assert len(token["audit_ids"]) == 1
    assert parse_iso(token["expires_at"]) - parse_iso(token["issued_at"]) == 3600 * 10**6
    types = {s["type"] for s in token["catalog"]}
    assert types == {"identity", "compute", "network", "image", "block-storage", "volumev3", "object-store", "s3", "ganeti-dispatcher"}
    volume = next(s for s in token["catalog"] if s["type"] == "volumev3")
    assert {e["interface"] for e in volume["endpoints"]} == {"public", "internal", "admin"}
    assert {e["url"] for e in volume["endpoints"]} == {f"http://volume/v3/{token['project']['id']}"}
    assert set(volume["endpoints"][0]) == {"id", "interface", "region", "region_id", "url"}


async def test_admin_token_carries_implied_roles(cloud: Cloud) -> None:
    token = (await cloud.ask_token("admin", scope={"project": {"name": "admin", "domain": {"id": "default"}}})).json()["token"]
    assert {r["name"] for r in token["roles"]} == {"admin", "manager", "member", "reader"}


async def test_unscoped_token_has_no_roles_and_no_catalog(cloud: Cloud) -> None:
    scopes: list[Any] = [None, "unscoped", {"unscoped": {}}]
    for scope in scopes:
        token = (await cloud.ask_token("demo", scope=scope)).json()["token"]
        assert set(token) == {"methods", "user", "audit_ids", "expires_at", "issued_at"}


async def test_domain_and_system_scope(cloud: Cloud) -> None:
    domain = (await cloud.ask_token("admin", scope={"domain": {"name": "Default"}})).json()["token"]
    assert domain["domain"] == {"id": "default", "name": "Default"}
    assert "project" not in domain
    system = (await cloud.ask_token("admin", scope={"system": {"all": True}})).json()["token"]
    assert system["system"] == {"all": True}
    # Endpoints with a project in their URL are left out.
    assert {s["type"] for s in system["catalog"]} == {"identity", "compute", "network", "image", "s3", "ganeti-dispatcher"}


async def test_no_roles_on_the_target_is_401(cloud: Cloud) -> None:
    for scope in (
        {"domain": {"id": "default"}},
        {"system": {"all": True}},
        {"project": {"name": "admin", "domain": {"id": "default"}}},
    ):
        answer = await cloud.ask_token("demo", scope=scope)
        assert answer.status_code == 401
        assert answer.json() == {"error": {"code": 401, "title": "Unauthorized", "message": MESSAGE}}


@pytest.mark.parametrize(
    ("name", "password", "scope"),
    [
        ("demo", "wrong", None),
        ("nobody", "demo-pw", None),
        ("demo", "demo-pw", {"project": {"name": "nothing", "domain": {"id": "default"}}}),
        ("demo", "demo-pw", {"project": {"id": "nothing"}}),
        ("demo", "demo-pw", {"domain": {"id": "nothing"}}),
    ],
)
async def test_every_failure_reads_the_same(cloud: Cloud, name: str, password: str, scope: object) -> None:
    answer = await cloud.ask_token(name, password, scope)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == MESSAGE
    assert "Keystone uri=" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"auth": {}}, 400),
        ({"auth": {"identity": {"methods": ["password"]}}}, 400),
        ({"auth": {"identity": {"methods": []}}}, 401),
        ({"auth": {"identity": {"methods": ["carrier-pigeon"]}}}, 401),
        (
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "demo", "password": "x"}}}}},
            400,
        ),
        (
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "a\x00b", "password": "x"}}}}},
            400,
        ),
        ({"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}}, "scope": {"project": {}}}}, 400),
        (
            {"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}}, "scope": {"system": {"all": False}}}},
            400,
        ),
        ({"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}}}}, 404),
    ],
)
async def test_bad_logins_are_told_apart(cloud: Cloud, body: object, status: int) -> None:
    answer = await cloud.anonymous.post("/v3/auth/tokens", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == status


async def test_rescoping_keeps_the_end_and_extends_the_chain(cloud: Cloud) -> None:
    first = await cloud.ask_token("demo")
    cloud.clock.advance(100)
    second = await cloud.rescope(first.headers["X-Subject-Token"], PROJECT)
    assert second.status_code == 201
    a, b = first.json()["token"], second.json()["token"]
    assert b["expires_at"] == a["expires_at"]
    assert b["issued_at"] > a["issued_at"]
    assert b["methods"] == ["token", "password"]
    assert b["audit_ids"][1] == a["audit_ids"][0]
    assert b["audit_ids"][0] != a["audit_ids"][0]


async def test_default_project_is_the_scope_when_none_is_asked_for(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    demo = (await cloud.ask_token("demo", scope=PROJECT)).json()["token"]
    await admin.patch(f"/v3/users/{demo['user']['id']}", json={"user": {"default_project_id": demo["project"]["id"]}})
    assert (await cloud.ask_token("demo")).json()["token"]["project"]["id"] == demo["project"]["id"]
    assert "project" not in (await cloud.ask_token("demo", scope="unscoped")).json()["token"]
    await admin.patch(f"/v3/projects/{demo['project']['id']}", json={"project": {"enabled": False}})
    fallen_back = await cloud.ask_token("demo")
    assert fallen_back.status_code == 201
    assert "project" not in fallen_back.json()["token"]


async def test_validation_answers_as_the_login_did(cloud: Cloud) -> None:
    login = await cloud.ask_token("demo", scope=PROJECT)
    token = login.headers["X-Subject-Token"]
    shown = await cloud.client(token).get("/v3/auth/tokens", headers={"X-Subject-Token": token})
    assert shown.status_code == 200
    assert shown.headers["X-Subject-Token"] == token
    assert shown.json() == login.json()
    short = await cloud.client(token).get("/v3/auth/tokens?nocatalog", headers={"X-Subject-Token": token})
    assert "catalog" not in short.json()["token"]
    head = await cloud.client(token).head("/v3/auth/tokens", headers={"X-Subject-Token": token})
    assert head.status_code == 200


async def test_hot_token_costs_no_statement(cloud: Cloud) -> None:
    token = await cloud.token("demo")
    client = cloud.client(token)
    await client.get("/v3/auth/tokens", headers={"X-Subject-Token": token})
    with record_queries(cloud.db) as queries:
        assert (await client.get("/v3/auth/tokens", headers={"X-Subject-Token": token})).status_code == 200
    assert queries.count == 0, queries.texts()


async def test_login_costs_three_statements(cloud: Cloud) -> None:
    await cloud.token("demo")
    with record_queries(cloud.db) as queries:
        await cloud.token("demo")
    assert queries.count <= 3, queries.texts()


async def test_renamed_project_shows_in_a_hot_token(cloud: Cloud) -> None:
    token = await cloud.token("demo")
    client, admin = cloud.client(token), await cloud.login("admin")
    project = (await client.get("/v3/auth/tokens", headers={"X-Subject-Token": token})).json()["token"]["project"]
    await admin.patch(f"/v3/projects/{project['id']}", json={"project": {"name": "renamed"}})
    shown = await client.get("/v3/auth/tokens", headers={"X-Subject-Token": token})
    assert shown.json()["token"]["project"]["name"] == "renamed"


async def test_who_may_validate_whose_token(cloud: Cloud) -> None:
    mine, other = await cloud.token("demo"), await cloud.token("alt_demo")
    about_mine = {"X-Subject-Token": mine}
    assert (await cloud.client(other).get("/v3/auth/tokens", headers=about_mine)).status_code == 403
    assert (await cloud.client(other).delete("/v3/auth/tokens", headers=about_mine)).status_code == 403
    for name in ("admin", "compute"):
        assert (await (await cloud.login(name)).get("/v3/auth/tokens", headers=about_mine)).status_code == 200
    assert (await cloud.anonymous.get("/v3/auth/tokens", headers=about_mine)).status_code == 401


async def test_bad_subjects_are_404(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    assert (await admin.get("/v3/auth/tokens")).status_code == 404
    for subject in ("nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "x" * 5000):
        for verb in ("GET", "HEAD", "DELETE"):
            answer = await admin.request(verb, "/v3/auth/tokens", headers={"X-Subject-Token": subject})
            assert answer.status_code == 404, (verb, subject)


async def test_a_changed_token_is_refused(cloud: Cloud) -> None:
    token = await cloud.token("demo")
    header, payload, signature = token.split(".")
    for forged in (f"{header}.{payload[:-2]}AA.{signature}", f"{header}.{payload}.{signature[:-4]}AAAA", token + "A"):
        assert (await cloud.client(forged).get("/v3/auth/projects")).status_code == 401


async def test_expired_token_is_401_and_404_but_services_may_read_it(cloud: Cloud) -> None:
    token = await cloud.token("demo")
    cloud.clock.advance(3601)
    admin = await cloud.login("admin")
    assert (await cloud.client(token).get("/v3/auth/projects")).status_code == 401
    assert (await admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token})).status_code == 404
    answer = await admin.get("/v3/auth/tokens?allow_expired=1", headers={"X-Subject-Token": token})
    assert answer.status_code == 200
    cloud.clock.advance(cloud.settings.expired_token_window_s)
    later = await cloud.login("admin")
    gone = await later.get("/v3/auth/tokens?allow_expired=1", headers={"X-Subject-Token": token})
    assert gone.status_code == 404


async def test_revoked_token_is_gone_at_once_and_only_it(cloud: Cloud) -> None:
    token, sister = await cloud.token("demo"), await cloud.token("demo")
    assert (await cloud.client(token).delete("/v3/auth/tokens", headers={"X-Subject-Token": token})).status_code == 204
    assert not await cloud.is_good(token)
    assert await cloud.is_good(sister)
    admin = await cloud.login("admin")
    assert (await admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token})).status_code == 404


async def test_auth_lists(cloud: Cloud) -> None:
    demo = await cloud.login("demo", scope="unscoped")
    projects = (await demo.get("/v3/auth/projects")).json()
    assert [p["name"] for p in projects["projects"]] == ["demo"]
    assert projects["links"] == {"next": None, "self": "http://identity/v3/auth/projects", "previous": None}
    assert (await demo.get("/v3/auth/domains")).json()["domains"] == []
    assert (await demo.get("/v3/auth/system")).json()["system"] == []
    admin = await cloud.login("admin")
    assert (await admin.get("/v3/auth/system")).json()["system"] == [{"all": True}]
    assert [d["id"] for d in (await admin.get("/v3/auth/domains")).json()["domains"]] == ["default"]
    assert len((await admin.get("/v3/auth/catalog")).json()["catalog"]) == 9
