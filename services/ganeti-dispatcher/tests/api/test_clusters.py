"""The operator's clusters through HTTP, and what is told of them."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from synnefo_common.testing.waiting import wait_until

KEYS = {
    "name", "rapi_url", "username", "certificate_pem", "zone", "drained", "offline", "online", "error", "version", "hypervisors",
    "disk_templates", "nodes", "mem_total_mib", "mem_free_mib", "disk_total_gib", "disk_free_gib", "cpu_total", "cpu_used",
    "instances", "reported_at", "created_at", "updated_at",
}  # fmt: skip
REPORT_KEYS = {
    "cluster", "online", "drained", "zone", "group", "hypervisors", "disk_templates", "nodes", "mem_total_mib", "mem_free_mib",
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


async def test_wrong_password_and_wrong_certificate_keep_a_cluster_offline_until_mended(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", "beta", is_registered=False)
    alpha, beta = (cloud.clusters[name].body() for name in ("alpha", "beta"))
    wrong = (await cloud.h.as_admin().post("/v1/clusters", json=alpha | {"password": "wrong"})).json()["cluster"]
    assert (wrong["online"], "401" in wrong["error"]) == (False, True)
    foreign = beta | {"certificate_pem": alpha["certificate_pem"]}
    assert (await cloud.h.as_admin().post("/v1/clusters", json=foreign)).json()["cluster"]["online"] is False
    for name, change in (("alpha", {"password": alpha["password"]}), ("beta", beta)):
        assert (await cloud.h.as_admin().put(f"/v1/clusters/{name}", json=change)).status_code == 200

    async def both_online() -> bool:
        listed = (await cloud.h.as_admin().get("/v1/clusters")).json()["clusters"]
        return [c["online"] for c in listed] == [True, True]

    await wait_until(both_online)


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
