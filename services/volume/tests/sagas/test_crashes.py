"""Killed anywhere, the work ends in `available`, gone or `error`, and the quota is what the rows say."""

import pytest
from services.volume.tests.factories import IMAGE_ID, SERVER_ID, Volumes

from synnefo_archipelago import StoreUnavailable
from synnefo_common import crashpoint
from synnefo_common.saga import crash_points
from synnefo_common.testing import Harness
from synnefo_volume.app.sagas import SAGAS
from synnefo_volume.main import build
from synnefo_volume.settings import Settings

pytestmark = pytest.mark.slow  # every step failed, repeated and killed

POINTS = {saga.name: crash_points("volume", saga) for saga in SAGAS}


async def crash_at(h: Harness, point: str) -> None:
    """Die at the point, then run what is left as the next process would."""
    engine = h.service.sagas
    assert engine is not None
    crashpoint.arm(point)
    try:
        with pytest.raises(crashpoint.CrashInjected):
            await engine.run_until_idle()
    finally:
        crashpoint.disarm()
    h.clock.advance(60)  # the claim of the dead process runs out
    await engine.run_until_idle()


@pytest.fixture
async def idle() -> Harness:
    return Harness(build, Settings, {"store_url": "memory:"}, work=False)


async def run_all(h: Harness) -> None:
    assert h.service.sagas is not None
    await h.service.sagas.run_until_idle()


@pytest.mark.parametrize("point", POINTS["volume_create"])
async def test_create(idle: Harness, point: str) -> None:
    async with idle as h:
        v = Volumes(h)
        await v.give_image(b"boot")
        made = await v.create(imageRef=IMAGE_ID, wait=False)
        await crash_at(h, point)
        assert (await v.show(made["id"]))["status"] == "available"
        assert await v.stored() == {made["id"]} and v.used() == {"volumes": 1, "gigabytes": 1}


@pytest.mark.parametrize("point", POINTS["volume_delete"])
async def test_delete(idle: Harness, point: str) -> None:
    async with idle as h:
        v = Volumes(h)
        made = await v.create(wait=False)
        await run_all(h)
        await h.as_member().delete(f"{v.url}/volumes/{made['id']}")
        await crash_at(h, point)
        assert (await h.as_member().get(f"{v.url}/volumes/{made['id']}")).status_code == 404
        assert await v.stored() == set() and v.used() == {}


@pytest.mark.parametrize("point", POINTS["volume_extend"])
async def test_extend(idle: Harness, point: str) -> None:
    async with idle as h:
        v = Volumes(h)
        made = await v.create(wait=False)
        await run_all(h)
        assert (await v.act(made["id"], "os-extend", {"new_size": 3})).status_code == 202
        await crash_at(h, point)
        shown = await v.show(made["id"])
        assert (shown["status"], shown["size"]) == ("available", 3)
        assert v.used() == {"volumes": 1, "gigabytes": 3} and not h.quota.pending


@pytest.mark.parametrize("point", POINTS["snapshot_create"])
async def test_snapshot(idle: Harness, point: str) -> None:
    async with idle as h:
        v = Volumes(h)
        made = await v.create(wait=False)
        await run_all(h)
        snapshot = await v.snapshot(made["id"], wait=False)
        await crash_at(h, point)
        found = (await h.as_member().get(f"{v.url}/snapshots/{snapshot['id']}")).json()["snapshot"]
        assert found["status"] == "available"


async def test_store_outage_ends_in_error_and_can_be_deleted(idle: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    async with idle as h:
        v = Volumes(h)

        def down(*_args: object) -> None:
            raise StoreUnavailable("down")

        monkeypatch.setattr(v.services.store.store, "create_volume", down)
        made = await v.create(wait=False)
        for _ in range(20):
            await run_all(h)
            h.clock.advance(30)
        assert (await v.show(made["id"]))["status"] == "error" and v.used() == {"volumes": 1, "gigabytes": 1}
        assert (await h.as_member().delete(f"{v.url}/volumes/{made['id']}")).status_code == 202
        await run_all(h)
        assert v.used() == {}


async def test_reconciler(idle: Harness) -> None:
    async with idle as h:
        v = Volumes(h)
        reconciler = h.service.reconcilers[0]
        made = await v.create(wait=False)
        await run_all(h)
        body = {
            "project_id": h.project_id,
            "user_id": h.user_id,
            "reserved": True,
            "volumes": [
                {"source": "blank", "size_gib": 1, "boot_index": 0, "delete_on_termination": True},
                {"source": "volume", "uuid": made["id"]},
            ],
        }
        r = await h.internal().put(f"/internal/v1/servers/{SERVER_ID}/volumes", json=body)
        root = r.json()["volumes"][0]["id"]
        h.peers["compute"].on("GET", f"/internal/v1/servers/{SERVER_ID}", {"id": SERVER_ID})
        orphan = "dddddddd-0000-4000-8000-000000000001"
        await v.services.store.create_volume(orphan, 1 << 30)
        h.clock.advance(1000)
        assert await reconciler.run_once() == []
        gone = {"error": {"code": 404, "kind": "NotFound", "fault": "x", "message": "gone", "details": {}}}
        h.peers["compute"].on("GET", f"/internal/v1/servers/{SERVER_ID}", (404, gone))
        h.clock.advance(4000)
        kinds = [type(a).__name__ for a in await reconciler.run_once(dry_run=True)]
        assert kinds == ["RemoveDisks", "RemoveOrphan"] and await v.stored() == {made["id"], root, orphan}
        await reconciler.run_once()
        assert await v.stored() == {made["id"]} and (await v.show(made["id"]))["status"] == "available"
        assert await reconciler.run_once() == []
        await v.services.store.delete_volume(made["id"])
        assert [type(a).__name__ for a in await reconciler.run_once()] == ["ReportMissing"]
