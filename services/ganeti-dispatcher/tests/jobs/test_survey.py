"""What an administrator does in Ganeti by hand, and what a crash does, is told; what our jobs do is not told twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from synnefo_common.testing.waiting import wait_until

pytestmark = pytest.mark.slow  # a fake Ganeti in a process of its own for each


def _observed(cloud: Any, server_id: str) -> list[dict[str, Any]]:
    return [data for data in cloud.h.events_of("ganeti.instance.observed") if data["server_id"] == server_id]


@pytest.fixture
async def watched(make_cloud: Any) -> Any:
    """A cluster that is looked at ten times a second."""
    return await make_cloud("alpha", report_period_s=0.1)


@pytest.mark.parametrize(("do", "status"), [("stop_instance", "ADMIN_down"), ("crash_instance", "ERROR_down")])
async def test_stop_and_crash_are_observed_once(watched: Any, do: str, status: str) -> None:
    server_id = await watched.server()
    await watched.clusters["alpha"].act(do, name=f"snf-{server_id}")
    (seen,) = await wait_until(lambda: _observed(watched, server_id))
    assert (seen["exists"], seen["status"], seen["cluster"], seen["oper_state"]) == (True, status, "alpha", False)
    assert seen["order"][0] > 0
    await asyncio.sleep(0.4)
    assert len(_observed(watched, server_id)) == 1


async def test_instance_that_vanished_is_observed_as_not_existing(watched: Any) -> None:
    server_id = await watched.server()
    await watched.clusters["alpha"].act("remove_instance", name=f"snf-{server_id}")
    (seen,) = await wait_until(lambda: _observed(watched, server_id))
    assert (seen["exists"], seen["status"]) == (False, None)


async def test_our_own_jobs_are_not_observed(watched: Any, new_id: Any) -> None:
    server_id = await watched.server()
    name = f"snf-vol-{new_id()}"
    nic = {"name": f"snf-nic-{new_id()}", "mac": "fa:16:3e:00:00:01", "mode": "bridged", "link": "br0"}
    for verb, given in (
        ("shutdown", {}), ("modify_beparams", {"vcpus": 2, "ram_mib": 256}), ("startup", {}), ("reboot", {}),
        ("add_disk", {"disk": {"name": name, "size_mib": 64, "provider": "archipelago"}}),
        ("grow_disk", {"name": name, "size_mib": 128}), ("remove_disk", {"name": name}), ("add_nic", {"nic": nic}),
        ("remove_nic", {"name": nic["name"]}), ("delete", {}),
    ):  # fmt: skip
        await watched.done(f"instance.{verb}", server_id, given)
        await asyncio.sleep(0.15)
    await asyncio.sleep(0.3)
    assert _observed(watched, server_id) == []


async def test_instances_of_others_are_never_told(watched: Any) -> None:
    alpha = watched.clusters["alpha"]
    body = {
        "__version__": 1, "mode": "create", "instance_name": "snf-other", "os_type": "synnefo-image+default",
        "disk_template": "diskless", "disks": [], "nics": [], "pnode": (await alpha.call("GET", "/2/nodes"))[0]["id"],
        "name_check": False, "ip_check": False,
    }  # fmt: skip
    await alpha.call("POST", "/2/instances", body)
    reports = watched.h.events_of
    await wait_until(lambda: reports("ganeti.cluster.reported")[-1]["instances"] == 1)
    assert watched.h.events_of("ganeti.instance.observed") == []


async def test_report_counts_a_new_server_soon_after_its_job(cloud: Any) -> None:
    """The period is fifteen seconds; the end of a job makes it come at once."""
    before = cloud.h.events_of("ganeti.cluster.reported")[-1]
    await cloud.server()

    def counted() -> Any:
        last = cloud.h.events_of("ganeti.cluster.reported")[-1]
        return last["instances"] == 1 and last

    report = await wait_until(counted, 5)
    assert (report["cpu_used"], before["mem_free_mib"] - report["mem_free_mib"]) == (1, 128)


async def test_offline_node_takes_its_capacity_away(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", nodes=2, report_period_s=0.1)
    alpha = cloud.clusters["alpha"]
    node = (await alpha.call("GET", "/2/nodes"))[1]["id"]
    before = cloud.h.events_of("ganeti.cluster.reported")[-1]
    await alpha.act("node_offline", name=node)
    await wait_until(lambda: cloud.h.events_of("ganeti.cluster.reported")[-1]["nodes"] == before["nodes"] - 1)
