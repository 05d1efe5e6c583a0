"""Roles of one domain beside roles for all, as Keystone has them."""

from __future__ import annotations

from services.identity.tests.cloud import Cloud, created, role_id


async def test_role_for_all_domains_cannot_imply_a_domains_role(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    everywhere = await created(admin, "roles", {"role": {"name": "everywhere"}})
    here = await created(admin, "roles", {"role": {"name": "here", "domain_id": "default"}})
    assert (await admin.put(f"/v3/roles/{everywhere['id']}/implies/{here['id']}")).status_code == 403
    assert (await admin.put(f"/v3/roles/{here['id']}/implies/{everywhere['id']}")).status_code == 201
    assert (await admin.put(f"/v3/roles/{everywhere['id']}/implies/{here['id']}")).status_code == 403


async def test_effective_list_has_not_the_domains_role_but_what_it_implies(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    user = await created(admin, "users", {"user": {"name": "u"}})
    project = await created(admin, "projects", {"project": {"name": "p"}})
    here = await created(admin, "roles", {"role": {"name": "here", "domain_id": "default"}})
    assert (await admin.put(f"/v3/projects/{project['id']}/users/{user['id']}/roles/{here['id']}")).status_code == 204
    url = f"/v3/role_assignments?user.id={user['id']}&scope.project.id={project['id']}"
    assert [a["role"]["id"] for a in (await admin.get(url)).json()["role_assignments"]] == [here["id"]]
    assert (await admin.get(f"{url}&effective")).json()["role_assignments"] == []
    reader = await role_id(admin, "reader")
    assert (await admin.put(f"/v3/roles/{here['id']}/implies/{reader}")).status_code == 201
    assert [a["role"]["id"] for a in (await admin.get(f"{url}&effective")).json()["role_assignments"]] == [reader]


async def test_domain_manager_sees_the_roles_for_all_by_list_and_alone_those_he_may_give(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    domain = await created(admin, "domains", {"domain": {"name": "d"}})
    user = await created(admin, "users", {"user": {"name": "m", "password": "pw", "domain_id": domain["id"]}})
    own = await created(admin, "roles", {"role": {"name": "own", "domain_id": domain["id"]}})
    assert (await admin.put(f"/v3/domains/{domain['id']}/users/{user['id']}/roles/{await role_id(admin, 'manager')}")).status_code == 204
    proof = {"user": {"id": user["id"], "password": "pw"}}
    auth = {"identity": {"methods": ["password"], "password": proof}, "scope": {"domain": {"id": domain["id"]}}}
    manager = cloud.client((await cloud.anonymous.post("/v3/auth/tokens", json={"auth": auth})).headers["X-Subject-Token"])
    assert {r["name"] for r in (await manager.get("/v3/roles")).json()["roles"]} >= {"admin", "member"}
    assert (await manager.get(f"/v3/roles?domain_id={domain['id']}")).status_code == 403
    assert (await manager.get(f"/v3/roles/{await role_id(admin, 'member')}")).status_code == 200
    for hidden in (await role_id(admin, "admin"), own["id"]):
        assert (await manager.get(f"/v3/roles/{hidden}")).status_code == 403
    assert (await admin.get(f"/v3/roles/{own['id']}")).status_code == 200
