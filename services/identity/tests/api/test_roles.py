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
