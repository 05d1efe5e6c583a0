"""Application credentials and the roles they may have."""

from __future__ import annotations

from services.identity.tests.cloud import Cloud, created


async def test_application_credential_has_a_role_given_after_the_token_was_made(cloud: Cloud) -> None:
    admin, demo = await cloud.login("admin"), await cloud.login("demo")
    token = (await demo.get("/v3/auth/tokens", headers={"X-Subject-Token": demo.headers["X-Auth-Token"]})).json()["token"]
    me, project = token["user"]["id"], token["project"]["id"]
    role = await created(admin, "roles", {"role": {"name": "late"}})
    path = f"/v3/users/{me}/application_credentials"
    body = {"application_credential": {"name": "a", "secret": "s3", "unrestricted": True, "roles": [{"id": role["id"]}]}}
    assert (await demo.post(path, json=body)).status_code == 400
    assert (await admin.put(f"/v3/projects/{project}/users/{me}/roles/{role['id']}")).status_code == 204
    made = await demo.post(path, json=body)
    assert made.status_code == 201
    proof = {"id": made.json()["application_credential"]["id"], "secret": "s3"}
    login = await cloud.anonymous.post(
        "/v3/auth/tokens", json={"auth": {"identity": {"methods": ["application_credential"], "application_credential": proof}}}
    )
    assert [r["name"] for r in login.json()["token"]["roles"]] == ["late"]
    narrow = cloud.client(login.headers["X-Subject-Token"])
    wider = {"application_credential": {"name": "b", "roles": [{"name": "member"}]}}
    assert (await narrow.post(path, json=wider)).status_code == 400
