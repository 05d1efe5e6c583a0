"""The exact keys and status codes of every answer at 2.1: a missing key and an extra key are both errors."""

from __future__ import annotations

from typing import Any

import pytest

IMAGE = "c0ffee00-c0ff-4eec-8ffe-c0ffeec0ffee"
NETWORK = "a0000000-0000-4000-8000-000000000001"
SERVER = {
    "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated", "addresses", "accessIPv4",
    "accessIPv6", "links", "OS-DCF:diskConfig", "progress",
}  # fmt: skip
SERVER_DETAIL = SERVER | {
    "OS-EXT-AZ:availability_zone", "config_drive", "key_name", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at",
    "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state", "os-extended-volumes:volumes_attached", "security_groups",
}  # fmt: skip
ADMIN_ONLY = {"OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname", "OS-EXT-SRV-ATTR:instance_name"}
FLAVOR = {
    "id", "name", "ram", "disk", "vcpus", "swap", "OS-FLV-EXT-DATA:ephemeral", "OS-FLV-DISABLED:disabled", "os-flavor-access:is_public",
    "rxtx_factor", "links",
}  # fmt: skip
QUOTA = {
    "instances", "cores", "ram", "floating_ips", "fixed_ips", "metadata_items", "key_pairs", "security_groups", "security_group_rules",
    "server_group_members", "server_groups", "injected_files", "injected_file_content_bytes", "injected_file_path_bytes",
}  # fmt: skip
LIMITS = {
    "maxTotalRAMSize", "totalCoresUsed", "maxTotalInstances", "maxTotalFloatingIps", "totalSecurityGroupsUsed", "maxTotalCores",
    "totalFloatingIpsUsed", "maxSecurityGroups", "maxServerMeta", "maxPersonality", "maxImageMeta", "maxPersonalitySize",
    "maxSecurityGroupRules", "maxTotalKeypairs", "totalRAMUsed", "totalInstancesUsed", "maxServerGroupMembers", "maxServerGroups",
    "totalServerGroupsUsed",
}  # fmt: skip
HYPERVISOR = {"id", "hypervisor_hostname", "state", "status"}
HYPERVISOR_DETAIL = HYPERVISOR | {
    "hypervisor_type", "hypervisor_version", "host_ip", "cpu_info", "vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb",
    "local_gb", "local_gb_used", "free_disk_gb", "disk_available_least", "running_vms", "current_workload", "service",
}  # fmt: skip
STATISTICS = {
    "count", "current_workload", "disk_available_least", "free_disk_gb", "free_ram_mb", "local_gb", "local_gb_used", "memory_mb",
    "memory_mb_used", "running_vms", "vcpus", "vcpus_used",
}  # fmt: skip
SERVICE = {"id", "zone", "host", "state", "binary", "status", "updated_at", "disabled_reason"}
ACTION = {"action", "request_id", "user_id", "project_id", "start_time", "message", "instance_uuid"}
INTERFACE = {"port_state", "fixed_ips", "port_id", "net_id", "mac_addr"}
ATTACHMENT = {"id", "device", "volumeId", "serverId"}
USAGE = {"tenant_id", "start", "stop", "total_hours", "total_local_gb_usage", "total_memory_mb_usage", "total_vcpus_usage"}
SERVER_USAGE = {
    "ended_at", "flavor", "hours", "instance_id", "local_gb", "memory_mb", "name", "started_at", "state", "tenant_id", "uptime", "vcpus",
}  # fmt: skip
KEYPAIR = {"name", "public_key", "fingerprint"}
KEYPAIR_DETAIL = KEYPAIR | {"id", "user_id", "created_at", "updated_at", "deleted", "deleted_at"}
EXTENSION = {"updated", "name", "links", "namespace", "alias", "description"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKpMhyQjdQxhwyHo1z9Q8K0Xl4ZyyRMZRwbmNtH4yKbd me@here"

# path, envelope key, whether a list, keys
READS = [
    ("/flavors", "flavors", True, {"id", "name", "links"}),
    ("/flavors/detail", "flavors", True, FLAVOR),
    ("/flavors/1", "flavor", False, FLAVOR),
    ("/servers", "servers", True, {"id", "name", "links"}),
    ("/servers/detail", "servers", True, SERVER_DETAIL),
    ("/servers/{server}", "server", False, SERVER_DETAIL),
    ("/servers/{server}/os-interface", "interfaceAttachments", True, INTERFACE),
    ("/servers/{server}/os-interface/{port}", "interfaceAttachment", False, INTERFACE),
    ("/servers/{server}/os-volume_attachments", "volumeAttachments", True, ATTACHMENT),
    ("/servers/{server}/os-volume_attachments/{volume}", "volumeAttachment", False, ATTACHMENT),
    ("/servers/{server}/os-instance-actions", "instanceActions", True, ACTION),
    ("/servers/{server}/os-instance-actions/{request}", "instanceAction", False, ACTION | {"events"}),
    ("/os-keypairs/k", "keypair", False, KEYPAIR_DETAIL),
    ("/os-quota-sets/{project}", "quota_set", False, QUOTA | {"id"}),
    ("/os-quota-sets/{project}/detail", "quota_set", False, QUOTA | {"id"}),
    ("/os-quota-sets/{project}/defaults", "quota_set", False, QUOTA | {"id"}),
    ("/limits", "limits", False, {"rate", "absolute"}),
    ("/os-availability-zone", "availabilityZoneInfo", True, {"zoneName", "zoneState", "hosts"}),
    ("/os-simple-tenant-usage/{project}", "tenant_usage", False, USAGE | {"server_usages"}),
    ("/extensions", "extensions", True, EXTENSION),
    ("/extensions/os-keypairs", "extension", False, EXTENSION),
]
ADMIN_READS = [
    ("/servers/{server}", "server", False, SERVER_DETAIL | ADMIN_ONLY),
    ("/servers/detail?all_tenants=1", "servers", True, SERVER_DETAIL | ADMIN_ONLY),
    ("/os-hypervisors", "hypervisors", True, HYPERVISOR),
    ("/os-hypervisors/detail", "hypervisors", True, HYPERVISOR_DETAIL),
    ("/os-hypervisors/1", "hypervisor", False, HYPERVISOR_DETAIL),
    ("/os-hypervisors/statistics", "hypervisor_statistics", False, STATISTICS),
    ("/os-hypervisors/alp/search", "hypervisors", True, HYPERVISOR),
    ("/os-hypervisors/alp/servers", "hypervisors", True, HYPERVISOR | {"servers"}),
    ("/os-services", "services", True, SERVICE),
    ("/os-availability-zone/detail", "availabilityZoneInfo", True, {"zoneName", "zoneState", "hosts"}),
    ("/os-simple-tenant-usage", "tenant_usages", True, USAGE),
    ("/os-simple-tenant-usage?detailed=1", "tenant_usages", True, USAGE | {"server_usages"}),
]


async def furnished(h: Any) -> dict[str, str]:
    """A server with a port and a volume, a keypair; the ids by name."""
    await h.as_member().post("/v2.1/os-keypairs", json={"keypair": {"name": "k", "public_key": KEY}})
    server, volume = await h.server(key_name="k"), h.ids.uuid()
    await h.as_member().post(f"/v2.1/servers/{server}/os-volume_attachments", json={"volumeAttachment": {"volumeId": volume}})
    await h.ganeti_does()
    h.clock.advance(90)
    await h.report()
    actions = (await h.as_member().get(f"/v2.1/servers/{server}/os-instance-actions")).json()["instanceActions"]
    port = (await h.as_member().get(f"/v2.1/servers/{server}/os-interface")).json()["interfaceAttachments"][0]["port_id"]
    return {"server": server, "volume": volume, "request": actions[0]["request_id"], "port": port, "project": h.project_id}


async def test_every_read_has_exactly_novas_keys(h: Any) -> None:
    ids = await furnished(h)
    wrong = []
    for client, table in ((h.as_member(), READS), (h.as_admin(), ADMIN_READS)):
        for path, envelope, is_list, keys in table:
            answer = await client.get("/v2.1" + path.format(**ids))
            assert answer.status_code == 200, (path, answer.text)
            body = answer.json()
            items = body[envelope] if is_list else [body[envelope]]
            assert items, path
            found = set(items[0])
            if set(body) != {envelope} or found != keys:
                wrong.append((path, sorted(found - keys), sorted(keys - found), sorted(body)))
    assert wrong == []


async def test_nested_parts_have_exactly_novas_keys(h: Any) -> None:
    ids = await furnished(h)
    shown = await h.show(ids["server"])
    assert set(shown["addresses"]["net"][0]) == {"version", "addr", "OS-EXT-IPS:type", "OS-EXT-IPS-MAC:mac_addr"}
    assert set(shown["image"]) == set(shown["flavor"]) == {"id", "links"}
    assert [set(link) for link in shown["links"]] == [{"rel", "href"}] * 2
    assert shown["os-extended-volumes:volumes_attached"] == [{"id": ids["volume"]}]
    assert shown["security_groups"] == [{"name": "default"}]
    addresses = (await h.as_member().get(f"/v2.1/servers/{ids['server']}/ips")).json()
    assert addresses == {"addresses": {"net": [{"version": 4, "addr": "10.0.0.2"}]}}
    assert (await h.as_member().get(f"/v2.1/servers/{ids['server']}/ips/net")).json() == addresses["addresses"]
    limits = (await h.as_member().get("/v2.1/limits?reserved=False")).json()["limits"]
    assert set(limits["absolute"]) == LIMITS
    assert all(isinstance(n, int) for n in limits["absolute"].values())
    detail = (await h.as_member().get(f"/v2.1/os-quota-sets/{h.project_id}/detail")).json()["quota_set"]
    assert all(set(detail[name]) == {"limit", "in_use", "reserved"} for name in QUOTA)
    keypairs = (await h.as_member().get("/v2.1/os-keypairs")).json()["keypairs"]
    assert set(keypairs[0]["keypair"]) == KEYPAIR
    usage = (await h.as_member().get(f"/v2.1/os-simple-tenant-usage/{h.project_id}")).json()["tenant_usage"]
    assert set(usage["server_usages"][0]) == SERVER_USAGE
    hypervisor = (await h.as_admin().get("/v2.1/os-hypervisors/1")).json()["hypervisor"]
    assert set(hypervisor["service"]) == {"id", "host", "disabled_reason"}
    listed = (await h.as_admin().get("/v2.1/os-hypervisors/alpha/servers")).json()["hypervisors"][0]["servers"]
    assert listed == [{"uuid": ids["server"], "name": f"snf-{ids['server']}"}]
    zones = (await h.as_admin().get("/v2.1/os-availability-zone/detail")).json()["availabilityZoneInfo"]
    assert set(zones[0]["hosts"]["alpha"]["nova-compute"]) == {"available", "active", "updated_at"}
    assert (await h.as_member().get("/v2.1/os-availability-zone")).json()["availabilityZoneInfo"][0]["hosts"] is None
    action = (await h.as_member().get(f"/v2.1/servers/{ids['server']}/os-instance-actions/{ids['request']}")).json()["instanceAction"]
    assert set(action["events"][0]) == {"event", "start_time", "finish_time", "result", "traceback"}


async def test_create_and_update_answer_exactly_novas_keys(h: Any) -> None:
    body = {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "networks": [{"uuid": NETWORK}]}
    answer = await h.as_member().post("/v2.1/servers", json={"server": body})
    assert answer.status_code == 202
    server = answer.json()["server"]
    assert set(server) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    assert answer.headers["Location"].endswith(f"/v2.1/servers/{server['id']}")
    await h.ganeti_does()
    answer = await h.as_member().put(f"/v2.1/servers/{server['id']}", json={"server": {"name": "t", "accessIPv6": "2001:DB8::0:1"}})
    assert answer.status_code == 200
    shown = answer.json()["server"]
    assert set(shown) == SERVER
    assert shown["addresses"] == {"net": [{"version": 4, "addr": "10.0.0.2"}]}
    assert (shown["name"], shown["accessIPv6"]) == ("t", "2001:db8::1")
    answer = await h.as_member().post("/v2.1/servers", json={"server": body | {"return_reservation_id": True}})
    assert answer.status_code == 202
    assert set(answer.json()) == {"reservation_id"}


async def test_keypairs_answer_exactly_novas_keys(h: Any) -> None:
    made = await h.as_member().post("/v2.1/os-keypairs", json={"keypair": {"name": "made"}})
    assert made.status_code == 200
    assert set(made.json()["keypair"]) == KEYPAIR | {"user_id", "private_key"}
    assert "PRIVATE KEY" in made.json()["keypair"]["private_key"]
    imported = await h.as_member().post("/v2.1/os-keypairs", json={"keypair": {"name": "imported", "public_key": KEY}})
    assert set(imported.json()["keypair"]) == KEYPAIR | {"user_id"}
    assert (await h.as_member().delete("/v2.1/os-keypairs/made")).status_code == 202
    assert h.quota.used["compute.key_pairs"] == 1


async def test_flavors_and_their_access_answer_as_nova_does(h: Any) -> None:
    admin = h.as_admin()
    body = {"name": "p", "id": "9", "ram": 64, "vcpus": 1, "disk": 0, "os-flavor-access:is_public": False, "swap": 512}
    answer = await admin.post("/v2.1/flavors", json={"flavor": body})
    assert (answer.status_code, set(answer.json()["flavor"])) == (200, FLAVOR)
    assert answer.json()["flavor"]["swap"] == 512
    assert (await h.as_member().get("/v2.1/flavors/9")).status_code == 404
    assert (await admin.get("/v2.1/flavors/9/os-flavor-access")).json() == {"flavor_access": []}
    access = {"flavor_access": [{"flavor_id": "9", "tenant_id": h.project_id}]}
    answer = await admin.post("/v2.1/flavors/9/action", json={"addTenantAccess": {"tenant": h.project_id}})
    assert (answer.status_code, answer.json()) == (200, access)
    assert (await admin.post("/v2.1/flavors/9/action", json={"addTenantAccess": {"tenant": h.project_id}})).status_code == 409
    assert (await h.as_member().get("/v2.1/flavors/9")).status_code == 200
    assert (await h.as_project().get("/v2.1/flavors/9")).status_code == 404
    answer = await admin.post("/v2.1/flavors/9/action", json={"removeTenantAccess": {"tenant": h.project_id}})
    assert answer.json() == {"flavor_access": []}
    assert (await admin.post("/v2.1/flavors/9/action", json={"removeTenantAccess": {"tenant": h.project_id}})).status_code == 404
    specs = {"extra_specs": {"hw:a": "1"}}
    answer = await admin.post("/v2.1/flavors/9/os-extra_specs", json=specs)
    assert (answer.status_code, answer.json()) == (200, specs)
    assert (await admin.get("/v2.1/flavors/9/os-extra_specs/hw:a")).json() == {"hw:a": "1"}
    assert (await admin.put("/v2.1/flavors/9/os-extra_specs/hw:a", json={"hw:a": "2"})).json() == {"hw:a": "2"}
    assert (await admin.delete("/v2.1/flavors/9/os-extra_specs/hw:a")).status_code == 200
    assert (await admin.delete("/v2.1/flavors/9/os-extra_specs/hw:a")).status_code == 404
    assert (await admin.delete("/v2.1/flavors/9")).status_code == 202
    assert (await admin.delete("/v2.1/flavors/9")).status_code == 404


async def test_metadata_answers_as_nova_does(h: Any) -> None:
    url = f"/v2.1/servers/{await h.server(metadata={'a': '1'})}/metadata"
    member = h.as_member()
    assert (await member.get(url)).json() == {"metadata": {"a": "1"}}
    assert (await member.post(url, json={"metadata": {"b": "2"}})).json() == {"metadata": {"a": "1", "b": "2"}}
    assert (await member.put(url, json={"metadata": {"c": "3"}})).json() == {"metadata": {"c": "3"}}
    assert (await member.put(f"{url}/d", json={"meta": {"d": "4"}})).json() == {"meta": {"d": "4"}}
    assert (await member.get(f"{url}/d")).json() == {"meta": {"d": "4"}}
    assert (await member.delete(f"{url}/d")).status_code == 204
    assert (await member.delete(f"{url}/d")).status_code == 404
    assert (await member.put(f"{url}/d", json={"meta": {"e": "4"}})).status_code == 400
    assert (await member.put(url, json={"metadata": {f"k{i}": "v" for i in range(129)}})).status_code == 403


async def test_a_failed_servers_fault_and_discovery(h: Any) -> None:
    server_id = await h.server(built=False)
    await h.ganeti_does(fail="no room")
    shown = await h.show(server_id)
    assert set(shown["fault"]) == {"code", "created", "message"}
    assert "progress" not in shown
    version = (await h.anonymous().get("/v2.1")).json()["version"]
    assert set(version) == {"id", "status", "version", "min_version", "updated", "links", "media-types"}
    versions = (await h.anonymous().get("/")).json()["versions"]
    assert set(versions[0]) == {"id", "status", "version", "min_version", "updated", "links"}


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=0", 200), ("limit=-1", 400), ("limit=x", 400), ("marker=nowhere", 400), ("sort_key=no", 400), ("sort_dir=no", 400),
     ("sort_dir=asc", 200), ("changes-since=2011/01/01", 400), ("changes-since=2051-01-01T12:34:00Z", 200), ("status=none_such", 200),
     ("image=none", 200), ("flavor=none", 200), ("name=none_such", 200), ("ip=%5B", 400), ("name=%28a%2B%29%2B", 400), ("nonsense=1", 200),
     ("name=%00", 400), ("image=%00", 400), ("all_tenants=maybe", 400), ("all_tenants=1", 403), ("all_tenants=0", 200),
     ("status=deleted", 403), ("deleted=perhaps", 200)],
)  # fmt: skip
async def test_list_filters_answer_as_nova_does(h: Any, query: str, status: int) -> None:
    for path in ("/v2.1/servers", "/v2.1/servers/detail"):
        answer = await h.as_member().get(f"{path}?{query}")
        assert answer.status_code == status, answer.text
        if status == 200:
            assert answer.json() == {"servers": []}


async def test_pages_follow_the_marker_to_the_end(h: Any) -> None:
    made = [await h.server() for _ in range(3)]
    seen, url = [], "/v2.1/servers?limit=2"
    while url:
        body = (await h.as_member().get(url)).json()
        seen += [server["id"] for server in body["servers"]]
        url = body["servers_links"][0]["href"].removeprefix("http://compute") if "servers_links" in body else ""
    assert sorted(seen) == sorted(made)
    both = (await h.as_member().get("/v2.1/servers?status=ACTIVE&status=ERROR")).json()["servers"]
    assert len(both) == 3
    assert (await h.as_member().get("/v2.1/servers?limit=0")).json() == {"servers": []}


async def test_usage_counts_hours_of_deleted_servers_too(h: Any) -> None:
    server_id = await h.server()
    h.clock.advance(3600)
    await h.as_member().delete(f"/v2.1/servers/{server_id}")
    await h.ganeti_does()
    h.clock.advance(3600)
    usage = (await h.as_member().get(f"/v2.1/os-simple-tenant-usage/{h.project_id}?start=2020-01-01T00:00:00")).json()["tenant_usage"]
    assert usage["total_hours"] == pytest.approx(1.0, abs=0.01)
    exact = await h.as_member().get(f"/v2.1/os-simple-tenant-usage/{h.project_id}?start=2020-01-01T00:00:00.123456")
    assert exact.json()["tenant_usage"]["start"] == "2020-01-01T00:00:00.123456"
    assert usage["total_memory_mb_usage"] == pytest.approx(128, abs=1)
    assert usage["server_usages"][0]["state"] == "terminated"
    assert usage["server_usages"][0]["ended_at"] is not None
    assert (await h.as_member().get(f"/v2.1/os-simple-tenant-usage/{h.project_id}?start=x")).status_code == 400
    both = "start=2020-01-01T00:00:00&end=2019-01-01T00:00:00"
    assert (await h.as_member().get(f"/v2.1/os-simple-tenant-usage/{h.project_id}?{both}")).status_code == 400
    assert (await h.as_member().get(f"/v2.1/os-simple-tenant-usage/{h.other_project_id}")).status_code == 403
    assert (await h.as_project().get(f"/v2.1/os-simple-tenant-usage/{h.other_project_id}")).json() == {"tenant_usage": {}}


async def test_a_request_has_its_id_in_both_headers_that_clients_know(h: Any) -> None:
    for answer in (await h.as_member().get("/v2.1/servers"), await h.as_member().get("/v2.1/servers/x"), await h.anonymous().get("/v2.1/servers")):
        assert answer.headers["X-Compute-Request-Id"] == answer.headers["X-Openstack-Request-Id"]


async def test_the_default_quotas_are_the_class_default(h: Any) -> None:
    url, admin = "/v2.1/os-quota-class-sets/default", h.as_admin()
    before = (await admin.get(url)).json()["quota_class_set"]
    assert before.pop("id") == "default"
    assert set(before) == QUOTA
    answer = await admin.put(url, json={"quota_class_set": {"cores": 77, "injected_files": 9}})
    assert (answer.status_code, answer.json()) == (200, {"quota_class_set": before | {"cores": 77}})
    shown = (await h.as_member().get(f"/v2.1/os-quota-sets/{h.project_id}/defaults")).json()["quota_set"]
    assert shown == before | {"cores": 77, "id": h.project_id}
    assert (await admin.get("/v2.1/os-quota-class-sets/gold")).status_code == 404
    assert (await admin.put(url, json={"quota_class_set": {"force": True}})).status_code == 400
    assert (await h.as_member().get(url)).status_code == 403
