"""Types, quotas, limits and documents through HTTP."""

from services.volume.tests.factories import Volumes

from synnefo_common.testing import Harness

ADMIN = "/v3/" + "9" * 32


async def test_documents(h: Harness, v: Volumes) -> None:
    for path, status in (("/", 300), ("/v3", 200), ("/v3/", 200)):
        r = await h.anonymous().get(path)
        assert r.status_code == status
        version = r.json()["versions"][0]
        assert (version["id"], version["version"], version["min_version"], version["status"]) == (
            "v3.0",
            "3.0",
            "3.0",
            "CURRENT",
        )
    me = h.as_member()
    r = await me.get(f"{v.url}/volumes", headers={"OpenStack-API-Version": "volume 3.0"})
    assert r.headers["OpenStack-API-Version"] == "volume 3.0" and "OpenStack-API-Version" in r.headers["Vary"]
    assert (await me.get(f"{v.url}/volumes", headers={"OpenStack-API-Version": "volume 3.1"})).status_code == 406
    assert (await me.get(f"{v.url}/volumes", headers={"OpenStack-API-Version": "volume x"})).status_code == 400
    zones = (await me.get(f"{v.url}/os-availability-zone")).json()
    assert zones == {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]}
    extensions = (await me.get(f"{v.url}/extensions")).json()["extensions"]
    assert all(set(e) == {"alias", "name", "description", "updated", "links"} for e in extensions)
    assert (await me.get(f"{v.url}/extensions/os-quota-sets")).status_code == 200
    assert (await me.get(f"{v.url}/extensions/nope")).status_code == 404
    assert (await me.get(f"{v.url}/os-services")).status_code == 403
    assert (await h.as_admin().get(f"{ADMIN}/os-services")).json()["services"][0]["state"] == "up"
    for absent in ("backups", "os-volume-transfer", "qos-specs", "groups", "attachments", "messages"):
        assert (await me.get(f"{v.url}/{absent}")).status_code == 404


async def test_quota_sets(h: Harness, v: Volumes) -> None:
    h.quota.limits |= {"volume.volumes": 10, "volume.gigabytes": 1000, "volume.snapshots": 10}
    await v.create(size=2)
    me, admin, url = h.as_member(), h.as_admin(), f"{ADMIN}/os-quota-sets/{h.project_id}"
    names = {"id", "volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes", "per_volume_gigabytes", "groups"}
    shown = (await me.get(f"{v.url}/os-quota-sets/{h.project_id}?usage=False")).json()["quota_set"]
    assert set(shown) == names and shown["volumes"] == 10 and shown["id"] == h.project_id
    usage = (await me.get(f"{v.url}/os-quota-sets/{h.project_id}?usage=True")).json()["quota_set"]
    assert usage["gigabytes"] == {"limit": 1000, "in_use": 2, "reserved": 0}
    assert (await me.get(f"{v.url}/os-quota-sets/{h.other_project_id}")).status_code == 403
    assert (await me.put(f"{v.url}/os-quota-sets/{h.project_id}", json={"quota_set": {"volumes": 1}})).status_code == 403
    r = await admin.put(url, json={"quota_set": {"volumes": 5, "per_volume_gigabytes": 3, "gigabytes": "9"}})
    assert r.status_code == 200 and r.json()["quota_set"]["volumes"] == 5 and "id" not in r.json()["quota_set"]
    assert (await me.get(f"{v.url}/os-quota-sets/{h.project_id}")).json()["quota_set"]["per_volume_gigabytes"] == 3
    assert (await me.post(f"{v.url}/volumes", json={"volume": {"size": 4}})).status_code == 413
    for bad in (
        {},
        {"volumes": -2},
        {"volumes": "x"},
        {"nope": 1},
        {"gigabytes": 1},
        {"volumes": 2**31},
        {"volumes": None},
    ):
        assert (await admin.put(url, json={"quota_set": bad})).status_code == 400, bad
    assert (await admin.delete(url)).status_code == 200
    assert (await me.get(f"{v.url}/os-quota-sets/{h.project_id}")).json()["quota_set"]["volumes"] == 10
    assert set((await admin.get(f"{url}/defaults")).json()["quota_set"]) == names
    absolute = (await me.get(f"{v.url}/limits")).json()["limits"]
    assert absolute["rate"] == [] and absolute["absolute"]["totalGigabytesUsed"] == 2
    assert len(absolute["absolute"]) == 10


async def test_types(h: Harness, v: Volumes) -> None:
    me, admin = h.as_member(), h.as_admin()
    default = (await me.get(f"{v.url}/types/default")).json()["volume_type"]
    assert default["name"] == "archipelago" and set(default) == {
        "id",
        "name",
        "is_public",
        "description",
        "extra_specs",
        "os-volume-type-access:is_public",
    }
    assert (await admin.delete(f"{ADMIN}/types/{default['id']}")).status_code == 400
    assert (await me.post(f"{v.url}/types", json={"volume_type": {"name": "x"}})).status_code == 403
    body = {"name": "gold", "description": "d", "extra_specs": {"a": "b"}, "os-volume-type-access:is_public": False}
    r = await admin.post(f"{ADMIN}/types", json={"volume_type": body})
    assert r.status_code == 200, r.text
    gold = r.json()["volume_type"]
    assert "qos_specs_id" not in gold and gold["extra_specs"] == {"a": "b"} and gold["is_public"] is False
    assert (await admin.post(f"{ADMIN}/types", json={"volume_type": {"name": "gold"}})).status_code == 409
    for bad in ({}, {"name": ""}, {"name": None}, {"name": "x" * 256}, {"name": "x", "y": 1}):
        assert (await admin.post(f"{ADMIN}/types", json={"volume_type": bad})).status_code == 400, bad
    assert [t["name"] for t in (await me.get(f"{v.url}/types?is_public=none")).json()["volume_types"]] == ["archipelago"]
    assert len((await admin.get(f"{ADMIN}/types?is_public=None")).json()["volume_types"]) == 2
    assert (await me.get(f"{v.url}/types/{gold['id']}")).status_code == 404
    assert (await me.post(f"{v.url}/volumes", json={"volume": {"size": 1, "volume_type": "gold"}})).status_code == 404
    act = f"{ADMIN}/types/{gold['id']}/action"
    assert (await admin.post(act, json={"addProjectAccess": {"project": h.project_id}})).status_code == 202
    assert (await admin.post(act, json={"addProjectAccess": {"project": h.project_id}})).status_code == 409
    listed = (await admin.get(f"{ADMIN}/types/{gold['id']}/os-volume-type-access")).json()
    assert listed == {"volume_type_access": [{"volume_type_id": gold["id"], "project_id": h.project_id}]}
    volume = await v.create(volume_type="gold")
    assert volume["volume_type"] == "gold"
    assert (await admin.delete(f"{ADMIN}/types/{gold['id']}")).status_code == 400
    assert (await v.act(volume["id"], "os-retype", {"new_type": "archipelago", "migration_policy": "never"})).status_code == 202
    assert (await v.show(volume["id"]))["volume_type"] == "archipelago"
    assert (await admin.post(act, json={"removeProjectAccess": {"project": h.project_id}})).status_code == 202
    assert (await admin.post(act, json={"removeProjectAccess": {"project": h.project_id}})).status_code == 404
    specs = f"{ADMIN}/types/{gold['id']}/extra_specs"
    assert (await admin.post(specs, json={"extra_specs": {"c": "d"}})).json() == {"extra_specs": {"c": "d"}}
    assert (await admin.get(specs)).json() == {"extra_specs": {"a": "b", "c": "d"}}
    assert (await admin.put(f"{specs}/c", json={"c": "e"})).json() == {"c": "e"}
    assert (await admin.put(f"{specs}/c", json={"x": "e"})).status_code == 400
    assert (await admin.get(f"{specs}/c")).json() == {"c": "e"}
    assert (await admin.delete(f"{specs}/c")).status_code == 202 and (await admin.delete(f"{specs}/c")).status_code == 404
    r = await admin.put(f"{ADMIN}/types/{gold['id']}", json={"volume_type": {"name": "silver", "is_public": True}})
    assert r.status_code == 200 and set(r.json()["volume_type"]) == {
        "id",
        "name",
        "is_public",
        "description",
        "extra_specs",
    }
    assert (await admin.put(f"{ADMIN}/types/{gold['id']}", json={"volume_type": {}})).status_code == 400
    assert (await admin.delete(f"{ADMIN}/types/{gold['id']}")).status_code == 202
    assert (await admin.get(f"{ADMIN}/types/{gold['id']}")).status_code == 404


async def test_default_quotas_are_a_class(h: Harness, v: Volumes) -> None:
    admin, url = h.as_admin(), f"{ADMIN}/os-quota-class-sets/default"
    assert (await h.as_member().get(f"{v.url}/os-quota-class-sets/default")).status_code == 403
    shown = (await admin.get(url)).json()["quota_class_set"]
    assert shown["id"] == "default" and shown["per_volume_gigabytes"] == -1
    r = await admin.put(url, json={"quota_class_set": {"volumes": 7, "per_volume_gigabytes": 3}})
    assert r.status_code == 200 and "id" not in r.json()["quota_class_set"]
    for quotas in (r.json()["quota_class_set"], (await admin.get(f"{ADMIN}/os-quota-sets/{h.project_id}/defaults")).json()["quota_set"]):
        assert (quotas["volumes"], quotas["per_volume_gigabytes"]) == (7, 3)
    assert (await h.as_member().post(f"{v.url}/volumes", json={"volume": {"size": 4}})).status_code == 413
    own = {"quota_set": {"per_volume_gigabytes": 4}}
    assert (await admin.put(f"{ADMIN}/os-quota-sets/{h.project_id}", json=own)).status_code == 200
    assert (await h.as_member().post(f"{v.url}/volumes", json={"volume": {"size": 4}})).status_code == 202
    assert (await admin.put(url, json={"quota_class_set": {"nope": 1}})).status_code == 400
    assert (await admin.get(f"{ADMIN}/os-quota-class-sets/other")).status_code == 404


async def test_pools_and_capabilities(h: Harness, v: Volumes) -> None:
    admin = h.as_admin()
    [pool] = (await admin.get(f"{ADMIN}/scheduler-stats/get_pools")).json()["pools"]
    assert set(pool) == {"name"}
    [whole] = (await admin.get(f"{ADMIN}/scheduler-stats/get_pools?detail=True")).json()["pools"]
    shown = (await admin.get(f"{ADMIN}/capabilities/{pool['name'].replace('#', '%23')}")).json()
    assert shown["vendor_name"] == whole["capabilities"]["vendor_name"] == "Synnefo"
    assert (await admin.get(f"{ADMIN}/capabilities/nowhere")).status_code == 404
    for path in ("scheduler-stats/get_pools", "capabilities/synnefo@archipelago"):
        assert (await h.as_member().get(f"{v.url}/{path}")).status_code == 403
