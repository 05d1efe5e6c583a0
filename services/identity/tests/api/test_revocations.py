"""What ends tokens: the table of DESIGN section 4, and how other processes learn of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from services.identity.tests.cloud import Cloud, created, role_id


@dataclass
class World:
    """A domain with a project, a user with role member on both and by group, and a bystander."""

    cloud: Cloud
    admin: httpx.AsyncClient
    domain: dict[str, Any]
    project: dict[str, Any]
    user: dict[str, Any]
    group: dict[str, Any]
    member: str

    async def token(self, scope: Any) -> str:
        body = {
            "identity": {"methods": ["password"], "password": {"user": {"id": self.user["id"], "password": "pw"}}},
            "scope": scope,
        }
        answer = await self.cloud.anonymous.post("/v3/auth/tokens", json={"auth": body})
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    async def project_token(self) -> str:
        return await self.token({"project": {"id": self.project["id"]}})


@pytest.fixture
async def world(cloud: Cloud) -> World:
    admin = await cloud.login("admin")
    member = await role_id(admin, "member")
    domain = await created(admin, "domains", {"domain": {"name": "org"}})
    project = await created(admin, "projects", {"project": {"name": "p", "domain_id": domain["id"]}})
    user = await created(admin, "users", {"user": {"name": "u", "password": "pw", "domain_id": domain["id"]}})
    group = await created(admin, "groups", {"group": {"name": "g", "domain_id": domain["id"]}})
    await admin.put(f"/v3/projects/{project['id']}/users/{user['id']}/roles/{member}")
    return World(cloud, admin, domain, project, user, group, member)


Event = Callable[[World], Awaitable[httpx.Response]]
EVENTS: dict[str, Event] = {
    "password changed by an administrator": lambda w: w.admin.patch(f"/v3/users/{w.user['id']}", json={"user": {"password": "new"}}),
    "password changed by the user": lambda w: w.cloud.anonymous.post(
        f"/v3/users/{w.user['id']}/password", json={"user": {"original_password": "pw", "password": "new"}}
    ),
    "user disabled": lambda w: w.admin.patch(f"/v3/users/{w.user['id']}", json={"user": {"enabled": False}}),
    "user deleted": lambda w: w.admin.delete(f"/v3/users/{w.user['id']}"),
    "project disabled": lambda w: w.admin.patch(f"/v3/projects/{w.project['id']}", json={"project": {"enabled": False}}),
    "project deleted": lambda w: w.admin.delete(f"/v3/projects/{w.project['id']}"),
    "domain disabled": lambda w: w.admin.patch(f"/v3/domains/{w.domain['id']}", json={"domain": {"enabled": False}}),
    "role taken away": lambda w: w.admin.delete(f"/v3/projects/{w.project['id']}/users/{w.user['id']}/roles/{w.member}"),
}


@pytest.mark.parametrize("name", EVENTS)
async def test_event_ends_the_users_tokens_and_no_others(world: World, name: str) -> None:
    token, bystander = await world.project_token(), await world.cloud.token("demo")
    assert await world.cloud.is_good(token)
    answer = await EVENTS[name](world)
    assert answer.status_code in (200, 204), answer.text
    assert not await world.cloud.is_good(token)
    assert await world.cloud.is_good(bystander)
    assert (await world.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token})).status_code == 404


async def test_disabled_and_deleted_domain(world: World) -> None:
    await world.admin.put(f"/v3/domains/{world.domain['id']}/users/{world.user['id']}/roles/{world.member}")
    token = await world.token({"domain": {"id": world.domain["id"]}})
    await world.admin.patch(f"/v3/domains/{world.domain['id']}", json={"domain": {"enabled": False}})
    assert not await world.cloud.is_good(token)
    assert (await world.admin.delete(f"/v3/domains/{world.domain['id']}")).status_code == 204
    assert (await world.admin.get(f"/v3/users/{world.user['id']}")).status_code == 404
    assert (await world.admin.get(f"/v3/projects/{world.project['id']}")).status_code == 404


async def test_role_taken_from_a_group_ends_its_members_tokens(world: World) -> None:
    await world.admin.put(f"/v3/groups/{world.group['id']}/users/{world.user['id']}")
    grant = f"/v3/domains/{world.domain['id']}/groups/{world.group['id']}/roles/{world.member}"
    await world.admin.put(grant)
    on_domain, bystander = await world.token({"domain": {"id": world.domain["id"]}}), await world.cloud.token("demo")
    assert (await world.admin.delete(grant)).status_code == 204
    assert not await world.cloud.is_good(on_domain)
    assert await world.cloud.is_good(bystander)


async def test_leaving_a_group_ends_tokens(world: World) -> None:
    membership = f"/v3/groups/{world.group['id']}/users/{world.user['id']}"
    await world.admin.put(membership)
    await world.admin.put(f"/v3/domains/{world.domain['id']}/groups/{world.group['id']}/roles/{world.member}")
    token = await world.token({"domain": {"id": world.domain["id"]}})
    assert (await world.admin.delete(membership)).status_code == 204
    assert not await world.cloud.is_good(token)


async def test_deleted_group_ends_its_members_tokens(world: World) -> None:
    await world.admin.put(f"/v3/groups/{world.group['id']}/users/{world.user['id']}")
    await world.admin.put(f"/v3/domains/{world.domain['id']}/groups/{world.group['id']}/roles/{world.member}")
    token = await world.token({"domain": {"id": world.domain["id"]}})
    assert (await world.admin.delete(f"/v3/groups/{world.group['id']}")).status_code == 204
    assert not await world.cloud.is_good(token)


async def test_role_on_the_system_taken_away(world: World) -> None:
    grant = f"/v3/system/users/{world.user['id']}/roles/{world.member}"
    await world.admin.put(grant)
    token, on_project = await world.token({"system": {"all": True}}), await world.project_token()
    assert (await world.admin.delete(grant)).status_code == 204
    assert not await world.cloud.is_good(token)
    assert await world.cloud.is_good(on_project)


async def test_inherited_role_taken_away(world: World) -> None:
    manager = await role_id(world.admin, "manager")
    path = f"/v3/OS-INHERIT/domains/{world.domain['id']}/users/{world.user['id']}/roles/{manager}/inherited_to_projects"
    assert (await world.admin.put(path)).status_code == 204
    token = await world.project_token()
    shown = (await world.cloud.client(token).get("/v3/auth/tokens", headers={"X-Subject-Token": token})).json()
    assert {r["name"] for r in shown["token"]["roles"]} == {"manager", "member", "reader"}
    assert (await world.admin.delete(path)).status_code == 204
    assert not await world.cloud.is_good(token)


async def test_deleted_role_and_broken_implication(world: World) -> None:
    for doom in ("delete the role", "break the implication"):
        role = await created(world.admin, "roles", {"role": {"name": f"special {doom}"}})
        other = await created(world.admin, "roles", {"role": {"name": f"other {doom}"}})
        await world.admin.put(f"/v3/roles/{role['id']}/implies/{other['id']}")
        await world.admin.put(f"/v3/projects/{world.project['id']}/users/{world.user['id']}/roles/{role['id']}")
        token = await world.project_token()
        assert await world.cloud.is_good(token)
        path = f"/v3/roles/{role['id']}" + ("" if doom == "delete the role" else f"/implies/{other['id']}")
        assert (await world.admin.delete(path)).status_code == 204
        assert not await world.cloud.is_good(token)


async def test_application_credential_deleted(world: World) -> None:
    own = world.cloud.client(await world.project_token())
    path = f"/v3/users/{world.user['id']}/application_credentials"
    made = (await own.post(path, json={"application_credential": {"name": "ci"}})).json()["application_credential"]
    proof = {
        "methods": ["application_credential"],
        "application_credential": {"id": made["id"], "secret": made["secret"]},
    }
    login = await world.cloud.anonymous.post("/v3/auth/tokens", json={"auth": {"identity": proof}})
    assert login.status_code == 201, login.text
    assert login.json()["token"]["application_credential"] == {"id": made["id"], "name": "ci", "restricted": True}
    token = login.headers["X-Subject-Token"]
    assert (await world.cloud.client(token).delete(f"{path}/{made['id']}")).status_code == 403  # restricted
    assert (await own.delete(f"{path}/{made['id']}")).status_code == 204
    assert not await world.cloud.is_good(token)
    assert (await world.cloud.anonymous.post("/v3/auth/tokens", json={"auth": {"identity": proof}})).status_code == 401


async def test_a_token_issued_after_the_event_is_good(world: World) -> None:
    await world.admin.patch(f"/v3/users/{world.user['id']}", json={"user": {"password": "pw"}})
    assert await world.cloud.is_good(await world.project_token())


async def test_follower_hears_of_a_revocation_while_it_waits(cloud: Cloud) -> None:
    service, token = await cloud.login("compute"), await cloud.token("demo")
    start = (await service.get("/internal/v1/revocations?after=0")).json()
    waiting = asyncio.ensure_future(service.get(f"/internal/v1/revocations?after={start['seq']}&wait=10"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await cloud.client(token).delete("/v3/auth/tokens", headers={"X-Subject-Token": token})
    news = (await asyncio.wait_for(waiting, 1)).json()
    assert news["seq"] == start["seq"] + 1
    (entry,) = news["entries"]
    assert set(entry) == {"seq", "issued_before", "audit_id"}


async def test_worker_without_the_commit_hears_of_it_too(cloud: Cloud) -> None:
    """Another process writes the log: the poll finds it."""
    service = await cloud.login("compute")
    waiting = asyncio.ensure_future(service.get("/internal/v1/revocations?after=0&wait=10"))
    await asyncio.sleep(0.02)
    from synnefo_identity.db import tokens

    async with cloud.db.begin() as uow:
        await tokens.append(uow, [{"user_id": "somebody"}], issued_before=1)
    news = (await asyncio.wait_for(waiting, 2)).json()
    assert news["entries"][0]["user_id"] == "somebody"


async def test_wait_without_news_ends(cloud: Cloud) -> None:
    service = await cloud.login("compute")
    answer = (await service.get("/internal/v1/revocations?after=0&wait=0.05")).json()
    assert answer["entries"] == []
    assert answer["seq"] == 0


async def test_log_and_keys_are_closed_and_open(cloud: Cloud) -> None:
    assert (await cloud.anonymous.get("/internal/v1/revocations")).status_code == 401
    assert (await (await cloud.login("admin")).get("/internal/v1/revocations")).status_code == 403
    keys = (await cloud.anonymous.get("/internal/v1/keys")).json()["keys"]
    assert [set(k) for k in keys] == [{"kid", "x"}]


async def test_rotated_key_signs_and_the_old_one_still_verifies(cloud: Cloud) -> None:
    from synnefo_identity.app.housekeeping import clean

    old = await cloud.token("demo")
    cloud.clock.advance(1)
    cloud.svc.settings.__dict__["signing_key_days"] = 1e-6
    await clean(cloud.svc)
    new = await cloud.token("demo")
    assert old.split(".")[0] != new.split(".")[0]
    assert await cloud.is_good(old)
    assert await cloud.is_good(new)
    assert len((await cloud.anonymous.get("/internal/v1/keys")).json()["keys"]) == 2


async def test_old_entries_are_purged(cloud: Cloud) -> None:
    from synnefo_identity.app.housekeeping import clean
    from synnefo_identity.db import tokens

    token = await cloud.token("demo")
    await cloud.client(token).delete("/v3/auth/tokens", headers={"X-Subject-Token": token})
    cloud.clock.advance(cloud.settings.token_ttl_s + cloud.settings.expired_token_window_s + 10)
    await clean(cloud.svc)
    async with cloud.db.read() as uow:
        assert await tokens.count_revocations(uow) == 0
