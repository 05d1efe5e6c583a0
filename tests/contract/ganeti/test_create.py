"""The contract of creation: what an instance then looks like, and how each bad request fails in its job."""

from typing import Any

import pytest
from tests.contract.ganeti.cluster import Cluster

INSTANCE_FIELDS = {
    "name", "admin_state", "os", "pnode", "snodes", "disk_template", "nic.ips", "nic.macs", "nic.modes", "nic.uuids",
    "nic.names", "nic.links", "nic.networks", "nic.networks.names", "nic.bridges", "network_port", "disk.sizes",
    "disk.spindles", "disk_usage", "disk.uuids", "disk.names", "beparams", "hvparams", "oper_state", "oper_ram",
    "oper_vcpus", "status", "custom_hvparams", "custom_beparams", "custom_nicparams", "ctime", "mtime", "uuid",
    "serial_no", "tags",
}  # fmt: skip


def test_instance_has_all_fields(cluster: Cluster, standing: str) -> None:
    instance = cluster.instance(standing)
    assert set(instance) == INSTANCE_FIELDS
    assert (instance["admin_state"], instance["status"], instance["oper_state"]) == ("up", "running", True)
    assert (instance["pnode"], instance["snodes"], instance["network_port"]) == (cluster.node(), [], None)
    assert (instance["oper_ram"], instance["oper_vcpus"]) == (16, 1)
    assert instance["beparams"] == {
        "minmem": 16, "maxmem": 16, "vcpus": 1, "auto_balance": True, "always_failover": False, "spindle_use": 1,
        "memory": 16,
    }  # fmt: skip
    assert instance["custom_beparams"] == {"minmem": 16, "maxmem": 16, "vcpus": 1}
    assert instance["tags"] == ["a", "synnefo:server:standing"]


def test_bulk_list_shows_instances_as_alone(cluster: Cluster, standing: str) -> None:
    listed = {item["name"]: item for item in cluster.get("/2/instances?bulk=1")}
    assert listed[standing] == cluster.instance(standing)
    assert {"id": standing, "uri": f"/2/instances/{standing}"} in cluster.get("/2/instances")


def test_nic_keeps_name_mac_and_link(cluster: Cluster) -> None:
    nic = {"mode": "openvswitch", "link": "br-int", "name": "snf-nic-1", "mac": "aa:00:00:00:01:01"}
    instance = cluster.instance(cluster.make(nics=[nic]))
    assert (instance["nic.modes"], instance["nic.links"]) == (["openvswitch"], ["br-int"])
    assert (instance["nic.names"], instance["nic.macs"]) == (["snf-nic-1"], ["aa:00:00:00:01:01"])
    assert (instance["nic.bridges"], instance["nic.ips"], instance["nic.networks"]) == ([None], [None], [None])
    assert instance["custom_nicparams"] == [{"mode": "openvswitch", "link": "br-int"}]


def test_nic_without_mac_gets_one_of_the_cluster(cluster: Cluster) -> None:
    instance = cluster.instance(cluster.make(nics=[{}, {}]))
    prefix = cluster.get("/2/info")["mac_prefix"]
    assert all(mac.startswith(prefix + ":") for mac in instance["nic.macs"])
    assert len(set(instance["nic.macs"])) == 2
    assert (instance["nic.modes"], instance["nic.links"]) == (["bridged", "bridged"], ["br0", "br0"])


def test_nic_may_carry_an_address(cluster: Cluster) -> None:
    assert cluster.instance(cluster.make(nics=[{"ip": "10.1.2.3"}]))["nic.ips"] == ["10.1.2.3"]


def test_ext_disk_keeps_name_and_size(cluster: Cluster) -> None:
    name = cluster.make_ext("snf-vol-root", "snf-vol-data")
    instance = cluster.instance(name)
    assert instance["disk_template"] == "ext"
    assert (instance["disk.names"], instance["disk.sizes"]) == (["snf-vol-root", "snf-vol-data"], [64, 64])
    assert (instance["disk_usage"], instance["disk.spindles"]) == (128, [None, None])
    assert len(set(instance["disk.uuids"])) == 2


def test_ext_disk_may_carry_parameters_of_the_provider(cluster: Cluster) -> None:
    disk = {"size": 64, "provider": "archipelago", "name": "snf-vol-p", "origin": "snf-img-1", "volume": "snf-vol-p"}
    assert cluster.instance(cluster.make(disk_template="ext", disks=[disk]))["disk.names"] == ["snf-vol-p"]


def test_log_of_a_creation_with_disk_names_the_steps(cluster: Cluster) -> None:
    spec = cluster.spec(disk_template="ext", disks=[{"size": 1024, "provider": "archipelago"}])
    name = spec["instance_name"]
    assert [line[3] for line in cluster.succeed("POST", "/2/instances", spec)["oplog"][0]] == [
        "* disk 0, size 1.0G",
        "* creating instance disks...",
        f"adding instance {name} to cluster config",
        "adding disks to cluster config",
        "* running the instance OS create scripts...",
        "* starting instance...",
    ]


def test_file_disk_is_rounded_up(cluster: Cluster) -> None:
    name = cluster.make(disk_template="file", disks=[{"size": 5}])
    assert cluster.instance(name)["disk.sizes"] == [8]


def test_instance_may_stay_stopped(cluster: Cluster) -> None:
    instance = cluster.instance(cluster.make(start=False))
    assert (instance["admin_state"], instance["status"], instance["oper_state"]) == ("down", "ADMIN_down", False)
    assert (instance["oper_ram"], instance["oper_vcpus"]) == (None, None)


def test_without_installation_it_is_not_started(cluster: Cluster) -> None:
    assert cluster.instance(cluster.make(no_install=True))["status"] == "ADMIN_down"


def test_name_becomes_lower_case(cluster: Cluster) -> None:
    cluster.make(instance_name="SNF-Upper")
    assert cluster.instance("snf-upper")["name"] == "snf-upper"


def test_allocator_chooses_the_node(cluster: Cluster) -> None:
    job = cluster.succeed("POST", "/2/instances", cluster.spec(pnode=None, iallocator="hail-any"))
    assert job["opresult"] == [[cluster.node()]]
    assert "via iallocator hail-any" in job["oplog"][0][0][3]


def test_allocator_heeds_the_group(cluster: Cluster) -> None:
    name = cluster.make(pnode=None, iallocator="hail-any", group_name="default")
    assert cluster.get(f"/2/instances/{name}")["pnode"] == cluster.node()
    cluster.succeed("POST", "/2/groups", {"group_name": "empty"})
    body = cluster.spec(pnode=None, iallocator="hail-any", group_name="empty")
    job = cluster.run("POST", "/2/instances", body)
    cluster.succeed("DELETE", "/2/groups/empty")
    assert job["status"] == "error"


def test_default_allocator_is_used_without_a_node(cluster: Cluster) -> None:
    spec = cluster.spec(pnode=None, opportunistic_locking=True)
    assert cluster.succeed("POST", "/2/instances", spec)["opresult"] == [[cluster.node()]]


def test_parameters_of_our_os_are_accepted(cluster: Cluster) -> None:
    cluster.make_ext("snf-vol-os", osparams={"img_id": "11111111-2222-4333-8444-555555555555", "img_format": "raw", "img_properties": "{}"})


def test_creating_an_existing_instance_fails(cluster: Cluster, standing: str) -> None:
    error = cluster.fail("POST", "/2/instances", cluster.spec(instance_name=standing))
    assert error == ["OpPrereqError", [f"Instance '{standing}' is already in the cluster", "already_exists"]]


@pytest.mark.parametrize(
    ("changes", "kind", "code", "words"),
    [
        ({"instance_name": "a b"}, "OpPrereqError", "wrong_input", "Invalid hostname 'a b'"),
        ({"instance_name": ""}, "OpPrereqError", "wrong_input", "Invalid hostname ''"),
        ({"name_check": True}, "OpPrereqError", "resolver_error", "does not resolve"),
        ({"ip_check": True}, "OpPrereqError", "wrong_input", "without a name"),
        ({"pnode": "nosuch"}, "OpPrereqError", "unknown_entity", "Node 'nosuch' not known"),
        ({"iallocator": "hail-any"}, "OpPrereqError", "wrong_input", "Do not specify both"),
        ({"pnode": None, "iallocator": "nosuch"}, "OpExecError", None, "iallocator module 'nosuch' not found"),
        ({"hypervisor": "kvm"}, "OpPrereqError", "wrong_state", "(kvm) not enabled"),
        ({"os_type": None}, "OpPrereqError", "wrong_input", "No guest OS"),
        ({"os_type": "nosuch+default"}, "OpExecError", None, "Directory for OS nosuch not found"),
        ({"os_type": "synnefo-image"}, "OpExecError", None, "must include a variant"),
        ({"os_type": "synnefo-image+x"}, "OpExecError", None, "does not support variant 'x'"),
        ({"osparams": {"nosuch": "x"}}, "OpExecError", None, "not supported by the OS synnefo-image: nosuch"),
        ({"tags": ["a b"]}, "TagError", None, "invalid characters"),
        ({"hvparams": {"nosuch": 1}}, "TypeEnforcementError", None, "Unknown parameter 'nosuch'"),
        ({"beparams": {"nosuch": 1}}, "TypeEnforcementError", None, "Unknown parameter 'nosuch'"),
        ({"beparams": {"vcpus": "x"}}, "TypeEnforcementError", None, "'vcpus' (value x) is not a valid integer"),
        ({"beparams": {"vcpus": 17}}, "OpPrereqError", "wrong_input", "cpu-count value 17 is not in range [1, 16]"),
        (
            {"beparams": {"maxmem": 32000, "minmem": 32000}},
            "OpPrereqError",
            "insufficient_resources",
            "Not enough memory on node",
        ),
        (
            {"pnode": None, "beparams": {"maxmem": 32000, "minmem": 32000}},
            "OpPrereqError",
            "insufficient_resources",
            "Can't compute nodes using iallocator 'hail-any'",
        ),
        ({"nics": [{}] * 9}, "OpPrereqError", "wrong_input", "nic-count value 9 is not in range [0, 8]"),
        ({"nics": [{"mac": "zz"}]}, "OpPrereqError", "wrong_input", "Invalid MAC address 'zz'"),
        ({"nics": [{"mode": "nosuch"}]}, "ConfigurationError", None, "Invalid NIC mode 'nosuch'"),
        ({"nics": [{"ip": "zz"}]}, "OpPrereqError", "wrong_input", "Invalid IP address 'zz'"),
        ({"nics": [{"ip": "pool"}]}, "OpPrereqError", "wrong_input", "ip=pool"),
        ({"nics": [{"network": "nosuch"}]}, "OpPrereqError", "unknown_entity", "Network 'nosuch' not found"),
        ({"nics": [{"name": "x"}, {"name": "x"}]}, "OpPrereqError", "resource_not_unique", "NIC name 'x' already used"),
        ({"nics": [{"name": "5"}]}, "OpPrereqError", "wrong_input", "Purely numeric NIC names"),
        ({"nics": [{"mode": "bridged", "link": "nobr"}]}, "OpPrereqError", "environment_error", "Missing bridges nobr"),
    ],
)
def test_bad_creation_fails_in_its_job(cluster: Cluster, changes: dict[str, Any], kind: str, code: str | None, words: str) -> None:
    error = cluster.fail("POST", "/2/instances", cluster.spec(**changes))
    assert error[0] == kind
    assert words in error[1][0]
    assert error[1][1:] == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("template", "disks", "kind", "code", "words"),
    [
        ("plain", [{"size": 8}], "OpPrereqError", None, "Disk template 'plain' is not enabled"),
        ("ext", [{"size": 8}], "OpPrereqError", "wrong_input", "Missing provider for template 'ext'"),
        ("ext", [{"size": 8, "provider": "nosuch"}], "OpExecError", None, "Provider nosuch not found in search path"),
        ("file", [{}], "OpPrereqError", "wrong_input", "Missing disk size"),
        ("file", [{"size": 0}], "OpPrereqError", "wrong_input", "disk-size/0 value 0 is not in range"),
        ("file", [{"size": -1}], "TypeEnforcementError", None, "is not a valid size"),
        ("file", [{"size": 8, "nosuch": 1}], "TypeEnforcementError", None, "Unknown parameter 'nosuch'"),
        ("file", [{"size": 8, "name": "x"}] * 2, "OpPrereqError", "resource_not_unique", "disk name 'x' already used"),
        ("file", [{"size": 4}] * 17, "OpPrereqError", "wrong_input", "disk-count value 17 is not in range [0, 16]"),
    ],
)
def test_creation_with_bad_disks_fails_in_its_job(
    cluster: Cluster, template: str, disks: list[dict[str, Any]], kind: str, code: str | None, words: str
) -> None:
    error = cluster.fail("POST", "/2/instances", cluster.spec(disk_template=template, disks=disks))
    assert error[0] == kind
    assert words in error[1][0]
    assert error[1][1:] == ([] if code is None else [code])


def test_failed_creation_leaves_no_instance(cluster: Cluster) -> None:
    spec = cluster.spec(disk_template="ext", disks=[{"size": 8, "provider": "nosuch"}])
    cluster.fail("POST", "/2/instances", spec)
    assert cluster.call("GET", f"/2/instances/{spec['instance_name']}").status == 404


def test_mac_in_use_fails(cluster: Cluster) -> None:
    cluster.make(nics=[{"mac": "aa:00:00:00:02:02"}])
    error = cluster.fail("POST", "/2/instances", cluster.spec(nics=[{"mac": "aa:00:00:00:02:02"}]))
    assert error[1][1] == "resource_not_unique"
    assert "already in use in cluster" in error[1][0]


def test_names_of_devices_are_unique_only_within_an_instance(cluster: Cluster) -> None:
    for _ in range(2):
        cluster.make_ext("snf-vol-same", nics=[{"name": "snf-nic-same"}])
