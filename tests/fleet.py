"""All services in this process over SQLite files and the memory bus; Ganeti is the fake one, in a process of its own.

`crash()` is a kill -9: tasks are dropped where they stand, connections closed, and `start()` builds everything anew on the
same files. For tests that cross services; those of one service use `synnefo_common.testing.Harness`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from synnefo_admin import audit
from synnefo_common import crashpoint
from synnefo_common.bus import MemoryBus
from synnefo_common.db.tables import outbox
from synnefo_common.http import HttpClient
from synnefo_common.http.testing import Answer, FleetTransport, transport_client
from synnefo_common.log import setup_logging
from synnefo_common.service import Service
from synnefo_common.settings import SERVICES, CommonSettings
from synnefo_common.testing import wait_until

ORDER = ("identity", "network", "image", "volume", "object", "dispatcher", "compute")
CLUSTERS = ("alpha", "beta")


class User:
    """A person with a token: `await user.call("compute", "GET", "/v2.1/servers")`."""

    def __init__(self, fleet: Fleet, name: str, project: str) -> None:
        self.fleet, self.name, self.project = fleet, name, project
        self.token = ""
        self.project_id = ""

    async def login(self) -> None:
        user = {"name": self.name, "domain": {"id": "default"}, "password": "pw"}
        scope = {"project": {"name": self.project, "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = await self.call("identity", "POST", "/v3/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        self.token = answer.headers["x-subject-token"]
        self.project_id = answer.json()["token"]["project"]["id"]

    async def call(self, service: str, method: str, path: str, **kwargs: Any) -> Answer:
        headers = {**({"X-Auth-Token": self.token} if self.token else {}), **kwargs.pop("headers", {})}
        async with transport_client(self.fleet.transport, f"http://{service}", headers) as client:
            return await client.request(method, path, **kwargs)

    async def json(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """The parsed answer of a call that must succeed."""
        answer = await self.call(service, method, path, **({"json": body} if body is not None else {}))
        assert answer.status_code < 300, f"{method} {service}{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def make_image(self, name: str, content: bytes, **values: Any) -> str:
        """The id of a raw image of its own with this content."""
        made = await self.json("image", "POST", "/v2/images", {"name": name, "disk_format": "raw", "container_format": "bare", **values})
        stream = {"Content-Type": "application/octet-stream"}
        filled = await self.call("image", "PUT", f"/v2/images/{made['id']}/file", content=content, headers=stream)
        assert filled.status_code == 204, filled.text
        return str(made["id"])


class Fleet:
    """`async with Fleet() as fleet`."""

    def __init__(self) -> None:
        self._tmp = tempfile.TemporaryDirectory(prefix="synnefo-fleet-")
        self.dir = Path(self._tmp.name)
        self.services: dict[str, Service] = {}
        self.transport = FleetTransport()
        self.bus = MemoryBus()
        self._ganeti: subprocess.Popen[bytes] | None = None
        self.admin = User(self, "admin", "admin")
        self.demo = User(self, "demo", "demo")
        self.alt = User(self, "alt_demo", "alt_demo")

    async def __aenter__(self) -> Fleet:
        setup_logging(level="ERROR")
        await asyncio.to_thread(self._start_ganeti)
        await self.start()
        await self._seed()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        crashpoint.disarm()
        try:
            await self.stop()
        finally:
            if self._ganeti is not None:
                self._ganeti.terminate()
                self._ganeti.wait(10)
                assert self._ganeti.stdout is not None
                self._ganeti.stdout.close()
            self._tmp.cleanup()

    def _start_ganeti(self) -> None:
        argv = [sys.executable, "-m", "synnefo_fake_ganeti", "serve", "--state", str(self.dir / "ganeti"), "--no-sync", "--job-delay", "0.02"]
        for name in CLUSTERS:
            argv += ["--cluster", f"{name}=0"]
        self._ganeti = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._ganeti.stdout is not None
        line = self._ganeti.stdout.readline().decode()
        assert "ready" in line, line

    def cluster_facts(self, name: str) -> dict[str, Any]:
        """What the fake wrote down: url, user, password, certificate path."""
        facts: dict[str, Any] = json.loads((self.dir / "ganeti" / name / "cluster.json").read_text())
        return facts

    def _settings(self, name: str) -> Any:
        urls = {n: f"http://{n}" for n in SERVICES}
        common = CommonSettings(internal_urls=urls, public_urls=urls)
        values: dict[str, Any] = {"database_url": f"sqlite:///{self.dir}/{name}.db", "service_password": "pw", "common": common}
        if name in ("image", "volume", "object"):
            values["store_url"] = f"file://{self.dir}/store"
        if name == "identity":
            values["bootstrap"] = {f"{user}_password": "pw" for user in ("admin", "demo", "alt_demo")} | {
                "service_passwords": {n: "pw" for n in SERVICES if n != "identity"}
            }
        return importlib.import_module(f"synnefo_{name}.settings").Settings(**values)

    async def start(self, *, only: tuple[str, ...] = ORDER) -> None:
        """Build and start on what the files say."""
        for name in only:
            http = HttpClient(transport=self.transport)
            service = importlib.import_module(f"synnefo_{name}.main").build(self._settings(name), bus=self.bus, http=http)
            await service.kit.db.create_all(service.metadata)
            self.services[name] = service
            self.transport.apps[name] = service.app
        for name in only:
            await self.services[name].declare()
        for name in only:
            await self.services[name].start(serve="in process", work=True)

    async def stop(self) -> None:
        for name in reversed(ORDER):
            if name in self.services:
                await self.services.pop(name).stop()
                self.transport.apps.pop(name, None)

    async def crash(self) -> None:
        """Everything dies here and now."""
        crashpoint.disarm()
        self.transport.apps.clear()
        for service in self.services.values():
            await service.drop()
        self.services.clear()
        self.bus = MemoryBus()

    async def _seed(self) -> None:
        await self.log_in()
        for name in CLUSTERS:
            facts = self.cluster_facts(name)
            certificate = await asyncio.to_thread(Path(facts["certificate"]).read_text)
            body = {
                "name": name, "rapi_url": facts["url"], "username": facts["user"], "password": facts["password"],
                "certificate_pem": certificate,
            }  # fmt: skip
            await self.admin.json("dispatcher", "POST", "/v1/clusters", body)
        flavor = {"name": "m1.nano", "id": "1", "ram": 128, "vcpus": 1, "disk": 1}
        await self.admin.json("compute", "POST", "/v2.1/flavors", {"flavor": flavor})
        await wait_until(self._clusters_are_known, what="both clusters reported")

    async def _clusters_are_known(self) -> bool:
        found = await self.admin.json("compute", "GET", "/v2.1/os-hypervisors")
        return len(found["hypervisors"]) == len(CLUSTERS)

    async def log_in(self) -> None:
        for user in (self.admin, self.demo, self.alt):
            user.token = ""
            await user.login()

    async def facts(self) -> audit.Facts:
        """What every service says for the audit."""
        return {name: await self.admin.json(name, "GET", "/admin/v1/audit") for name in self.services}

    async def assert_invariants(self, timeout_s: float = 20.0) -> None:
        """The audit finds nothing, now or soon."""
        found: list[audit.Finding] = []

        async def clean() -> bool:
            nonlocal found
            found = audit.check(await self.facts())
            return not found

        try:
            await wait_until(clean, timeout_s)
        except AssertionError:
            raise AssertionError("\n".join(f"{f.code} {f.subject}: {f.text}" for f in found)) from None

    async def assert_told(self, timeout_s: float = 20.0) -> None:
        """No service has an event that it has not yet published."""

        async def nothing_left() -> bool:
            for service in self.services.values():
                async with service.kit.db.read() as uow:
                    if await uow.scalar(select(func.count()).select_from(outbox)):
                        return False
            return True

        await wait_until(nothing_left, timeout_s, what="empty outboxes")

    async def usage(self, project_id: str) -> dict[str, int]:
        """What the ledger has in use or reserved for a project, zeros left out."""
        facts = await self.admin.json("identity", "GET", "/admin/v1/audit")
        return {
            row["resource"]: row["used"] + row["pending"]
            for row in facts["holdings"]
            if row["project_id"] == project_id and row["used"] + row["pending"]
        }  # fmt: skip

    def instances(self) -> list[str]:
        """Names of the instances that Ganeti has, on all clusters."""
        return sorted(path.stem for name in CLUSTERS for path in (self.dir / "ganeti" / name / "state/instances").glob("*.json"))
