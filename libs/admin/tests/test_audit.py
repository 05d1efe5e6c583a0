"""The auditor is tested by planting each kind of damage and demanding exactly that finding."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from synnefo_admin.audit import Facts, check, check_fsck, check_history, settled
from synnefo_admin.cloud import root_of

PROJECT = "p1"
WORK = {"sagas": [], "undo_failed": 0, "outbox": 0, "outbox_age_s": 0.0, "dead_letters": 0}
OWNER = "compute:nova"
SIZE = {"vcpus": 1, "ram_mib": 128, "fact_order": [40, 0, 0]}
BEPARAMS = {"vcpus": 1, "ram_mib": 128}


def _address(ip: str) -> dict[str, str]:
    return {"subnet_id": "n", "ip_address": ip}


def healthy() -> Facts:
    """A small cloud in which all is well: two servers, one being built, volumes attached, addresses held."""
    servers = [
        {"id": "s1", "vm_state": "active", "task_state": None, "cluster": "alpha", "saga_id": None, "job_token": None, "age_s": 0.0, **SIZE},
        {"id": "s2", "vm_state": "stopped", "task_state": None, "cluster": "beta", "saga_id": None, "job_token": None, "age_s": 0.0, **SIZE},
        {
            "id": "s3", "vm_state": "building", "task_state": "spawning",
            "cluster": "alpha", "saga_id": "g3", "job_token": "g3:job", "age_s": 2.0, **SIZE,
        },
        {"id": "s4", "vm_state": "error", "task_state": None, "cluster": None, "saga_id": None, "job_token": None, "age_s": 0.0, **SIZE},
    ]
    saga = {"id": "g3", "name": "server_create", "state": "waiting", "step": 3, "age_s": 2.0}
    usage = {PROJECT: {"compute.instances": 4, "compute.cores": 4, "compute.ram_mib": 512}}
    holdings = [
        {"project_id": PROJECT, "resource": "compute.instances", "used": 3, "pending": 1},
        {"project_id": PROJECT, "resource": "compute.cores", "used": 3, "pending": 1},
        {"project_id": PROJECT, "resource": "compute.ram_mib", "used": 384, "pending": 128},
        {"project_id": PROJECT, "resource": "network.ports", "used": 2, "pending": 0},
        {"project_id": PROJECT, "resource": "volume.volumes", "used": 1, "pending": 0},
    ]
    ports = [
        {"id": "q1", "device_id": "s1", "device_owner": OWNER, "mac_address": "aa:1", "fixed_ips": [_address("10.0.0.2")]},
        {"id": "q2", "device_id": "s2", "device_owner": OWNER, "mac_address": "aa:2", "fixed_ips": [_address("10.0.0.3")]},
    ]
    instances = [
        {
            "name": "snf-s1", "server_id": "s1", "cluster": "alpha",
            "disks": ["snf-vol-v1"], "status": "running", "beparams": dict(BEPARAMS), "nics": [{"name": "snf-nic-q1"}],
        },
        {
            "name": "snf-s2", "server_id": "s2", "cluster": "beta",
            "disks": [], "status": "ADMIN_down", "beparams": dict(BEPARAMS), "nics": [{"name": "snf-nic-q2"}, {"name": None}],
        },
    ]
    return {
        "identity": {"holdings": holdings, "commissions": [{"id": "c1", "issuer": "compute", "age_s": 2.0}], "work": dict(WORK)},
        "compute": {
            "servers": servers, "volumes": {"s1": ["v1"]}, "ports": {"s1": ["q1"], "s2": ["q2"]},
            "usage": usage, "work": {**WORK, "sagas": [saga]},
            "servers_without_action": [], "actions_never_ended": [], "errors_without_reason": [],
        },
        "network": {
            "ports": ports, "allocations": [_address("10.0.0.2"), _address("10.0.0.3")],
            "usage": {PROJECT: {"network.ports": 2}}, "work": dict(WORK),
        },
        "volume": {
            "volumes": [{"id": "v1", "status": "in-use", "age_s": 5000.0}], "snapshots": [], "attachments": [{"server_id": "s1", "volume_id": "v1"}],
            "usage": {PROJECT: {"volume.volumes": 1}}, "work": dict(WORK), "stored_volumes": ["v1", "being made"],
            "storage_jobs": [
                {"kind": kind, "state": "done", "findings": 0, "error": None, "overdue_s": -100.0} for kind in ("freeze", "gc", "scrub")
            ],
        },
        "image": {"images": [{"id": "i1", "status": "active", "age_s": 9999.0}], "work": dict(WORK)},
        "dispatcher": {
            "instances": instances, "unreachable": [], "effective_jobs": {"t1": 1}, "live_jobs": ["g3:job"],
            "last_jobs": {"alpha": 41, "beta": 40}, "recorded_jobs": {"alpha": 41, "gone": 7}, "work": dict(WORK),
        },
        "object": {"counters_differ": [], "work": dict(WORK)},
    }  # fmt: skip


def _server(facts: Facts, server_id: str) -> dict[str, Any]:
    return next(s for s in facts["compute"]["servers"] if s["id"] == server_id)


def _instance(facts: Facts, **changes: Any) -> None:
    facts["dispatcher"]["instances"].append({"name": "snf-x", "server_id": "x", "cluster": "alpha", "disks": []} | changes)


def _holding(facts: Facts, resource: str, **changes: Any) -> None:
    next(h for h in facts["identity"]["holdings"] if h["resource"] == resource).update(changes)


PLANTS: dict[str, tuple[Callable[[Facts], Any], set[str]]] = {
    "instance of no server": (_instance, {"instance_without_server"}),
    "instance with our prefix and no id": (lambda f: _instance(f, server_id=None, name="snf-odd"), {"instance_without_server"}),
    "second instance on the same cluster": (lambda f: _instance(f, server_id="s2", cluster="beta"), {"instance_twice"}),
    "second instance on another cluster": (lambda f: _instance(f, server_id="s2", cluster="alpha"), {"instance_twice"}),
    "instance on the wrong cluster": (lambda f: f["dispatcher"]["instances"][1].update(cluster="alpha"), {"wrong_cluster"}),
    "active server without instance": (lambda f: f["dispatcher"]["instances"].pop(0), {"server_without_instance"}),
    "stopped server without instance": (lambda f: f["dispatcher"]["instances"].pop(1), {"server_without_instance"}),
    "two effective jobs of a token": (lambda f: f["dispatcher"]["effective_jobs"].update(t1=2), {"job_twice"}),
    "server being built by nobody": (
        lambda f: (f["compute"]["work"].update(sagas=[]), f["dispatcher"].update(live_jobs=[])), {"server_stuck"},
    ),
    "task under way by nobody": (
        lambda f: _server(f, "s1").update(task_state="powering-off", job_token="action:9", age_s=60.0), {"server_stuck"},
    ),
    "server being built for hours": (lambda f: _server(f, "s3").update(age_s=7200.0), {"server_slow"}),
    "saga that does not move": (
        lambda f: f["network"]["work"].update(sagas=[{"id": "x", "name": "n", "state": "running", "step": 1, "age_s": 900.0}]), {"saga_stuck"},
    ),
    "saga that unwinds for ever": (
        lambda f: f["volume"]["work"].update(sagas=[{"id": "x", "name": "n", "state": "unwinding", "step": 1, "age_s": 900.0}]), {"saga_stuck"},
    ),
    "saga that could not be undone": (lambda f: f["compute"]["work"].update(undo_failed=1), {"undo_failed"}),
    "volume being created for ever": (lambda f: f["volume"]["volumes"][0].update(status="creating"), {"volume_stuck"}),
    "volume being deleted for ever": (lambda f: f["volume"]["volumes"][0].update(status="deleting"), {"volume_stuck"}),
    "snapshot being created for ever": (
        lambda f: f["volume"]["snapshots"].append({"id": "n1", "status": "creating", "age_s": 500.0}), {"snapshot_stuck"},
    ),
    "image being saved for ever": (lambda f: f["image"]["images"][0].update(status="saving"), {"image_stuck"}),
    "ledger counts too much": (lambda f: _holding(f, "compute.cores", used=9), {"quota_differs"}),
    "ledger counts too little": (lambda f: _holding(f, "compute.ram_mib", used=0, pending=0), {"quota_differs"}),
    "ledger counts a port that is gone": (lambda f: f["network"]["usage"].clear(), {"quota_differs"}),
    "ledger misses a volume": (lambda f: _holding(f, "volume.volumes", used=0), {"quota_differs"}),
    "usage of a project without holding": (
        lambda f: f["network"]["usage"].update(p2={"network.ports": 1}), {"quota_differs"},
    ),
    "commission that nobody decides": (lambda f: f["identity"]["commissions"][0].update(age_s=400.0), {"commission_pending"}),
    "address held twice": (
        lambda f: f["network"]["ports"][1].update(fixed_ips=[_address("10.0.0.2")]),
        {"address_twice", "address_leaked"},
    ),
    "address of nobody": (
        lambda f: f["network"]["allocations"].append(_address("10.0.0.99")), {"address_leaked"},
    ),
    "hardware address held twice": (lambda f: f["network"]["ports"][1].update(mac_address="aa:1"), {"mac_twice"}),
    "port of a server that is gone": (lambda f: f["network"]["ports"][0].update(device_id="gone"), {"port_without_server"}),
    "attachment that compute does not know": (lambda f: f["compute"].update(volumes={}), {"attachment_unknown_to_compute"}),
    "attachment that volume does not know": (
        lambda f: f["volume"].update(attachments=[]), {"attachment_unknown_to_volume", "disk_without_attachment"},
    ),
    "attachment that Ganeti does not know": (lambda f: f["dispatcher"]["instances"][0].update(disks=[]), {"attachment_unknown_to_ganeti"}),
    "disk that nobody attached": (
        lambda f: f["dispatcher"]["instances"][1].update(disks=["snf-vol-v9"]), {"disk_without_attachment"},
    ),
    "volume without a map": (lambda f: f["volume"]["stored_volumes"].remove("v1"), {"volume_without_map"}),
    "scrub that found damage": (lambda f: f["volume"]["storage_jobs"][2].update(findings=2), {"store_damaged"}),
    "collection that failed": (lambda f: f["volume"]["storage_jobs"][1].update(state="failed", error="x"), {"storage_job_failed"}),
    "collection that does not come": (lambda f: f["volume"]["storage_jobs"][1].update(overdue_s=9.0), {"storage_job_overdue"}),
    "running instance of a stopped server": (lambda f: f["dispatcher"]["instances"][1].update(status="running"), {"power_differs"}),
    "crashed instance of an active server": (lambda f: f["dispatcher"]["instances"][0].update(status="ERROR_down"), {"power_differs"}),
    "instance with more CPUs": (lambda f: f["dispatcher"]["instances"][0]["beparams"].update(vcpus=4), {"size_differs"}),
    "instance with less memory": (lambda f: f["dispatcher"]["instances"][1]["beparams"].update(ram_mib=64), {"size_differs"}),
    "port that Ganeti does not know": (lambda f: f["dispatcher"]["instances"][0]["nics"].clear(), {"port_unknown_to_ganeti"}),
    "NIC that compute does not know": (
        lambda f: f["dispatcher"]["instances"][1]["nics"].append({"name": "snf-nic-q9"}), {"nic_without_port"},
    ),
    "container that counts wrongly": (
        lambda f: f["object"]["counters_differ"].append({"container": "p1/c", "counted": 3, "listed": 2}), {"container_counter_differs"},
    ),
    "server that nobody asked for": (lambda f: f["compute"]["servers_without_action"].append("s1"), {"server_without_action"}),
    "action without an end": (
        lambda f: f["compute"]["actions_never_ended"].append({"id": "a1", "server_id": "s1", "action": "stop"}), {"action_never_ended"},
    ),
    "fact that the cluster has not had": (lambda f: _server(f, "s1").update(fact_order=[99, 0, 0]), {"fact_from_the_future"}),
    "cluster restored from a backup": (
        lambda f: f["dispatcher"]["last_jobs"].update(alpha=12), {"job_from_the_future", "fact_from_the_future"},
    ),
    "outbox that is not emptied": (lambda f: f["image"]["work"].update(outbox=3, outbox_age_s=90.0), {"outbox_old"}),
    "dead letters": (lambda f: f["network"]["work"].update(dead_letters=1), {"dead_letters"}),
}  # fmt: skip


def test_a_healthy_cloud_has_no_findings() -> None:
    assert check(healthy()) == []


@pytest.mark.parametrize("plant", PLANTS)
def test_each_planted_damage_is_found_and_nothing_else(plant: str) -> None:
    facts = copy.deepcopy(healthy())
    damage, wanted = PLANTS[plant]
    damage(facts)
    assert {f.code for f in check(facts)} == wanted


def test_an_unreachable_cluster_is_not_taken_for_lost_servers() -> None:
    facts = healthy()
    facts["dispatcher"]["instances"].pop(1)
    facts["dispatcher"]["unreachable"] = ["beta"]
    assert check(facts) == []


def test_what_is_gone_when_asked_again_was_work_under_way() -> None:
    facts = healthy()
    facts["dispatcher"]["instances"].pop(0)
    assert settled(check(facts), check(healthy())) == []
    assert settled(check(facts), check(facts)) == check(facts)


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://h:8774/v2.1", "http://h:8774"), ("http://h:8776/v3/11aa", "http://h:8776"), ("http://h:9696", "http://h:9696"),
        ("https://cloud/compute/v2.1", "https://cloud/compute"), ("https://cloud/network", "https://cloud/network"),
        ("https://v1.cloud/volume/v3/11aa", "https://v1.cloud/volume"),
    ],
)  # fmt: skip
def test_a_service_is_found_by_its_endpoint_also_behind_a_gateway(url: str, root: str) -> None:
    assert root_of(url) == root


def test_findings_of_the_block_store_are_findings_of_the_audit() -> None:
    result: dict[str, Any] = {"missing": [], "unreadable": [], "hurt": []}
    job = {"state": "done", "error": None, "result": result}
    assert check_fsck(job) == []
    result["missing"].append("cas/ab")
    result["unreadable"].append({"what": "page cd", "why": "torn"})
    result["hurt"].append({"owner": "image", "id": "i1", "object": "cas/ab", "why": "it is missing"})
    assert [(f.code, f.subject) for f in check_fsck(job)] == [("data_hurt", "i1"), ("object_missing", "cas/ab"), ("object_unreadable", "page cd")]
    assert [f.code for f in check_fsck({"state": "failed", "error": "image did not answer", "result": None})] == ["storage_job_failed"]


HISTORY = [
    {"did": "create", "kind": "server", "id": "s1"}, {"did": "create", "kind": "server", "id": "s4"}, {"did": "create", "kind": "volume", "id": "v1"},
    {"did": "create", "kind": "image", "id": "i1"}, {"did": "create", "kind": "port", "id": "q1"},
    {"did": "create", "kind": "server", "id": "s9"}, {"did": "delete", "kind": "server", "id": "s9"},
]  # fmt: skip


def test_what_a_client_was_told_shows() -> None:
    assert check_history(HISTORY, healthy()) == []


def test_what_was_acknowledged_and_is_not_so_is_found() -> None:
    lost = [{"did": "create", "kind": "server", "id": "s7"}, {"did": "create", "kind": "snapshot", "id": "n7"}]
    there = [{"did": "delete", "kind": "volume", "id": "v1"}]
    facts = healthy()
    facts["compute"]["errors_without_reason"].append("s4")
    found = check_history([*HISTORY, *lost, *there], facts)
    assert [(f.code, f.subject) for f in found] == [
        ("acknowledged_lost", "n7"), ("acknowledged_lost", "s7"), ("deletion_lost", "v1"), ("failure_without_reason", "s4"),
    ]  # fmt: skip
    assert {f.invariant for f in found} == {11}


def test_every_invariant_but_the_clients_own_has_a_plant() -> None:
    found = set()
    for damage, _ in PLANTS.values():
        facts = copy.deepcopy(healthy())
        damage(facts)
        found |= {f.invariant for f in check(facts)}
    assert found == set(range(1, 13)) - {11}
    assert len(PLANTS) >= 30
