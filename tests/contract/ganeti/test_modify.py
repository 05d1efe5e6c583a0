"""The contract of modification: NICs, disks, memory and CPUs, administrative state, and what hot-plug does here."""

from typing import Any

import pytest
from tests.contract.ganeti.cluster import Cluster

DISK = {"size": 16, "provider": "archipelago"}


def stop(cluster: Cluster, name: str) -> None:
    cluster.succeed("PUT", f"/2/instances/{name}/shutdown", {"timeout": 0})


def test_nothing_to_change_fails(cluster: Cluster, standing: str) -> None:
    assert cluster.fail_modify(standing) == ["OpPrereqError", ["No changes submitted", "wrong_input"]]


def test_nic_is_added_to_a_running_instance(cluster: Cluster, running: str) -> None:
    nic = {"mode": "openvswitch", "link": "br-int", "name": "snf-nic-x", "mac": "aa:00:00:00:04:04"}
    job = cluster.modify(running, nics=[["add", -1, nic]])
    assert job["opresult"] == [[["nic.0", "add:mac=aa:00:00:00:04:04,ip=None,mode=openvswitch,link=br-int,network=None"]]]
    instance = cluster.instance(running)
    assert (instance["nic.names"], instance["nic.macs"]) == (["snf-nic-x"], ["aa:00:00:00:04:04"])
    assert instance["custom_nicparams"] == [{"mode": "openvswitch", "link": "br-int", "vlan": ""}]


def test_nic_is_removed_by_name_index_and_last(cluster: Cluster) -> None:
    name = cluster.make(nics=[{"name": f"n{number}"} for number in range(4)])
    assert cluster.modify(name, nics=[["remove", "n1", {}]])["opresult"] == [[["NIC/1", "remove"]]]
    cluster.modify(name, nics=[["remove", 0, {}]])
    cluster.modify(name, nics=[["remove", -1, {}]])
    assert cluster.instance(name)["nic.names"] == ["n2"]


def test_several_nics_in_one_job(cluster: Cluster, running: str) -> None:
    cluster.modify(running, nics=[["add", -1, {"name": "n1"}], ["add", -1, {"name": "n2"}]])
    assert cluster.instance(running)["nic.names"] == ["n1", "n2"]


def test_older_form_of_a_change_is_accepted(cluster: Cluster, running: str) -> None:
    cluster.modify(running, nics=[["add", {"name": "n5"}]])
    assert cluster.instance(running)["nic.names"] == ["n5"]


def test_nic_is_modified(cluster: Cluster) -> None:
    name = cluster.make(nics=[{"name": "n1"}])
    cluster.modify(name, nics=[["modify", "n1", {"ip": "10.1.1.1"}]])
    assert cluster.instance(name)["nic.ips"] == ["10.1.1.1"]


@pytest.mark.parametrize(
    ("change", "kind", "code", "words"),
    [
        (["remove", "nosuch", {}], "OpPrereqError", "unknown_entity", "Cannot find NIC with identifier nosuch"),
        (["remove", 9, {}], "OpExecError", None, "Got NIC index 9, but there are only 1"),
        (["remove", 0, {"ip": "x"}], "OpPrereqError", "wrong_input", "No settings should be passed"),
        (["add", -1, {"name": "n1"}], "OpPrereqError", "resource_not_unique", "NIC name 'n1' already used"),
        (["add", -1, {"mac": "aa:00:00:00:05:05"}], "OpPrereqError", "resource_not_unique", "already in use"),
        (["attach", -1, {"name": "n1"}], "OpPrereqError", "wrong_input", "not supported for NICs"),
    ],
)
def test_bad_change_of_nics_fails(cluster: Cluster, change: list[Any], kind: str, code: str | None, words: str) -> None:
    name = cluster.make(nics=[{"name": "n1", "mac": "aa:00:00:00:05:05"}])
    error = cluster.fail_modify(name, nics=[change])
    assert error[0] == kind
    assert words in error[1][0]
    assert error[1][1:] == ([] if code is None else [code])
    assert cluster.instance(name)["nic.names"] == ["n1"]
    cluster.succeed("DELETE", f"/2/instances/{name}", {"shutdown_timeout": 0})


def test_demanded_hotplug_fails_on_the_fake_hypervisor(cluster: Cluster, running: str) -> None:
    error = cluster.fail_modify(running, nics=[["add", -1, {}]], hotplug=True)
    assert (error[0], error[1][1]) == ("OpPrereqError", "wrong_state")
    assert "Hotplug is not possible" in error[1][0]
    assert cluster.instance(running)["nic.names"] == []


def test_wished_hotplug_is_done_without(cluster: Cluster, running: str) -> None:
    job = cluster.modify(running, nics=[["add", -1, {"name": "n1"}]], hotplug_if_possible=True)
    assert "without hotplugging" in job["oplog"][0][-1][3]
    assert cluster.instance(running)["nic.names"] == ["n1"]


def test_disk_is_added_to_a_running_instance(cluster: Cluster) -> None:
    name = cluster.make_ext("v1")
    job = cluster.modify(name, disks=[["add", -1, {**DISK, "name": "v2"}]])
    assert job["opresult"] == [[["disk/1", "add:size=16,mode=rw"]]]
    instance = cluster.instance(name)
    assert (instance["disk.names"], instance["disk.sizes"], instance["disk_usage"]) == (["v1", "v2"], [64, 16], 80)


def test_disk_is_not_removed_from_a_running_instance(cluster: Cluster) -> None:
    name = cluster.make_ext("v1", "v2")
    for more in ({}, {"hotplug_if_possible": True}):
        error = cluster.fail_modify(name, disks=[["remove", "v2", {}]], **more)
        assert (error[0], error[1][1]) == ("OpPrereqError", "wrong_state")
        assert "can't remove volume from a running instance" in error[1][0]
    assert cluster.instance(name)["disk.names"] == ["v1", "v2"]


def test_disk_is_removed_from_a_stopped_instance(cluster: Cluster) -> None:
    name = cluster.make_ext("v1", "v2")
    stop(cluster, name)
    assert cluster.modify(name, disks=[["remove", "v2", {}]])["opresult"] == [[["disk/1", "remove"]]]
    assert cluster.instance(name)["disk.names"] == ["v1"]
    assert cluster.fail_modify(name, disks=[["remove", "v2", {}]])[1] == ["Lookup of disk 'v2' failed"]


def test_disk_is_detached_from_a_running_instance_and_attached_to_a_diskless_one(cluster: Cluster, running: str) -> None:
    name = cluster.make_ext("v1", "v2")
    uuid = cluster.instance(name)["disk.uuids"][1]
    assert cluster.modify(name, disks=[["detach", "v2", {}]])["opresult"] == [[["disk/1", "detach"]]]
    assert cluster.instance(name)["disk.names"] == ["v1"]
    cluster.modify(running, disks=[["attach", -1, {"uuid": uuid}]])
    instance = cluster.instance(running)
    assert (instance["disk.names"], instance["disk.uuids"], instance["disk_template"]) == (["v2"], [uuid], "ext")


def test_detached_disk_is_not_attached_to_an_ext_instance_but_added_again(cluster: Cluster) -> None:
    name = cluster.make_ext("v1", "v2")
    uuid = cluster.instance(name)["disk.uuids"][1]
    cluster.modify(name, disks=[["detach", "v2", {}]])
    error = cluster.fail_modify(name, disks=[["attach", -1, {"uuid": uuid}]])
    assert error == ["OpPrereqError", ["Missing provider for template 'ext'", "wrong_input"]]
    cluster.modify(name, disks=[["add", -1, {**DISK, "name": "v2"}]])
    assert cluster.instance(name)["disk.names"] == ["v1", "v2"]


def test_attaching_an_unknown_disk_fails(cluster: Cluster, running: str) -> None:
    for key, word in (("uuid", "UUID"), ("name", "name")):
        error = cluster.fail_modify(running, disks=[["attach", -1, {key: "nosuch"}]])
        assert error == ["OpPrereqError", [f"No disk was found with this {word}: nosuch", "wrong_input"]]


def test_last_disk_gone_leaves_a_diskless_instance_that_takes_none_back(cluster: Cluster) -> None:
    name = cluster.make_ext("v1")
    stop(cluster, name)
    cluster.modify(name, disks=[["remove", -1, {}]])
    assert cluster.instance(name)["disk_template"] == "diskless"
    error = cluster.fail_modify(name, disks=[["add", -1, DISK]])
    assert error == ["OpPrereqError", ["Must specify disk type on diskless instance", "wrong_input"]]


@pytest.mark.parametrize(
    ("change", "kind", "code", "words"),
    [
        (["add", -1, {"size": 8}], "OpPrereqError", "wrong_input", "Missing provider for template 'ext'"),
        (["add", -1, {"size": 8, "provider": "nosuch"}], "OpExecError", None, "Provider nosuch not found"),
        (["add", -1, {"provider": "archipelago"}], "OpPrereqError", "wrong_input", "parameter 'size' missing"),
        (["add", -1, {**DISK, "name": "v1"}], "OpPrereqError", "resource_not_unique", "disk name 'v1' already used"),
        (["detach", "nosuch", {}], "OpPrereqError", None, "Lookup of disk 'nosuch' failed"),
        (["attach", -1, {"name": "nosuch"}], "OpPrereqError", "wrong_input", "Missing provider"),
        (["modify", 0, {"size": 5}], "OpPrereqError", "wrong_input", "use grow-disk"),
        (
            ["modify", 0, {"provider": "x"}],
            "OpPrereqError",
            "wrong_input",
            "'provider' parameter change is not possible",
        ),
    ],
)
def test_bad_change_of_disks_fails(cluster: Cluster, change: list[Any], kind: str, code: str | None, words: str) -> None:
    name = cluster.make_ext("v1")
    error = cluster.fail_modify(name, disks=[change])
    assert error[0] == kind
    assert words in error[1][0]
    assert error[1][1:] == ([] if code is None else [code])
    assert cluster.instance(name)["disk.names"] == ["v1"]


def test_disk_is_renamed(cluster: Cluster) -> None:
    name = cluster.make_ext("v1")
    assert cluster.modify(name, disks=[["modify", 0, {"name": "v9"}]])["opresult"] == [[["disk.name/0", "v9"]]]
    assert cluster.instance(name)["disk.names"] == ["v9"]


def test_new_size_holds_from_the_next_start(cluster: Cluster, running: str) -> None:
    job = cluster.modify(running, beparams={"vcpus": 2, "maxmem": 32, "minmem": 32})
    assert sorted(job["opresult"][0]) == [["be/maxmem", 32], ["be/minmem", 32], ["be/vcpus", 2]]
    instance = cluster.instance(running)
    assert (instance["beparams"]["vcpus"], instance["beparams"]["memory"]) == (2, 32)
    assert (instance["oper_ram"], instance["oper_vcpus"]) == (16, 1)
    cluster.succeed("POST", f"/2/instances/{running}/reboot?type=hard", {"shutdown_timeout": 0})
    instance = cluster.instance(running)
    assert (instance["oper_ram"], instance["oper_vcpus"]) == (32, 2)


def test_same_size_again_succeeds(cluster: Cluster, running: str) -> None:
    for _ in range(2):
        cluster.modify(running, beparams={"vcpus": 2})
    assert cluster.instance(running)["beparams"]["vcpus"] == 2


@pytest.mark.parametrize("value", [None, "default"])
def test_size_goes_back_to_the_default(cluster: Cluster, value: str | None) -> None:
    name = cluster.make(beparams={"vcpus": 3, "maxmem": 16, "minmem": 16})
    cluster.modify(name, beparams={"vcpus": value})
    assert cluster.instance(name)["custom_beparams"] == {"maxmem": 16, "minmem": 16}
    assert cluster.instance(name)["beparams"]["vcpus"] == 1


@pytest.mark.parametrize(
    ("changes", "kind", "code", "words"),
    [
        ({"beparams": {"nosuch": 1}}, "TypeEnforcementError", None, "Unknown parameter 'nosuch'"),
        ({"hvparams": {"nosuch": 1}}, "TypeEnforcementError", None, "Unknown parameter 'nosuch'"),
        (
            {"beparams": {"maxmem": 32000}},
            "OpPrereqError",
            "insufficient_resources",
            "prevent the instance from starting",
        ),
        ({"offline": True}, "OpPrereqError", "wrong_state", "without being down first"),
        ({"runtime_mem": 4096}, "OpPrereqError", "wrong_input", "must have memory between"),
    ],
)
def test_bad_change_fails(cluster: Cluster, changes: dict[str, Any], kind: str, code: str | None, words: str) -> None:
    error = cluster.fail_modify(cluster.make(), **changes)
    assert error[0] == kind
    assert words in error[1][0]
    assert error[1][1:] == ([] if code is None else [code])


def test_offline_instance_cannot_be_used(cluster: Cluster) -> None:
    name = cluster.make(start=False)
    assert cluster.modify(name, offline=True)["opresult"] == [[["admin_state", "offline"]]]
    assert (cluster.instance(name)["admin_state"], cluster.instance(name)["status"]) == ("offline", "ADMIN_offline")
    error = cluster.fail("PUT", f"/2/instances/{name}/startup")
    assert error[1][1] == "wrong_state"
    assert "marked to be offline" in error[1][0]
    cluster.modify(name, offline=False)
    assert cluster.instance(name)["status"] == "ADMIN_down"


def test_serial_number_grows_with_each_change(cluster: Cluster, running: str) -> None:
    before = cluster.instance(running)
    cluster.modify(running, beparams={"vcpus": 2})
    after = cluster.instance(running)
    assert after["serial_no"] > before["serial_no"]
    assert after["mtime"] >= before["mtime"]
    assert (after["uuid"], after["ctime"]) == (before["uuid"], before["ctime"])
