"""The dispatcher alone, with fake Ganeti clusters in this process. `make_cloud` starts both; tests use no other way in."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
import orjson
import pytest

from synnefo_common import crashpoint
from synnefo_common.bus import Outgoing
from synnefo_common.ids import RandomIds
from synnefo_common.testing import Harness
from synnefo_common.testing.waiting import wait_until
from synnefo_dispatcher.main import build
from synnefo_dispatcher.settings import Settings

SETTINGS: dict[str, Any] = {
    "service_password": "secret", "rapi_timeout_s": 1.0, "resubmit_after_s": 1.2, "lease_s": 1.5, "poll_s": 0.1, "retry_s": 0.1,
    "report_debounce_s": 0.02, "bulk_poll_s": 0.05,
}  # fmt: skip
ids = RandomIds()


@dataclass
class FakeCluster:
    """A fake cluster, in a process of its own, that can be stopped, started again and hurt."""

    name: str
    directory: Path
    nodes: int
    job_delay_s: float
    facts: dict[str, str] = field(default_factory=dict)
    _port: int = 0
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        arguments = [
            "--state", str(self.directory), "--cluster", f"{self.name}={self._port}", "--nodes", str(self.nodes),
            "--job-delay", str(self.job_delay_s), "--seed", str(crc32(self.name.encode())), "--no-sync",
        ]  # fmt: skip
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "synnefo_fake_ganeti", "serve", *arguments, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert (await self._process.stdout.readline()).startswith(b"fake-ganeti ready")
        self.facts = json.loads((self.directory / self.name / "cluster.json").read_text())
        self._port = int(self.facts["url"].rsplit(":", 1)[1])

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.communicate()
            self._process = None

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        auth = (self.facts["user"], self.facts["password"])
        async with httpx.AsyncClient(base_url=self.facts["url"], auth=auth, verify=False, trust_env=False) as client:
            answer = await client.request(method, path, json=body)
            assert answer.status_code in (200, 404), answer.text
            return answer.json() if answer.status_code == 200 else None

    async def hurt(self, *faults: dict[str, Any]) -> None:
        await self.call("PUT", "/_faults", {"faults": list(faults)})

    async def act(self, do: str, **more: Any) -> None:
        await self.call("PUT", "/_faults", {"actions": [{"do": do, **more}]})

    async def heal(self) -> None:
        await self.call("DELETE", "/_faults")

    async def job(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """As an administrator would: a job of no token, to its end."""
        number = await self.call(method, path, body)

        async def ended() -> Any:
            job = await self.call("GET", f"/2/jobs/{number}")
            return job if job["status"] in ("success", "error", "canceled") else None

        done: dict[str, Any] = await wait_until(ended, what=f"job {number}")
        assert done["status"] == "success", done
        return done

    async def instance(self, server_id: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = await self.call("GET", f"/2/instances/snf-{server_id}")
        return found

    async def jobs(self, token: str) -> list[dict[str, Any]]:
        """The Ganeti jobs of one of our tokens."""
        listed = await self.call("GET", "/2/jobs?bulk=1")
        wanted = f"synnefo:{token}"
        return [job for job in listed if any(entry[1] == wanted for op in job["ops"] for entry in op["reason"])]

    def body(self) -> dict[str, Any]:
        """For `POST /v1/clusters`."""
        files = self.facts
        return {
            "name": self.name, "rapi_url": files["url"], "username": files["user"], "password": files["password"],
            "certificate_pem": Path(files["certificate"]).read_text(),
        }  # fmt: skip


class Cloud:
    """One dispatcher and its clusters."""

    def __init__(self, directory: Path, clusters: dict[str, FakeCluster], settings: dict[str, Any]) -> None:
        self.directory = directory
        self.clusters = clusters
        self.settings = settings
        self.h: Harness
        self._stack = AsyncExitStack()

    async def start(self, *, is_registered: bool = True) -> None:
        overrides = {**SETTINGS, **self.settings}
        url = overrides.pop("database_url", f"sqlite:///{self.directory}/dispatcher.db")
        self._stack = AsyncExitStack()
        self.h = await self._stack.enter_async_context(Harness(build, Settings, overrides, database_url=url))
        if is_registered:
            known = {c["name"] for c in (await self.h.as_admin().get("/v1/clusters")).json()["clusters"]}
            for cluster in self.clusters.values():
                if cluster.name not in known:
                    answer = await self.h.as_admin().post("/v1/clusters", json=cluster.body())
                    assert answer.status_code == 201, answer.text
                await wait_until(self._has_queue(cluster.name), what="the cluster's queue")

    def _has_queue(self, name: str) -> Callable[[], bool]:
        def has() -> bool:
            bound = self.h.bus._bound.get(f"ganeti.jobs.{name}")
            return bound is not None and bound.handler is not None

        return has

    async def stop(self) -> None:
        await self._stack.aclose()

    async def restart(self) -> None:
        """Die and come back on the same files."""
        crashpoint.disarm()
        await self.stop()
        await self.start()

    async def ask(
        self, verb: str, server_id: str, params: dict[str, Any] | None = None, *, token: str | None = None, cluster: str = "alpha"
    ) -> str:  # fmt: skip
        """A job as compute sends it; its token."""
        token = token or f"{ids.uuid()}:job"
        data = {"job_token": token, "server_id": server_id, "cluster": cluster, "verb": verb, "params": params or {}}
        now = self.h.clock.now_us()
        body = {
            "id": ids.uuid(), "type": "ganeti.job.requested", "version": 1, "occurred_at": now, "aggregate": "server",
            "aggregate_id": server_id, "aggregate_seq": now, "data": data,
        }  # fmt: skip
        await self.h.bus.publish(Outgoing("synnefo.jobs", f"ganeti.{cluster}.{verb}", str(body["id"]), orjson.dumps(body)))
        return token

    def endings(self, token: str) -> list[Any]:
        """The final events of a job."""
        kinds = ("ganeti.job.succeeded", "ganeti.job.failed", "ganeti.job.canceled")
        return [e for e in self.h.events if e.type in kinds and e.data["job_token"] == token]

    async def ended(self, token: str, *, times: int = 1, timeout_s: float = 15.0) -> Any:
        """Wait for the end of a job; `(state, data)`."""

        def last() -> Any:
            found = self.endings(token)
            return len(found) >= times and found[-1]

        event = await wait_until(last, timeout_s, what=f"the end of {token}")
        return event.type.rsplit(".", 1)[1], event.data

    async def done(self, verb: str, server_id: str, params: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Ask, wait, and insist on success; the event's data."""
        token = await self.ask(verb, server_id, params, **more)
        state, data = await self.ended(token)
        assert state == "succeeded", data
        assert isinstance(data, dict)
        return data

    async def server(self, *, cluster: str = "alpha", **more: Any) -> str:
        """A running server's id."""
        server_id = ids.uuid()
        await self.done("instance.create", server_id, create_params(server_id, **more), cluster=cluster)
        return server_id

    async def job(self, token: str) -> dict[str, Any] | None:
        listed = (await self.h.as_admin().get("/v1/jobs")).json()["jobs"]
        return next((job for job in listed if job["job_token"] == token), None)

    async def in_state(self, token: str, *states: str, timeout_s: float = 10.0) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            job = await self.job(token)
            return job if job is not None and job["state"] in states else None

        found: dict[str, Any] = await wait_until(there, timeout_s, what=f"{token} in {states}")
        return found


def create_params(server_id: str, *, disks: int = 1, nics: int = 1, start: bool = True) -> dict[str, Any]:
    """As compute makes them."""
    return {
        "vcpus": 1, "ram_mib": 128,
        "nics": [
            {"name": f"snf-nic-{ids.uuid()}", "mac": mac(), "mode": "bridged", "link": "br0", "ip": "10.0.0.5"} for _ in range(nics)
        ],
        "disks": [{"name": f"snf-vol-{ids.uuid()}", "size_mib": 1024, "provider": "archipelago"} for _ in range(disks)],
        "os": "synnefo-image+default", "tags": [f"synnefo:server:{server_id}"], "osparams": {}, "hvparams": {}, "start": start,
    }  # fmt: skip


def mac() -> str:
    text = ids.hex()
    return "fa:16:3e:" + ":".join(text[i : i + 2] for i in (0, 2, 4))


@pytest.fixture
def params() -> Callable[..., dict[str, Any]]:
    return create_params


@pytest.fixture
def new_id() -> Callable[[], str]:
    return ids.uuid


@pytest.fixture
async def make_cloud(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Cloud]]]:
    """`cloud = await make_cloud("alpha", job_delay_s=0.01, **settings)`."""
    clouds: list[Cloud] = []

    async def make(
        *names: str, nodes: int = 1, job_delay_s: float = 0.005, is_registered: bool = True, **settings: Any
    ) -> Cloud:
        clusters: dict[str, FakeCluster] = {}
        for name in names or ("alpha",):
            clusters[name] = FakeCluster(name, tmp_path / "ganeti", nodes, job_delay_s)
        await asyncio.gather(*(cluster.start() for cluster in clusters.values()))
        cloud = Cloud(tmp_path, clusters, settings)
        clouds.append(cloud)
        await cloud.start(is_registered=is_registered)
        return cloud

    yield make
    crashpoint.disarm()
    for cloud in clouds:
        await cloud.stop()
        await asyncio.gather(*(cluster.stop() for cluster in cloud.clusters.values()))


@pytest.fixture
async def cloud(make_cloud: Callable[..., Awaitable[Cloud]]) -> Cloud:
    """One cluster, `alpha`, of one node."""
    return await make_cloud("alpha")
