"""The contract of jobs: shape, states, waiting, the reason trail by which a lost job is found again."""

import time

import pytest
from tests.contract.ganeti.cluster import Cluster

BULK_FIELDS = {"id", "ops", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts"}
FIELDS = BULK_FIELDS | {"oplog", "opresult"}
WAIT = {"fields": ["status", "opstatus", "opresult"], "previous_job_info": None, "previous_log_serial": None}


def test_job_of_a_creation_has_the_known_shape(cluster: Cluster) -> None:
    spec = cluster.spec(nics=[{"mode": "bridged", "link": "br0"}])
    job_id = cluster.submit("POST", "/2/instances", spec)
    job = cluster.finish(job_id)
    assert set(job) == FIELDS
    assert (job["id"], job["status"], job["opstatus"]) == (job_id, "success", ["success"])
    assert job["summary"] == [f"INSTANCE_CREATE({spec['instance_name']})"]
    assert job["opresult"] == [[cluster.node()]]
    stamps = [job["received_ts"], job["start_ts"], job["end_ts"]]
    assert all(len(stamp) == 2 and all(isinstance(part, int) for part in stamp) for stamp in stamps)
    assert stamps == sorted(stamps)


def test_opcode_tells_what_was_asked_and_found(cluster: Cluster) -> None:
    spec = cluster.spec(nics=[{"mode": "bridged", "link": "br0"}])
    opcode = cluster.succeed("POST", "/2/instances", spec)["ops"][0]
    asked = {key: value for key, value in spec.items() if key != "__version__"}
    assert {key: opcode[key] for key in asked} == asked
    assert opcode["OP_ID"] == "OP_INSTANCE_CREATE"
    assert opcode["pnode_uuid"] == cluster.get(f"/2/nodes/{cluster.node()}")["uuid"]
    assert (opcode["priority"], opcode["depends"], opcode["comment"]) == (0, None, None)
    assert opcode["dry_run"] is False
    assert "iallocator" not in opcode  # what is unset is left out
    assert opcode["start"] is True  # and defaults are filled in


def test_log_lines_are_numbered_and_stamped(cluster: Cluster) -> None:
    job = cluster.succeed("POST", "/2/instances", cluster.spec())
    lines = job["oplog"][0]
    assert [line[0] for line in lines] == list(range(1, len(lines) + 1))
    assert all(line[2] == "message" and len(line[1]) == 2 for line in lines)
    assert lines[0][3] == "* creating instance disks..."
    assert lines[-1][3] == "* starting instance..."


def test_unknown_job_is_all_null_and_not_a_404(cluster: Cluster) -> None:
    job = cluster.get("/2/jobs/9999999")
    assert job.pop("id") == 9999999
    assert set(job) == FIELDS - {"id"}
    assert set(job.values()) == {None}


def test_bulk_list_has_no_results_and_no_logs(cluster: Cluster, standing: str) -> None:
    jobs = cluster.get("/2/jobs?bulk=1")
    assert all(set(job) == BULK_FIELDS for job in jobs)
    assert any(job["summary"] == [f"INSTANCE_CREATE({standing})"] for job in jobs)


def test_list_gives_numbers_in_order(cluster: Cluster, running: str) -> None:
    jobs = cluster.get("/2/jobs")
    assert jobs == [{"id": job["id"], "uri": f"/2/jobs/{job['id']}"} for job in jobs]
    assert [job["id"] for job in jobs] == sorted(job["id"] for job in jobs)


def test_reason_is_first_in_the_trail_of_the_job(cluster: Cluster, running: str) -> None:
    token = f"synnefo:{running}:stop"
    job = cluster.succeed("PUT", f"/2/instances/{running}/shutdown?reason={token}", {"timeout": 0})
    trail = job["ops"][0]["reason"]
    assert [entry[:2] for entry in trail] == [
        ["gnt:user", token],
        ["gnt:library:rlib2:instances_name_shutdown", ""],
        ["gnt:opcode:instance_shutdown", f"job={job['id']};index=0"],
    ]
    assert all(isinstance(entry[2], int) for entry in trail)


@pytest.mark.parametrize("kind", ["create", "modify", "delete", "tags", "reboot", "startup"])
def test_reason_is_seen_in_the_bulk_list(cluster: Cluster, kind: str) -> None:
    name = "" if kind == "create" else cluster.make()
    reason = f"synnefo:{kind}-{time.time_ns()}"
    call = {
        "create": ("POST", f"/2/instances?reason={reason}", cluster.spec()),
        "modify": ("PUT", f"/2/instances/{name}/modify?reason={reason}", {"beparams": {"vcpus": 1}}),
        "delete": ("DELETE", f"/2/instances/{name}?reason={reason}", {"shutdown_timeout": 0}),
        "tags": ("PUT", f"/2/instances/{name}/tags?tag=a&reason={reason}", None),
        "reboot": ("POST", f"/2/instances/{name}/reboot?type=hard&reason={reason}", {"shutdown_timeout": 0}),
        "startup": ("PUT", f"/2/instances/{name}/startup?reason={reason}", None),
    }[kind]
    job_id = cluster.submit(*call)
    found = [job["id"] for job in cluster.get("/2/jobs?bulk=1") if job["ops"][0]["reason"][0][1] == reason]
    assert found == [job_id]
    cluster.finish(job_id)


def test_job_without_reason_has_no_user_entry(cluster: Cluster, running: str) -> None:
    job = cluster.succeed("PUT", f"/2/instances/{running}/startup")
    assert "gnt:user" not in [entry[0] for entry in job["ops"][0]["reason"]]


def test_wait_answers_at_once_when_nothing_is_known(cluster: Cluster, running: str) -> None:
    job_id = cluster.submit("PUT", f"/2/instances/{running}/shutdown", {"timeout": 0})
    answer = cluster.call("GET", f"/2/jobs/{job_id}/wait", WAIT)
    assert answer.status == 200
    assert set(answer.value) == {"job_info", "log_entries"}
    status, opstatus, opresult = answer.value["job_info"]
    assert status in ("queued", "waiting", "running", "success")
    assert (len(opstatus), len(opresult)) == (1, 1)


def test_wait_follows_a_job_to_its_end(cluster: Cluster) -> None:
    job_id = cluster.submit("POST", "/2/instances", cluster.spec())
    previous, serial, states, lines = None, None, [], []
    deadline = time.monotonic() + cluster.job_timeout_s
    while time.monotonic() < deadline:
        body = {**WAIT, "previous_job_info": previous, "previous_log_serial": serial}
        change = cluster.call("GET", f"/2/jobs/{job_id}/wait", body).value
        if change is None:
            continue
        previous = change["job_info"]
        states.append(previous[0])
        lines += [entry[3] for entry in change["log_entries"]]
        serial = change["log_entries"][-1][0] if change["log_entries"] else serial
        if previous[0] in ("success", "error"):
            break
    assert states[-1] == "success"
    order = ["queued", "waiting", "running", "success"]
    assert [order.index(state) for state in states] == sorted(order.index(state) for state in states)
    assert lines[-1] == "* starting instance..."
    assert len(lines) == len(set(lines))


def test_wait_for_a_finished_job_answers_at_once_even_unchanged(cluster: Cluster, running: str) -> None:
    job = cluster.succeed("PUT", f"/2/instances/{running}/startup")
    known = [job["status"], job["opstatus"], job["opresult"]]
    begin = time.monotonic()
    answer = cluster.call("GET", f"/2/jobs/{job['id']}/wait", {**WAIT, "previous_job_info": known})
    assert answer.value["job_info"] == known
    assert time.monotonic() - begin < 5


def test_wait_gives_the_error_of_a_failed_job(cluster: Cluster) -> None:
    job_id = cluster.submit("DELETE", "/2/instances/nosuch", {"shutdown_timeout": 0})
    cluster.finish(job_id)
    status, opstatus, opresult = cluster.call("GET", f"/2/jobs/{job_id}/wait", WAIT).value["job_info"]
    assert (status, opstatus) == ("error", ["error"])
    assert opresult == [["OpPrereqError", ["Instance 'nosuch' not known", "unknown_entity"]]]


def test_wait_for_an_unknown_field_gives_null(cluster: Cluster, standing: str) -> None:
    job_id = cluster.get("/2/jobs")[0]["id"]
    assert cluster.call("GET", f"/2/jobs/{job_id}/wait", {"fields": ["nosuch"]}).value["job_info"] == [None]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 500),
        ({}, 400),
        ({"fields": "status"}, 400),
        ({"fields": ["status"], "previous_job_info": "x"}, 400),
        ({"fields": ["status"], "previous_log_serial": "x"}, 400),
    ],
)
def test_malformed_wait_is_refused(cluster: Cluster, body: object, status: int) -> None:
    assert cluster.call("GET", "/2/jobs/1/wait", body).status == status


def test_wait_for_an_unknown_job_is_a_server_error(cluster: Cluster) -> None:
    answer = cluster.call("GET", "/2/jobs/9999999/wait", WAIT)
    assert (answer.status, answer.value["message"]) == (500, "Can't load job file".replace("'", "&#x27;"))


def test_unknown_job_cannot_be_canceled(cluster: Cluster) -> None:
    assert cluster.call("DELETE", "/2/jobs/9999999").value == [False, "Job 9999999 not found in queue"]


def test_finished_job_cannot_be_canceled(cluster: Cluster, running: str) -> None:
    job = cluster.succeed("PUT", f"/2/instances/{running}/startup")
    done, text = cluster.call("DELETE", f"/2/jobs/{job['id']}").value
    assert done is False
    assert isinstance(text, str)


def test_job_may_depend_on_another(cluster: Cluster) -> None:
    first = cluster.submit("POST", "/2/instances", cluster.spec())
    second = cluster.submit("POST", "/2/instances", cluster.spec(depends=[[first, ["success"]]]))
    job = cluster.finish(second)
    assert job["status"] == "success"
    assert job["ops"][0]["depends"] == [[first, ["success"]]]
    assert cluster.get(f"/2/jobs/{first}")["end_ts"] <= job["end_ts"]


def test_dependency_on_an_unknown_job_fails(cluster: Cluster) -> None:
    kind, details = cluster.fail("POST", "/2/instances", cluster.spec(depends=[[9999999, ["success"]]]))
    assert kind == "OpExecError"
    assert "9999999 not found" in details[0]


def test_jobs_on_one_instance_run_in_order(cluster: Cluster, running: str) -> None:
    path = f"/2/instances/{running}"
    ids = [
        cluster.submit("PUT", f"{path}/shutdown", {"timeout": 0}),
        cluster.submit("PUT", f"{path}/startup"),
        cluster.submit("PUT", f"{path}/shutdown", {"timeout": 0}),
    ]
    ends = [cluster.finish(job_id)["end_ts"] for job_id in ids]
    assert ends == sorted(ends)
    assert cluster.instance(running)["admin_state"] == "down"


def test_dry_run_succeeds_and_does_nothing(cluster: Cluster) -> None:
    spec = cluster.spec()
    job = cluster.succeed("POST", "/2/instances?dry-run=1", spec)
    assert "dry-run" in job["oplog"][0][-1][3]
    assert cluster.call("GET", f"/2/instances/{spec['instance_name']}").status == 404
