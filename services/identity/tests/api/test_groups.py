"""Groups with members of several domains."""

from __future__ import annotations

from services.identity.tests.cloud import Cloud, created, role_id


async def test_token_of_a_domain_lists_memberships_of_that_domain_only(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    here, there = [await created(admin, "domains", {"domain": {"name": name}}) for name in ("here", "there")]
    ann, ben = [await created(admin, "users", {"user": {"name": "u", "password": "pw", "domain_id": d["id"]}}) for d in (here, there)]
    one, two = [await created(admin, "groups", {"group": {"name": "g", "domain_id": d["id"]}}) for d in (here, there)]
    for group in (one, two):
        for user in (ann, ben):
            assert (await admin.put(f"/v3/groups/{group['id']}/users/{user['id']}")).status_code == 204
    await admin.put(f"/v3/domains/{here['id']}/users/{ann['id']}/roles/{await role_id(admin, 'reader')}")
    proof = {"user": {"id": ann["id"], "password": "pw"}}
    auth = {"identity": {"methods": ["password"], "password": proof}, "scope": {"domain": {"id": here["id"]}}}
    login = await cloud.anonymous.post("/v3/auth/tokens", json={"auth": auth})
    reader = cloud.client(login.headers["X-Subject-Token"])
    assert [u["id"] for u in (await reader.get(f"/v3/groups/{one['id']}/users")).json()["users"]] == [ann["id"]]
    assert [g["id"] for g in (await reader.get(f"/v3/users/{ann['id']}/groups")).json()["groups"]] == [one["id"]]
    assert len((await admin.get(f"/v3/groups/{one['id']}/users")).json()["users"]) == 2
    assert len((await admin.get(f"/v3/users/{ann['id']}/groups")).json()["groups"]) == 2
