"""Ganeti misbehaves in each way that was seen or can be thought of."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from synnefo_common.testing.waiting import wait_until

pytestmark = pytest.mark.slow  # a fake Ganeti in a process of its own for each

SUBMIT = {"method": "POST", "path": "^/2/instances(\\?|$)"}


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "lost_answer"}, {"fault": "reset_in_body"}, {"fault": "reset"}, {"fault": "status", "status": 502, "html": True},
        {"fault": "status", "status": 500}, {"fault": "status", "status": 504, "html": True}, {"fault": "stall", "seconds": 1.5},
        {"fault": "status", "status": 503}, {"fault": "status", "status": 401},
    ],
    ids=lambda fault: f"{fault['fault']}{fault.get('status', '')}",
)  # fmt: skip
async def test_trouble_in_the_submission_makes_one_instance(
    cloud: Any, new_id: Any, params: Any, fault: dict[str, Any]
) -> None:
    alpha, server_id = cloud.clusters["alpha"], new_id()
    await alpha.hurt({**fault, **SUBMIT})
    token = await cloud.ask("instance.create", server_id, params(server_id))
    state, data = await cloud.ended(token)
    assert state == "succeeded", data
    done = [job for job in await alpha.jobs(token) if job["status"] == "success"]
    assert len(done) == 1
    assert (await alpha.instance(server_id))["status"] == "running"


@pytest.mark.parametrize("status", [400, 404, 501])
async def test_refusal_of_the_submission_fails_the_job(cloud: Any, new_id: Any, params: Any, status: int) -> None:
    server_id = new_id()
    await cloud.clusters["alpha"].hurt({"fault": "status", "status": status, "times": None, **SUBMIT})
    state, data = await cloud.ended(await cloud.ask("instance.create", server_id, params(server_id)))
    assert state == "failed"
    assert data["ganeti_job_id"] is None
    assert data["error"]["message"]


@pytest.mark.parametrize("fault", ["lost_answer", "reset", "reset_in_body", "status"])
async def test_trouble_in_the_long_poll_is_waited_out(cloud: Any, new_id: Any, params: Any, fault: str) -> None:
    server_id = new_id()
    rule = {"fault": fault, "path": "/wait$", "times": 3}
    await cloud.clusters["alpha"].hurt(rule | ({"status": 502, "html": True} if fault == "status" else {}))
    state, _ = await cloud.ended(await cloud.ask("instance.create", server_id, params(server_id)))
    assert state == "succeeded"


async def test_job_canceled_in_ganeti_is_told_as_canceled(cloud: Any, new_id: Any, params: Any) -> None:
    server_id = new_id()
    await cloud.clusters["alpha"].hurt({"fault": "cancel_job", "op": "CREATE"})
    state, data = await cloud.ended(await cloud.ask("instance.create", server_id, params(server_id)))
    assert state == "canceled"
    assert data["error"]["type"] == "Canceled"


@pytest.mark.parametrize("fault", ["archive_job", "purge_job"])
async def test_job_that_is_archived_or_purged_is_judged_by_its_effect(
    cloud: Any, new_id: Any, params: Any, fault: str
) -> None:
    server_id = new_id()
    await cloud.clusters["alpha"].hurt({"fault": fault, "times": None})
    await cloud.done("instance.create", server_id, params(server_id))
    await cloud.done("instance.shutdown", server_id)
    await cloud.done("instance.delete", server_id)


async def test_job_that_fails_after_its_effect_fails_unless_the_effect_is_all_that_was_asked(
    cloud: Any, new_id: Any, params: Any
) -> None:
    alpha, server_id = cloud.clusters["alpha"], new_id()
    await alpha.hurt({"fault": "fail_after_effect", "op": "CREATE"}, {"fault": "fail_after_effect", "op": "REMOVE"})
    state, _ = await cloud.ended(await cloud.ask("instance.create", server_id, params(server_id)))
    assert state == "failed"
    assert await alpha.instance(server_id) is not None
    await cloud.done("instance.delete", server_id)


async def test_lack_of_resources_under_opportunistic_locking_is_tried_again_without(
    make_cloud: Any, new_id: Any, params: Any
) -> None:
    cloud = await make_cloud("alpha", nodes=2)
    alpha, server_id = cloud.clusters["alpha"], new_id()
    await alpha.hurt({"fault": "fail_job", "op": "CREATE", "error": ["OpPrereqError", "no room", "temp_insufficient_resources"]})
    token = await cloud.ask("instance.create", server_id, params(server_id))
    state, data = await cloud.ended(token)
    assert state == "succeeded", data
    tried = sorted(await alpha.jobs(token), key=lambda job: job["id"])
    assert [job["status"] for job in tried] == ["error", "success"]
    assert [bool(job["ops"][0].get("opportunistic_locking")) for job in tried] == [True, False]


async def test_instance_that_is_there_already_with_our_tag_is_ours(cloud: Any, params: Any) -> None:
    server_id = await cloud.server()
    await cloud.done("instance.create", server_id, params(server_id))


async def test_cluster_that_is_down_keeps_jobs_queued_and_holds_no_message(cloud: Any, new_id: Any, params: Any) -> None:
    alpha = cloud.clusters["alpha"]
    await alpha.stop()
    ids = [new_id() for _ in range(3)]
    tokens = [await cloud.ask("instance.create", s, params(s)) for s in ids]  # each ask returns at the commit
    await wait_until(lambda: _reports(cloud)[-1]["online"] is False, what="the cluster reported offline")
    for token in tokens:
        assert (await cloud.job(token))["state"] == "queued"
    health = (await cloud.h.as_admin().get("/v1/health")).json()
    assert health["status"] == "degraded"
    assert (health["clusters"][0]["queued"], health["clusters"][0]["online"]) == (3, False)
    await alpha.start()
    for token in tokens:
        assert (await cloud.ended(token))[0] == "succeeded"
    await wait_until(lambda: _reports(cloud)[-1]["online"] is True)


def _reports(cloud: Any) -> list[dict[str, Any]]:
    return list(cloud.h.events_of("ganeti.cluster.reported"))


async def test_cluster_that_dies_under_a_running_job_is_waited_for(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", job_delay_s=0.5)
    alpha, server_id = cloud.clusters["alpha"], new_id()
    token = await cloud.ask("instance.create", server_id, params(server_id))
    await cloud.in_state(token, "submitted")
    await alpha.stop()
    await asyncio.sleep(0.3)
    await alpha.start()
    state, data = await cloud.ended(token)
    assert state in ("succeeded", "failed")  # Ganeti's own word: a job whose process died is an error there
    assert data["ganeti_job_id"]
    await cloud.done("instance.delete", server_id)


@pytest.mark.parametrize("trouble", ["drain_queue", "fill_queue"])
async def test_closed_job_queue_is_waited_for(cloud: Any, new_id: Any, params: Any, trouble: str) -> None:
    alpha, server_id = cloud.clusters["alpha"], new_id()
    await alpha.act(trouble)
    token = await cloud.ask("instance.create", server_id, params(server_id))
    await asyncio.sleep(0.4)
    job = await cloud.job(token)
    assert job["state"] in ("queued", "submitting")
    assert not cloud.endings(token)
    await alpha.act("open_queue")
    assert (await cloud.ended(token))[0] == "succeeded"


async def test_rapi_that_errs_for_ever_fails_the_job_in_the_end(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", max_attempts=2, resubmit_after_s=0.1)
    server_id = new_id()
    await cloud.clusters["alpha"].hurt({"fault": "status", "status": 500, "times": None, **SUBMIT})
    state, data = await cloud.ended(await cloud.ask("instance.create", server_id, params(server_id)))
    assert state == "failed"
    assert "2 attempts" in data["error"]["message"]
