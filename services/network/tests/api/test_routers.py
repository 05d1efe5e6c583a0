"""Routers: interfaces, gateways, extra routes, and what they refuse."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .conftest import Cloud, error_type


async def _interface(cloud: Cloud, router: dict[str, Any], by: Any = None, verb: str = "add", **body: Any) -> Any:
    return await (by or cloud.as_member()).put(f"/v2.0/routers/{router['id']}/{verb}_router_interface", json=body)


async def _connected(cloud: Cloud, cidr: str = "10.0.0.0/24", **body: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    router = await cloud.make("routers", "router", **body)
    network = await cloud.make_network()
    subnet = await cloud.make_subnet(network, cidr)
    assert (await _interface(cloud, router, subnet_id=subnet["id"])).status_code == 200
    return router, network, subnet


async def test_router_has_neutrons_fields_and_its_life(cloud: Cloud) -> None:
    member = cloud.as_member()
    router = await cloud.make("routers", "router", name="r", description="d", tags=["a"])
    assert set(router) == {
        "id", "name", "tenant_id", "project_id", "admin_state_up", "status", "external_gateway_info", "routes", "availability_zone_hints",
        "availability_zones", "description", "tags", "created_at", "updated_at", "revision_number",
    }  # fmt: skip
    assert router["external_gateway_info"] is None and router["routes"] == [] and router["status"] == "ACTIVE" and router["tags"] == ["a"]
    path = f"/v2.0/routers/{router['id']}"
    changed = (await member.put(path, json={"router": {"name": "s", "admin_state_up": False}})).json()["router"]
    assert (changed["name"], changed["admin_state_up"], changed["revision_number"]) == ("s", False, router["revision_number"] + 1)
    stale = await member.put(path, json={"router": {"name": "t"}}, headers={"If-Match": f"revision_number={router['revision_number']}"})
    assert (stale.status_code, error_type(stale)) == (412, "RevisionNumberConstraintFailed")
    assert [r["id"] for r in (await member.get("/v2.0/routers?name=s&tags=a&fields=id")).json()["routers"]] == [router["id"]]
    assert (await cloud.as_project("other").get(path)).status_code == 404
    assert (await cloud.as_reader().put(path, json={"router": {"name": "t"}})).status_code == 403
    assert cloud.quota.used["network.routers"] == 1
    assert (await member.delete(path)).status_code == 204
    gone = await member.get(path)
    assert (gone.status_code, error_type(gone)) == (404, "RouterNotFound")
    assert not +cloud.quota.used


async def test_flags_are_an_administrators_and_change_only_while_down(cloud: Cloud) -> None:
    for flag in ("distributed", "ha"):
        answer = await cloud.as_member().post("/v2.0/routers", json={"router": {flag: True}})
        assert (answer.status_code, error_type(answer)) == (403, "PolicyNotAuthorized")
    admin = cloud.as_admin()
    router = await cloud.make("routers", "router", by=admin, distributed=True)
    assert (router["distributed"], router["ha"]) == (True, True)
    path = f"/v2.0/routers/{router['id']}"
    answer = await admin.put(path, json={"router": {"distributed": False}})
    assert (answer.status_code, error_type(answer)) == (400, "BadRequest")
    answer = await admin.put(path, json={"router": {"distributed": False, "admin_state_up": False}})
    assert answer.json()["router"]["distributed"] is False


async def test_interface_by_subnet_is_a_port_at_the_gateway_address(cloud: Cloud) -> None:
    router, network, subnet = await _connected(cloud)
    member = cloud.as_member()
    ports = (await member.get(f"/v2.0/ports?device_id={router['id']}")).json()["ports"]
    assert [(p["device_owner"], p["fixed_ips"]) for p in ports] == [
        ("network:router_interface", [{"subnet_id": subnet["id"], "ip_address": "10.0.0.1"}])
    ]
    assert cloud.quota.used["network.ports"] == 1
    for path, kind in (
        (f"/v2.0/routers/{router['id']}", "RouterInUse"),
        (f"/v2.0/subnets/{subnet['id']}", "SubnetInUse"),
        (f"/v2.0/networks/{network['id']}", "NetworkInUse"),
        (f"/v2.0/ports/{ports[0]['id']}", "ServicePortInUse"),
    ):
        refused = await member.delete(path)
        assert (refused.status_code, error_type(refused)) == (409, kind)
    refused = await member.put(f"/v2.0/subnets/{subnet['id']}", json={"subnet": {"gateway_ip": "10.0.0.254", "allocation_pools": []}})
    assert (refused.status_code, error_type(refused)) == (409, "GatewayIpInUse")
    refused = await member.put(f"/v2.0/ports/{ports[0]['id']}", json={"port": {"device_id": ""}})
    assert (refused.status_code, error_type(refused)) == (409, "ServicePortInUse")
    removed = await _interface(cloud, router, verb="remove", subnet_id=subnet["id"])
    assert removed.json() == {
        "id": router["id"], "tenant_id": cloud.project_id, "project_id": cloud.project_id, "network_id": network["id"],
        "port_id": ports[0]["id"], "subnet_id": subnet["id"], "subnet_ids": [subnet["id"]],
    }  # fmt: skip
    again = await _interface(cloud, router, verb="remove", subnet_id=subnet["id"])
    assert (again.status_code, error_type(again)) == (404, "RouterInterfaceNotFoundForSubnet")
    assert (await member.delete(f"/v2.0/networks/{network['id']}")).status_code == 204
    assert cloud.quota.used["network.ports"] == 0


async def test_interface_by_port_takes_a_free_port_only(cloud: Cloud) -> None:
    router = await cloud.make("routers", "router")
    network = await cloud.make_network()
    bare = await cloud.make_port(network)
    refused = await _interface(cloud, router, port_id=bare["id"])
    assert refused.status_code == 400 and "at least one fixed IP" in refused.text
    subnet = await cloud.make_subnet(network, "10.0.0.0/24")
    used = await cloud.make_port(network, device_id="something")
    refused = await _interface(cloud, router, port_id=used["id"])
    assert (refused.status_code, error_type(refused)) == (409, "PortInUse")
    port = await cloud.make_port(network)
    assert (await _interface(cloud, router, port_id=port["id"])).json()["subnet_ids"] == [subnet["id"]]
    refused = await _interface(cloud, router, verb="remove", port_id=port["id"], subnet_id=router["id"])
    assert (refused.status_code, error_type(refused)) == (409, "SubnetMismatchForPort")
    refused = await _interface(cloud, router, verb="remove", port_id=used["id"])
    assert (refused.status_code, error_type(refused)) == (404, "RouterInterfaceNotFound")
    for body in ({}, {"port_id": port["id"], "subnet_id": subnet["id"]}):
        assert (await _interface(cloud, router, **body)).status_code == 400
    assert (await _interface(cloud, router, verb="remove", port_id=port["id"])).status_code == 200
    assert (await cloud.as_member().get(f"/v2.0/ports/{port['id']}")).status_code == 404


async def test_a_port_that_only_says_so_is_not_the_routers(cloud: Cloud) -> None:
    victim = await cloud.make("routers", "router")
    other = cloud.as_project("other")
    network = await cloud.make_network(by=other)
    await cloud.make_subnet(network, "10.9.0.0/24", by=other)
    said = await cloud.make_port(network, by=other, device_id=victim["id"], device_owner="network:router_interface")
    assert (await cloud.as_member().delete(f"/v2.0/routers/{victim['id']}")).status_code == 204
    assert (await other.delete(f"/v2.0/ports/{said['id']}")).status_code == 204


@pytest.mark.parametrize("second", ["10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16"])
async def test_subnets_of_one_router_do_not_overlap(cloud: Cloud, second: str) -> None:
    router, network, subnet = await _connected(cloud)
    other = await cloud.make_subnet(await cloud.make_network(), second, gateway_ip="10.0.0.129")
    refused = await _interface(cloud, router, subnet_id=other["id"])
    assert refused.status_code == 400 and "overlaps" in refused.text
    refused = await _interface(cloud, router, subnet_id=subnet["id"])
    assert refused.status_code == 400 and "already has a port" in refused.text
    extra = await cloud.make_port(network)
    assert (await _interface(cloud, router, port_id=extra["id"])).status_code == 400


async def test_overlapping_subnets_added_at_once_leave_one(cloud: Cloud) -> None:
    router = await cloud.make("routers", "router")
    subnets = [await cloud.make_subnet(await cloud.make_network(), "10.0.0.0/24") for _ in range(4)]
    answers = await asyncio.gather(*(_interface(cloud, router, subnet_id=s["id"]) for s in subnets))
    assert sorted(a.status_code for a in answers) == [200, 400, 400, 400]
    assert cloud.quota.used["network.ports"] == 1


async def test_ipv6_subnets_of_a_network_share_one_port(cloud: Cloud) -> None:
    router, network, _ = await _connected(cloud)
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    first = await cloud.make_subnet(network, "2001:db8:1::/64", **modes)
    second = await cloud.make_subnet(network, "2001:db8:2::/64", **modes)
    ports = [(await _interface(cloud, router, subnet_id=s["id"])).json()["port_id"] for s in (first, second)]
    assert ports[0] == ports[1]
    assert cloud.quota.used["network.ports"] == 2
    answer = await _interface(cloud, router, verb="remove", subnet_id=first["id"])
    assert answer.json()["port_id"] == ports[0]
    port = (await cloud.as_member().get(f"/v2.0/ports/{ports[0]}")).json()["port"]
    assert [f["ip_address"] for f in port["fixed_ips"]] == ["2001:db8:2::1"]
    outside = await cloud.make_subnet(network, "2001:db8:3::/64", ipv6_address_mode="slaac")
    refused = await _interface(cloud, router, subnet_id=outside["id"])
    assert refused.status_code == 400 and "external router" in refused.text


async def test_gateway_is_a_port_of_nobody_on_the_external_network(cloud: Cloud) -> None:
    public = await cloud.make_public()
    member, admin = cloud.as_member(), cloud.as_admin()
    router = await cloud.make("routers", "router", external_gateway_info={"network_id": public["id"]})
    info = router["external_gateway_info"]
    assert (info["network_id"], info["enable_snat"]) == (public["id"], True) and len(info["external_fixed_ips"]) == 1
    assert (await member.get(f"/v2.0/ports?device_id={router['id']}")).json()["ports"] == []
    (port,) = (await admin.get(f"/v2.0/ports?device_id={router['id']}")).json()["ports"]
    assert (port["device_owner"], port["project_id"]) == ("network:router_gateway", "")
    refused = await admin.delete(f"/v2.0/networks/{public['id']}")
    assert (refused.status_code, error_type(refused)) == (409, "NetworkInUse")
    refused = await admin.put(f"/v2.0/networks/{public['id']}", json={"network": {"router:external": False}})
    assert (refused.status_code, error_type(refused)) == (409, "ExternalNetworkInUse")
    path = f"/v2.0/routers/{router['id']}"
    for inside in ({"enable_snat": False}, {"external_fixed_ips": [{"ip_address": "203.0.113.9"}]}):
        body = {"router": {"external_gateway_info": {"network_id": public["id"], **inside}}}
        assert (await member.put(path, json=body)).status_code == 403
        assert (await admin.put(path, json=body)).status_code == 200
    info = (await member.get(path)).json()["router"]["external_gateway_info"]
    assert info["enable_snat"] is False and [f["ip_address"] for f in info["external_fixed_ips"]] == ["203.0.113.9"]
    changed = (await member.put(path, json={"router": {"external_gateway_info": {}}})).json()["router"]
    assert changed["external_gateway_info"] is None
    assert (await admin.get(f"/v2.0/ports?device_id={router['id']}")).json()["ports"] == []
    private = await cloud.make_network()
    answer = await member.put(path, json={"router": {"external_gateway_info": {"network_id": private["id"]}}})
    assert answer.status_code == 400 and "not an external network" in answer.text
    answer = await member.put(path, json={"router": {"external_gateway_info": {"network_id": router["id"]}}})
    assert (answer.status_code, error_type(answer)) == (404, "NetworkNotFound")


async def test_routes_need_a_next_hop_that_can_be_reached(cloud: Cloud) -> None:
    router, _, subnet = await _connected(cloud)
    member, path = cloud.as_member(), f"/v2.0/routers/{router['id']}"
    for nexthop in ("10.0.0.1", "10.1.0.5"):
        refused = await member.put(path, json={"router": {"routes": [{"destination": "10.8.0.0/16", "nexthop": nexthop}]}})
        assert (refused.status_code, error_type(refused)) == (400, "InvalidRoutes")
    route = {"destination": "10.8.0.0/16", "nexthop": "10.0.0.5"}
    assert (await member.put(path, json={"router": {"routes": [route]}})).json()["router"]["routes"] == [route]
    refused = await _interface(cloud, router, verb="remove", subnet_id=subnet["id"])
    assert (refused.status_code, error_type(refused)) == (409, "RouterInterfaceInUseByRoute")
    assert (await member.put(path, json={"router": {"routes": None}})).json()["router"]["routes"] == []
    assert (await _interface(cloud, router, verb="remove", subnet_id=subnet["id"])).status_code == 200


async def test_routes_added_at_once_are_all_there(cloud: Cloud) -> None:
    router, _, _ = await _connected(cloud)
    member, path = cloud.as_member(), f"/v2.0/routers/{router['id']}"
    routes = [{"destination": f"10.{i}.0.0/16", "nexthop": "10.0.0.5"} for i in range(1, 6)]
    answers = await asyncio.gather(*(member.put(f"{path}/add_extraroutes", json={"router": {"routes": [r]}}) for r in routes))
    assert {a.status_code for a in answers} == {200}
    found = (await member.get(path)).json()["router"]["routes"]
    assert sorted(r["destination"] for r in found) == [r["destination"] for r in routes]
    left = await member.put(f"{path}/remove_extraroutes", json={"router": {"routes": [*routes[:4], {**routes[0], "nexthop": "10.0.0.6"}]}})
    assert left.json()["router"]["routes"] == routes[4:]


async def test_interface_on_anothers_subnet_is_refused(cloud: Cloud) -> None:
    router = await cloud.make("routers", "router")
    other = cloud.as_project("other")
    hidden = await cloud.make_subnet(await cloud.make_network(by=other), "10.7.0.0/24", by=other)
    refused = await _interface(cloud, router, subnet_id=hidden["id"])
    assert (refused.status_code, error_type(refused)) == (404, "SubnetNotFound")
    admin = cloud.as_admin()
    public = await cloud.make_public()
    (outside,) = (await admin.get(f"/v2.0/subnets?network_id={public['id']}")).json()["subnets"]
    assert (await _interface(cloud, router, subnet_id=outside["id"])).status_code == 400
    assert (await _interface(cloud, router, by=other, subnet_id=hidden["id"])).status_code == 404
    assert not any(v for k, v in cloud.quota.used.items() if k == "network.ports")


async def test_list_of_routers_is_a_constant_number_of_statements(still: Cloud) -> None:
    from synnefo_common.db.recorder import record_queries

    public = await still.make_public()
    for _ in range(3):
        await still.make("routers", "router", external_gateway_info={"network_id": public["id"]})
    with record_queries(still.db) as queries:
        answer = await still.as_member().get("/v2.0/routers")
    assert len(answer.json()["routers"]) == 3
    assert queries.count == 2


async def test_gateway_on_a_network_without_subnets_has_no_address(cloud: Cloud) -> None:
    network = await cloud.make_network(by=cloud.as_admin(), **{"router:external": True})
    router = await cloud.make("routers", "router", external_gateway_info={"network_id": network["id"]})
    assert router["external_gateway_info"] == {"network_id": network["id"], "enable_snat": True, "external_fixed_ips": []}
    assert (await cloud.as_member().delete(f"/v2.0/routers/{router['id']}")).status_code == 204


async def test_ports_of_a_router_are_active(cloud: Cloud) -> None:
    public = await cloud.make_public()
    router = await cloud.make("routers", "router", external_gateway_info={"network_id": public["id"]})
    first = await cloud.make_network()
    subnet = await cloud.make_subnet(first, "10.0.0.0/24")
    second = await cloud.make_network()
    await cloud.make_subnet(second, "10.0.1.0/24")
    port = await cloud.make_port(second)
    for body in ({"subnet_id": subnet["id"]}, {"port_id": port["id"]}):
        assert (await cloud.as_member().put(f"/v2.0/routers/{router['id']}/add_router_interface", json=body)).status_code == 200
    ports = (await cloud.as_admin().get(f"/v2.0/ports?device_id={router['id']}")).json()["ports"]
    assert [p["status"] for p in ports] == ["ACTIVE"] * 3
    down = await cloud.as_member().put(f"/v2.0/ports/{port['id']}", json={"port": {"name": "inside"}})
    assert down.json()["port"]["status"] == "ACTIVE"
