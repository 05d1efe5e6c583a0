"""What the RAPI client makes of a cluster that misbehaves: every fault is an error that says what may be done next."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from synnefo_dispatcher.rapi import (
    InstanceSpec,
    Job,
    JobNotFound,
    NotFound,
    RapiClient,
    RapiRefused,
    RapiTimeout,
    RapiUnauthorized,
    RapiUnreachable,
)
from synnefo_fake_ganeti.inprocess import USERS, InProcessTransport
from synnefo_fake_ganeti.rapi import FakeRapi, Settings


class Rig:
    def __init__(self) -> None:
        settings = Settings(nodes=2, job_delay_s=0.002)
        self.fake = FakeRapi("c1", USERS, settings=settings, random_source=random.Random(1))
        self.transport = InProcessTransport(self.fake)
        self.client = RapiClient(self.transport, timeout_s=1)

    async def order(self, **orders: Any) -> None:
        response = await self.transport.request("PUT", "/_faults", json=orders)
        assert response.status == 200, response.body

    async def fault(self, fault: str, **rule: Any) -> None:
        await self.order(faults=[{"fault": fault, **rule}])

    async def act(self, do: str, **more: Any) -> None:
        await self.order(actions=[{"do": do, **more}])

    async def finish(self, job_id: int) -> Job:
        while True:
            job = await self.client.job(job_id)
            if job.is_final:
                return job
            await asyncio.sleep(0.001)

    async def create(self, name: str = "snf-1", *, reason: str = "token-1") -> int:
        return await self.client.create_instance(spec(name), reason=reason)

    async def make(self, name: str = "snf-1") -> None:
        assert (await self.finish(await self.create(name))).status == "success"


def spec(name: str) -> InstanceSpec:
    disk = {"size": 64, "provider": "archipelago", "name": f"vol-{name}"}
    return InstanceSpec(name, "synnefo-image+default", 128, 1, disks=(disk,), nics=({"name": f"nic-{name}"},))


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    await made.fake.start()
    yield made
    await made.fake.stop()


async def test_lost_answer_leaves_the_outcome_unknown_and_the_job_is_found_by_its_token(rig: Rig) -> None:
    await rig.fault("lost_answer", method="POST", path="/2/instances")
    with pytest.raises(RapiTimeout) as caught:
        await rig.create(reason="synnefo:lost")
    assert caught.value.is_outcome_unknown
    assert [job.job_id for job in await rig.client.jobs() if "synnefo:lost" in job.tokens] == [1]
    assert (await rig.finish(1)).instance_name == "snf-1"


async def test_reset_before_the_answer_leaves_the_outcome_unknown_though_nothing_was_done(rig: Rig) -> None:
    await rig.fault("reset", method="POST")
    with pytest.raises(RapiTimeout):
        await rig.create()
    assert await rig.client.jobs() == []


async def test_reset_in_the_body_leaves_the_outcome_unknown(rig: Rig) -> None:
    await rig.fault("reset_in_body", method="POST")
    with pytest.raises(RapiTimeout):
        await rig.create()
    assert len(await rig.client.jobs()) == 1


async def test_unreachable_cluster_has_surely_not_been_asked(rig: Rig) -> None:
    rig.transport.is_reachable = False
    with pytest.raises(RapiUnreachable) as caught:
        await rig.create()
    assert not caught.value.is_outcome_unknown


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials(rig: Rig, status: int) -> None:
    await rig.fault("status", status=status)
    with pytest.raises(RapiUnauthorized) as caught:
        await rig.client.version()
    assert caught.value.code == status


@pytest.mark.parametrize(("status", "is_unknown"), [(400, False), (500, True), (502, True), (503, False), (504, True)])
async def test_error_page_of_a_proxy_tells_whether_the_outcome_is_unknown(
    rig: Rig, status: int, is_unknown: bool
) -> None:
    await rig.fault("status", status=status, html=True)
    with pytest.raises(RapiRefused) as caught:
        await rig.create()
    assert (caught.value.code, caught.value.is_outcome_unknown) == (status, is_unknown)


async def test_injected_not_found(rig: Rig) -> None:
    await rig.make()
    await rig.fault("status", status=404, path="/2/instances/snf-1")
    with pytest.raises(NotFound):
        await rig.client.instance("snf-1")
    assert (await rig.client.instance("snf-1")).name == "snf-1"


async def test_what_the_queue_cannot_parse_was_surely_not_done(rig: Rig) -> None:
    bad = InstanceSpec("x", "synnefo-image+default", 128, 1, disk_template="file", disks=({"size": "x"},))
    with pytest.raises(RapiRefused) as caught:
        await rig.client.create_instance(bad, reason="t")
    assert (caught.value.code, caught.value.is_outcome_unknown) == (502, False)


@pytest.mark.parametrize("action", ["drain_queue", "fill_queue"])
async def test_closed_queue(rig: Rig, action: str) -> None:
    await rig.act(action)
    with pytest.raises(RapiRefused) as caught:
        await rig.create()
    assert (caught.value.is_queue_closed, caught.value.is_outcome_unknown) == (True, False)
    await rig.act("open_queue")
    await rig.make()


async def test_fault_strikes_after_so_many_calls_and_so_often(rig: Rig) -> None:
    await rig.fault("status", status=500, path="/version", after=2, times=1)
    assert [await rig.client.version() for _ in range(2)] == [2, 2]
    with pytest.raises(RapiRefused):
        await rig.client.version()
    assert await rig.client.version() == 2


async def test_stall_delays_a_call(rig: Rig) -> None:
    await rig.fault("stall", seconds=0.05, path="/version")
    begin = asyncio.get_running_loop().time()
    assert await rig.client.version() == 2
    assert asyncio.get_running_loop().time() - begin >= 0.05


async def test_job_canceled_from_outside(rig: Rig) -> None:
    await rig.fault("cancel_job", op="INSTANCE_CREATE")
    job = await rig.finish(await rig.create())
    failure = job.failure()
    assert job.status == "canceled"
    assert failure is not None
    assert failure.error_type == "Canceled"


async def test_archived_job_leaves_the_list_and_is_still_read(rig: Rig) -> None:
    await rig.fault("archive_job")
    job_id = await rig.create()
    await rig.finish(job_id)
    await asyncio.sleep(0.01)
    assert await rig.client.jobs() == []
    assert (await rig.client.job(job_id)).status == "success"


async def test_purged_job_is_not_found(rig: Rig) -> None:
    job_id = await rig.create()
    await rig.finish(job_id)
    await rig.act("purge_job", job=job_id)
    with pytest.raises(JobNotFound):
        await rig.client.job(job_id)
    with pytest.raises(JobNotFound):
        await rig.client.wait_job(job_id)


async def test_job_may_fail_after_the_instance_exists(rig: Rig) -> None:
    await rig.fault("fail_after_effect", op="INSTANCE_CREATE", error=["OpExecError", "could not start"])
    failure = (await rig.finish(await rig.create())).failure()
    assert failure is not None
    assert (failure.error_type, failure.message, failure.code) == ("OpExecError", "could not start", None)
    assert (await rig.client.instance("snf-1")).name == "snf-1"


async def test_lack_of_resources_is_told(rig: Rig) -> None:
    await rig.fault("fail_job", error=["OpPrereqError", "no room", "temp_insufficient_resources"])
    failure = (await rig.finish(await rig.create())).failure()
    assert failure is not None
    assert failure.is_lack_of_resources
    with pytest.raises(NotFound):
        await rig.client.instance("snf-1")


async def test_instance_gone_crashed_stopped_renamed_from_outside(rig: Rig) -> None:
    for name in ("gone", "crashed", "stopped", "renamed"):
        await rig.make(name)
    await rig.act("remove_instance", name="gone")
    await rig.act("crash_instance", name="crashed")
    await rig.act("stop_instance", name="stopped")
    await rig.act("rename_instance", name="renamed", to="other")
    seen = {instance.name: instance.status for instance in await rig.client.instances()}
    assert seen == {"crashed": "ERROR_down", "stopped": "ADMIN_down", "other": "running"}


async def test_offline_node_hides_the_state_of_its_instances(rig: Rig) -> None:
    await rig.make()
    instance = await rig.client.instance("snf-1")
    await rig.act("node_offline", name=instance.node)
    seen = await rig.client.instance("snf-1")
    assert (seen.status, seen.is_running) == ("ERROR_nodeoffline", None)
    node = next(node for node in await rig.client.nodes() if node.name == instance.node)
    assert (node.is_usable, node.memory_free_mib) == (False, None)
    failure = (await rig.finish(await rig.client.startup("snf-1", reason="t"))).failure()
    assert failure is not None
    assert failure.code == "wrong_state"


async def test_wait_tells_each_change_once_and_then_the_end(rig: Rig) -> None:
    job_id = await rig.create()
    change, seen = None, []
    while change is None or not change.is_final:
        change = await rig.client.wait_job(job_id, change) or change
        assert change is not None
        seen.append(change.status)
    assert seen[-1] == "success"
    assert len(seen) == len(set(seen))
    assert change.failure() is None


async def test_second_create_tells_that_it_exists_and_second_delete_that_it_does_not(rig: Rig) -> None:
    await rig.make()
    failure = (await rig.finish(await rig.create())).failure()
    assert failure is not None
    assert failure.is_duplicate
    jobs = [await rig.client.delete_instance("snf-1", reason="t") for _ in range(2)]
    assert (await rig.finish(jobs[0])).failure() is None
    failure = (await rig.finish(jobs[1])).failure()
    assert failure is not None
    assert failure.is_missing


async def test_queued_job_is_canceled_and_running_ones_are_not(rig: Rig) -> None:
    await rig.fault("slow_job", seconds=0.2)
    first = await rig.create()
    second = await rig.client.startup("snf-1", reason="t")
    await asyncio.sleep(0.05)
    assert (await rig.client.cancel_job(first))[0] is False
    assert await rig.client.cancel_job(second) == (True, f"Job {second} canceled")
    assert (await rig.finish(second)).status == "canceled"


async def test_instance_moves_to_the_other_node(rig: Rig) -> None:
    await rig.make()
    before = (await rig.client.instance("snf-1")).node
    assert (await rig.finish(await rig.client.migrate("snf-1", reason="t"))).status == "success"
    between = (await rig.client.instance("snf-1")).node
    assert between != before
    assert (await rig.finish(await rig.client.failover("snf-1", reason="t", target=before))).status == "success"
    assert (await rig.client.instance("snf-1")).node == before


async def test_drained_node_takes_no_new_instances(rig: Rig) -> None:
    drained = "node2.c1.ganeti.fake"
    assert (await rig.finish(await rig.client.set_node_role(drained, "drained", reason="t"))).failure() is None
    assert await rig.client.node_role(drained) == "drained"
    for number in range(3):
        await rig.make(f"snf-{number}")
    assert {instance.node for instance in await rig.client.instances()} == {"node1.c1.ganeti.fake"}


async def test_unknown_fault_is_refused(rig: Rig) -> None:
    response = await rig.transport.request("PUT", "/_faults", json={"faults": [{"fault": "nosuch"}]})
    assert response.status == 400


async def test_reader_may_not_order_faults(rig: Rig) -> None:
    reader = InProcessTransport(rig.fake, user="reader")
    assert (await reader.request("PUT", "/_faults", json={})).status == 403


async def test_clearing_takes_all_faults_away(rig: Rig) -> None:
    await rig.fault("status", status=500, times=None)
    await rig.act("drain_queue")
    await rig.transport.request("DELETE", "/_faults")
    assert orjson.loads((await rig.transport.request("GET", "/_faults")).body) == []
    await rig.make()
