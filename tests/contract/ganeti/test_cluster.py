"""The contract of what a cluster tells about itself: information, nodes, groups, networks, tags."""

from typing import Any

import pytest
from tests.contract.ganeti.cluster import Cluster

NODE_FIELDS = {
    "name", "offline", "master_candidate", "drained", "dtotal", "dfree", "sptotal", "spfree", "mtotal", "mnode",
    "mfree", "pinst_cnt", "sinst_cnt", "ctotal", "cnos", "cnodes", "csockets", "pip", "sip", "role", "pinst_list",
    "sinst_list", "master_capable", "vm_capable", "ndparams", "group.uuid", "ctime", "mtime", "uuid", "serial_no",
    "tags",
}  # fmt: skip
GROUP_FIELDS = {
    "alloc_policy", "name", "node_cnt", "node_list", "ipolicy", "custom_ipolicy", "diskparams", "custom_diskparams",
    "ndparams", "custom_ndparams", "ctime", "mtime", "uuid", "serial_no", "tags",
}  # fmt: skip
NETWORK_FIELDS = {
    "name", "network", "gateway", "network6", "gateway6", "mac_prefix", "free_count", "reserved_count", "map",
    "group_list", "inst_list", "external_reservations", "ctime", "mtime", "uuid", "serial_no", "tags",
}  # fmt: skip


def shape(value: Any) -> str:
    return "int" if isinstance(value, int) and not isinstance(value, bool) else type(value).__name__


def test_info_tells_what_a_dispatcher_asks(cluster: Cluster) -> None:
    info = cluster.get("/2/info")
    assert info["software_version"].startswith("3.")
    assert info["enabled_hypervisors"] == ["fake"]
    assert sorted(info["enabled_disk_templates"]) == ["diskless", "ext", "file", "sharedfile"]
    assert info["master"] == cluster.node()
    assert info["default_iallocator"] == "hail-any"
    assert len(info["mac_prefix"].split(":")) == 3
    kinds = {key: shape(info[key]) for key in ("name", "uuid", "tags", "max_running_jobs", "ipolicy", "beparams", "ctime")}
    assert kinds == {
        "name": "str", "uuid": "str", "tags": "list", "max_running_jobs": "int", "ipolicy": "dict", "beparams": "dict",
        "ctime": "float",
    }  # fmt: skip


def test_features(cluster: Cluster) -> None:
    assert set(cluster.get("/2/features")) == {
        "instance-create-reqv1", "instance-reinstall-reqv1", "node-migrate-reqv1", "node-evac-res1",
    }  # fmt: skip


def test_our_os_is_offered_with_its_variant(cluster: Cluster) -> None:
    assert "synnefo-image+default" in cluster.get("/2/os")


@pytest.mark.parametrize("path", ["/", "/2"])
def test_root_answers_null(cluster: Cluster, path: str) -> None:
    assert cluster.get(path) is None


def test_nodes_have_all_fields_and_their_kinds(cluster: Cluster) -> None:
    node = cluster.get("/2/nodes?bulk=1")[0]
    assert set(node) == NODE_FIELDS
    numbers = ("dtotal", "dfree", "mtotal", "mnode", "mfree", "pinst_cnt", "ctotal", "cnos", "serial_no")
    assert {shape(node[key]) for key in numbers} == {"int"}
    assert node["sptotal"] is None
    assert (node["role"], node["offline"], node["drained"], node["vm_capable"]) == ("M", False, False, True)
    assert 0 < node["mfree"] < node["mtotal"]


def test_node_alone_has_the_fields_of_the_list(cluster: Cluster) -> None:
    assert set(cluster.get(f"/2/nodes/{cluster.node()}")) >= NODE_FIELDS
    assert cluster.get(f"/2/nodes/{cluster.node()}/role") == "master"


def test_node_list_gives_name_and_address(cluster: Cluster) -> None:
    assert cluster.get("/2/nodes") == [{"id": cluster.node(), "uri": f"/2/nodes/{cluster.node()}"}]


def test_node_counts_its_instances(cluster: Cluster, standing: str) -> None:
    node = cluster.get(f"/2/nodes/{cluster.node()}")
    assert standing in node["pinst_list"]
    assert node["pinst_cnt"] == len(node["pinst_list"])


def test_running_instance_takes_memory_of_its_node(cluster: Cluster) -> None:
    name = cluster.make(beparams={"maxmem": 1024, "minmem": 1024, "vcpus": 1})
    before = cluster.get(f"/2/nodes/{cluster.node()}")["mfree"]
    cluster.succeed("PUT", f"/2/instances/{name}/shutdown", {"timeout": 0})
    assert cluster.get(f"/2/nodes/{cluster.node()}")["mfree"] > before + 800


def test_groups_have_all_fields(cluster: Cluster) -> None:
    groups = {group["name"]: group for group in cluster.get("/2/groups?bulk=1")}
    group = groups["default"]
    assert set(group) == GROUP_FIELDS
    assert (group["alloc_policy"], group["node_cnt"], group["node_list"]) == ("preferred", 1, [cluster.node()])
    assert group["uuid"] == cluster.get(f"/2/nodes/{cluster.node()}")["group.uuid"]
    assert group["ipolicy"]["minmax"][0]["max"]["memory-size"] == 32768
    assert group["diskparams"]["ext"] == {"access": "kernelspace"}


def test_group_life(cluster: Cluster) -> None:
    cluster.succeed("POST", "/2/groups", {"group_name": "spare"})
    assert cluster.get("/2/groups/spare")["node_list"] == []
    kind, (message, code) = cluster.fail("POST", "/2/groups", {"group_name": "spare"})
    assert (kind, code) == ("OpPrereqError", "already_exists")
    assert "spare" in message
    cluster.succeed("DELETE", "/2/groups/spare")
    assert cluster.fail("DELETE", "/2/groups/spare")[1][1] == "unknown_entity"


def test_group_with_nodes_is_not_removed(cluster: Cluster) -> None:
    assert cluster.fail("DELETE", "/2/groups/default")[1][1] == "wrong_state"


@pytest.mark.parametrize("role", ["drained", "offline", "regular"])
def test_role_of_the_master_is_not_changed(cluster: Cluster, role: str) -> None:
    kind, (message, code) = cluster.fail("PUT", f"/2/nodes/{cluster.node()}/role", role)
    assert (kind, code) == ("OpPrereqError", "wrong_input")
    assert "master-failover" in message


@pytest.mark.parametrize("body", ["nosuch", {"a": 1}])
def test_bad_role_is_refused(cluster: Cluster, body: Any) -> None:
    assert cluster.call("PUT", f"/2/nodes/{cluster.node()}/role", body).status == 400


def test_network_life(cluster: Cluster) -> None:
    body = {"network_name": "net1", "network": "10.99.0.0/24", "gateway": "10.99.0.1", "mac_prefix": "aa:00:05"}
    cluster.succeed("POST", "/2/networks", {**body, "tags": ["t:1"], "conflicts_check": False})
    network = cluster.get("/2/networks/net1")
    assert set(network) == NETWORK_FIELDS
    assert (network["free_count"], network["reserved_count"], network["group_list"]) == (253, 3, [])
    assert network["external_reservations"] == "10.99.0.0, 10.99.0.1, 10.99.0.255"
    assert cluster.fail("POST", "/2/networks", body)[1][1] == "already_exists"
    name = cluster.make()
    nic = {"network": "net1", "ip": "pool", "name": "snf-nic-pooled"}
    assert "probably not connected" in cluster.fail_modify(name, nics=[["add", -1, nic]])[1][0]
    link = {"group_name": "default", "network_mode": "bridged", "network_link": "br0", "conflicts_check": False}
    cluster.succeed("PUT", "/2/networks/net1/connect", link)
    cluster.modify(name, nics=[["add", -1, nic]])
    instance = cluster.instance(name)
    assert (instance["nic.ips"], instance["nic.networks.names"]) == (["10.99.0.2"], ["net1"])
    assert instance["nic.macs"][0].startswith("aa:00:05:")
    assert cluster.get("/2/networks/net1")["inst_list"] == [name]
    assert cluster.fail("PUT", "/2/networks/net1/disconnect", {"group_name": "default"})[1][1] == "wrong_state"
    assert cluster.fail("DELETE", "/2/networks/net1")[1][1] == "wrong_state"
    cluster.modify(name, nics=[["remove", "snf-nic-pooled", {}]])
    cluster.succeed("PUT", "/2/networks/net1/disconnect", {"group_name": "default"})
    cluster.succeed("DELETE", "/2/networks/net1")
    assert cluster.fail("DELETE", "/2/networks/net1")[1][1] == "unknown_entity"


def test_network_with_host_bits_breaks_rapi(cluster: Cluster) -> None:
    assert cluster.call("POST", "/2/networks", {"network_name": "n", "network": "10.99.0.5/24"}).status == 500


def test_tags_of_an_instance(cluster: Cluster, running: str) -> None:
    path = f"/2/instances/{running}/tags"
    cluster.succeed("PUT", f"{path}?tag=b:c&tag=a")
    cluster.succeed("PUT", f"{path}?tag=a")
    assert sorted(cluster.get(path)) == ["a", "b:c"]
    assert sorted(cluster.instance(running)["tags"]) == ["a", "b:c"]
    cluster.succeed("DELETE", f"{path}?tag=a")
    assert cluster.get(path) == ["b:c"]


def test_removing_a_tag_that_is_not_there_fails(cluster: Cluster, running: str) -> None:
    kind, (message, code) = cluster.fail("DELETE", f"/2/instances/{running}/tags?tag=nosuch")
    assert (kind, code) == ("OpPrereqError", "unknown_entity")
    assert "nosuch" in message


@pytest.mark.parametrize("tag", ["a%20b", "x" * 129])
def test_bad_tag_fails_in_the_job(cluster: Cluster, standing: str, tag: str) -> None:
    assert cluster.fail("PUT", f"/2/instances/{standing}/tags?tag={tag}")[0] == "TagError"


def test_tags_of_a_missing_instance(cluster: Cluster) -> None:
    assert cluster.fail("PUT", "/2/instances/nosuch/tags?tag=a")[1][1] == "unknown_entity"
    assert cluster.call("GET", "/2/instances/nosuch/tags").status == 500


def test_tags_of_cluster_and_node(cluster: Cluster) -> None:
    for path in ("/2/tags", f"/2/nodes/{cluster.node()}/tags", "/2/groups/default/tags"):
        cluster.succeed("PUT", f"{path}?tag=mark")
        assert "mark" in cluster.get(path)
        cluster.succeed("DELETE", f"{path}?tag=mark")
        assert "mark" not in cluster.get(path)
