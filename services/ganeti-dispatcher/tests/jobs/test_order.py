"""One job at a time per server, deletion first, no more at once than the cap, several dispatchers."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from synnefo_common.testing.waiting import wait_until

pytestmark = pytest.mark.slow  # a fake Ganeti in a process of its own for each


async def test_jobs_of_one_server_run_one_after_the_other_in_order(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", job_delay_s=0.05)
    server_id = await cloud.server()
    verbs = ["instance.shutdown", "instance.startup", "instance.reboot", "instance.shutdown", "instance.startup"]
    tokens = [await cloud.ask(verb, server_id) for verb in verbs]
    orders = [(await cloud.ended(token))[1]["order"] for token in tokens]
    assert orders == sorted(orders)
    jobs = [(await cloud.clusters["alpha"].jobs(token))[0] for token in tokens]
    for before, after in itertools.pairwise(jobs):
        assert before["end_ts"] <= after["received_ts"]


async def test_jobs_of_different_servers_run_side_by_side_up_to_the_cap(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", job_delay_s=0.3, max_jobs_in_flight=3, long_polls=2)
    ids = [new_id() for _ in range(7)]
    tokens = [await cloud.ask("instance.create", s, params(s)) for s in ids]
    most = 0

    async def all_ended() -> bool:
        nonlocal most
        listed = (await cloud.h.as_admin().get("/v1/jobs")).json()["jobs"]
        most = max(most, sum(job["state"] in ("submitting", "submitted") for job in listed))
        return all(cloud.endings(token) for token in tokens)

    await wait_until(all_ended, 30)
    assert 2 <= most <= 3
    assert all(cloud.endings(token)[0].type == "ganeti.job.succeeded" for token in tokens)


async def test_more_jobs_than_long_polls_are_followed_by_the_list(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", job_delay_s=0.1, long_polls=1)
    ids = [new_id() for _ in range(6)]
    tokens = [await cloud.ask("instance.create", s, params(s)) for s in ids]
    nodes = [(await cloud.ended(token))[1].get("node") for token in tokens]
    assert all(nodes)


async def test_deletion_cancels_what_is_queued_and_what_comes_after_it(make_cloud: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", job_delay_s=0.3)
    server_id = await cloud.server()
    running = await cloud.ask("instance.reboot", server_id)
    await cloud.in_state(running, "submitted")
    queued = await cloud.ask("instance.shutdown", server_id)
    gone = await cloud.ask("instance.delete", server_id)
    late = await cloud.ask("instance.startup", server_id)
    again = await cloud.ask("instance.create", server_id, params(server_id))
    for token in (queued, late, again):
        state, data = await cloud.ended(token)
        assert (state, data["error"]["code"]) == ("canceled", "deleted")
    assert (await cloud.ended(gone))[0] == "succeeded"
    assert await cloud.clusters["alpha"].instance(server_id) is None
    assert len(cloud.endings(running)) == 1


async def test_deletion_of_another_server_does_not_wait_behind_creations(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", job_delay_s=0.3, max_jobs_in_flight=1)
    server_id = await cloud.server()
    tokens = [await cloud.ask("instance.create", s, params(s)) for s in (new_id(), new_id(), new_id())]
    gone = await cloud.ask("instance.delete", server_id)
    await cloud.ended(gone)
    assert sum(bool(cloud.endings(token)) for token in tokens) <= 1


async def test_two_dispatchers_share_clusters_and_one_takes_over_the_other(
    make_cloud: Any, new_id: Any, params: Any
) -> None:
    """Both on one database. The one that dies keeps its leases until they run out; then the other does all."""
    one = await make_cloud("alpha", "beta", worker_name="one", job_delay_s=0.2)
    two = type(one)(one.directory, one.clusters, {**one.settings, "worker_name": "two"})
    await two.start()
    try:
        ids = [new_id() for _ in range(6)]
        tokens = [
            await one.ask("instance.create", s, params(s), cluster=("alpha", "beta")[i % 2]) for i, s in enumerate(ids)
        ]
        await one.in_state(tokens[0], "submitted")
        await _die(one)
        more = [new_id() for _ in range(2)]
        tokens += [await two.ask("instance.create", s, params(s), cluster="alpha") for s in more]
        for token in tokens:
            await two.in_state(token, "succeeded", timeout_s=20)
            cluster = one.clusters["alpha" if token in tokens[::2] or token in tokens[6:] else "beta"]
            assert [job["status"] for job in await cluster.jobs(token)] == ["success"]
    finally:
        await two.stop()
    one._stack = type(one._stack)()  # it is dead: nothing to stop


async def _die(cloud: Any) -> None:
    """Stop without giving the leases back, as a kill does."""
    fleet = cloud.h.service.work_tasks[0].__self__
    for worker, _ in fleet.workers.values():

        async def keep() -> None:
            return None

        worker.lease.release = keep
    await cloud.stop()


async def test_paused_dispatcher_does_not_submit_what_another_took(make_cloud: Any, new_id: Any, params: Any) -> None:
    """It wakes up just before its call to RAPI: the lease has run out, so it leaves the job alone."""
    from synnefo_common import crashpoint

    cloud = await make_cloud("alpha")
    fleet = cloud.h.service.work_tasks[0].__self__
    server_id = new_id()
    passed: list[str] = []

    def pause(point: str) -> None:
        if point == "dispatcher.job.before_submit" and not passed:
            passed.append(point)
            fleet.workers["alpha"][0].lease._valid_until = 0.0  # as after a long sleep

    crashpoint.install(pause)
    token = await cloud.ask("instance.create", server_id, params(server_id))
    assert (await cloud.ended(token))[0] == "succeeded"
    assert passed
    assert len(await cloud.clusters["alpha"].jobs(token)) == 1


async def test_all_states_are_told_if_wished(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", job_delay_s=1.0, emit_all_states=True)
    server_id = new_id()
    token = await cloud.ask("instance.create", server_id, params(server_id))
    await cloud.ended(token)
    await asyncio.sleep(0.05)
    told = [e.data for e in cloud.h.events if e.type.startswith("ganeti.job.") and e.type != "ganeti.job.requested"]
    assert [data["status"] for data in told] == ["submitted", "running", "succeeded"]
    assert [data["order"][2] for data in told] == [0, 1, 3]
