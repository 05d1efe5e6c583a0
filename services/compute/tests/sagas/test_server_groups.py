"""Servers of a group run together or apart: which node each is sent to, and what is said when that cannot be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from services.compute.tests.api.test_server_groups import create, server
from services.compute.tests.cloud import ComputeHarness
from services.compute.tests.sagas.test_placement import fail, group

from synnefo_compute.app.reconcile import ReportDrift
from synnefo_compute.db import server_groups as server_groups_db


def node(name: str, **changes: Any) -> dict[str, Any]:
    """As the dispatcher tells one of a node group."""
    return {
        "name": name, "nodes": 1, "mem_total_mib": 4096, "mem_free_mib": 4000, "disk_total_gib": 500, "disk_free_gib": 450, "cpu_total": 2,
        "cpu_used": 0, "instances": 0,
    } | changes  # fmt: skip


@pytest.fixture
async def cloud(h: ComputeHarness) -> ComputeHarness:
    """Two clusters, three nodes."""
    await h.report("alpha", groups=[group("default", members=[node("a1"), node("a2", mem_free_mib=3000)])])
    await h.report("beta", groups=[group("default", members=[node("b1", mem_free_mib=2000)])])
    return h


async def boot(h: ComputeHarness, group_id: str) -> str:
    answer = await h.as_member().post("/v2.1/servers", json=server(group=group_id))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["server"]["id"])


def nodes(h: ComputeHarness) -> list[tuple[str, str]]:
    return [(job["cluster"], job["params"]["node"]) for job in h.jobs("create")]


async def test_servers_of_an_anti_affinity_group_are_on_nodes_of_their_own(cloud: ComputeHarness) -> None:
    group_id = await create(cloud)
    made = await asyncio.gather(*(boot(cloud, group_id) for _ in range(4)))
    await cloud.settle()
    assert sorted(nodes(cloud)) == [("alpha", "a1"), ("alpha", "a2"), ("beta", "b1")]
    shown = [await cloud.show(server_id) for server_id in made]
    (failed,) = [one for one in shown if one["status"] == "ERROR"]
    assert "No valid host was found" in failed["fault"]["message"]
    assert "alpha/a1: the server group has its servers there already" in failed["fault"]["message"]
    members = (await cloud.as_member().get(f"/v2.1/os-server-groups/{group_id}")).json()["server_group"]["members"]
    assert sorted(members) == sorted(made)


async def test_servers_of_an_affinity_group_are_on_one_node(cloud: ComputeHarness) -> None:
    group_id = await create(cloud, "affinity")
    await asyncio.gather(*(boot(cloud, group_id) for _ in range(5)))
    await cloud.settle()
    assert nodes(cloud) == [("alpha", "a1")] * 5


async def test_deleted_server_makes_room_and_leaves_the_group(cloud: ComputeHarness) -> None:
    group_id = await create(cloud)
    made = [await boot(cloud, group_id) for _ in range(3)]
    await report_where_they_run(cloud)
    await cloud.as_member().delete(f"/v2.1/servers/{made[1]}")
    await cloud.ganeti_does_all()
    shown = (await cloud.as_member().get(f"/v2.1/os-server-groups/{group_id}")).json()["server_group"]
    assert shown["members"] == [made[0], made[2]]
    free = nodes(cloud)[1]
    await boot(cloud, group_id)
    await cloud.settle()
    assert nodes(cloud)[3] == free


async def report_where_they_run(h: ComputeHarness) -> None:
    """Ganeti did as it was told."""
    await h.settle()
    for job in h.jobs("create"):
        if job["job_token"] not in h._answered:
            h._answered.add(job["job_token"])
            base = {k: job[k] for k in ("job_token", "server_id", "cluster", "verb")}
            await h.deliver("ganeti.job.succeeded", base | {"ganeti_job_id": 1, "node": job["params"]["node"], "error": None})
    await h.settle()


async def test_server_that_was_migrated_counts_where_it_runs(cloud: ComputeHarness) -> None:
    group_id = await create(cloud)
    first = await boot(cloud, group_id)
    await report_where_they_run(cloud)
    assert nodes(cloud) == [("alpha", "a1")]
    observed = {"server_id": first, "cluster": "alpha", "exists": True, "status": "running", "pnode": "a2", "order": [9, 0, 0]}
    await cloud.deliver("ganeti.instance.observed", observed)
    await cloud.settle()
    await boot(cloud, group_id)
    await boot(cloud, group_id)
    await cloud.settle()
    assert sorted(nodes(cloud)[1:]) == [("alpha", "a1"), ("beta", "b1")]


async def test_node_without_room_is_followed_by_the_next_that_the_policy_allows(cloud: ComputeHarness) -> None:
    group_id = await create(cloud)
    await boot(cloud, group_id)
    await cloud.settle()
    await fail(cloud, cloud.jobs("create")[0])
    assert nodes(cloud) == [("alpha", "a1"), ("alpha", "a2")]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("soft-anti-affinity", {("alpha", "a1"): 2, ("alpha", "a2"): 1, ("beta", "b1"): 1}), ("soft-affinity", {("alpha", "a1"): 4})],
)
async def test_soft_policies_do_what_they_can(cloud: ComputeHarness, policy: str, expected: dict[tuple[str, str], int]) -> None:
    group_id = await soft(cloud, policy)
    for _ in range(4):
        await boot(cloud, group_id)
    await cloud.settle()
    assert {place: nodes(cloud).count(place) for place in nodes(cloud)} == expected


async def soft(h: ComputeHarness, policy: str, most: int | None = None) -> str:
    """A group as newer versions of the API make it."""
    group_id = h.ids.uuid()
    values = {"id": group_id, "project_id": h.project_id, "user_id": "u", "name": "g", "policy": policy, "max_server_per_host": most, "created_at": 1}
    async with h.service.kit.db.begin() as uow:
        await server_groups_db.insert_server_group(uow, values)
    return group_id


async def test_so_many_servers_a_node_as_the_rule_says(cloud: ComputeHarness) -> None:
    group_id = await soft(cloud, "anti-affinity", 2)
    for _ in range(7):
        await boot(cloud, group_id)
    await cloud.settle()
    assert sorted(nodes(cloud)) == [("alpha", "a1")] * 2 + [("alpha", "a2")] * 2 + [("beta", "b1")] * 2


async def test_server_whose_group_was_deleted_is_built_where_there_is_room(cloud: ComputeHarness) -> None:
    group_id = await create(cloud)
    first = await boot(cloud, group_id)
    assert (await cloud.as_member().delete(f"/v2.1/os-server-groups/{group_id}")).status_code == 204
    await cloud.ganeti_does()
    assert (await cloud.show(first))["status"] == "ACTIVE"


async def test_members_astray_are_reported_and_not_moved(h: ComputeHarness) -> None:
    await h.report("alpha", groups=[group("default", members=[node("a1"), node("a2")])])
    apart, together = await create(h), await create(h, "affinity")
    made = [await boot(h, group_id) for group_id in (apart, apart, together, together)]
    await report_where_they_run(h)
    reconciler, before = h.service.reconcilers[0], len(h.jobs())
    assert not [action for action in await reconciler.run_once(dry_run=True) if isinstance(action, ReportDrift)]
    for number, (server_id, place) in enumerate(zip(made, ("a1", "a1", "a1", "a2"), strict=True)):
        observed = {"server_id": server_id, "cluster": "alpha", "exists": True, "status": "running", "pnode": place, "order": [50 + number, 0, 0]}
        await h.deliver("ganeti.instance.observed", observed)
    await h.settle()
    found = [action for action in await reconciler.run_once() if isinstance(action, ReportDrift)]
    assert {drift.server_id: drift.what.split(" server group")[0] for drift in found} == {
        made[1]: "it is on a1 of alpha against the anti-affinity of", made[3]: "it is on a2 of alpha against the affinity of",
    }  # fmt: skip
    assert len(h.jobs()) == before
