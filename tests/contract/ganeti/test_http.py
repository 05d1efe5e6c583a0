"""The contract of the connection: who may, what is refused at the door, and in which shape."""

from typing import Any

import pytest
from tests.contract.ganeti.cluster import Answer, Cluster


def assert_problem(answer: Answer, status: int, *words: str) -> None:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.value) == {"code", "message", "explain"}
    assert answer.value["code"] == status
    for word in words:
        assert word in answer.value["message"]


def test_version_is_two(cluster: Cluster) -> None:
    assert cluster.get("/version") == 2


def test_every_answer_closes_the_connection(cluster: Cluster) -> None:
    assert cluster.call("GET", "/version").headers["connection"] == "close"


def test_version_without_credentials_is_unauthorized(cluster: Cluster) -> None:
    answer = cluster.call("GET", "/version", auth=None)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == 'Basic realm="Ganeti Remote API"'


def test_wrong_password_is_unauthorized(cluster: Cluster) -> None:
    assert_problem(cluster.call("GET", "/version", auth=(cluster.user, "wrong")), 401)


def test_unknown_user_is_unauthorized(cluster: Cluster) -> None:
    assert_problem(cluster.call("GET", "/version", auth=("nobody", cluster.password)), 401)


def test_reader_may_read(cluster: Cluster) -> None:
    assert cluster.call("GET", "/2/info", auth=(cluster.reader, cluster.reader_password)).status == 200


def test_reader_may_not_modify(cluster: Cluster) -> None:
    assert_problem(cluster.call("DELETE", "/2/instances/x", auth=(cluster.reader, cluster.reader_password)), 403)


def test_reader_may_not_wait_for_a_job(cluster: Cluster) -> None:
    auth = (cluster.reader, cluster.reader_password)
    assert_problem(cluster.call("GET", "/2/jobs/1/wait", {"fields": ["status"]}, auth=auth), 403)


@pytest.mark.parametrize("path", ["/nosuch", "/2/nosuch", "/2/instances/", "/2/jobs/abc", "/2/instances/x/disk/y/grow"])
def test_unknown_path_is_not_found(cluster: Cluster, path: str) -> None:
    assert_problem(cluster.call("GET", path), 404)


@pytest.mark.parametrize("kind", ["instances", "nodes", "groups", "networks"])
def test_unknown_thing_is_not_found(cluster: Cluster, kind: str) -> None:
    assert_problem(cluster.call("GET", f"/2/{kind}/nosuch"), 404)


def test_unsupported_method_is_not_implemented(cluster: Cluster) -> None:
    assert_problem(cluster.call("POST", "/2/jobs"), 501, "POST", "/2/jobs")


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=utf-8", None])
def test_body_of_another_type_is_refused(cluster: Cluster, content_type: str | None) -> None:
    assert_problem(cluster.call("POST", "/2/instances", {}, content_type=content_type), 415)


def test_broken_json_is_refused(cluster: Cluster) -> None:
    assert_problem(cluster.call("POST", "/2/instances", raw=b"{nope"), 400, "Unable to parse JSON data")


@pytest.mark.parametrize(("body", "words"), [([], "list"), (None, "NoneType"), ({}, "version 0"), ({"__version__": 2}, "2")])
def test_creation_needs_an_object_of_version_one(cluster: Cluster, body: Any, words: str) -> None:
    assert_problem(cluster.call("POST", "/2/instances", body), 400, words)


def test_bad_query_argument_is_refused(cluster: Cluster) -> None:
    assert_problem(cluster.call("GET", "/2/instances?bulk=x"), 400, "bulk")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/2/instances"),
        ("PUT", "/2/instances/x/shutdown"),
        ("PUT", "/2/instances/x/modify"),
        ("POST", "/2/instances/x/reboot"),
        ("DELETE", "/2/instances/x"),
        ("POST", "/2/instances/x/disk/0/grow"),
        ("PUT", "/2/instances/x/migrate"),
        ("POST", "/2/networks"),
        ("POST", "/2/groups"),
    ],
)
def test_unknown_parameter_is_refused(cluster: Cluster, method: str, path: str) -> None:
    base = {"POST /2/instances": cluster.spec(), "POST /2/instances/x/disk/0/grow": {"amount": 1}}
    body = {**base.get(f"{method} {path}", {}), "nosuch": 1}
    assert_problem(cluster.call(method, path, body), 400, "Invalid body parameters", "doesn", "nosuch")


@pytest.mark.parametrize(
    "changes",
    [
        {"disks": [{"size": True}]},
        {"disks": [{"": 1}]},
        {"disks": 1},
        {"nics": [{"nosuch": "x"}]},
        {"nics": [{"mode": 1}]},
        {"nics": "x"},
        {"mode": "nosuch"},
        {"disk_template": "nosuch"},
        {"hypervisor": "nosuch"},
        {"tags": [""]},
        {"tags": "x"},
        {"start": "x"},
        {"instance_name": 5},
        {"beparams": []},
        {"priority": 3},
        {"os_type": ""},
    ],
)
def test_creation_with_a_value_of_the_wrong_kind_is_refused(cluster: Cluster, changes: dict[str, Any]) -> None:
    key = next(iter(changes))
    answer = cluster.call("POST", "/2/instances", cluster.spec(**changes))
    assert_problem(answer, 400, f"OP_INSTANCE_CREATE.{key}", "fails validation", "wrong_input")


@pytest.mark.parametrize("key", ["disks", "nics", "mode", "instance_name"])
def test_creation_without_a_required_parameter_is_refused(cluster: Cluster, key: str) -> None:
    spec = cluster.spec()
    del spec[key]
    assert_problem(cluster.call("POST", "/2/instances", spec), 400, f"OP_INSTANCE_CREATE.{key}")


@pytest.mark.parametrize("key", ["reason", "dry_run"])
def test_what_belongs_in_the_query_is_refused_in_the_body(cluster: Cluster, key: str) -> None:
    value: Any = [["a", "b", 1]] if key == "reason" else True
    assert_problem(cluster.call("POST", "/2/instances", cluster.spec(**{key: value})), 400, "overwrite static", key)


def test_old_and_new_name_of_a_parameter_together_are_refused(cluster: Cluster) -> None:
    assert_problem(cluster.call("POST", "/2/instances", cluster.spec(name="x")), 400, "was renamed")


def test_old_names_of_parameters_are_accepted(cluster: Cluster) -> None:
    spec = cluster.spec()
    spec["name"], spec["os"] = spec.pop("instance_name"), spec.pop("os_type")
    cluster.succeed("POST", "/2/instances", spec)
    assert cluster.instance(spec["name"])["os"] == "synnefo-image+default"


@pytest.mark.parametrize("disk", [{"size": "x"}, {"size": 8, "mode": "nosuch"}])
def test_disk_that_the_queue_cannot_parse_is_a_bad_gateway(cluster: Cluster, disk: dict[str, Any]) -> None:
    spec = cluster.spec(disk_template="file", disks=[disk])
    assert_problem(cluster.call("POST", "/2/instances", spec), 502, "Failed to parse request", "disks")


@pytest.mark.parametrize("nics", [[["nosuch", -1, {}]], [["add", -1]], [["add", -1, {"nosuch": "x"}]], [["add", True, {}]], "x"])
def test_malformed_modification_is_refused(cluster: Cluster, nics: Any) -> None:
    assert_problem(cluster.call("PUT", "/2/instances/x/modify", {"nics": nics}), 400, "OP_INSTANCE_SET_PARAMS.nics")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/2/instances/x/disk/0/grow", None, "amount"),
        ("/2/instances/x/disk/0/grow", {"amount": -1}, "amount"),
        ("/2/instances/x/disk/0/grow", {"amount": "5"}, "amount"),
        ("/2/instances/x/disk/16/grow", {"amount": 1}, "disk"),
        ("/2/instances/x/reboot?type=nosuch", {}, "reboot_type"),
    ],
)
def test_call_with_a_bad_value_is_refused(cluster: Cluster, path: str, body: Any, words: str) -> None:
    assert_problem(cluster.call("POST", path, body), 400, words, "fails validation")


def test_shutdown_with_a_negative_timeout_is_refused(cluster: Cluster) -> None:
    assert_problem(cluster.call("PUT", "/2/instances/x/shutdown", {"timeout": -1}), 400, "timeout")
