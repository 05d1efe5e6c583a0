"""Compute's reconciler against what Ganeti says: each drift is mended, or reported where only an operator can judge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from services.compute.tests.cloud import ComputeHarness, running_compute

OVERDUE = {"overdue_s": 0.0}


@pytest.fixture
async def h() -> AsyncIterator[ComputeHarness]:
    async with running_compute(overrides=OVERDUE) as harness:
        yield harness


def instance(h: ComputeHarness, server_id: str, **changes: Any) -> dict[str, Any]:
    """The instance as it should be."""
    return {
        "server_id": server_id, "name": f"snf-{server_id}", "cluster": "alpha", "status": "running", "pnode": "node1",
        "beparams": {"vcpus": 1, "ram_mib": 128}, "nics": [{"name": f"snf-nic-{p['id']}"} for p in h.world.ports[server_id]],
        "disks": [{"name": f"snf-vol-{v['id']}"} for v in h.world.volumes.get(server_id, [])],
    } | changes  # fmt: skip


async def reconcile(h: ComputeHarness, *found: dict[str, Any], dry_run: bool = False) -> Sequence[Any]:
    h.peers["dispatcher"].on("GET", "/internal/v1/instances", {"instances": list(found), "unreachable": ["beta"]})
    actions = await h.service.reconcilers[0].run_once(dry_run=dry_run)
    await h.settle()
    return actions


async def test_no_drift_no_action(h: ComputeHarness) -> None:
    server_id = await h.server()
    assert await reconcile(h, instance(h, server_id)) == []


@pytest.mark.parametrize("kind", ["nic", "disk"])
async def test_device_that_is_lacking_is_added_and_one_too_many_removed(h: ComputeHarness, kind: str) -> None:
    server_id = await h.server()
    right = instance(h, server_id)
    extra = {"nic": "snf-nic-", "disk": "snf-vol-"}[kind] + h.ids.uuid()
    foreign = {"name": "operators-own"}
    before = len(h.jobs())
    await reconcile(h, right | {f"{kind}s": [foreign, {"name": extra}]}, dry_run=True)
    assert len(h.jobs()) == before  # a dry run changes nothing
    await reconcile(h, right | {f"{kind}s": [foreign, {"name": extra}]})
    await reconcile(h, right | {f"{kind}s": [foreign, {"name": extra}]})  # again in the same minutes: the same tokens
    made = h.jobs()[before:]
    assert {job["verb"] for job in made} == {f"instance.remove_{kind}", f"instance.add_{kind}"}
    assert len({job["job_token"] for job in made}) == 2
    removed = next(job for job in made if "remove" in job["verb"])
    added = next(job for job in made if "add" in job["verb"])
    assert removed["params"] == {"name": extra}
    assert added["params"][kind]["name"] == right[f"{kind}s"][0]["name"]


async def test_projection_that_is_wrong_is_put_right_instead(h: ComputeHarness) -> None:
    server_id = await h.server()
    before = len(h.jobs())
    new = h.world.port(server_id, 9)
    h.world.ports[server_id] = [new]  # network changed, and its events were lost
    await reconcile(h, instance(h, server_id))
    assert len(h.jobs()) == before
    addresses = (await h.show(server_id))["addresses"]["net"]
    assert [a["OS-EXT-IPS-MAC:mac_addr"] for a in addresses] == [new["mac_address"]]


async def test_what_a_saga_is_about_is_left_alone(h: ComputeHarness) -> None:
    server_id = await h.server()
    volume = h.ids.uuid()
    answer = await h.as_member().post(f"/v2.1/servers/{server_id}/os-volume_attachments", json={"volumeAttachment": {"volumeId": volume}})
    assert answer.status_code == 200, answer.text
    await h.settle()
    before = len(h.jobs())
    right = instance(h, server_id)
    assert await reconcile(h, right | {"disks": [d for d in right["disks"] if volume not in d["name"]]}) == []
    assert len(h.jobs()) == before


@pytest.mark.parametrize(
    "changes", [{"beparams": {"vcpus": 8, "ram_mib": 128}}, {"beparams": {"vcpus": 1, "ram_mib": 4096}}, {"cluster": "gamma"}]
)
async def test_what_an_operator_may_have_meant_is_reported_only(h: ComputeHarness, changes: dict[str, Any]) -> None:
    server_id = await h.server()
    before, shown = len(h.jobs()), await h.show(server_id)
    actions = await reconcile(h, instance(h, server_id, **changes))
    assert [type(action).__name__ for action in actions] == ["ReportDrift"]
    assert (len(h.jobs()), await h.show(server_id)) == (before, shown)


async def test_stopped_and_vanished_servers_and_orphans(h: ComputeHarness) -> None:
    stopped, gone, orphan = await h.server(), await h.server(), h.ids.uuid()
    stray = instance(h, stopped) | {"server_id": orphan, "name": f"snf-{orphan}"}
    actions = await reconcile(h, instance(h, stopped, status="ADMIN_down"), stray)
    assert sorted(type(action).__name__ for action in actions) == ["ReportOrphan", "TakeFact", "TakeFact"]
    assert [(await h.show(s))["status"] for s in (stopped, gone)] == ["SHUTOFF", "ERROR"]
    assert not [job for job in h.jobs() if job["server_id"] == orphan]


async def test_the_audit_is_told_what_has_no_action_and_no_end(h: ComputeHarness) -> None:
    """Damage by hand: nothing of ours leaves such a state."""
    from sqlalchemy import delete, update

    from synnefo_compute.db.actions import actions
    from synnefo_compute.db.servers import servers

    nameless, endless, silent = [await h.server() for _ in range(3)]
    facts = (await h.as_admin().get("/admin/v1/audit")).json()
    keys = ("servers_without_action", "actions_never_ended", "errors_without_reason")
    assert [facts[key] for key in keys] == [[], [], []]
    async with h.service.kit.db.begin() as uow:
        await uow.run(delete(actions).where(actions.c.server_id == nameless))
        await uow.run(update(actions).where(actions.c.server_id == endless).values(finished_at=None, started_at=1))
        await uow.run(update(servers).where(servers.c.id == silent).values(vm_state="error", fault=None))
    facts = (await h.as_admin().get("/admin/v1/audit")).json()
    assert facts["servers_without_action"] == [nameless]
    assert [(a["server_id"], a["action"]) for a in facts["actions_never_ended"]] == [(endless, "create")]
    assert facts["errors_without_reason"] == [silent]


async def test_an_operator_sees_the_plan_and_has_it_done(h: ComputeHarness) -> None:
    server_id, orphan = await h.server(), h.ids.uuid()
    stray = {"server_id": orphan, "name": f"snf-{orphan}", "cluster": "alpha", "status": "running"}
    foreign = stray | {"server_id": None, "name": "snf-by-hand"}
    found = {"instances": [instance(h, server_id, status="ADMIN_down"), stray, foreign], "unreachable": []}
    h.peers["dispatcher"].on("GET", "/internal/v1/instances", found)

    async def run(**body: Any) -> list[tuple[str, str]]:
        answer = await h.as_admin().post("/admin/v1/reconcile", json=body)
        assert answer.status_code == 200, answer.text
        await h.settle()
        return [(a["action"], a["outcome"]) for r in answer.json()["reconcilers"] for a in r["actions"]]

    assert await run(dry_run=True) == [("TakeFact", "planned"), ("ReportOrphan", "reported"), ("ReportOrphan", "reported")]
    assert (await h.show(server_id))["status"] == "ACTIVE"
    assert await run() == [("TakeFact", "done"), ("ReportOrphan", "reported"), ("ReportOrphan", "reported")]
    assert (await h.show(server_id))["status"] == "SHUTOFF"
    by_name = {"names": ["orphan instances"]}
    assert await run(dry_run=True, **by_name) == [("RemoveOrphan", "planned"), ("ReportOrphan", "reported")]
    assert not [job for job in h.jobs() if job["server_id"] == orphan]
    for _ in range(2):  # twice in the same minutes is the same job
        assert await run(**by_name) == [("RemoveOrphan", "done"), ("ReportOrphan", "reported")]
    removed = [job for job in h.jobs() if job["server_id"] == orphan]
    assert {job["verb"] for job in removed} == {"instance.delete"} and len({job["job_token"] for job in removed}) == 1
    assert (await h.as_admin().post("/admin/v1/reconcile", json={"names": ["other"]})).status_code == 400
    assert (await h.as_member().post("/admin/v1/reconcile", json={})).status_code == 403
