"""What happens to a cluster and its instances by other hands: each is told, nothing is done twice, nothing foreign is touched."""

from __future__ import annotations

from typing import Any

import pytest

from synnefo_common.testing.waiting import wait_until

pytestmark = pytest.mark.slow  # a fake Ganeti in a process of its own for each


def _observed(cloud: Any, server_id: str) -> list[dict[str, Any]]:
    return [data for data in cloud.h.events_of("ganeti.instance.observed") if data["server_id"] == server_id]


async def test_instance_that_was_renamed_is_gone_and_its_new_name_is_left_alone(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", report_period_s=0.1)
    alpha, server_id = cloud.clusters["alpha"], await cloud.server()
    await alpha.act("rename_instance", name=f"snf-{server_id}", to="operators-own")
    await wait_until(lambda: _observed(cloud, server_id), what="the instance told gone")
    assert _observed(cloud, server_id)[-1]["exists"] is False
    await cloud.done("instance.delete", server_id)  # what is gone is deleted
    listed = await alpha.call("GET", "/2/instances?bulk=1")
    assert [instance["name"] for instance in listed] == ["operators-own"]


async def test_server_on_a_node_that_died_is_told_and_its_jobs_fail_with_the_reason(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", nodes=2, report_period_s=0.1)
    alpha, server_id = cloud.clusters["alpha"], await cloud.server()
    node = (await alpha.instance(server_id))["pnode"]
    await alpha.act("node_offline", name=node)
    await wait_until(lambda: _observed(cloud, server_id), what="the node's death told")
    assert _observed(cloud, server_id)[-1]["status"] == "ERROR_nodeoffline"
    state, data = await cloud.ended(await cloud.ask("instance.reboot", server_id))
    assert state == "failed"
    assert data["error"]["message"]
    await alpha.act("node_offline", name=node, to=False)
    await wait_until(lambda: _observed(cloud, server_id)[-1]["status"] == "running", what="the node told back")
    await cloud.done("instance.reboot", server_id)


async def test_job_goes_on_when_the_master_moved_to_another_address(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", job_delay_s=0.4)
    alpha, server_id = cloud.clusters["alpha"], new_id()
    running = await cloud.ask("instance.create", server_id, params(server_id))
    await cloud.in_state(running, "submitted")
    await alpha.stop()
    alpha._port = 0
    await alpha.start()
    waiting = await cloud.ask("instance.create", other := new_id(), params(other))
    moved = await cloud.h.as_admin().put("/v1/clusters/alpha", json={"rapi_url": alpha.facts["url"]})
    assert (moved.status_code, moved.json()["cluster"]["online"]) == (200, True)
    assert (await cloud.ended(waiting))[0] == "succeeded"
    await cloud.ended(running)  # as Ganeti says: its process died with the old master
    for token in (running, waiting):
        assert len(await alpha.jobs(token)) == 1


@pytest.mark.parametrize("seconds", [-7200, 7200])
async def test_clock_of_the_cluster_does_not_matter(cloud: Any, new_id: Any, params: Any, seconds: int) -> None:
    alpha, server_id = cloud.clusters["alpha"], new_id()
    await alpha.act("shift_clock", seconds=seconds)
    await alpha.hurt({"fault": "lost_answer", "method": "POST", "path": "/2/instances$"})
    token = await cloud.ask("instance.create", server_id, params(server_id))
    assert (await cloud.ended(token))[0] == "succeeded"
    assert len(await alpha.jobs(token)) == 1
    for verb in ("instance.shutdown", "instance.startup"):
        await cloud.done(verb, server_id)
    orders = [event.data["order"] for event in cloud.h.events if event.type == "ganeti.job.succeeded"]
    assert orders == sorted(orders)


async def test_stop_goes_before_creations_that_wait(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", job_delay_s=0.3, max_jobs_in_flight=1)
    server_id = await cloud.server()
    tokens = [await cloud.ask("instance.create", s, params(s)) for s in (new_id(), new_id(), new_id())]
    await cloud.ended(await cloud.ask("instance.shutdown", server_id))
    assert sum(bool(cloud.endings(token)) for token in tokens) <= 1


async def test_group_of_one_node_is_named_by_the_node_and_others_are_left_to_the_allocator(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", nodes=3)
    alpha, admin = cloud.clusters["alpha"], cloud.h.as_admin()
    await alpha.job("POST", "/2/groups", {"group_name": "racks"})
    nodes = sorted((await admin.get("/v1/clusters/alpha")).json()["cluster"]["groups"][0]["node_names"])
    await alpha.act("move_node", name=nodes[2], to="racks")
    await admin.put("/v1/clusters/alpha", json={"zone": "east"})  # its worker looks again
    await wait_until(lambda: len(cloud.h.events_of("ganeti.cluster.reported")[-1]["groups"]) == 2, what="both groups told")
    for group, expected in (("racks", nodes[2:]), ("default", nodes[:2])):
        await cloud.done("instance.create", server_id := new_id(), params(server_id) | {"group": group})
        assert (await alpha.instance(server_id))["pnode"] in expected
