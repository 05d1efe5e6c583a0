"""The generic tests of every saga: each action twice, an error before and after each, each undo twice.

Create, resize and delete do not go back to the state before: what a failure leaves is looked at instead.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from services.compute.tests.cloud import IMAGE, NETWORK, ComputeHarness
from sqlalchemy import delete, func, select

from synnefo_common.db.tables import outbox, sagas
from synnefo_common.saga.testing import Lab, assert_all_tested, saga_tests
from synnefo_compute.app.sagas import interface_attach, server_create, server_delete, server_resize, volume_attach
from synnefo_compute.db.clusters import reservations
from synnefo_compute.db.projections import server_ports, server_volumes
from synnefo_compute.db.servers import servers
from synnefo_compute.main import build
from synnefo_compute.settings import Settings

pytestmark = pytest.mark.slow  # every step failed, repeated and killed

_known = build(Settings(database_url=f"sqlite:///{tempfile.gettempdir()}/never-opened.db")).sagas.sagas  # type: ignore[union-attr]
VOLUME = "b0000000-0000-4000-8000-000000000001"
BODY = {"server": {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "networks": [{"uuid": NETWORK}]}}
Prepare = Callable[[ComputeHarness], Awaitable[dict[str, Any] | None]]  # may give the saga's data; else a saga's row has it
Look = Callable[[ComputeHarness, str, str], Awaitable[None]]


async def snapshot(h: ComputeHarness) -> Any:
    """All that compute's sagas touch, without ids drawn at random."""
    columns = [servers.c[name] for name in ("vm_state", "task_state", "power_state", "flavor_id", "vcpus", "ram_mib", "disk_gib", "cluster")]
    async with h.db.read() as uow:
        rows = [tuple(r) for r in await uow.all(select(*columns))]
        counts = [await uow.scalar(select(func.count()).select_from(t)) for t in (server_ports, server_volumes, reservations)]
        bodies = [orjson.loads(r.body) for r in await uow.all(select(outbox.c.body).order_by(outbox.c.seq))]
    sent = [(e["type"], e["data"].get("verb"), str(e["data"].get("job_token")).partition(":")[2]) for e in bodies]
    there = [sorted(len(items) for items in of.values() if items) for of in (h.world.ports, h.world.volumes)]
    sizes = sorted(v["size_gib"] for items in h.world.volumes.values() for v in items)
    used = {k: n for k, n in h.quota.used.items() if n}
    return rows, counts, sent, there, sizes, used, len(h.quota.pending)


@asynccontextmanager
async def laboratory(name: str, prepare: Prepare, answers: dict[str, Any], look: Look | None) -> AsyncIterator[Lab]:
    """A server (made while workers run), then what `prepare` asks for without workers: its saga is run by the test's own engine."""
    with tempfile.TemporaryDirectory(prefix="synnefo-lab-") as folder:
        async with ComputeHarness(database_url=f"sqlite:///{folder}/compute.db") as h:
            await h.flavor()
            await h.flavor("big", id="2", ram=256, vcpus=2, disk=3)
            await h.report()
            if name != server_create.NAME:
                await h.server()
            if name == server_resize.REVERT_NAME:
                server_id = next(iter(h.world.ports))
                await h.act(server_id, {"resize": {"flavorRef": "2"}})
                await h.ganeti_does_all()
            await h.kill()
            await h.rise(work=False)
            data = await prepare(h)
            async with h.db.begin() as uow:
                if data is None:
                    data = orjson.loads(await uow.scalar(select(sagas.c.data).where(sagas.c.name == name)))
                await uow.run(delete(sagas))
                await uow.run(delete(outbox))

            async def after_failure(step: str, moment: str) -> None:
                assert look is not None
                await look(h, step, moment)

            compute = h.service.app.state.services
            assert h.service.sagas is not None
            yield Lab(
                h.db, compute, data, lambda: snapshot(h), answers=answers, saga=h.service.sagas.sagas[name],
                after_failure=after_failure if look else None,
            )  # fmt: skip


def suite(name: str, prepare: Prepare, *, answers: dict[str, Any] | None = None, look: Look | None = None) -> type:
    return saga_tests("compute", _known[name], lambda: laboratory(name, prepare, answers or {"job": {"node": "n"}}, look))


async def the_server(h: ComputeHarness) -> dict[str, Any]:
    return dict((await h.as_admin().get("/v2.1/servers/detail?all_tenants=1")).json()["servers"][0])


async def ids_of(h: ComputeHarness) -> dict[str, Any]:
    server_id = (await the_server(h))["id"]
    common = {"project_id": h.project_id, "user_id": h.user_id, "cluster": "alpha", "action_id": None}
    return {"server_id": server_id, **common}


# create


async def create(h: ComputeHarness) -> None:
    h.world.new_ports = 1
    assert (await h.as_member().post("/v2.1/servers", json=BODY)).status_code == 202


async def look_at_failed_create(h: ComputeHarness, step: str, moment: str) -> None:
    """ERROR with the reason, and the ledger counts exactly what was made."""
    shown = await the_server(h)
    assert (shown["status"], shown["fault"]["message"]) == ("ERROR", "injected")
    assert not h.quota.pending
    ports = sum(len(of) for of in h.world.ports.values())
    wanted = Counter({"compute.instances": 1, "compute.cores": 1, "compute.ram_mib": 128, "network.ports": ports})
    assert +h.quota.used == +wanted, f"error {moment} {step}"
    async with h.db.read() as uow:
        assert await uow.scalar(select(func.count()).select_from(reservations)) == 0
        assert await uow.scalar(select(func.count()).select_from(server_ports)) == ports
        assert await uow.scalar(select(func.count()).select_from(server_volumes)) == sum(len(of) for of in h.world.volumes.values())


TestCreate = suite(server_create.NAME, create, look=look_at_failed_create)


# delete


async def destroy(h: ComputeHarness) -> None:
    assert (await h.as_member().delete(f"/v2.1/servers/{(await the_server(h))['id']}")).status_code == 204


async def look_at_failed_delete(h: ComputeHarness, step: str, moment: str) -> None:
    """The server can be deleted again, and is still counted."""
    shown = await the_server(h)
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("ERROR", None)
    assert h.quota.used["compute.instances"] == 1
    assert (await h.as_member().delete(f"/v2.1/servers/{shown['id']}")).status_code == 204
    assert (await the_server(h))["OS-EXT-STS:task_state"] == "deleting", f"error {moment} {step}"


TestDelete = suite(server_delete.NAME, destroy, look=look_at_failed_delete)


# resize

RESIZE_ANSWERS: dict[str, Any] = {"stop": {}, "change": {}, "grow": {}, "start": {}}


async def resize(h: ComputeHarness) -> None:
    assert await h.act((await the_server(h))["id"], {"resize": {"flavorRef": "2"}}) == 202


async def look_at_failed_resize(h: ComputeHarness, step: str, moment: str) -> None:
    """The old flavor is shown and counted, no commission hangs, and what was stopped is being started again."""
    shown = await the_server(h)
    assert shown["flavor"]["id"] == "1"
    assert (h.quota.used["compute.cores"], h.quota.used["compute.ram_mib"]) == (1, 128)
    assert not h.quota.pending
    is_stopped = step not in ("ask_stop", "stop")
    assert (shown["OS-EXT-STS:task_state"] == "powering-on") == is_stopped, f"error {moment} {step}"


async def revert(h: ComputeHarness) -> None:
    assert await h.act((await the_server(h))["id"], {"revertResize": None}) == 202


async def look_at_failed_revert(h: ComputeHarness, step: str, moment: str) -> None:
    """Nobody knows which flavor the instance has: the larger one stays counted."""
    assert (h.quota.used["compute.cores"], h.quota.used["compute.ram_mib"]) == (2, 256), f"error {moment} {step}"
    assert (await the_server(h))["OS-EXT-STS:task_state"] in (None, "powering-on")


TestResize = suite(server_resize.NAME, resize, answers=RESIZE_ANSWERS, look=look_at_failed_resize)
TestRevert = suite(server_resize.REVERT_NAME, revert, answers=RESIZE_ANSWERS, look=look_at_failed_revert)


# volumes and interfaces


async def attach_volume(h: ComputeHarness) -> dict[str, Any]:
    return await ids_of(h) | {"volume_id": VOLUME, "device_name": None}


async def detach_volume(h: ComputeHarness) -> dict[str, Any]:
    data = await ids_of(h)
    return data | {"volume_id": h.world.volumes[data["server_id"]][0]["id"]}


async def attach_interface(h: ComputeHarness) -> dict[str, Any]:
    return await ids_of(h) | {"network": {"uuid": NETWORK}}


async def detach_interface(h: ComputeHarness) -> dict[str, Any]:
    data = await ids_of(h)
    return data | {"port_id": h.world.ports[data["server_id"]][0]["id"]}


async def look_at_failed_attach(h: ComputeHarness, step: str, moment: str) -> None:
    """Only what the server had is there, at the peers and in the projections."""
    assert [len(of) for of in h.world.ports.values()] == [len(of) for of in h.world.volumes.values()] == [1], f"error {moment} {step}"
    async with h.db.read() as uow:
        for table in (server_ports, server_volumes):
            assert await uow.scalar(select(func.count()).select_from(table)) == 1


async def look_at_failed_detach(h: ComputeHarness, step: str, moment: str) -> None:
    """The server still shows what could not be taken away: nothing is forgotten before it is gone."""
    async with h.db.read() as uow:
        for table in (server_ports, server_volumes):
            assert await uow.scalar(select(func.count()).select_from(table)) == 1, f"error {moment} {step}"


BEGUN: dict[str, Any] = {"begin": {}, "job": {}}
TestVolumeAttach = suite(volume_attach.ATTACH, attach_volume, answers=BEGUN, look=look_at_failed_attach)
TestVolumeDetach = suite(volume_attach.DETACH, detach_volume, look=look_at_failed_detach)
TestInterfaceAttach = suite(interface_attach.ATTACH, attach_interface, answers=BEGUN, look=look_at_failed_attach)
TestInterfaceDetach = suite(interface_attach.DETACH, detach_interface, look=look_at_failed_detach)


def test_every_saga_is_tested() -> None:
    assert_all_tested("compute", _known.values())
