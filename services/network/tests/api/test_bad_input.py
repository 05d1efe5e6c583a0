"""Nasty values in every field of every body and in every query: a clear 4xx or a success, never a 5xx."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Cloud

pytestmark = pytest.mark.slow  # thousands of requests

NASTY: list[Any] = [
    None, True, 0, -1, 2**31, 2**63, 2**70, 1.5, 1e308, "", " ", "a\0b", "\ud800", "x" * 300, "x" * 5000, "é" * 255, [], [None], [[]], ["a\0"],
    ["\ud800"], {}, {"a": "\ud800"}, {"\ud800": 1}, {"a\0": "b\0"}, "0", "-1", "99999999999999999999", "10.0.0.0/00000000000000000000000000000008",
    "10.0.0.1/255.255.255.0", "::/0", "fe80::1%eth0", "10.0.0.5", "255.255.255.255", "fa:16:3e:00:00:00", "٣", "٣٣",
]  # fmt: skip
QUERY = ["", "\0", "x", "-1", "99999999999999999999", "2147483648", "٣", "true", "x" * 999, "0001-01-01T00:00:00", "9999-12-31T23:59:59",
         "ip_address=", "ip_address=\0", "subnet_id=x", ",", "'", "%", "😀"]  # fmt: skip
FIELDS = [
    "id", "name", "description", "project_id", "tenant_id", "revision_number", "created_at", "updated_at", "limit", "marker", "sort_key", "sort_dir",
    "page_reverse", "fields", "tags", "tags-any", "not-tags", "not-tags-any", "changed_since", "shared", "router:external", "mtu", "is_default",
    "provider:segmentation_id", "network_id", "ip_version", "cidr", "gateway_ip", "enable_dhcp", "subnetpool_id", "fixed_ips", "security_groups",
    "device_id", "port_range_min", "protocol", "port_id", "floating_ip_address", "nonsense", "network_name",
]  # fmt: skip
COLLECTIONS = [
    "networks", "subnets", "ports", "security-groups", "security-group-rules", "floatingips", "availability_zones", "network-ip-availabilities",
]  # fmt: skip


def bodies(world: dict[str, str]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """(method, path, key, valid body) with every field in it."""
    network = {
        "name": "n", "description": "", "admin_state_up": True, "shared": False, "router:external": False, "is_default": False,
        "port_security_enabled": True, "mtu": 1400, "provider:network_type": "vlan", "provider:physical_network": "p",
        "provider:segmentation_id": 5, "tags": ["a"], "availability_zone_hints": ["nova"], "project_id": "p", "tenant_id": "p",
    }  # fmt: skip
    subnet = {
        "network_id": world["network"], "cidr": "10.9.0.0/24", "ip_version": 4, "name": "", "description": "", "gateway_ip": "10.9.0.1",
        "allocation_pools": [{"start": "10.9.0.2", "end": "10.9.0.9"}], "dns_nameservers": ["1.1.1.1"],
        "host_routes": [{"destination": "10.8.0.0/16", "nexthop": "10.9.0.7"}], "enable_dhcp": True, "ipv6_ra_mode": None,
        "ipv6_address_mode": None, "subnetpool_id": None, "prefixlen": None, "use_default_subnetpool": False, "tags": [],
    }  # fmt: skip
    port = {
        "network_id": world["network"], "name": "", "description": "", "admin_state_up": True, "mac_address": "fa:16:3e:99:99:99",
        "fixed_ips": [{"subnet_id": world["subnet"], "ip_address": "10.0.0.99"}], "device_id": "d", "device_owner": "o",
        "security_groups": [world["group"]], "port_security_enabled": True,
        "allowed_address_pairs": [{"ip_address": "10.0.0.4", "mac_address": "fa:16:3e:99:99:98"}],
        "extra_dhcp_opts": [{"opt_name": "a", "opt_value": "b", "ip_version": 4}], "binding:vnic_type": "normal", "binding:host_id": "h",
        "binding:profile": {"a": 1}, "tags": [],
    }  # fmt: skip
    rule = {
        "security_group_id": world["group"], "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 1,
        "port_range_max": 2, "remote_ip_prefix": "10.0.0.0/8", "remote_group_id": None, "description": "",
    }  # fmt: skip
    floating: dict[str, Any] = {
        "floating_network_id": world["public"], "floating_ip_address": None, "subnet_id": None, "port_id": None, "fixed_ip_address": None,
        "description": "", "tags": [],
    }  # fmt: skip
    group = {"name": "g", "description": "", "stateful": True, "tags": []}
    counted = ("network", "subnet", "subnetpool", "rbac_policy", "port", "router", "floatingip", "security_group", "security_group_rule")
    quota = {**dict.fromkeys(counted, 1), "check_limit": True}
    created = {"project_id", "tenant_id", "tags", "network_id", "cidr", "ip_version", "ipv6_ra_mode", "ipv6_address_mode", "subnetpool_id",
               "prefixlen", "use_default_subnetpool", "availability_zone_hints"}  # fmt: skip

    def update(body: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in body.items() if k not in created}

    server = {
        "project_id": world["project"], "user_id": "u", "server_name": "s", "availability_zone": "nova", "host": "h", "security_groups": ["default"],
        "networks": [{"uuid": world["network"], "fixed_ip": None, "tag": "t"}], "reserved": True,
    }  # fmt: skip
    return [
        ("POST", "/v2.0/networks", "network", network), ("PUT", f"/v2.0/networks/{world['network']}", "network", update(network)),
        ("POST", "/v2.0/subnets", "subnet", subnet), ("PUT", f"/v2.0/subnets/{world['subnet']}", "subnet", update(subnet)),
        ("POST", "/v2.0/ports", "port", port), ("PUT", f"/v2.0/ports/{world['port']}", "port", update(port)),
        ("POST", "/v2.0/security-groups", "security_group", group),
        ("PUT", f"/v2.0/security-groups/{world['group']}", "security_group", update(group)),
        ("POST", "/v2.0/security-group-rules", "security_group_rule", rule),
        ("POST", "/v2.0/floatingips", "floatingip", floating),
        ("PUT", f"/v2.0/floatingips/{world['floating']}", "floatingip", {"port_id": None, "fixed_ip_address": None, "description": ""}),
        ("PUT", f"/v2.0/quotas/{world['project']}", "quota", quota),
        ("PUT", f"/v2.0/networks/{world['network']}/tags", "", {"tags": ["a"]}),
        ("PUT", "/internal/v1/servers/s1/ports", "", server), ("POST", "/internal/v1/servers/check", "", server),
    ]  # fmt: skip


async def world(cloud: Cloud) -> dict[str, str]:
    """One of each, owned by the administrator."""
    admin = cloud.as_admin()
    public = await cloud.make_public("203.0.112.0/22")
    network = await cloud.make_network(by=admin)
    subnet = await cloud.make_subnet(network, "10.0.0.0/16", by=admin)
    port = await cloud.make_port(network, by=admin)
    group = await cloud.make("security-groups", "security_group", by=admin, name="g")
    floating = await cloud.make("floatingips", "floatingip", by=admin, floating_network_id=public["id"])
    await cloud.make("routers", "router", by=admin, external_gateway_info={"network_id": public["id"]})
    await cloud.make("address-scopes", "address_scope", by=admin, name="s", ip_version=4)
    await cloud.make("subnetpools", "subnetpool", by=admin, name="p", prefixes=["10.4.0.0/16"])
    await cloud.make("address-groups", "address_group", by=admin, name="a", addresses=["10.0.0.0/8"])
    await cloud.make("qos/policies", "policy", by=admin, name="q")
    policy = {"object_type": "network", "object_id": network["id"], "action": "access_as_shared", "target_tenant": "someone"}
    await cloud.make("rbac-policies", "rbac_policy", by=admin, **policy)
    return {
        "public": public["id"], "network": network["id"], "subnet": subnet["id"], "port": port["id"], "group": group["id"],
        "floating": floating["id"], "project": port["project_id"],
    }  # fmt: skip


def places(body: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document where a value stands."""
    found = [path] if path else []
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return found + [p for key, value in items for p in places(value, (*path, key))]


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the document with the value at the place."""
    copy = json.loads(json.dumps(body))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


@pytest.mark.parametrize("number", range(15))
async def test_no_body_breaks_it(still: Cloud, number: int) -> None:
    method, path, key, body = bodies(await world(still))[number]
    client = still.internal() if path.startswith("/internal/") else still.as_admin()
    broken = []
    for place in places(body):
        for value in NASTY:
            inside = changed(body, place, value)
            sent = {key: inside} if key else inside
            answer = await client.request(method, path, content=json.dumps(sent).encode(), headers={"Content-Type": "application/json"})
            if answer.status_code >= 500:
                broken.append((place, value, answer.status_code))
    for content in (b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b'{"\\ud800": 1}', b'{"x": {}}', json.dumps({key: None}).encode()):
        answer = await client.request(method, path, content=content, headers={"Content-Type": "application/json"})
        if not 400 <= answer.status_code < 500:
            broken.append((("whole",), content, answer.status_code))
    assert not broken


@pytest.mark.parametrize("collection", COLLECTIONS)
async def test_no_query_breaks_it(still: Cloud, collection: str) -> None:
    await world(still)
    broken = []
    for field in FIELDS:
        for value in QUERY:
            pairs = {field: value}
            if field == "sort_key":
                pairs["sort_dir"] = "asc"
            if field == "marker":
                pairs["limit"] = "2"
            answer = await still.as_admin().get(f"/v2.0/{collection}", params=pairs)
            if answer.status_code >= 500:
                broken.append((field, value, answer.status_code))
    assert not broken


async def test_every_sort_key_and_filter_works(still: Cloud) -> None:
    from synnefo_network.domain.listing import BY_PLURAL

    await world(still)
    for plural, resource in BY_PLURAL.items():
        path = resource.url
        whole = (await still.as_admin().get(path)).json()[plural]
        for name in resource.attributes:
            for direction in ("asc", "desc"):
                found: list[str] = []
                marker = ""
                while True:
                    answer = await still.as_admin().get(f"{path}?limit=1&sort_key={name}&sort_dir={direction}&marker={marker}")
                    assert answer.status_code == 200, (name, answer.text)
                    if not (page := answer.json()[plural]):
                        break
                    found.append(page[0]["id"])
                    marker = found[-1]
                assert sorted(found) == sorted(x["id"] for x in whole), (plural, name)
            if name in whole[0]:
                answer = await still.as_admin().get(path, params={name: "" if whole[0][name] is None else whole[0][name]})
                assert answer.status_code == 200, answer.text
                assert whole[0]["id"] in {x["id"] for x in answer.json()[plural]} or whole[0][name] is None, (plural, name)
