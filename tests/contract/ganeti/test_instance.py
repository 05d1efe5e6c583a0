"""The contract of a life: start, stop, reboot, grow, rename, reinstall, console, delete; and doing each twice."""

import pytest
from tests.contract.ganeti.cluster import Cluster


def states(cluster: Cluster, name: str) -> tuple[str, str, bool]:
    instance = cluster.instance(name)
    return instance["admin_state"], instance["status"], instance["oper_state"]


def test_stop_and_start(cluster: Cluster, running: str) -> None:
    path = f"/2/instances/{running}"
    assert cluster.succeed("PUT", f"{path}/shutdown", {"timeout": 0})["opresult"] == [None]
    assert states(cluster, running) == ("down", "ADMIN_down", False)
    assert cluster.succeed("PUT", f"{path}/startup")["opresult"] == [None]
    assert states(cluster, running) == ("up", "running", True)


def test_stop_of_a_stopped_instance_succeeds(cluster: Cluster) -> None:
    name = cluster.make(start=False)
    cluster.succeed("PUT", f"/2/instances/{name}/shutdown", {"timeout": 0})
    assert states(cluster, name) == ("down", "ADMIN_down", False)


def test_start_of_a_running_instance_succeeds(cluster: Cluster, running: str) -> None:
    cluster.succeed("PUT", f"/2/instances/{running}/startup")
    assert states(cluster, running) == ("up", "running", True)


def test_body_of_a_start_is_ignored(cluster: Cluster, running: str) -> None:
    cluster.succeed("PUT", f"/2/instances/{running}/startup", {"nosuch": 1})


def test_stop_without_remembering_shows_as_an_error(cluster: Cluster, running: str) -> None:
    cluster.succeed("PUT", f"/2/instances/{running}/shutdown?no_remember=1", {"timeout": 0})
    assert states(cluster, running) == ("up", "ERROR_down", False)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_reboot(cluster: Cluster, running: str, kind: str) -> None:
    cluster.succeed("POST", f"/2/instances/{running}/reboot?type={kind}", {"shutdown_timeout": 0})
    assert states(cluster, running) == ("up", "running", True)


def test_reboot_starts_a_stopped_instance(cluster: Cluster) -> None:
    name = cluster.make(start=False)
    job = cluster.succeed("POST", f"/2/instances/{name}/reboot?type=hard", {"shutdown_timeout": 0})
    assert "already stopped" in job["oplog"][0][0][3]
    assert states(cluster, name) == ("up", "running", True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "shutdown"),
        ("PUT", "startup"),
        ("POST", "reboot"),
        ("DELETE", ""),
        ("POST", "disk/0/grow"),
        ("PUT", "modify"),
    ],
)
def test_job_on_a_missing_instance_fails(cluster: Cluster, method: str, path: str) -> None:
    body = {"disk/0/grow": {"amount": 1}, "modify": {"beparams": {"vcpus": 1}}}.get(path, {})
    error = cluster.fail(method, f"/2/instances/nosuch/{path}".rstrip("/"), body)
    assert error == ["OpPrereqError", ["Instance 'nosuch' not known", "unknown_entity"]]


def test_delete(cluster: Cluster, running: str) -> None:
    assert cluster.succeed("DELETE", f"/2/instances/{running}", {"shutdown_timeout": 0})["opresult"] == [None]
    assert cluster.call("GET", f"/2/instances/{running}").status == 404
    assert running not in [item["id"] for item in cluster.get("/2/instances")]


def test_delete_needs_no_body(cluster: Cluster) -> None:
    name = cluster.make(start=False)
    cluster.succeed("DELETE", f"/2/instances/{name}")


def test_second_delete_fails_as_unknown(cluster: Cluster, running: str) -> None:
    jobs = [cluster.submit("DELETE", f"/2/instances/{running}", {"shutdown_timeout": 0}) for _ in range(2)]
    assert cluster.finish(jobs[0])["status"] == "success"
    last = cluster.finish(jobs[1])
    assert last["status"] == "error"
    assert last["opresult"][0][1][1] == "unknown_entity"


def test_name_is_free_after_delete(cluster: Cluster) -> None:
    name = cluster.make_ext("snf-vol-again", nics=[{"mac": "aa:00:00:00:03:03"}])
    cluster.succeed("DELETE", f"/2/instances/{name}", {"shutdown_timeout": 0})
    cluster.make_ext("snf-vol-again", instance_name=name, nics=[{"mac": "aa:00:00:00:03:03"}])


def test_grow_by_an_amount_and_to_a_size(cluster: Cluster) -> None:
    name = cluster.make_ext("snf-vol-g")
    path = f"/2/instances/{name}/disk/0/grow"
    cluster.succeed("POST", path, {"amount": 16})
    assert cluster.instance(name)["disk.sizes"] == [80]
    job = cluster.succeed("POST", path, {"amount": 128, "absolute": True})
    assert job["oplog"][0][0][3] == f"Growing disk 0 of instance '{name}' by 48M to 128M"
    cluster.succeed("POST", path, {"amount": 128, "absolute": True})
    assert cluster.instance(name)["disk.sizes"] == [128]


@pytest.mark.parametrize(
    ("disk", "body", "code", "words"),
    [
        (7, {"amount": 1}, "wrong_input", "Invalid disk index: 7"),
        (0, {"amount": 8, "absolute": True}, "wrong_state", "is smaller than current disk size (64M)"),
        (0, {"amount": 2000000}, "wrong_input", "is not in range [4, 1048576]"),
    ],
)
def test_bad_growth_fails(cluster: Cluster, disk: int, body: dict[str, object], code: str, words: str) -> None:
    name = cluster.make_ext("snf-vol-b")
    kind, (message, found) = cluster.fail("POST", f"/2/instances/{name}/disk/{disk}/grow", body)
    assert (kind, found) == ("OpPrereqError", code)
    assert words in message


def test_console_of_the_fake_hypervisor_is_a_message(cluster: Cluster, standing: str) -> None:
    assert cluster.get(f"/2/instances/{standing}/console") == {
        "instance": standing,
        "kind": "msg",
        "message": "Console not available for fake hypervisor",
    }


def test_console_of_a_stopped_instance_is_unavailable(cluster: Cluster) -> None:
    name = cluster.make(start=False)
    answer = cluster.call("GET", f"/2/instances/{name}/console")
    assert (answer.status, answer.value["message"]) == (503, "Instance console unavailable")


def test_console_of_a_missing_instance_is_a_server_error(cluster: Cluster) -> None:
    assert cluster.call("GET", "/2/instances/nosuch/console").status == 500


def test_rename_of_a_stopped_instance(cluster: Cluster) -> None:
    name = cluster.make(start=False)
    body = {"new_name": f"{name}-new", "name_check": False, "ip_check": False}
    assert cluster.succeed("PUT", f"/2/instances/{name}/rename", body)["opresult"] == [f"{name}-new"]
    assert cluster.call("GET", f"/2/instances/{name}").status == 404
    assert cluster.instance(f"{name}-new")["name"] == f"{name}-new"


def test_reinstall_is_one_job_of_three_steps(cluster: Cluster) -> None:
    name = cluster.make_ext("snf-vol-r")
    job = cluster.succeed("POST", f"/2/instances/{name}/reinstall", {"os": "synnefo-image+default"})
    steps = ["OP_INSTANCE_SHUTDOWN", "OP_INSTANCE_REINSTALL", "OP_INSTANCE_STARTUP"]
    assert [opcode["OP_ID"] for opcode in job["ops"]] == steps
    assert (job["opstatus"], job["opresult"]) == (["success"] * 3, [None] * 3)
    assert states(cluster, name) == ("up", "running", True)


def test_reinstall_leaves_no_reason_in_the_trail(cluster: Cluster) -> None:
    name = cluster.make_ext("snf-vol-q")
    job = cluster.succeed("POST", f"/2/instances/{name}/reinstall?os=synnefo-image%2Bdefault&nostartup=1&reason=why")
    assert [opcode["OP_ID"] for opcode in job["ops"]] == ["OP_INSTANCE_SHUTDOWN", "OP_INSTANCE_REINSTALL"]
    assert "why" not in [entry[1] for opcode in job["ops"] for entry in opcode["reason"]]
    assert states(cluster, name) == ("down", "ADMIN_down", False)
    assert cluster.call("POST", f"/2/instances/{name}/reinstall?reason=why", {"start": False}).status == 400


def test_step_after_a_failed_one_fails_too(cluster: Cluster, running: str) -> None:
    job = cluster.run("POST", f"/2/instances/{running}/reinstall", {})
    assert job["status"] == "error"
    assert job["opresult"] == [
        None,
        ["OpPrereqError", [f"Instance '{running}' has no disks", "wrong_input"]],
        ["OpExecError", ["Preceding opcode failed"]],
    ]


@pytest.mark.parametrize("action", ["migrate", "failover"])
def test_move_without_another_node_fails(cluster: Cluster, running: str, action: str) -> None:
    kind, (message, code) = cluster.fail("PUT", f"/2/instances/{running}/{action}", {})
    assert (kind, code) == ("OpPrereqError", "insufficient_resources")
    assert "Can't find any good node" in message


def test_information_comes_by_a_job(cluster: Cluster, standing: str) -> None:
    job = cluster.finish(cluster.submit("GET", f"/2/instances/{standing}/info?static=1"))
    information = job["opresult"][0][standing]
    assert (information["config_state"], information["run_state"], information["hypervisor"]) == ("up", None, "fake")
