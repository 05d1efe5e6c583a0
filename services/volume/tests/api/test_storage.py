"""Storage jobs: who may, what they do, and that nothing goes while an owner does not tell all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from services.volume.tests.factories import Volumes

from synnefo_archipelago import Root, RootKind, store_mark
from synnefo_common.testing import Harness, wait_until
from synnefo_volume.app import storage_jobs
from synnefo_volume.app.store import root_of, root_text
from synnefo_volume.db import snapshots
from synnefo_volume.domain.storage import Enqueue, Facts, Kind, RunJob, plan
from synnefo_volume.main import build
from synnefo_volume.settings import Settings

JOBS = "/admin/v1/storage/jobs"
BLOCK = 4 << 20


class Owner:
    """The roots of a faked image or object service."""

    def __init__(self, h: Harness, name: str) -> None:
        self.roots: dict[str, str] = {}
        self.peer = h.peers[name]
        self.peer.on("GET", "/internal/v1/roots", self.answer)
        self.peer.on("POST", "/internal/v1/roots/replace", self.replace)

    def answer(self, request: Any) -> dict[str, Any]:
        left = sorted(i for i in self.roots if i > request.query["after"])
        page, rest = left[:2], left[2:]
        return {"roots": [{"id": i, "root": self.roots[i]} for i in page], "next": page[-1] if rest else None, "complete": not rest}

    def replace(self, request: Any) -> dict[str, Any]:
        is_old = self.roots.get(request.json["id"]) == request.json["old"]
        if is_old:
            self.roots[request.json["id"]] = request.json["new"]
        return {"replaced": is_old}


class Store(Volumes):
    def __init__(self, h: Harness) -> None:
        super().__init__(h)
        self.image, self.object = Owner(h, "image"), Owner(h, "object")
        self.driver.touch_slack_s = 0.0

    @property
    def driver(self) -> Any:
        return self.services.store.store.driver

    def slow_down(self, *, objects_per_s: float) -> None:
        services = self.services
        services.settings = services.settings.model_copy(update={"storage_objects_per_s": objects_per_s})

    async def upload(self, data: bytes) -> Root:
        writer = self.services.store.writer()
        await writer.write(data)
        return await writer.finish()

    async def ask(self, kind: str, **more: Any) -> str:
        r = await self.h.as_admin().post(JOBS, json={"kind": kind, **more})
        assert r.status_code == 202, r.text
        job_id: str = r.json()["job"]["id"]
        return job_id

    async def job(self, kind: str, **more: Any) -> dict[str, Any]:
        job_id = await self.ask(kind, **more)

        async def ended() -> Any:
            found = (await self.h.as_admin().get(f"{JOBS}/{job_id}")).json()["job"]
            return found if found["state"] in ("done", "failed") else None

        found: dict[str, Any] = await wait_until(ended, 20, what=f"{kind} ends")
        return found


@pytest.fixture
async def h(tmp_path: Path) -> AsyncIterator[Harness]:
    values: dict[str, Any] = {"store_url": f"file://{tmp_path}/store", "database_url": f"sqlite:///{tmp_path}/db"}
    values |= dict.fromkeys(("gc_period_s", "scrub_period_s", "freeze_period_s"), 0)
    async with Harness(build, Settings, values) as harness:
        yield harness


@pytest.fixture
def s(h: Harness) -> Store:
    return Store(h)


async def test_only_administrators_may(h: Harness, s: Store) -> None:
    job_id = await s.ask("scrub")
    calls = [("POST", JOBS, {"kind": "gc"}), ("GET", JOBS, None), ("GET", f"{JOBS}/{job_id}", None), ("GET", "/admin/v1/storage/stats", None)]
    for client, status in ((h.as_manager(), 403), (h.as_member(), 403), (h.internal(), 403), (h.anonymous(), 401)):
        for method, url, body in calls:
            r: httpx.Response = await client.request(method, url, json=body)
            assert r.status_code == status, (method, url, r.text)
    assert (await h.as_admin().get(f"{JOBS}/{'6' * 32}")).status_code == 404
    assert (await h.as_admin().post(JOBS, json={"kind": "burn"})).status_code == 400
    assert (await h.as_admin().post(JOBS, json={"kind": "scrub", "dry_run": True})).status_code == 400


async def test_collection_over_image_object_and_volumes(h: Harness, s: Store) -> None:
    """A story: what image, object, snapshots and volumes hold stays to the last byte; the rest is told, then condemned, then gone."""
    kept = {name: name.encode() * 100_000 for name in ("image", "object0", "object1", "object2")}
    for name, data in kept.items():
        (s.image if name == "image" else s.object).roots[name] = root_text(await s.upload(data))
    one = await s.create()
    await s.write(one["id"], b"volume" * 1000)
    snap = await s.snapshot(one["id"])
    await s.write(one["id"], b"after!" * 1000)
    await s.upload(b"lost" * 100_000)
    h.clock.advance(180_000)  # two days later: nothing of it is an upload under way
    told = await s.job("gc", dry_run=True)
    assert told["state"] == "done" and told["result"]["condemned"]["cas"]["objects"] == 1, told
    first = await s.job("gc")
    assert (first["result"]["condemned"]["cas"]["objects"], first["result"]["freed"]["cas"]["objects"]) == (1, 0)
    before = (await h.as_admin().get("/admin/v1/storage/stats")).json()["stats"]
    second = await s.job("gc")
    assert second["result"]["freed"]["cas"]["objects"] == 1 and second["result"]["roots"] == 6 and second["findings"] == 0
    after = (await h.as_admin().get("/admin/v1/storage/stats")).json()["stats"]
    assert before["cas_blocks"] - after["cas_blocks"] == 1 and after["bytes"] < before["bytes"] and after["volumes"] == 1
    for owner in (s.image, s.object):
        for name, text in owner.roots.items():
            root = root_of(text)
            assert root is not None and await s.services.store.read(root, 0, root.size) == kept[name]
    assert await s.read(one["id"], 0, 6000) == b"after!" * 1000
    again = await s.create(snapshot_id=snap["id"])
    assert await s.read(again["id"], 0, 6000) == b"volume" * 1000
    listed = (await h.as_admin().get(JOBS)).json()["jobs"]
    assert [j["kind"] for j in listed] == ["gc"] * 3 and all(j["state"] == "done" and j["finished_at"] for j in listed)


@pytest.mark.parametrize("answer", [(503, None), {"roots": [], "next": None, "complete": False}])
async def test_nothing_goes_while_an_owner_does_not_tell_all(h: Harness, s: Store, answer: Any) -> None:
    root = await s.upload(b"held" * 1000)
    h.clock.advance(180_000)
    assert (await s.job("gc"))["result"]["condemned"]["cas"]["objects"] == 1
    s.object.roots["o"] = root_text(root)
    s.object.peer.on("GET", "/internal/v1/roots", answer)
    for _ in range(2):
        failed = await s.job("gc")
        assert failed["state"] == "failed" and failed["error"]
    assert await s.services.store.read(root, 0, 4) == b"held"
    s.object.peer.on("GET", "/internal/v1/roots", s.object.answer)
    assert (await s.job("gc"))["result"]["live"]["cas"]["objects"] == 1


async def test_scrub_and_fsck_tell_damage_and_who_is_hurt(h: Harness, s: Store) -> None:
    root = await s.upload(b"good" * 1000)
    s.object.roots["hurt"] = root_text(root)
    h.clock.advance(180_000)
    for kind in ("scrub", "fsck"):
        assert (await s.job(kind))["findings"] == 0
    [(key, _)] = s.driver.iter("cas")
    bad = bytearray(s.driver.get("cas", key))
    bad[-1] ^= 4
    s.driver.put("cas", key, [bad], replace=True)
    scrubbed = await s.job("scrub")
    assert scrubbed["findings"] == 1 and scrubbed["result"]["damaged"][0]["object"] == f"cas/{key}"
    s.driver.delete("cas", key)
    checked = await s.job("fsck")
    assert checked["findings"] == 1 and checked["result"]["missing"] == [f"cas/{key}"]
    assert checked["result"]["hurt"][0]["owner"] == "object" and checked["result"]["hurt"][0]["id"] == "hurt"
    assert checked["done"] and checked["phase"]


async def test_freezing_exchanges_roots_of_snapshots_and_images(h: Harness, s: Store) -> None:
    one = await s.create()
    await s.write(one["id"], b"to freeze" * 1000)
    snap = await s.snapshot(one["id"])
    async with h.db.read() as uow:
        row = await snapshots.get(uow, snap["id"], project_id=None, with_root=True)
    assert row is not None and Root.from_bytes(row.root).kind is RootKind.SNAPSHOT
    s.image.roots |= {"i1": root_text(row.root), "i2": root_text(await s.upload(b"frozen already"))}
    assert (await s.job("freeze"))["result"] == {"frozen": 2, "gone": 0}
    async with h.db.read() as uow:
        row = await snapshots.get(uow, snap["id"], project_id=None, with_root=True)
    assert row is not None
    frozen = Root.from_bytes(row.root)
    assert frozen.is_frozen and root_text(frozen) == s.image.roots["i1"]
    before = (await s.services.store.stats()).cas_blocks
    assert (await s.upload(b"to freeze" * 1000)).block_count == 1
    assert (await s.services.store.stats()).cas_blocks == before  # it is the same block
    again = await s.create(snapshot_id=snap["id"])
    assert await s.read(again["id"], 0, 9000) == b"to freeze" * 1000
    assert (await s.job("freeze"))["result"] == {"frozen": 0, "gone": 0}


async def test_snapshot_deleted_while_it_is_frozen_is_no_error(h: Harness, s: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await s.create()
    await s.write(one["id"], b"x" * 1000)
    snap = await s.snapshot(one["id"])
    freeze = storage_jobs.Job._freeze

    def freeze_then_delete(job: Any, blob: bytes, pace: Any) -> bytes:
        new = freeze(job, blob, pace)

        async def delete() -> None:
            assert (await h.as_member().delete(f"{s.url}/snapshots/{snap['id']}")).status_code == 202

        job._await(delete())
        return new

    monkeypatch.setattr(storage_jobs.Job, "_freeze", freeze_then_delete)
    assert (await s.job("freeze"))["result"] == {"frozen": 0, "gone": 1}


async def test_job_of_a_killed_worker_is_taken_up_again(h: Harness, s: Store) -> None:
    for number in range(5):
        s.object.roots[f"o{number}"] = root_text(await s.upload(bytes([number + 1]) * 1000))
    s.slow_down(objects_per_s=5)
    job_id = await s.ask("fsck")

    async def state() -> Any:
        return (await h.as_admin().get(f"{JOBS}/{job_id}")).json()["job"]

    async def started() -> bool:
        return bool((await state())["done"])

    await wait_until(started, 20, what="it is at work")
    await h.restart()

    async def ended() -> Any:
        found = await state()
        return found if found["state"] == "done" else None

    found = await wait_until(ended, 30, what="the job is taken up and ends")
    assert found["result"]["roots"] == 5 and found["findings"] == 0


async def test_second_request_of_a_kind_joins_the_first(h: Harness, s: Store) -> None:
    s.slow_down(objects_per_s=5)
    for number in range(20):
        await s.upload(bytes([number + 1]) * 100)
    first = await s.ask("scrub")
    assert await s.ask("scrub") == first


def test_plan_is_one_job_at_a_time_and_what_is_due() -> None:
    periods = {Kind.GC: 86400.0, Kind.SCRUB: 604800.0, Kind.FREEZE: 600.0}
    day = Facts(age_s={("gc", ""): 86401, ("scrub", ""): 86401, ("freeze", ""): 700}, up_s=5, period_s=periods)
    assert plan(day) == [Enqueue(Kind.GC)]
    day.has_unfrozen = True
    assert plan(day) == [Enqueue(Kind.GC), Enqueue(Kind.FREEZE)]
    day.unfinished = [("a", "gc", ""), ("b", "scrub", "")]
    assert plan(day) == [RunJob("a"), Enqueue(Kind.FREEZE)]
    day.pools = ["", "fast"]  # each pool has its own turn; nothing of another is frozen
    day.age_s = {**day.age_s, ("gc", "fast"): 86401, ("scrub", "fast"): 5}
    assert plan(day) == [RunJob("a"), Enqueue(Kind.GC, "fast"), Enqueue(Kind.FREEZE)]
    fresh = Facts(up_s=10, period_s=periods)
    assert plan(fresh) == []
    fresh.up_s = 3700
    assert plan(fresh) == [Enqueue(Kind.GC), Enqueue(Kind.SCRUB)]
    assert plan(Facts(up_s=1e9, period_s=dict.fromkeys(periods, 0.0), has_unfrozen=True)) == []


POOL = "archive"


@pytest.fixture
async def pooled(tmp_path: Path) -> AsyncIterator[Store]:
    values: dict[str, Any] = {"store_url": f"file://{tmp_path}/store", "database_url": f"sqlite:///{tmp_path}/db"}
    values |= {"pools": {POOL: f"file://{tmp_path}/archive"}}
    values |= dict.fromkeys(("gc_period_s", "scrub_period_s", "freeze_period_s"), 0)
    async with Harness(build, Settings, values) as harness:
        yield Store(harness)


def told_by(s: Store, roots: dict[str, str], **more: Any) -> Any:
    """How the object service tells of the pool, and of nothing in the store of all."""
    mark = store_mark(s.services.settings.pools[POOL])

    def answer(request: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"roots": [], "next": None, "complete": True}
        if request.query.get("pool", "") != POOL:
            return found
        return found | {"roots": [{"id": i, "root": text} for i, text in roots.items()], "pool": POOL, "store": mark} | more

    return answer


async def store_in_pool(s: Store, data: bytes) -> Root:
    writer = s.services.pools[POOL].writer()
    await writer.write(data)
    return await writer.finish()


async def test_each_pool_is_swept_by_the_roots_of_its_own_owners(pooled: Store) -> None:
    s, admin = pooled, pooled.h.as_admin()
    s.services.pools[POOL].store.driver.touch_slack_s = 0.0
    kept, _ = await store_in_pool(s, b"kept" * 1000), await store_in_pool(s, b"lost" * 1000)
    both = await s.upload(b"lost" * 1000)
    s.image.roots["i"] = root_text(both)  # the same block in the store of all is somebody's
    s.object.peer.on("GET", "/internal/v1/roots", told_by(s, {"o": root_text(kept)}))
    s.h.clock.advance(180_000)
    for freed in (0, 1):
        swept = await s.job("gc", pool=POOL)
        assert swept["state"] == "done" and swept["pool"] == POOL, swept
        assert swept["result"]["freed"]["cas"]["objects"] == freed
    assert await s.services.pools[POOL].read(kept, 0, 4) == b"kept"
    assert (await s.job("gc"))["result"]["condemned"]["cas"]["objects"] == 0
    assert await s.services.store.read(both, 0, 4) == b"lost"
    assert (await s.job("scrub", pool=POOL))["result"]["objects"] == 1
    assert (await s.job("fsck", pool=POOL))["findings"] == 0
    assert (await admin.get("/admin/v1/storage/pools")).json() == {"pools": ["", POOL]}
    assert (await admin.get(f"/admin/v1/storage/stats?pool={POOL}")).json()["stats"]["cas_blocks"] == 1
    assert (await admin.get("/admin/v1/storage/stats?pool=none")).status_code == 404
    assert (await admin.post(JOBS, json={"kind": "gc", "pool": "none"})).status_code == 404
    assert (await admin.post(JOBS, json={"kind": "freeze", "pool": POOL})).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        (503, None),
        {"roots": [], "next": None, "complete": True},  # one who knows no pools
        {"complete": False},
        {"store": store_mark("file:///another")},
        {"pool": "other"},
    ],
)
async def test_pool_is_not_swept_without_its_owners_word(pooled: Store, wrong: Any) -> None:
    s = pooled
    s.services.pools[POOL].store.driver.touch_slack_s = 0.0
    root = await store_in_pool(s, b"held" * 1000)
    s.object.peer.on("GET", "/internal/v1/roots", told_by(s, {}))
    s.h.clock.advance(180_000)
    assert (await s.job("gc", pool=POOL))["result"]["condemned"]["cas"]["objects"] == 1
    is_answer = isinstance(wrong, tuple) or "roots" in wrong
    s.object.peer.on("GET", "/internal/v1/roots", wrong if is_answer else told_by(s, {}, **wrong))
    failed = await s.job("gc", pool=POOL)
    assert failed["state"] == "failed" and failed["error"]
    assert await s.services.pools[POOL].read(root, 0, 4) == b"held"


def test_pools_on_one_store_are_refused_at_start() -> None:
    with pytest.raises(ValidationError, match="the store of another pool"):
        Settings.model_validate({"store_url": "file:///x", "pools": {"a": "file:///x/../x"}, "service_password": "p", "database_url": "sqlite://"})
