"""What a guest reads of itself has Nova's paths and keys."""

from __future__ import annotations

import base64
import json
from typing import Any

from synnefo_compute.domain.guest import File, Guest, drive_files, is_password, look_up
from synnefo_compute.domain.network_data import network_data

TODAY = "2026-11-23"
PORT: dict[str, Any] = {
    "id": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "network_id": "net", "mac_address": "fa:16:3e:00:00:01", "mtu": 1442,
    "fixed_ips": [{"subnet_id": "s4", "ip_address": "10.0.0.5", "version": 4}, {"subnet_id": "s6", "ip_address": "fd00::5", "version": 6}],
    "floating_ips": [{"ip_address": "198.51.100.7", "version": 4}], "security_groups": [{"id": "g", "name": "default"}],
}  # fmt: skip
SUBNET: dict[str, Any] = {
    "id": "s4", "ip_version": 4, "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1", "enable_dhcp": True, "dns_nameservers": ["10.0.0.53"],
    "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}], "ipv6_address_mode": None,
}  # fmt: skip


def make_guest(**changes: Any) -> Guest:
    values: dict[str, Any] = {
        "id": "11111111-2222-4333-8444-555555555555", "project_id": "p", "name": "My Server", "hostname": "my-server", "launch_index": 0,
        "reservation_id": "r-1", "availability_zone": "nova", "flavor_name": "m1.nano", "image_id": None, "metadata": {"role": "db"},
        "random": lambda size: b"r" * size, "key_name": "laptop", "public_key": "ssh-ed25519 AAAA me", "user_data": b"#!/bin/sh\n\xff",
        "ports": [PORT], "volumes": [{"id": "v", "boot_index": 0, "device_name": "/dev/vda", "visible": False}],
        "vendor_data": {"cloud-init": "x"}, "network_data": {"links": []},
    }  # fmt: skip
    return Guest(**(values | changes))


def _get(path: str, guest: Guest | None = None) -> str:
    found = look_up(guest or make_guest(), path, today=TODAY)
    assert found is not None, path
    return found.body.decode("latin-1")


def test_meta_data_grows_with_its_versions() -> None:
    old = set(json.loads(_get("/openstack/2012-08-10/meta_data.json")))
    assert old == {"uuid", "meta", "public_keys", "keys", "hostname", "name", "launch_index", "availability_zone"}
    assert set(json.loads(_get("openstack/2018-08-27/meta_data.json"))) == old | {"random_seed", "project_id", "devices"}
    newest = json.loads(_get("/openstack/latest/meta_data.json"))
    assert set(newest) == old | {"random_seed", "project_id", "devices", "dedicated_cpus"}
    assert newest["keys"] == [{"name": "laptop", "type": "ssh", "data": "ssh-ed25519 AAAA me"}]
    assert newest["public_keys"] == {"laptop": "ssh-ed25519 AAAA me"}
    assert len(base64.b64decode(newest["random_seed"])) == 512


def test_a_guest_without_key_metadata_or_user_data_has_no_empty_ones() -> None:
    bare = make_guest(key_name=None, public_key=None, metadata={}, user_data=None)
    assert not {"keys", "public_keys", "meta"} & set(json.loads(_get("/openstack/latest/meta_data.json", bare)))
    assert "user_data" not in _get("/openstack/latest", bare).split()
    assert look_up(bare, "/openstack/latest/user_data", today=TODAY) is None
    assert _get("/latest", bare) == "meta-data/"


def test_listings_are_novas() -> None:
    assert _get("/openstack").split() == [
        "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27", "2020-10-14",
        "2025-04-04", "latest",
    ]  # fmt: skip
    found = look_up(make_guest(), "/openstack", today="2020-01-01")
    assert found is not None and b"2020-10-14" not in found.body  # what is still to come is not listed
    assert _get("/openstack/2012-08-10/").split() == ["meta_data.json", "user_data"]
    whole = ["meta_data.json", "user_data", "password", "vendor_data.json", "network_data.json", "vendor_data2.json"]
    assert _get("/openstack/latest").split() == whole
    assert _get("/").split()[-2:] == ["2009-04-04", "latest"]
    assert _get("/latest/meta-data/public-keys/") == "0=laptop"
    assert _get("/latest/meta-data/public-keys/0/openssh-key") == "ssh-ed25519 AAAA me"


def test_ec2_tells_the_addresses() -> None:
    assert _get("/latest/meta-data/local-ipv4") == "10.0.0.5"
    assert _get("/2009-04-04/meta-data/public-ipv4") == "198.51.100.7"
    assert _get("/latest/meta-data/placement/availability-zone") == "nova"
    assert "public-ipv4" not in _get("/1.0/meta-data").split()
    assert _get("/latest/user-data").encode("latin-1") == b"#!/bin/sh\n\xff"


def test_what_is_not_there_is_not_answered() -> None:
    for path in ("/openstack/1999-01-01/meta_data.json", "/openstack/2012-08-10/password", "/latest/meta-data/nothing", "/3000-01-01/"):
        assert look_up(make_guest(), path, today=TODAY) is None, path
    for path in ("/latest/meta-data/public-keys/0/_name", "/openstack/latest/meta_data.json/x", "/openstack/content/0000", "/../etc/passwd"):
        assert look_up(make_guest(), path, today=TODAY) is None, path
    assert is_password("/openstack/latest/password") and not is_password("/openstack/2012-08-10/password")


def test_the_drive_alone_has_the_files_and_the_password() -> None:
    files = dict(drive_files(make_guest(), files=[File("/etc/motd", b"hello")], admin_pass="secret"))
    for version in ("latest", "2012-08-10"):
        document = json.loads(files[f"openstack/{version}/meta_data.json"])
        assert document["files"] == [{"path": "/etc/motd", "content_path": "/content/0000"}]
        assert document["admin_pass"] == "secret"
    assert files["openstack/content/0000"] == b"hello"
    assert json.loads(files["openstack/latest/vendor_data2.json"]) == {"static": {"cloud-init": "x"}}
    assert json.loads(files["ec2/latest/meta-data.json"])["public-keys"] == {"0": {"openssh-key": "ssh-ed25519 AAAA me"}}
    assert not any(name.endswith("password") for name in files)
    assert "secret" not in _get("/openstack/latest/meta_data.json")


def test_tagged_devices_are_told() -> None:
    guest = make_guest(ports=[PORT | {"tag": "front"}], volumes=[{"id": "v", "tag": "data", "device_name": "/dev/vdb"}])
    nic, disk = json.loads(_get("/openstack/latest/meta_data.json", guest))["devices"]
    assert nic == {"type": "nic", "mac": PORT["mac_address"], "bus": "none", "address": "none", "tags": ["front"], "vf_trusted": False}
    assert disk == {"type": "disk", "serial": "v", "path": "/dev/vdb", "bus": "none", "address": "none", "tags": ["data"]}
    assert "vf_trusted" not in json.loads(_get("/openstack/2016-06-30/meta_data.json", guest))["devices"][0]


def test_network_data_of_dhcp_and_slaac() -> None:
    six = {"id": "s6", "ip_version": 6, "cidr": "fd00::/64", "gateway_ip": "fd00::1", "enable_dhcp": True, "ipv6_address_mode": "slaac"}
    found = network_data([PORT], {"s4": SUBNET, "s6": six})
    link = {"id": "tapaaaaaaaa-bb", "vif_id": PORT["id"], "type": "ovs", "mtu": 1442, "ethernet_mac_address": "fa:16:3e:00:00:01"}
    assert found["links"] == [link]
    assert found["networks"][0] == {"id": "network0", "link": "tapaaaaaaaa-bb", "network_id": "net", "type": "ipv4_dhcp"}
    assert (found["networks"][1]["type"], found["networks"][1]["ip_address"]) == ("ipv6_slaac", "fd00::5")
    assert found["services"] == [{"type": "dns", "address": "10.0.0.53"}]


def test_network_data_of_static_addresses_has_the_routes_once() -> None:
    port = PORT | {"fixed_ips": [{"subnet_id": "s4", "ip_address": "10.0.0.5"}, {"subnet_id": "s4", "ip_address": "10.0.0.6"}]}
    first, second = network_data([port], {"s4": SUBNET | {"enable_dhcp": False}})["networks"]
    assert (first["type"], first["netmask"]) == ("ipv4", "255.255.255.0")
    assert first["routes"] == [
        {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"},
        {"network": "10.9.0.0", "netmask": "255.255.0.0", "gateway": "10.0.0.9"},
    ]
    assert first["services"] == [{"type": "dns", "address": "10.0.0.53"}]
    assert second["ip_address"] == "10.0.0.6" and second["routes"] == []
    served = network_data([port], {"s4": SUBNET})["networks"]
    assert [n["type"] for n in served] == ["ipv4_dhcp", "ipv4"]  # DHCP gives one address
