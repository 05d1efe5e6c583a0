"""Endpoints and their regions."""

from __future__ import annotations

from services.identity.tests.cloud import Cloud, created


async def test_endpoint_by_the_old_name_of_its_region_makes_the_region(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    service = await created(admin, "services", {"service": {"type": "dns", "name": "dns"}})
    body = {"service_id": service["id"], "interface": "public", "url": "http://dns"}
    for _ in range(2):
        endpoint = await created(admin, "endpoints", {"endpoint": body | {"region": "North"}})
        assert (endpoint["region"], endpoint["region_id"]) == ("North", "North")
    assert (await admin.get("/v3/regions/North")).json()["region"]["description"] == ""
    assert (await admin.post("/v3/endpoints", json={"endpoint": body | {"region_id": "South"}})).status_code == 400
    url = f"/v3/endpoints/{endpoint['id']}"
    assert (await admin.patch(url, json={"endpoint": {"region_id": "South"}})).status_code == 400
    assert (await admin.patch(url, json={"endpoint": {"region": "South"}})).json()["endpoint"]["region_id"] == "South"
    assert (await admin.get("/v3/regions/South")).status_code == 200
