"""The internal API for servers, the consumer and the reconciler."""

from __future__ import annotations

from typing import Any

import pytest

from synnefo_common.errors import Unavailable
from synnefo_network.settings import Settings

from .conftest import Cloud

SERVER = "aaaaaaaa-0000-4000-8000-000000000001"
URL = f"/internal/v1/servers/{SERVER}/ports"
ROUTE = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}


def asked(cloud: Cloud, **more: Any) -> dict[str, Any]:
    return {"project_id": cloud.project_id, "user_id": cloud.user_id, "networks": "auto", "reserved": True, **more}


async def test_only_services_may_call(cloud: Cloud) -> None:
    assert (await cloud.as_admin().put(URL, json=asked(cloud))).status_code == 403
    assert (await cloud.anonymous().put(URL, json=asked(cloud))).status_code == 401


async def test_ports_are_made_once_for_a_key(cloud: Cloud) -> None:
    network = await cloud.make_network(name="net")
    await cloud.make_subnet(network, "10.0.0.0/24")
    service = cloud.internal()
    first = await service.put(URL, json=asked(cloud), headers={"Idempotency-Key": "saga:ports"})
    assert first.status_code == 200, first.text
    again = await service.put(URL, json=asked(cloud), headers={"Idempotency-Key": "saga:ports"})
    assert again.json() == first.json()
    (port,) = first.json()["ports"]
    assert set(port) == {
        "id",
        "network_id",
        "network_name",
        "mac_address",
        "fixed_ips",
        "security_groups",
        "floating_ips",
        "preserve_on_delete",
        "status",
        "mtu",
    }
    assert port["network_name"] == "net" and port["status"] == "ACTIVE" and port["preserve_on_delete"] is False
    assert [g["name"] for g in port["security_groups"]] == ["default"] and port["fixed_ips"][0]["version"] == 4
    (shown,) = (await cloud.as_admin().get(f"/v2.0/ports?device_id={SERVER}")).json()["ports"]
    assert shown["device_owner"] == "compute:nova" and shown["binding:vif_type"] == "ovs"
    assert (await service.get(URL)).json() == first.json()
    assert cloud.quota.used["network.ports"] == 0, "the caller's commission counts them"


async def test_auto_takes_the_only_network_and_refuses_to_guess(cloud: Cloud) -> None:
    service = cloud.internal()
    check = "/internal/v1/servers/check"
    assert (await service.post(check, json=asked(cloud))).json() == {"new_ports": 0}
    shared = await cloud.make_network(by=cloud.as_admin(), shared=True)
    assert (await service.post(check, json=asked(cloud))).json() == {"new_ports": 1}
    own = await cloud.make_network()
    made = (await service.put(URL, json=asked(cloud))).json()["ports"]
    assert [p["network_id"] for p in made] == [own["id"]]
    await cloud.make_network()
    answer = await service.post(check, json=asked(cloud))
    assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "NetworkAmbiguous")
    assert (await service.post(check, json=asked(cloud, networks="none"))).json() == {"new_ports": 0}
    assert (await service.post(check, json=asked(cloud, networks=[{"uuid": shared["id"]}, {"uuid": own["id"]}]))).json() == {"new_ports": 2}


async def test_bad_references_are_named(cloud: Cloud) -> None:
    public = await cloud.make_public()
    foreign = await cloud.make_network(by=cloud.as_project())
    own = await cloud.make_network()
    service = cloud.internal()
    for change, status, kind in (
        ({"networks": [{"uuid": foreign["id"]}]}, 404, "NetworkNotFound"),
        ({"networks": [{"uuid": public["id"]}]}, 403, "ExternalNetworkAttachForbidden"),
        ({"networks": [{"port": foreign["id"]}]}, 404, "PortNotFound"),
        ({"networks": [{"uuid": own["id"]}], "security_groups": ["nope"]}, 404, "SecurityGroupNotFound"),
        ({"networks": [{"uuid": own["id"], "fixed_ip": "x"}]}, 400, "InvalidInput"),
    ):
        answer = await service.post("/internal/v1/servers/check", json=asked(cloud, **change))
        assert (answer.status_code, answer.json()["error"]["kind"]) == (status, kind), change


async def test_users_port_is_bound_and_only_unbound(cloud: Cloud) -> None:
    network = await cloud.make_network()
    await cloud.make_subnet(network, "10.0.0.0/24")
    port = await cloud.make_port(network, fixed_ips=[{"ip_address": "10.0.0.98"}])
    group = await cloud.make("security-groups", "security_group", name="web")
    service = cloud.internal()
    networks = [{"port": port["id"]}, {"uuid": network["id"], "fixed_ip": "10.0.0.99"}]
    made = (await service.put(URL, json=asked(cloud, networks=networks, security_groups=["web", "default"]))).json()["ports"]
    assert made[0]["id"] == port["id"] and made[0]["preserve_on_delete"] is True and made[0]["status"] == "ACTIVE"
    assert made[1]["fixed_ips"][0]["ip_address"] == "10.0.0.99"
    assert {g["name"] for g in made[1]["security_groups"]} == {"web", "default"} and group["id"] in {g["id"] for g in made[1]["security_groups"]}
    other = URL.replace("0001", "0002")
    answer = await service.put(other, json=asked(cloud, networks=[{"port": port["id"]}]))
    assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "PortInUse")
    gone = (await service.delete(URL)).json()
    assert gone == {"deleted": [made[1]["id"]], "unbound": [port["id"]]}
    assert (await service.delete(URL)).json() == {"deleted": [], "unbound": []}
    shown = (await cloud.as_member().get(f"/v2.0/ports/{port['id']}")).json()["port"]
    assert (shown["device_id"], shown["device_owner"], shown["status"]) == ("", "", "DOWN")
    await cloud.settle()
    assert [e["port"]["id"] for e in cloud.events_of("network.port.deleted")] == [made[1]["id"]]
    assert cloud.events_of("network.port.deleted")[0]["device_id"] == SERVER
    assert cloud.events_of("quota.released")[-1]["provisions"] == {"network.ports": 1}


async def test_attach_without_reservation_is_charged_and_detach_gives_back(cloud: Cloud) -> None:
    network = await cloud.make_network()
    service = cloud.internal()
    body = asked(cloud, networks=[{"uuid": network["id"]}], reserved=False)
    made = await service.post(URL, json=body, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201 and cloud.quota.used["network.ports"] == 1
    assert (await service.post(URL, json=body, headers={"Idempotency-Key": "k"})).json() == made.json()
    assert cloud.quota.used["network.ports"] == 1
    port_id = made.json()["ports"][0]["id"]
    assert (await service.delete(f"{URL}/{port_id}")).json() == {"deleted": [port_id], "unbound": []}
    assert cloud.quota.used["network.ports"] == 0


async def test_undo_of_a_create_gives_no_quota_back(cloud: Cloud) -> None:
    await cloud.make_network()
    await cloud.internal().put(URL, json=asked(cloud))
    assert len((await cloud.internal().delete(URL, params={"release": "false"})).json()["deleted"]) == 1
    await cloud.settle()
    assert cloud.quota.used["network.ports"] == 0 and not cloud.events_of("quota.released")


async def test_ports_of_a_server_that_is_gone_are_deleted_after_the_grace(cloud: Cloud) -> None:
    await cloud.make_network()
    await cloud.internal().put(URL, json=asked(cloud))
    (reconciler,) = cloud.service.reconcilers
    assert await reconciler.run_once() == []
    cloud.clock.advance(Settings().orphan_grace_s + 1)
    cloud.peers["compute"].on("GET", "/internal/v1/servers/{id}", {"id": SERVER})
    assert await reconciler.run_once() == []
    cloud.peers["compute"].down = True
    with pytest.raises(Unavailable):
        await reconciler.run_once()
    cloud.peers["compute"].down = False
    assert len((await cloud.internal().get(URL)).json()["ports"]) == 1
    cloud.peers["compute"].on("GET", "/internal/v1/servers/{id}", (404, {"error": {"message": "gone", "kind": "NotFound"}}))
    assert len(await reconciler.run_once()) == 1
    assert (await cloud.internal().get(URL)).json()["ports"] == []


async def test_deleted_project_leaves_no_default_group(cloud: Cloud) -> None:
    await cloud.as_member().get("/v2.0/security-groups")
    for _ in range(2):
        await cloud.deliver("identity.project.deleted", {"project_id": cloud.project_id})
    listed = (await cloud.as_admin().get(f"/v2.0/security-groups?project_id={cloud.project_id}")).json()
    assert listed == {"security_groups": []}


async def test_all_ports_of_a_server_enter_and_leave_a_group_together(cloud: Cloud) -> None:
    for _ in range(2):
        await cloud.make_subnet(network := await cloud.make_network(), "10.0.0.0/24")
    open_network = await cloud.make_network(port_security_enabled=False)
    networks = [{"uuid": n} for n in (network["id"], network["id"], open_network["id"])]
    await cloud.internal().put(URL, json=asked(cloud, networks=networks))
    group = (await cloud.as_member().post("/v2.0/security-groups", json={"security_group": {"name": "web"}})).json()["security_group"]

    async def change(name: str, *, is_member: bool) -> tuple[int, list[list[str]]]:
        body = {"project_id": cloud.project_id, "security_group": name, "is_member": is_member}
        r = await cloud.internal().put(f"/internal/v1/servers/{SERVER}/security-groups", json=body)
        return r.status_code, sorted(sorted(g["name"] for g in p["security_groups"]) for p in r.json().get("ports", []))

    for name in ("web", group["id"]):  # again changes nothing
        assert await change(name, is_member=True) == (200, [[], ["default", "web"], ["default", "web"]])
    await cloud.settle()
    assert len(cloud.events_of("network.port.updated")) == 2
    assert await change("default", is_member=False) == (200, [[], ["web"], ["web"]])
    assert (await change("default", is_member=False))[0] == (await change("no-such", is_member=True))[0] == 404
    assert await change("default", is_member=True) == (200, [[], ["default", "web"], ["default", "web"]])
    (shown, *_) = (await cloud.as_member().get(f"/v2.0/ports?device_id={SERVER}&network_id={network['id']}")).json()["ports"]
    assert group["id"] in shown["security_groups"]


async def test_a_servers_subnets_are_told_to_services_alone(cloud: Cloud) -> None:
    network = await cloud.make_network(name="net")
    four = await cloud.make_subnet(network, "10.0.0.0/24", dns_nameservers=["10.0.0.53"], host_routes=[ROUTE])
    six = await cloud.make_subnet(network, "fd00::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    other = await cloud.make_network(name="other")
    await cloud.make_subnet(other, "10.1.0.0/24")
    service, url = cloud.internal(), f"/internal/v1/servers/{SERVER}/subnets"
    assert (await service.get(url)).json() == {"subnets": []}
    made = await service.put(URL, json=asked(cloud, networks=[{"uuid": network["id"]}]), headers={"Idempotency-Key": "k"})
    assert made.status_code == 200, made.text
    found = {s["id"]: s for s in (await service.get(url)).json()["subnets"]}
    assert set(found) == {four["id"], six["id"]}
    assert found[four["id"]] == {
        "id": four["id"], "ip_version": 4, "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1", "enable_dhcp": True, "ipv6_address_mode": None,
        "dns_nameservers": ["10.0.0.53"], "host_routes": [ROUTE],
    }  # fmt: skip
    assert found[six["id"]]["ipv6_address_mode"] == "slaac"
    assert (await cloud.as_admin().get(url)).status_code == 403
