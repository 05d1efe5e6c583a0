"""Kill compute at every crash point of server create and delete, rebuild it on the same file, and look at what is left.

Compute alone: its peers and Ganeti are fakes that outlive it, give each thing once per idempotency key and job token, and
repeat an event until it is taken. The whole fleet is killed by `test_cloud`.
"""

from __future__ import annotations

import random
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from services.compute.tests.cloud import IMAGE, NETWORK, ComputeHarness
from sqlalchemy import func, select

from synnefo_common import crashpoint
from synnefo_common.bus.relay import crash_points as relay_points
from synnefo_common.crashpoint import CrashInjected
from synnefo_common.saga.model import crash_points
from synnefo_common.testing import PeerRequest, wait_until
from synnefo_compute.app.sagas import server_create, server_delete
from synnefo_compute.db.actions import actions
from synnefo_compute.db.clusters import reservations
from synnefo_compute.db.projections import server_ports, server_volumes
from synnefo_compute.main import build
from synnefo_compute.settings import Settings

_service = build(Settings(database_url=f"sqlite:///{tempfile.gettempdir()}/never-opened.db"))
SAGAS = [_service.sagas.sagas[name] for name in (server_create.NAME, server_delete.NAME)]  # type: ignore[union-attr]
ALL_SAGA_POINTS = [point for saga in SAGAS for point in crash_points("compute", saga)]
SAGA_POINTS = [point for point in ALL_SAGA_POINTS if ".undo." not in point]
REFUSED_POINTS = [point for point in ALL_SAGA_POINTS if ".undo." in point]
CONSUMER_POINTS = _service.consumers.crash_points()
POINTS = [*SAGA_POINTS, *relay_points("compute"), *CONSUMER_POINTS]
# A failed job takes the saga back over the undos of its first steps too.
FAILING_POINTS = [
    *(p for p in ALL_SAGA_POINTS if ".server_create." in p and not p.endswith((".job.after_effect", ".job.after_log"))),
    *(p for p in CONSUMER_POINTS if ".job_ended." in p),
    *relay_points("compute"),
]  # fmt: skip


Things = dict[str, list[dict[str, Any]]]  # by server


class Grim:
    """Dies at the chosen passage of a point; from then on the process is dead: every later point dies too."""

    def __init__(self, point: str | None, *, hit: int = 1, then: str | None = None) -> None:
        self.point, self.left, self.then = point, hit, then
        self.passed: set[str] = set()
        self.is_dead = False
        crashpoint.install(self)

    def __call__(self, passed: str) -> None:
        self.passed.add(passed)
        self.left -= passed == self.point
        if self.is_dead or (passed == self.point and self.left == 0):
            self.is_dead = True
            raise CrashInjected(passed)

    def rise(self) -> None:
        """Alive again; `then` is the next point to die at."""
        self.point, self.left, self.then, self.is_dead = self.then, 1, None, False


class World:
    """Network, volume and Ganeti: what they made, and the events that compute has not taken yet."""

    def __init__(self, h: ComputeHarness, *, job_fails: bool, refuses: str | None) -> None:
        self.h, self.job_fails, self.refuses = h, job_fails, refuses
        self.ports: Things = {}
        self.volumes: Things = {}
        self.instances: set[str] = set()
        self.done: dict[str, str] = {}  # job token → verb
        self.mail: list[tuple[str, str, dict[str, Any]]] = []
        for peer, kind, of in (("network", "ports", self.ports), ("volume", "volumes", self.volumes)):
            path = f"/internal/v1/servers/{{id}}/{kind}"
            h.peers[peer].on("GET", path, partial(self.get, kind, of))
            h.peers[peer].on("PUT", path, partial(self.put, kind, of))
            h.peers[peer].on("DELETE", path, partial(self.drop, kind, of))

    def tell(self, type_: str, **data: Any) -> None:
        self.mail.append((self.h.ids.uuid(), type_, data))

    def get(self, kind: str, of: Things, r: PeerRequest) -> Any:
        return {kind: of.get(r.match["id"], [])}

    def put(self, kind: str, of: Things, r: PeerRequest) -> Any:
        server_id = r.match["id"]
        if kind == self.refuses:
            error = {"code": 409, "kind": "Conflict", "fault": "peer.conflict", "message": f"no {kind} for you", "details": {}}
            return 409, {"error": error}
        if server_id not in of:
            if kind == "ports":
                of[server_id] = [self.h.world.port(server_id)]
                self.tell("network.port.created", port=of[server_id][0], device_id=server_id, device_owner="compute:nova")
            else:
                wanted = r.json["volumes"][0]
                of[server_id] = [{"id": self.h.ids.uuid(), **{k: wanted[k] for k in ("size_gib", "boot_index", "visible")}}]
                self.tell("volume.attachment.created", volume=of[server_id][0], server_id=server_id)
        return {kind: of[server_id]}

    def drop(self, kind: str, of: Things, r: PeerRequest) -> Any:
        server_id = r.match["id"]
        gone = of.pop(server_id, [])
        for item in gone:
            if kind == "ports":  # the network service gives back what it counted
                self.h.quota.used_by[self.h.project_id].subtract({"network.ports": 1})
                self.tell("network.port.deleted", port=item, device_id=server_id)
            else:
                self.tell("volume.attachment.deleted", volume=item, server_id=server_id)
        return {"deleted": [item["id"] for item in gone], "unbound": []}

    def do_jobs(self) -> None:
        """Do each job once, whatever number of times it was asked for."""
        for job in self.h.jobs():
            token, server_id = job["job_token"], job["server_id"]
            if token in self.done:
                continue
            self.done[token] = job["verb"]
            base = {k: job[k] for k in ("job_token", "server_id", "cluster", "verb")} | {"ganeti_job_id": len(self.done), "node": "node1"}
            self.tell("ganeti.job.progress", **base, progress=50)
            if job["verb"] == "instance.create" and self.job_fails:
                error = {"type": "OpExecError", "message": "disk image is damaged", "code": None}
                self.tell("ganeti.job.failed", **base, error=error)
                continue
            (self.instances.add if job["verb"] == "instance.create" else self.instances.discard)(server_id)
            self.tell("ganeti.job.succeeded", **base, error=None)
            if server_id in self.instances:
                self.tell(
                    "ganeti.instance.observed", server_id=server_id, cluster=job["cluster"], exists=True, status="running", pnode="node1",
                    order=[len(self.done), 0, 5],
                )  # fmt: skip

    async def deliver(self) -> None:
        """Hand over what waits; what was not taken is handed over again."""
        while self.mail:
            message_id, type_, data = self.mail[0]
            await self.h.deliver(type_, data, message_id=message_id)
            self.mail.pop(0)


async def until(h: ComputeHarness, world: World, grim: Grim, reached: Any) -> Any:
    """Let the world work until `reached` answers; a death is followed by a restart."""

    async def step() -> Any:
        world.do_jobs()
        try:
            await world.deliver()
        except CrashInjected:
            assert grim.is_dead
        if grim.is_dead:
            await h.kill()
            grim.rise()
            await h.rise()
        return await reached()

    return await wait_until(step, 30.0, what=f"{reached} after {grim.point}")


async def live(
    tmp_path: Path, point: str | None, *, job_fails: bool = False, refuses: str | None = None, hit: int = 1, then: str | None = None,
    is_hasty: bool = False,
) -> Grim:
    """A server's whole life with a death in it, and the looks at what is left. Hasty: it is deleted while it is built."""
    async with ComputeHarness(database_url=f"sqlite:///{tmp_path}/compute.db") as h:
        world = World(h, job_fails=job_fails, refuses=refuses)
        await h.flavor()
        grim = Grim(point, hit=hit, then=then)
        try:
            report = {
                "online": True, "drained": False, "zone": "nova", "disk_templates": ["ext"], "mem_total_mib": 16384, "mem_free_mib": 16000,
                "disk_total_gib": 1000, "disk_free_gib": 900, "cpu_total": 4, "reported_at": h.clock.now_us(),
            }  # fmt: skip
            world.tell("ganeti.cluster.reported", cluster="alpha", **report)
            world.tell("ganeti.cluster.reported", cluster="beta", **report)
            world.tell("ganeti.cluster.removed", cluster="beta")

            async def reported() -> bool:
                return not world.mail

            await until(h, world, grim, reported)
            body = {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "networks": [{"uuid": NETWORK}]}
            answer = await h.as_member().post("/v2.1/servers", json={"server": body})
            server_id = answer.json()["server"]["id"]

            async def built() -> Any:
                shown = await h.show(server_id)
                return shown if shown["status"] in ("ACTIVE", "ERROR") and not world.mail else None

            if not is_hasty:
                shown = await until(h, world, grim, built)
                await calm(h, world, grim)
                if job_fails or refuses:
                    assert shown["status"] == "ERROR"
                    why = f"no {refuses} for you" if refuses else "create failed on cluster alpha: disk image is damaged"
                    assert shown["fault"]["message"] == why
                else:
                    assert shown["status"] == "ACTIVE"
                    assert world.instances == {server_id}
                await look(h, world, server_id, exists=True)

            assert (await h.as_member().delete(f"/v2.1/servers/{server_id}")).status_code == 204

            async def gone() -> bool:
                return (await h.as_member().get(f"/v2.1/servers/{server_id}")).status_code == 404 and not world.mail

            await until(h, world, grim, gone)
            await calm(h, world, grim)
            await look(h, world, server_id, exists=False)
            assert is_hasty or then or point is None or grim.point != point, f"{point} was never passed"
        finally:
            crashpoint.disarm()
        return grim


async def calm(h: ComputeHarness, world: World, grim: Grim) -> None:
    """Nothing is under way any more; a death on the way there is survived too."""

    async def idle() -> bool:
        try:
            await h.settle(0.5)
        except AssertionError:
            return False
        return not world.mail and not grim.is_dead

    await until(h, world, grim, idle)


async def look(h: ComputeHarness, world: World, server_id: str, *, exists: bool) -> None:
    """Exactly once, nothing leaked, everything counted."""
    verbs = sorted(verb for verb, _ in {(job["verb"], job["job_token"]) for job in h.jobs()})
    assert len(verbs) == len(set(verbs)) <= 2 - exists, f"one job of each kind: {verbs}"
    assert not exists or verbs == ([] if world.refuses else ["instance.create"])
    async with h.db.read() as uow:
        ports = {r.id for r in await uow.all(select(server_ports.c.id))}
        volumes = {r.id for r in await uow.all(select(server_volumes.c.id))}
        promised = await uow.scalar(select(func.count()).select_from(reservations))
        open_actions = await uow.scalar(select(func.count()).select_from(actions).where(actions.c.finished_at.is_(None)))
    assert ports == {p["id"] for p in world.ports.get(server_id, [])}
    assert volumes == {v["id"] for v in world.volumes.get(server_id, [])}
    assert open_actions == 0, "an instance action never ended"
    assert promised <= (1 if exists else 0), "room is promised to nobody"
    assert not h.quota.pending, "a commission was never decided"
    n = int(exists)
    wanted = {"compute.instances": n, "compute.cores": n, "compute.ram_mib": 128 * n, "network.ports": len(ports)}
    assert {k: v for k, v in h.quota.used.items() if v} == {k: v for k, v in wanted.items() if v}
    listed = (await h.as_member().get("/v2.1/servers")).json()["servers"]
    assert len(listed) == n
    if not exists:
        assert (world.ports, world.volumes, world.instances) == ({}, {}, set())
        found = [e for e in h.events if e.type == "compute.server.deleted"]
        assert len({e.id for e in found}) == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_server_lives_and_dies_once_whatever_is_killed(tmp_path: Path, point: str) -> None:
    await live(tmp_path, point)


@pytest.mark.parametrize("point", FAILING_POINTS)
async def test_a_server_that_fails_to_build_says_why_whatever_is_killed(tmp_path: Path, point: str) -> None:
    await live(tmp_path, point, job_fails=True)


@pytest.mark.parametrize("refuses", ["ports", "volumes"])
@pytest.mark.parametrize("point", [*REFUSED_POINTS, "compute.server_delete.submit.after_log"])
async def test_a_refused_part_is_not_counted_whatever_is_killed(tmp_path: Path, point: str, refuses: str) -> None:
    if refuses == "ports" and ".volumes.undo." in point:
        pytest.skip("never got so far")
    await live(tmp_path, point, refuses=refuses)


@pytest.mark.parametrize("hit", [2, 3])
@pytest.mark.parametrize("point", relay_points("compute"))
async def test_each_batch_of_the_relay_may_be_its_last(tmp_path: Path, point: str, hit: int) -> None:
    await live(tmp_path, point, hit=hit)


async def test_no_step_and_no_consumer_is_without_a_crash_point(tmp_path: Path) -> None:
    """All points that definitions promise are really passed in a server's life: a step or consumer without one shows here."""
    passed = (await live(tmp_path, None)).passed
    assert len(POINTS) >= 30, len(POINTS)
    for saga in SAGAS:
        for step in saga.steps:
            assert any(point.startswith(f"compute.{saga.name}.{step.name}.") for point in passed), f"{saga.name}.{step.name}"
    for _patterns, handler in _service.consumers.handlers:
        assert any(point.startswith(f"compute.consumer.{handler.__name__}.") for point in passed), handler.__name__
    assert not set(POINTS) - passed


@pytest.mark.slow
@pytest.mark.parametrize("point", SAGA_POINTS)
async def test_a_server_deleted_while_it_is_built_is_gone_whatever_is_killed(tmp_path: Path, point: str) -> None:
    await live(tmp_path, point, is_hasty=True)


def _pairs(n: int) -> list[tuple[str, str]]:
    chosen = random.Random(20261122)  # the same ones in every process: xdist compares their names
    return [(chosen.choice(POINTS), chosen.choice(POINTS)) for _ in range(n)]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), _pairs(40))
async def test_a_second_death_during_recovery_is_survived_too(tmp_path: Path, first: str, second: str) -> None:
    await live(tmp_path, first, then=second)
