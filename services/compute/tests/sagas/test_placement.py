"""Where servers go: promises that hold under many creates at once, node groups, and another try where a place had no room."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from services.compute.tests.cloud import IMAGE, NETWORK, ComputeHarness, running_compute

from synnefo_common.settings import SettingsError
from synnefo_compute.settings import Settings


def group(name: str, zone: str | None = None, **changes: Any) -> dict[str, Any]:
    """As the dispatcher tells one."""
    return {
        "name": name, "zone": zone, "is_open": True, "nodes": 1, "mem_total_mib": 8192, "mem_free_mib": 8000, "disk_total_gib": 500,
        "disk_free_gib": 450, "cpu_total": 2, "cpu_used": 0, "instances": 0,
    } | changes  # fmt: skip


async def fail(h: ComputeHarness, job: dict[str, Any], code: str = "insufficient_resources") -> None:
    error = {"type": "OpPrereqError", "message": "no room", "code": code}
    base = {k: job[k] for k in ("job_token", "server_id", "cluster", "verb")}
    await h.deliver("ganeti.job.failed", base | {"ganeti_job_id": 1, "node": None, "error": error})
    await h.settle()


async def test_fifty_creates_at_once_fill_the_cluster_and_no_more(h: ComputeHarness) -> None:
    await h.report(mem_total_mib=4096, mem_free_mib=20 * 128 + 100)
    body = {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "networks": [{"uuid": NETWORK}]}
    answers = await asyncio.gather(*(h.as_member().post("/v2.1/servers", json={"server": body}) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    await h.settle()
    assert len(h.jobs("create")) == 20
    shown = (await h.as_member().get("/v2.1/servers/detail")).json()["servers"]
    failed = [server for server in shown if server["status"] == "ERROR"]
    assert len(failed) == 30
    assert {"not enough memory" in server["fault"]["message"] for server in failed} == {True}


async def test_cluster_without_room_after_all_is_followed_by_the_next(h: ComputeHarness) -> None:
    await h.report("beta", instances=3)
    server_id = await h.server(built=False)
    await h.settle()
    first = h.jobs("create")[0]
    assert first["cluster"] == "alpha"
    await fail(h, first)
    await fail(h, first)  # told twice
    second = h.jobs("create")[1]
    assert (second["cluster"], second["job_token"]) == ("beta", first["job_token"] + ":2")
    assert second["params"] == first["params"]
    assert len(h.jobs("create")) == 2
    h._answered.add(first["job_token"])
    await h.ganeti_does()
    assert (await h.show(server_id))["status"] == "ACTIVE"


async def test_server_that_nobody_has_room_for_says_so(h: ComputeHarness) -> None:
    await h.report("beta")
    server_id = await h.server(built=False)
    await h.settle()
    for turn in range(2):
        await fail(h, h.jobs("create")[turn])
    assert len(h.jobs("create")) == 2
    server = await h.show(server_id)
    assert server["status"] == "ERROR"
    assert "no room" in server["fault"]["message"]
    async with h.service.kit.db.read() as uow:
        from synnefo_compute.db.clusters import get_promise

        assert await get_promise(uow, server_id) is None


async def test_other_failures_are_not_tried_elsewhere(h: ComputeHarness) -> None:
    await h.report("beta")
    server_id = await h.server(built=False)
    await h.settle()
    await fail(h, h.jobs("create")[0], code="wrong_input")
    assert len(h.jobs("create")) == 1
    assert (await h.show(server_id))["status"] == "ERROR"


async def test_node_groups_are_zones_and_places(h: ComputeHarness) -> None:
    await h.report(groups=[group("default", "east"), group("racks", "west", mem_free_mib=300)])
    zones = (await h.as_member().get("/v2.1/os-availability-zone")).json()["availabilityZoneInfo"]
    assert {"east", "west"} <= {zone["zoneName"] for zone in zones}
    for _ in range(3):
        await h.server(built=False, availability_zone="west")
    await h.server(built=False)
    await h.settle()
    assert [job["params"]["group"] for job in h.jobs("create")] == ["racks", "racks", "default"]  # 300 MiB are two servers
    refused = await h.as_member().post(
        "/v2.1/servers", json={"server": {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "networks": "auto", "availability_zone": "north"}}
    )
    assert refused.status_code == 400


async def test_cluster_of_one_group_is_one_place(h: ComputeHarness) -> None:
    await h.report(groups=[group("default", "east")])
    await h.server(availability_zone="east")
    assert "group" not in h.jobs("create")[0]["params"]


async def test_project_has_its_own_clusters() -> None:
    pins = {ComputeHarness.project_id: "beta"}
    async with running_compute(overrides={"project_clusters": pins}) as h:
        await h.report("beta", instances=50, mem_free_mib=1000)
        await h.server()
        assert h.jobs("create")[0]["cluster"] == "beta"


@pytest.mark.parametrize("wrong", [{"filters": ["ram", "moon"]}, {"weighers": {"moon": 1.0}}])
def test_unknown_filters_and_weighers_stop_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises((SettingsError, ValueError), match="moon"):
        Settings(**wrong)
