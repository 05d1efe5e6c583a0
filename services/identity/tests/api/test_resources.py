"""Users, groups, projects, domains, roles, assignments and the catalogue as Keystone's clients see them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from services.identity.tests.cloud import Cloud, created, role_id

from synnefo_common.contracts.envelope import Envelope
from synnefo_common.db.recorder import record_queries
from synnefo_common.testing import wait_until

NONE = "0" * 32


async def test_user_has_keystones_keys_and_keeps_extras(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    user = await created(admin, "users", {"user": {"name": "Ann", "password": "pw", "email": "a@b", "shoe": {"size": 40}}})
    assert set(user) == {
        "id", "name", "domain_id", "enabled", "options", "password_expires_at", "links", "email", "shoe",
    }  # fmt: skip
    assert user["options"] == {}
    assert user["password_expires_at"] is None
    assert user["enabled"] is True
    assert len(user["id"]) == 32
    assert user["links"] == {"self": f"http://identity/v3/users/{user['id']}"}
    assert (await admin.get(f"/v3/users/{user['id']}")).json() == {"user": user}
    changed = await admin.patch(f"/v3/users/{user['id']}", json={"user": {"email": None, "hat": 1, "name": "Anna"}})
    assert changed.status_code == 200
    assert changed.json()["user"] == user | {"email": None, "hat": 1, "name": "Anna"}
    assert (await admin.delete(f"/v3/users/{user['id']}")).status_code == 204
    assert (await admin.get(f"/v3/users/{user['id']}")).status_code == 404
    assert (await admin.delete(f"/v3/users/{user['id']}")).status_code == 404


async def test_project_and_domain_and_role_and_group_keys(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    project = await created(admin, "projects", {"project": {"name": "p", "colour": "red"}})
    assert set(project) == {
        "id", "name", "domain_id", "parent_id", "description", "enabled", "is_domain", "tags", "options", "links", "colour",
    }  # fmt: skip
    assert (project["description"], project["domain_id"], project["parent_id"]) == ("", "default", "default")
    domain = await created(admin, "domains", {"domain": {"name": "d"}})
    assert set(domain) == {"id", "name", "description", "enabled", "tags", "options", "links"}
    role = await created(admin, "roles", {"role": {"name": "r"}})
    assert set(role) == {"id", "name", "domain_id", "description", "options", "links"}
    assert role["domain_id"] is None
    group = await created(admin, "groups", {"group": {"name": "g"}})
    assert set(group) == {"id", "name", "domain_id", "description", "links"}


@pytest.mark.parametrize("kind", ["user", "project", "group", "role", "domain"])
async def test_names_are_unique_per_domain_whatever_their_case(cloud: Cloud, kind: str) -> None:
    admin = await cloud.login("admin")
    first = await created(admin, f"{kind}s", {kind: {"name": "Twin"}})
    second = await admin.post(f"/v3/{kind}s", json={kind: {"name": "tWIN"}})
    assert second.status_code == 409
    assert second.json()["error"]["title"] == "Conflict"
    other = await created(admin, f"{kind}s", {kind: {"name": "other"}})
    assert (await admin.patch(f"/v3/{kind}s/{other['id']}", json={kind: {"name": "twin"}})).status_code == 409
    assert (await admin.patch(f"/v3/{kind}s/{first['id']}", json={kind: {"name": "TWIN"}})).status_code == 200
    if kind not in ("role", "domain"):
        elsewhere = await created(admin, "domains", {"domain": {"name": "elsewhere"}})
        await created(admin, f"{kind}s", {kind: {"name": "Twin", "domain_id": elsewhere["id"]}})


@pytest.mark.parametrize(("kind", "longest"), [("user", 255), ("project", 64), ("domain", 64), ("group", 64), ("role", 255)])
async def test_bad_names_are_400(cloud: Cloud, kind: str, longest: int) -> None:
    admin = await cloud.login("admin")
    await created(admin, f"{kind}s", {kind: {"name": "n" * longest}})
    for name in ("", "   ", "n" * (longest + 1), None, 5, ["x"], "a\x00b", "\ud800"):
        content = b'{"%s": {"name": "\\ud800"}}' % kind.encode()
        answer = (
            await admin.post(f"/v3/{kind}s", content=content, headers={"Content-Type": "application/json"})
            if name == "\ud800"
            else await admin.post(f"/v3/{kind}s", json={kind: {"name": name}})
        )
        assert answer.status_code == 400, (name, answer.text)
        assert answer.json()["error"]["code"] == 400
    assert (await admin.post(f"/v3/{kind}s", json={kind: {}})).status_code == 400
    assert (await admin.post(f"/v3/{kind}s", json={})).status_code == 400
    assert (await admin.post(f"/v3/{kind}s", json={kind: {"name": "x", "big": 2**80}})).status_code == 400


async def test_enabled_must_be_a_boolean(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    for kind in ("user", "project", "domain"):
        wrong: list[Any] = ["true", 1, None, []]
        for value in wrong:
            answer = await admin.post(f"/v3/{kind}s", json={kind: {"name": "x", "enabled": value}})
            assert answer.status_code == 400


async def test_lists_filter_and_page(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    domain = await created(admin, "domains", {"domain": {"name": "d"}})
    for i in range(5):
        body = {"user": {"name": f"Worker-{i}", "domain_id": domain["id"], "enabled": i != 3}}
        await created(admin, "users", body)

    async def names(query: str) -> list[str]:
        answer = await admin.get(f"/v3/users?domain_id={domain['id']}&{query}")
        assert answer.status_code == 200, answer.text
        return sorted(u["name"] for u in answer.json()["users"])

    assert len(await names("")) == 5
    assert await names("enabled=false") == ["Worker-3"]
    assert await names("enabled=0") == ["Worker-3"]
    assert len(await names("enabled=True")) == 4
    assert await names("name=worker-2") == ["Worker-2"]
    assert await names("name__contains=ker-1") == ["Worker-1"]
    assert await names("name__startswith=Wor&name__endswith=4") == ["Worker-4"]
    assert await names("name__contains=%25") == []
    assert len(await names("unknown=1")) == 5
    page = (await admin.get(f"/v3/users?domain_id={domain['id']}&limit=2")).json()
    seen = [u["id"] for u in page["users"]]
    while page["links"]["next"]:
        page = (await admin.get(page["links"]["next"].removeprefix("http://identity"))).json()
        seen += [u["id"] for u in page["users"]]
    assert len(seen) == len(set(seen)) == 5
    assert (await admin.get("/v3/users?limit=-1")).status_code == 400
    assert (await admin.get("/v3/users?limit=99999999999999999999")).status_code == 400
    assert (await admin.get("/v3/users?name=%00")).status_code == 400
    assert (await admin.get("/v3/users/a%00b")).status_code in (400, 404)


@pytest.mark.parametrize("collection", ["users", "projects", "groups", "roles", "role_assignments?include_names=1"])
async def test_lists_cost_the_same_for_one_and_for_many(cloud: Cloud, collection: str) -> None:
    admin = await cloud.login("admin")
    kind = collection.rstrip("s") if "role_a" not in collection else "user"

    async def cost() -> int:
        await admin.get(f"/v3/{collection}")
        with record_queries(cloud.db) as queries:
            assert (await admin.get(f"/v3/{collection}")).status_code == 200
        return queries.count

    before = await cost()
    for i in range(30):
        made = await created(admin, f"{kind}s", {kind: {"name": f"many {i}"}})
        if "role_a" in collection:
            member, demo = (
                await role_id(admin, "member"),
                (await admin.get("/v3/projects?name=demo")).json()["projects"][0],
            )
            await admin.put(f"/v3/projects/{demo['id']}/users/{made['id']}/roles/{member}")
    assert await cost() == before


async def test_domain_must_be_disabled_before_it_is_deleted(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    domain = await created(admin, "domains", {"domain": {"name": "d"}})
    assert (await admin.delete(f"/v3/domains/{domain['id']}")).status_code == 403
    await admin.patch(f"/v3/domains/{domain['id']}", json={"domain": {"enabled": False}})
    assert (await admin.delete(f"/v3/domains/{domain['id']}")).status_code == 204
    assert (await admin.get(f"/v3/domains/{domain['id']}")).status_code == 404


async def test_deleted_project_is_told_to_the_others(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    project = await created(admin, "projects", {"project": {"name": "p"}})
    assert (await admin.delete(f"/v3/projects/{project['id']}")).status_code == 204

    def told() -> list[Envelope]:
        envelopes = [Envelope.from_bytes(m.body) for m in cloud.bus.published]
        return [e for e in envelopes if e.type == "identity.project.deleted"]

    await wait_until(told)
    assert [e.data["project_id"] for e in told()] == [project["id"]]


async def test_project_tree(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    top = await created(admin, "projects", {"project": {"name": "top"}})
    child = await created(admin, "projects", {"project": {"name": "child", "parent_id": top["id"]}})
    leaf = await created(admin, "projects", {"project": {"name": "leaf", "parent_id": child["id"]}})
    assert (leaf["parent_id"], leaf["domain_id"]) == (child["id"], "default")
    shown = (await admin.get(f"/v3/projects/{child['id']}?parents_as_ids&subtree_as_list")).json()["project"]
    assert shown["parents"] == {top["id"]: {"default": None}}
    assert [p["project"]["id"] for p in shown["subtree"]] == [leaf["id"]]
    ids = (await admin.get(f"/v3/projects/{top['id']}?subtree_as_ids")).json()["project"]
    assert ids["subtree"] == {child["id"]: {leaf["id"]: None}}
    below = (await admin.get(f"/v3/projects?parent_id={top['id']}")).json()["projects"]
    assert [p["id"] for p in below] == [child["id"]]
    assert (await admin.delete(f"/v3/projects/{top['id']}")).status_code == 403
    assert (await admin.patch(f"/v3/projects/{top['id']}", json={"project": {"enabled": False}})).status_code == 403
    assert (await admin.patch(f"/v3/projects/{leaf['id']}", json={"project": {"parent_id": top["id"]}})).status_code == 400
    assert (await admin.post("/v3/projects", json={"project": {"name": "x", "parent_id": NONE}})).status_code == 404


async def test_project_tags(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    project = await created(admin, "projects", {"project": {"name": "p", "tags": ["a", "b"]}})
    path = f"/v3/projects/{project['id']}/tags"
    assert (await admin.put(f"{path}/c")).status_code == 201
    assert (await admin.get(path)).json()["tags"] == ["a", "b", "c"]
    assert (await admin.get(f"{path}/c")).status_code == 204
    assert (await admin.head(f"{path}/z")).status_code == 404
    assert (await admin.delete(f"{path}/a")).status_code == 204
    for query, wanted in (("tags=b,c", 1), ("tags=a", 0), ("tags-any=a,b", 1)):
        assert len((await admin.get(f"/v3/projects?{query}")).json()["projects"]) == wanted
    assert (await admin.put(path, json={"tags": ["x,y"]})).status_code == 400
    assert (await admin.put(path, json={"tags": ["x"]})).json()["tags"] == ["x"]
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.get(path)).json()["tags"] == []


async def test_own_password_change(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    user = await created(admin, "users", {"user": {"name": "u", "password": "old"}})
    path = f"/v3/users/{user['id']}/password"
    wrong = {"user": {"original_password": "wrong", "password": "new"}}
    assert (await cloud.anonymous.post(path, json=wrong)).status_code == 401
    right = {"user": {"original_password": "old", "password": "new"}}
    assert (await cloud.anonymous.post(path, json=right)).status_code == 204
    assert (await cloud.ask_token("u", "old")).status_code == 401
    assert (await cloud.ask_token("u", "new")).status_code == 201
    assert (await cloud.anonymous.post(f"/v3/users/{NONE}/password", json=right)).status_code == 401


async def test_disabled_user_and_domain_cannot_log_in(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    domain = await created(admin, "domains", {"domain": {"name": "d"}})
    user = await created(admin, "users", {"user": {"name": "u", "password": "pw", "domain_id": domain["id"]}})
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": user["id"], "password": "pw"}}}}}
    assert (await cloud.anonymous.post("/v3/auth/tokens", json=body)).status_code == 201
    await admin.patch(f"/v3/domains/{domain['id']}", json={"domain": {"enabled": False}})
    assert (await cloud.anonymous.post("/v3/auth/tokens", json=body)).status_code == 401
    await admin.patch(f"/v3/domains/{domain['id']}", json={"domain": {"enabled": True}})
    await admin.patch(f"/v3/users/{user['id']}", json={"user": {"enabled": False}})
    assert (await cloud.anonymous.post("/v3/auth/tokens", json=body)).status_code == 401


async def test_grants_and_their_list(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    member = await role_id(admin, "member")
    user = await created(admin, "users", {"user": {"name": "u"}})
    group = await created(admin, "groups", {"group": {"name": "g"}})
    project = await created(admin, "projects", {"project": {"name": "p"}})
    await admin.put(f"/v3/groups/{group['id']}/users/{user['id']}")
    for place in (f"projects/{project['id']}", "domains/default", "system"):
        for actor in (f"users/{user['id']}", f"groups/{group['id']}"):
            path = f"/v3/{place}/{actor}/roles/{member}"
            assert (await admin.head(path)).status_code == 404
            assert (await admin.put(path)).status_code == 204
            assert (await admin.put(path)).status_code == 204
            assert (await admin.head(path)).status_code == 204
            listed = (await admin.get(f"/v3/{place}/{actor}/roles")).json()
            assert [r["id"] for r in listed["roles"]] == [member]
            assert (await admin.put(f"/v3/{place}/{actor}/roles/{NONE}")).status_code == 404
    assert (await admin.put(f"/v3/projects/{project['id']}/users/{NONE}/roles/{member}")).status_code == 404
    assert (await admin.put(f"/v3/projects/{NONE}/users/{user['id']}/roles/{member}")).status_code == 404

    async def assignments(query: str) -> list[dict[str, Any]]:
        answer = await admin.get(f"/v3/role_assignments?{query}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["role_assignments"]
        return found

    assert len(await assignments(f"user.id={user['id']}")) == 3
    assert len(await assignments(f"group.id={group['id']}&scope.system=all")) == 1
    named = await assignments(f"user.id={user['id']}&scope.project.id={project['id']}&include_names")
    default = {"id": "default", "name": "Default"}
    assert named == [
        {
            "role": {"id": member, "name": "member"},
            "user": {"id": user["id"], "name": "u", "domain": default},
            "scope": {"project": {"id": project["id"], "name": "p", "domain": default}},
            "links": {"assignment": f"http://identity/v3/projects/{project['id']}/users/{user['id']}/roles/{member}"},
        }
    ]
    effective = await assignments(f"user.id={user['id']}&scope.project.id={project['id']}&effective&include_names")
    assert {a["role"]["name"] for a in effective} == {"member", "reader"}
    for bad in ("scope.project.id=x&scope.domain.id=y", "user.id=x&group.id=y", "effective&group.id=x"):
        assert (await admin.get(f"/v3/role_assignments?{bad}")).status_code == 400
    path = f"/v3/projects/{project['id']}/users/{user['id']}/roles/{member}"
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.delete(path)).status_code == 404


async def test_inherited_role_reaches_projects_and_not_the_domain(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    member = await role_id(admin, "member")
    user = await created(admin, "users", {"user": {"name": "u", "password": "u-pw"}})
    project = await created(admin, "projects", {"project": {"name": "p"}})
    path = f"/v3/OS-INHERIT/domains/default/users/{user['id']}/roles"
    assert (await admin.put(f"{path}/{member}/inherited_to_projects")).status_code == 204
    assert len((await admin.get(f"{path}/inherited_to_projects")).json()["roles"]) == 1
    assert (await cloud.ask_token("u", scope={"project": {"id": project["id"]}})).status_code == 201
    assert (await cloud.ask_token("u", scope={"domain": {"id": "default"}})).status_code == 401
    own = await cloud.login("u", scope="unscoped")
    assert project["id"] in {p["id"] for p in (await own.get("/v3/auth/projects")).json()["projects"]}
    stored = (await admin.get(f"/v3/role_assignments?user.id={user['id']}")).json()["role_assignments"]
    assert stored[0]["scope"] == {"domain": {"id": "default"}, "OS-INHERIT:inherited_to": "projects"}
    effective = (await admin.get(f"/v3/role_assignments?user.id={user['id']}&effective")).json()["role_assignments"]
    assert project["id"] in {a["scope"]["project"]["id"] for a in effective}


async def test_implied_roles(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    a, b = await _roles(admin)
    path = f"/v3/roles/{a}/implies/{b}"
    assert (await admin.get(path)).status_code == 404
    made = await admin.put(path)
    assert made.status_code == 201
    assert made.json()["role_inference"]["implies"]["id"] == b
    assert (await admin.head(path)).status_code == 204
    assert (await admin.put(f"/v3/roles/{b}/implies/{a}")).status_code == 400
    assert (await admin.put(f"/v3/roles/{b}/implies/{await role_id(admin, 'admin')}")).status_code == 403
    listed = (await admin.get(f"/v3/roles/{a}/implies")).json()["role_inference"]
    assert [r["id"] for r in listed["implies"]] == [b]
    rules = (await admin.get("/v3/role_inferences")).json()["role_inferences"]
    assert {r["prior_role"]["name"] for r in rules} == {"admin", "manager", "member", "a"}
    assert (await admin.delete(path)).status_code == 204


async def _roles(admin: httpx.AsyncClient) -> tuple[str, str]:
    await created(admin, "roles", {"role": {"name": "a"}})
    await created(admin, "roles", {"role": {"name": "b"}})
    return await role_id(admin, "a"), await role_id(admin, "b")


async def test_seeded_roles_are_immutable(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    path = f"/v3/roles/{await role_id(admin, 'member')}"
    assert (await admin.delete(path)).status_code == 403
    assert (await admin.patch(path, json={"role": {"name": "x"}})).status_code == 403
    assert (await admin.patch(path, json={"role": {"options": {"immutable": False}}})).status_code == 200
    assert (await admin.patch(path, json={"role": {"description": "x"}})).status_code == 200


async def test_catalogue_crud_shows_in_tokens(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    service = await created(admin, "services", {"service": {"type": "dns", "name": "names", "description": "d"}})
    assert set(service) == {"id", "type", "name", "description", "enabled", "links"}
    region = await created(admin, "regions", {"region": {"id": "R2", "parent_region_id": "RegionOne"}})
    assert set(region) == {"id", "description", "parent_region_id", "links"}
    body = {"service_id": service["id"], "interface": "public", "url": "http://dns/$(tenant_id)s", "region": "R2"}
    endpoint = await created(admin, "endpoints", {"endpoint": body})
    assert set(endpoint) == {"id", "service_id", "interface", "region", "region_id", "url", "enabled", "links"}
    token = (await cloud.ask_token("demo", scope={"project": {"name": "demo", "domain": {"id": "default"}}})).json()["token"]
    dns = next(s for s in token["catalog"] if s["type"] == "dns")
    assert dns["endpoints"][0]["url"] == f"http://dns/{token['project']['id']}"
    await admin.patch(f"/v3/endpoints/{endpoint['id']}", json={"endpoint": {"enabled": False}})
    listed = (await admin.get(f"/v3/endpoints?service_id={service['id']}")).json()["endpoints"]
    assert [e["enabled"] for e in listed] == [False]
    assert (await admin.delete("/v3/regions/R2")).status_code == 403
    assert (await admin.post("/v3/regions", json={"region": {"id": "R2"}})).status_code == 409
    for bad in (
        {"url": "http://x/$(nonsense)s"},
        {"service_id": NONE},
        {"interface": "secret"},
        {"region_id": "none", "region": "none"},
    ):
        assert (await admin.post("/v3/endpoints", json={"endpoint": body | bad})).status_code == 400, bad
    assert (await admin.delete(f"/v3/services/{service['id']}")).status_code == 204
    assert (await admin.get(f"/v3/endpoints/{endpoint['id']}")).status_code == 404
    assert (await admin.delete("/v3/regions/R2")).status_code == 204


async def test_unified_limits_are_the_ledgers(cloud: Cloud) -> None:
    admin, service = await cloud.login("admin"), await cloud.login("compute")
    assert (await admin.get("/v3/limits/model")).json()["model"]["name"] == "flat"
    demo = (await admin.get("/v3/projects?name=demo")).json()["projects"][0]
    compute = (await admin.get("/v3/services?type=compute")).json()["services"][0]
    registered = (await admin.get(f"/v3/registered_limits?service_id={compute['id']}&resource_name=cores")).json()
    (cores,) = registered["registered_limits"]
    assert set(cores) == {"id", "service_id", "region_id", "resource_name", "default_limit", "description", "links"}
    assert cores["default_limit"] == 20
    wanted = {"project_id": demo["id"], "service_id": compute["id"], "resource_name": "cores", "resource_limit": 3}
    made = await admin.post("/v3/limits", json={"limits": [wanted]})
    assert made.status_code == 201, made.text
    (limit,) = made.json()["limits"]
    assert set(limit) == {
        "id", "project_id", "domain_id", "service_id", "region_id", "resource_name", "resource_limit", "description", "links",
    }  # fmt: skip
    held = (await service.get(f"/internal/v1/holdings?project_id={demo['id']}")).json()["holdings"]
    assert held["compute.cores"]["limit"] == 3
    assert (await admin.post("/v3/limits", json={"limits": [wanted]})).status_code == 409
    assert (await admin.post("/v3/limits", json={"limits": [wanted | {"resource_name": "none"}]})).status_code == 400
    assert (await admin.delete(f"/v3/registered_limits/{cores['id']}")).status_code == 403
    own = await cloud.login("demo")
    assert [x["id"] for x in (await own.get("/v3/limits")).json()["limits"]] == [limit["id"]]
    assert (await own.get(f"/v3/limits/{limit['id']}")).status_code == 200
    stranger = await cloud.login("alt_demo")
    assert (await stranger.get("/v3/limits")).json()["limits"] == []
    assert (await stranger.get(f"/v3/limits/{limit['id']}")).status_code == 403
    patched = await admin.patch(f"/v3/limits/{limit['id']}", json={"limit": {"resource_limit": 4}})
    assert patched.json()["limit"]["resource_limit"] == 4
    assert (await admin.delete(f"/v3/limits/{limit['id']}")).status_code == 204
    held = (await service.get(f"/internal/v1/holdings?project_id={demo['id']}")).json()["holdings"]
    assert held["compute.cores"]["limit"] == 20


async def test_application_credential_life(cloud: Cloud) -> None:
    demo = await cloud.login("demo")
    me = (await cloud.ask_token("demo")).json()["token"]["user"]["id"]
    path = f"/v3/users/{me}/application_credentials"
    body = {
        "application_credential": {
            "name": "a",
            "roles": [{"name": "reader"}],
            "secret": "s3",
            "expires_at": "2099-01-01T00:00:00Z",
        }
    }
    made = await demo.post(path, json=body)
    assert made.status_code == 201, made.text
    shown = made.json()["application_credential"]
    assert shown["secret"] == "s3"
    assert [r["name"] for r in shown["roles"]] == ["reader"]
    assert "secret" not in (await demo.get(f"{path}/{shown['id']}")).json()["application_credential"]
    assert (await demo.post(path, json=body)).status_code == 409
    assert (await demo.post(path, json={"application_credential": {"name": "b", "roles": [{"name": "admin"}]}})).status_code == 400
    assert (await (await cloud.login("alt_demo")).get(path)).status_code == 403
    user = {"name": "demo", "domain": {"id": "default"}}
    proof = {
        "methods": ["application_credential"],
        "application_credential": {"name": "a", "secret": "s3", "user": user},
    }
    token = (await cloud.anonymous.post("/v3/auth/tokens", json={"auth": {"identity": proof}})).json()["token"]
    assert [r["name"] for r in token["roles"]] == ["reader"]
    scoped = {"auth": {"identity": proof, "scope": {"project": {"id": token["project"]["id"]}}}}
    assert (await cloud.anonymous.post("/v3/auth/tokens", json=scoped)).status_code == 401


async def test_credentials_of_users(cloud: Cloud) -> None:
    demo, other = await cloud.login("demo"), await cloud.login("alt_demo")
    made = await created(demo, "credentials", {"credential": {"type": "totp", "blob": "seed"}})
    assert set(made) == {"id", "user_id", "project_id", "type", "blob", "links"}
    assert [c["id"] for c in (await demo.get("/v3/credentials")).json()["credentials"]] == [made["id"]]
    assert (await other.get("/v3/credentials")).json()["credentials"] == []
    assert (await other.get(f"/v3/credentials/{made['id']}")).status_code == 403
    assert (await demo.delete(f"/v3/credentials/{made['id']}")).status_code == 204


async def test_bootstrap_again_changes_nothing(cloud: Cloud) -> None:
    from synnefo_identity.app.bootstrap import bootstrap

    admin = await cloud.login("admin")
    demo = (await admin.get("/v3/users?name=demo")).json()["users"][0]
    await admin.patch(f"/v3/users/{demo['id']}", json={"user": {"password": "changed"}})
    alt = (await admin.get("/v3/users?name=alt_demo")).json()["users"][0]
    await admin.delete(f"/v3/users/{alt['id']}")
    await bootstrap(cloud.svc)
    assert (await cloud.ask_token("demo", "changed")).status_code == 201
    assert (await cloud.ask_token("alt_demo")).status_code == 401


async def test_identity_answers_in_its_dialect(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    missing = await admin.get(f"/v3/users/{NONE}")
    assert missing.json() == {"error": {"code": 404, "title": "Not Found", "message": f"Could not find user: {NONE}."}}
    demo = await cloud.login("demo")
    denied = await demo.get("/v3/users")
    assert denied.json()["error"]["message"] == "You are not authorized to perform the requested action: identity:list_users."
    assert (await cloud.anonymous.get("/v3/users")).status_code == 401
    assert (await admin.put("/v3/users")).status_code == 405
    assert (await admin.get("/v3/nothing")).status_code == 404
