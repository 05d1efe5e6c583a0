"""The operator's clusters through HTTP, and what is told of them."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from synnefo_common.testing.waiting import wait_until

KEYS = {
    "name", "rapi_url", "username", "certificate_pem", "zone", "drained", "offline", "online", "error", "master", "version", "hypervisors",
    "disk_templates", "hotplug", "groups", "nodes_offline", "nodes_drained", "nodes",
    "mem_total_mib", "mem_free_mib", "disk_total_gib", "disk_free_gib", "cpu_total", "cpu_used",
    "instances", "reported_at", "created_at", "updated_at",
}  # fmt: skip
REPORT_KEYS = {
    "cluster", "online", "drained", "zone", "groups", "hypervisors", "disk_templates", "hotplug", "version", "nodes", "mem_total_mib", "mem_free_mib",
    "disk_total_gib", "disk_free_gib", "cpu_total", "cpu_used", "instances", "reported_at",
}  # fmt: skip


def _reports(cloud: Any) -> list[dict[str, Any]]:
    return list(cloud.h.events_of("ganeti.cluster.reported"))


async def test_registered_cluster_is_known_with_its_capacity_at_once(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", is_registered=False)
    body = cloud.clusters["alpha"].body() | {"zone": "west"}
    answer = await cloud.h.as_admin().post("/v1/clusters", json=body)
    assert answer.status_code == 201
    cluster = answer.json()["cluster"]
    assert set(cluster) == KEYS
    assert (cluster["online"], cluster["hypervisors"], cluster["nodes"], cluster["zone"]) == (True, ["fake"], 1, "west")
    assert "ext" in cluster["disk_templates"]
    assert cluster["mem_total_mib"] > 0
    await cloud.h.settle()
    report = _reports(cloud)[0]
    assert set(report) == REPORT_KEYS
    assert (report["online"], report["zone"], report["instances"], report["cpu_used"]) == (True, "west", 0, 0)
    shown = (await cloud.h.as_admin().get("/v1/clusters/alpha")).json()["cluster"]
    assert set(shown) == KEYS
    assert [c["name"] for c in (await cloud.h.as_admin().get("/v1/clusters")).json()["clusters"]] == ["alpha"]
    internal = (await cloud.h.internal().get("/internal/v1/clusters")).json()["clusters"]
    assert set(internal[0]) == REPORT_KEYS


async def test_password_is_nowhere_to_be_seen(cloud: Any) -> None:
    password = cloud.clusters["alpha"].facts["password"]
    for path in ("/v1/clusters", "/v1/clusters/alpha"):
        assert password not in (await cloud.h.as_admin().get(path)).text
    with sqlite3.connect(cloud.directory / "dispatcher.db") as db:
        assert password not in "\n".join(db.iterdump())
    db.close()


async def test_cluster_that_does_not_answer_is_registered_offline_and_comes_when_it_does(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", is_registered=False)
    alpha = cloud.clusters["alpha"]
    body = alpha.body()
    await alpha.stop()
    answer = await cloud.h.as_admin().post("/v1/clusters", json=body)
    assert answer.status_code == 201
    assert answer.json()["cluster"]["online"] is False
    assert answer.json()["cluster"]["error"]
    await alpha.start()
    await wait_until(lambda: _reports(cloud) and _reports(cloud)[-1]["online"], what="online")


async def test_wrong_credentials_and_certificates_are_refused_at_once(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", "beta", is_registered=False)
    admin = cloud.h.as_admin()
    alpha, beta = (cloud.clusters[name].body() for name in ("alpha", "beta"))
    reader = {"username": "reader", "password": cloud.clusters["alpha"].facts["reader_password"]}
    for wrong in ({"password": "wrong"}, {"username": "nobody"}, {"certificate_pem": beta["certificate_pem"]}, reader):
        refused = await admin.post("/v1/clusters", json=alpha | wrong)
        assert (refused.status_code, refused.json()["error"]["fault"]) == (400, "dispatcher.cluster.refused"), wrong
    assert (await admin.get("/v1/clusters")).json() == {"clusters": []}
    assert (await admin.post("/v1/clusters", json=alpha)).status_code == 201
    for wrong in ({"password": "wrong"}, {"username": "nobody"}, {"certificate_pem": beta["certificate_pem"]}, reader):
        refused = await admin.put("/v1/clusters/alpha", json=wrong)
        assert (refused.status_code, refused.json()["error"]["fault"]) == (400, "dispatcher.cluster.refused"), wrong
    refused = await admin.put("/v1/clusters/alpha", json={"rapi_url": "https://127.0.0.1:1"})
    assert (refused.status_code, refused.json()["error"]["fault"]) == (409, "dispatcher.cluster.unreachable")
    assert (await admin.get("/v1/clusters/alpha")).json()["cluster"]["online"] is True
    await wait_until(cloud._has_queue("alpha"))
    assert await cloud.server()  # with the credentials that it had


async def test_changes_while_offline_are_tried_when_it_comes_back(cloud: Any) -> None:
    admin = cloud.h.as_admin()
    right = cloud.clusters["alpha"].body()["password"]
    assert (await admin.put("/v1/clusters/alpha", json={"offline": True, "password": "wrong"})).status_code == 200
    refused = await admin.put("/v1/clusters/alpha", json={"offline": False})
    assert (refused.status_code, refused.json()["error"]["fault"]) == (400, "dispatcher.cluster.refused")
    back = await admin.put("/v1/clusters/alpha", json={"offline": False, "password": right})
    assert (back.status_code, back.json()["cluster"]["online"]) == (200, True)
    assert await cloud.server()


async def test_password_that_ganeti_changed_keeps_a_cluster_offline_until_mended(cloud: Any) -> None:
    await cloud.clusters["alpha"].hurt({"fault": "status", "status": 401, "path": "^/2/(info|nodes)", "times": None})
    shown = (await cloud.h.as_admin().post("/v1/clusters/alpha/refresh")).json()["cluster"]
    assert (shown["online"], "401" in shown["error"]) == (False, True)
    await cloud.clusters["alpha"].heal()
    shown = (await cloud.h.as_admin().post("/v1/clusters/alpha/refresh")).json()["cluster"]
    assert (shown["online"], shown["error"]) == (True, None)


async def test_one_cluster_has_one_name(cloud: Any) -> None:
    again = await cloud.h.as_admin().post("/v1/clusters", json=cloud.clusters["alpha"].body() | {"name": "omega"})
    assert (again.status_code, again.json()["error"]["fault"]) == (409, "dispatcher.cluster.same")


async def test_refresh_shows_what_is_so_now(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", nodes=2, report_period_s=600.0)
    alpha, admin = cloud.clusters["alpha"], cloud.h.as_admin()
    first = (await admin.get("/v1/clusters/alpha")).json()["cluster"]
    assert (first["nodes"], first["nodes_offline"], first["hotplug"]) == (2, [], False)
    node = sorted(first["groups"][0]["node_names"])[1]
    await alpha.act("node_offline", name=node)
    shown = (await admin.post("/v1/clusters/alpha/refresh")).json()["cluster"]
    assert (shown["nodes"], shown["nodes_offline"], shown["master"]) == (1, [node], first["master"])
    await admin.put("/v1/clusters/alpha", json={"offline": True})
    assert (await admin.post("/v1/clusters/alpha/refresh")).status_code == 409


async def test_node_groups_are_told_with_their_zones(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", nodes=3)
    alpha, admin = cloud.clusters["alpha"], cloud.h.as_admin()
    await alpha.job("POST", "/2/groups", {"group_name": "racks"})
    await alpha.job("PUT", "/2/groups/racks/tags?tag=synnefo:zone:west")
    nodes = sorted((await admin.get("/v1/clusters/alpha")).json()["cluster"]["groups"][0]["node_names"])
    await alpha.act("move_node", name=nodes[2], to="racks")
    await admin.put("/v1/clusters/alpha", json={"zone": "east"})
    shown = (await admin.post("/v1/clusters/alpha/refresh")).json()["cluster"]
    assert [(g["name"], g["zone"], g["node_names"], g["is_open"]) for g in shown["groups"]] == [
        ("default", "east", nodes[:2], True), ("racks", "west", nodes[2:], True),
    ]  # fmt: skip
    assert sum(g["mem_total_mib"] for g in shown["groups"]) == shown["mem_total_mib"]
    await cloud.h.settle()
    told = _reports(cloud)[-1]["groups"]
    assert [(g["name"], g["zone"], g["nodes"], "node_names" in g) for g in told] == [("default", "east", 2, False), ("racks", "west", 1, False)]
    assert [[node["name"] for node in group["members"]] for group in told] == [nodes[:2], nodes[2:]]
    assert all(sum(node[key] for node in group["members"]) == group[key] for group in told for key in ("mem_free_mib", "cpu_total", "instances"))


async def test_key_of_the_passwords_is_changed_by_restarts(make_cloud: Any) -> None:
    from cryptography.fernet import Fernet

    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    cloud = await make_cloud("alpha", secret_key=old)
    for keys in (f"{new},{old}", new):
        cloud.settings["secret_key"] = keys
        await cloud.restart()
        assert await cloud.server()


async def test_jobs_go_to_a_cluster_added_while_running(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", "beta")
    assert await cloud.server(cluster="beta")


async def test_drained_and_offline(cloud: Any) -> None:
    admin = cloud.h.as_admin()
    assert (await admin.put("/v1/clusters/alpha", json={"drained": True})).json()["cluster"]["drained"] is True
    await wait_until(lambda: _reports(cloud)[-1]["drained"])
    server_id = await cloud.server()  # drained is the allocator's business
    answer = (await admin.put("/v1/clusters/alpha", json={"drained": False, "offline": True})).json()["cluster"]
    assert (answer["online"], answer["offline"]) == (False, True)
    await wait_until(lambda: not _reports(cloud)[-1]["online"])
    token = await cloud.ask("instance.shutdown", server_id)
    assert (await cloud.job(token))["state"] == "queued"
    assert (await cloud.h.internal().get("/internal/v1/instances")).json() == {"instances": [], "unreachable": ["alpha"]}
    await admin.put("/v1/clusters/alpha", json={"offline": False})
    assert (await cloud.ended(token))[0] == "succeeded"


async def test_cluster_in_use_is_kept_unless_forced(cloud: Any) -> None:
    await cloud.server()
    admin = cloud.h.as_admin()
    refused = await admin.delete("/v1/clusters/alpha")
    assert refused.status_code == 409
    assert refused.json()["error"]["fault"] == "dispatcher.cluster.in_use"
    assert (await admin.delete("/v1/clusters/alpha?force=true")).status_code == 204
    assert (await admin.get("/v1/clusters/alpha")).status_code == 404
    await wait_until(lambda: cloud.h.events_of("ganeti.cluster.removed") == [{"cluster": "alpha"}])
    await wait_until(lambda: "ganeti.jobs.alpha" not in cloud.h.bus._bound, what="its queue gone")
    assert (await admin.post("/v1/clusters", json=cloud.clusters["alpha"].body())).status_code == 201
    await wait_until(cloud._has_queue("alpha"))
    assert await cloud.server()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a.b"}, {"name": ""}, {"name": "ä"}, {"name": 7}, {"rapi_url": "http://x:1"}, {"rapi_url": "https://"},
        {"rapi_url": "https://x:99999"}, {"rapi_url": "https://x/path"}, {"rapi_url": "https://u:p@x"}, {"username": ""},
        {"username": "a\0b"}, {"password": "\ud800"}, {"password": None}, {"certificate_pem": "none"}, {"zone": "x" * 256},
        {"drained": "yes"}, {"unknown": 1}, {"rapi_url": None},
    ],
)  # fmt: skip
async def test_bad_bodies_are_refused(cloud: Any, change: dict[str, Any]) -> None:
    import json

    body = json.dumps(cloud.clusters["alpha"].body() | {"name": "gamma"} | change).encode()
    answer = await cloud.h.as_admin().post("/v1/clusters", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == 400


async def test_names_are_unique_and_do_not_change(cloud: Any) -> None:
    admin = cloud.h.as_admin()
    assert (await admin.post("/v1/clusters", json=cloud.clusters["alpha"].body())).status_code == 409
    assert (await admin.put("/v1/clusters/alpha", json={"name": "beta"})).status_code == 400
    assert (await admin.put("/v1/clusters/alpha", json={"password": None})).status_code == 400
    for method, path in (("GET", "nosuch"), ("PUT", "nosuch"), ("DELETE", "nosuch"), ("GET", "%00"), ("GET", "%ff")):
        answer = await admin.request(method, f"/v1/clusters/{path}", json={} if method == "PUT" else None)
        assert answer.status_code == 404, (method, path)


async def test_jobs_are_listed_filtered_and_paged(cloud: Any, new_id: Any) -> None:
    admin, server_id = cloud.h.as_admin(), await cloud.server()
    tokens = [await cloud.ask("instance.reboot", server_id) for _ in range(3)]
    failed = await cloud.ask("instance.startup", new_id())
    for token in [*tokens, failed]:
        await cloud.ended(token)
    listed = (await admin.get(f"/v1/jobs?server_id={server_id}")).json()["jobs"]
    assert [job["job_token"] for job in listed][:3] == tokens[::-1]
    assert [job["job_token"] for job in (await admin.get("/v1/jobs?state=failed")).json()["jobs"]] == [failed]
    page = (await admin.get(f"/v1/jobs?server_id={server_id}&limit=2")).json()
    assert len(page["jobs"]) == 2
    rest = (await admin.get(page["jobs_links"][0]["href"])).json()
    assert [job["job_token"] for job in rest["jobs"]] == [job["job_token"] for job in listed[2:]]
    for query in ("state=odd", "server_id=x", "limit=-1", "limit=x", "marker=nosuch", "marker=%00", "cluster=%00", "limit=99999999999"):
        assert (await admin.get(f"/v1/jobs?{query}")).status_code == 400, query


async def test_instances_and_consoles(cloud: Any, new_id: Any) -> None:
    server_id = await cloud.server()
    internal = cloud.h.internal()
    found = (await internal.get("/internal/v1/instances")).json()
    assert found["unreachable"] == []
    (instance,) = found["instances"]
    assert (instance["server_id"], instance["cluster"], instance["status"]) == (server_id, "alpha", "running")
    assert instance["tags"] == [f"synnefo:server:{server_id}"]
    assert instance["nics"][0]["name"].startswith("snf-nic-")
    log = await internal.get(f"/internal/v1/instances/{server_id}/console-log?length=5")
    assert log.status_code == 409
    assert log.json()["error"]["message"] == "The hypervisor 'fake' of cluster alpha has no serial console."
    assert (await internal.get(f"/internal/v1/instances/{server_id}/console")).status_code == 409
    for other in (new_id(), "x", "%00"):
        for what in ("console", "console-log"):
            assert (await internal.get(f"/internal/v1/instances/{other}/{what}")).status_code == 404
    assert (await internal.get(f"/internal/v1/instances/{server_id}/console-log?length=x")).status_code == 400
    facts = (await cloud.h.as_admin().get("/admin/v1/audit")).json()
    assert [i["server_id"] for i in facts["instances"]] == [server_id]
    assert set(facts["effective_jobs"].values()) == {1}
    assert facts["live_jobs"] == []
