"""What only the fake promises: it lives through `kill -9`, serves two clusters, and breaks connections when told to.

Through real sockets and TLS, with the client of the dispatcher.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synnefo_common.http.pinned import PinnedHttpTransport
from synnefo_dispatcher.rapi import (
    InstanceSpec,
    JobChange,
    RapiClient,
    RapiTimeout,
    RapiUnauthorized,
    RapiUnreachable,
)


class Process:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        command = [sys.executable, "-m", "synnefo_fake_ganeti", "serve", "--state", str(self.directory)]
        command += ["--cluster", "c1=0", "--cluster", "c2=0", "--nodes", "2", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("fake-ganeti ready c1=https://127.0.0.1:"), line

    def stop(self, signum: int = signal.SIGTERM) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(signum)
        code = self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code

    def transport(self, cluster: str = "c1", *, password: str | None = None, pinned: str | None = None) -> PinnedHttpTransport:
        values = json.loads((self.directory / cluster / "cluster.json").read_text())
        certificate = self.directory / (pinned or cluster) / "rapi.pem"
        auth = (values["user"], password or values["password"])
        return PinnedHttpTransport(values["url"], auth=auth, certificate_pem=certificate.read_text(), timeout_s=10)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    process.start("--job-delay", "0.02")
    yield process
    process.stop()


@contextlib.asynccontextmanager
async def client(transport: PinnedHttpTransport):  # type: ignore[no-untyped-def]
    made = RapiClient(transport)
    try:
        yield made
    finally:
        await made.close()


async def follow(rapi: RapiClient, job_id: int) -> JobChange:
    change = None
    while change is None or not change.is_final:
        change = await rapi.wait_job(job_id, change) or change
    return change


def spec(name: str) -> InstanceSpec:
    return InstanceSpec(name, "synnefo-image+default", 128, 1, disk_template="diskless")


async def test_all_that_was_acknowledged_is_there_after_kill_9(fake: Process) -> None:
    async with client(fake.transport()) as rapi:
        for number in range(5):
            done = await follow(rapi, await rapi.create_instance(spec(f"snf-{number}"), reason=f"token-{number}"))
            assert done.status == "success"
        before, info = await rapi.instances(), await rapi.info()
    fake.stop(signal.SIGKILL)
    fake.start()
    async with client(fake.transport()) as rapi:
        assert await rapi.instances() == before
        assert (await rapi.info())["uuid"] == info["uuid"]
        assert [job.tokens for job in await rapi.jobs()] == [(f"token-{number}",) for number in range(5)]


async def test_queued_jobs_run_after_kill_9(fake: Process) -> None:
    fake.stop()
    fake.start("--job-delay", "5", "--max-running-jobs", "1")
    async with client(fake.transport()) as rapi:
        jobs = [await rapi.create_instance(spec(f"snf-{number}"), reason="t") for number in range(3)]
        await asyncio.sleep(0.1)
    fake.stop(signal.SIGKILL)
    fake.start("--job-delay", "0.02")
    async with client(fake.transport()) as rapi:
        assert [(await follow(rapi, job_id)).status for job_id in jobs] == ["success"] * 3


async def test_job_that_ran_at_kill_9_is_an_error(fake: Process) -> None:
    fake.stop()
    fake.start("--job-delay", "3")
    async with client(fake.transport()) as rapi:
        job_id = await rapi.create_instance(spec("snf-1"), reason="t")
        change = await rapi.wait_job(job_id)
        while change is None or change.status != "running":
            change = await rapi.wait_job(job_id, change) or change
    fake.stop(signal.SIGKILL)
    fake.start()
    async with client(fake.transport()) as rapi:
        job = await rapi.job(job_id)
        assert (job.status, job.failure() is None) == ("error", False)


async def test_two_clusters_know_nothing_of_each_other(fake: Process) -> None:
    async with client(fake.transport("c1")) as one, client(fake.transport("c2")) as other:
        await follow(one, await one.create_instance(spec("snf-1"), reason="t"))
        assert [instance.name for instance in await one.instances()] == ["snf-1"]
        assert await other.instances() == []
        assert (await one.info())["uuid"] != (await other.info())["uuid"]


async def test_certificate_and_passwords_stay_over_a_restart(fake: Process) -> None:
    certificate = (fake.directory / "c1/rapi.pem").read_bytes()
    passwords = (fake.directory / "c1/passwords.json").read_bytes()
    assert fake.stop() == 0
    fake.start()
    assert (fake.directory / "c1/rapi.pem").read_bytes() == certificate
    assert (fake.directory / "c1/passwords.json").read_bytes() == passwords
    assert (fake.directory / "c1/cluster.json").stat().st_mode & 0o777 == 0o600


async def test_another_certificate_is_not_talked_to(fake: Process) -> None:
    async with client(fake.transport("c1", pinned="c2")) as rapi:
        with pytest.raises(RapiUnreachable, match="pinned certificate"):
            await rapi.version()


async def test_wrong_password_is_unauthorized(fake: Process) -> None:
    async with client(fake.transport(password="wrong")) as rapi:
        with pytest.raises(RapiUnauthorized):
            await rapi.version()


@pytest.mark.parametrize(("fault", "is_accepted"), [("lost_answer", True), ("reset", False), ("reset_in_body", True)])
async def test_broken_connection_leaves_the_outcome_unknown(fake: Process, fault: str, is_accepted: bool) -> None:
    transport = fake.transport()
    await transport.request("PUT", "/_faults", json={"faults": [{"fault": fault, "method": "POST"}]})
    async with client(transport) as rapi:
        with pytest.raises(RapiTimeout):
            await rapi.create_instance(spec("snf-1"), reason="synnefo:token")
        assert [job.tokens for job in await rapi.jobs()] == ([("synnefo:token",)] if is_accepted else [])


async def test_stall_beyond_the_time_allowed_leaves_the_outcome_unknown(fake: Process) -> None:
    transport = fake.transport()
    await transport.request("PUT", "/_faults", json={"faults": [{"fault": "stall", "seconds": 5, "method": "POST"}]})
    rapi = RapiClient(transport, timeout_s=0.3)
    with pytest.raises(RapiTimeout):
        await rapi.create_instance(spec("snf-1"), reason="t")
    await rapi.close()


async def test_stopped_fake_is_unreachable(fake: Process) -> None:
    transport = fake.transport()
    fake.stop()
    async with client(transport) as rapi:
        with pytest.raises(RapiUnreachable):
            await rapi.version()
