"""The worker's side of storage jobs: one at a time, in a thread, under a lease; a killed one is taken up again.

What the jobs do is `synnefo_archipelago`'s; here is who is asked for roots, where the work lies, and how far it is.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import threading
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from synnefo_archipelago import Root, RootKind, StoreError, store_mark
from synnefo_archipelago.fsck import check_store
from synnefo_archipelago.gc import Collector
from synnefo_archipelago.pace import Pace, Progress, Stopped
from synnefo_archipelago.scrub import scrub_store
from synnefo_archipelago.spool import load_json, save_json
from synnefo_archipelago.survey import Owner, RootPage
from synnefo_common.clock import MICROS
from synnefo_common.errors import Fault
from synnefo_common.lease import Lease
from synnefo_common.log import get_logger
from synnefo_common.reconcile import Reconciler
from synnefo_volume.app import roots, storage
from synnefo_volume.app.services import Services
from synnefo_volume.clients.roots import list_roots, replace_root
from synnefo_volume.db import snapshots, storage_jobs
from synnefo_volume.domain.storage import Action, Enqueue, Facts, Kind, RunJob, plan

log = get_logger(__name__)
T = TypeVar("T")
OWNERS = frozenset({"image", "object", "volume"})
"""Who keeps roots of frozen data. Nothing is removed before each of them has told all of its roots."""
_LEASE_S = 60.0
_TELL_S = 1.0
_KEEP_JOBS_S = 30 * 86400
_BATCH = 100
_WORK = Path("/var/lib/synnefo/volume-storage")


POOL_OWNERS = frozenset({"object"})
"""Who keeps roots in the pool of a storage policy."""


def work_folder(svc: Services, pool: str = "") -> Path:
    """Where the jobs of a pool keep their lists."""
    return _work_folder(svc) / "pools" / pool if pool else _work_folder(svc)


def _work_folder(svc: Services) -> Path:
    if svc.settings.storage_dir:
        return Path(svc.settings.storage_dir)
    url = urlsplit(svc.settings.store_url)
    return Path(unquote(url.path)) / "work" if url.scheme == "file" else _WORK


class _Asked(Owner):
    """An owner that is asked from the job's thread; the asking is done by the event loop."""

    def __init__(self, ask: Callable[[int, str], Coroutine[Any, Any, dict[str, Any]]], run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._ask = ask
        self._run = run

    def page(self, epoch: int, after: str) -> RootPage:
        said = self._run(self._ask(epoch, after))
        found = [(row["id"], base64.b64decode(row["root"])) for row in said["roots"]]
        return RootPage(found, said["next"], said["complete"] is True)


class Job:
    """One run of one job, in a thread."""

    def __init__(self, svc: Services, row: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.svc = svc
        self.row = row
        self.stop = threading.Event()
        self.progress = Progress("", 0, 0, 0)
        self._loop = loop
        self._folder = work_folder(svc, row.pool)
        self._store = svc.pool(row.pool).store
        self._required = POOL_OWNERS if row.pool else OWNERS

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _tell(self, progress: Progress) -> None:
        self.progress = progress

    def _owners(self) -> dict[str, Owner]:
        svc, pool = self.svc, self.row.pool
        mark = store_mark(svc.settings.pools[pool]) if pool else ""

        def of_peer(name: str) -> Callable[[int, str], Coroutine[Any, Any, dict[str, Any]]]:
            return lambda epoch, after: list_roots(svc.owners[name], epoch=epoch, after=after, pool=pool, store=mark)

        found: dict[str, Owner] = {name: _Asked(of_peer(name), self._await) for name in self._required - {"volume"}}
        if "volume" in self._required:
            found["volume"] = _Asked(lambda _, after: roots.list_roots(svc, after=after, limit=1000), self._await)
        return found

    def run(self) -> tuple[dict[str, Any], int]:
        """The result and the number of findings. Raises Stopped, StoreError, Fault, OSError."""
        svc, settings = self.svc, self.svc.settings
        pace = Pace(
            objects_per_s=settings.storage_objects_per_s, bytes_per_s=settings.storage_bytes_per_s,
            report=self._tell, should_stop=self.stop.is_set,
        )  # fmt: skip
        store = self._store

        def clock() -> float:
            return svc.clock.now_us() / MICROS

        match Kind(self.row.kind):
            case Kind.GC:
                collector = Collector(
                    store, self._owners(), self._folder / "gc",
                    required=self._required, grace_s=settings.gc_grace_s, clock=clock, pace=pace,
                )  # fmt: skip
                return asdict(collector.run(dry_run=self.row.dry_run)), 0
            case Kind.SCRUB:
                scrubbed = scrub_store(store, self._folder / "scrub", pace=pace)
                return asdict(scrubbed), scrubbed.damaged_count
            case Kind.FSCK:
                checked = check_store(
                    store, self._owners(), self._folder / "fsck", grace_s=settings.gc_grace_s, clock=clock, pace=pace
                )
                return asdict(checked), checked.missing_count + len(checked.unreadable)
            case Kind.FREEZE:
                return self._freeze_all(pace), 0

    # Freezing

    def _freeze_all(self, pace: Pace) -> dict[str, Any]:
        counts = {"frozen": 0, "gone": 0}
        after = ""
        while rows := self._await(self._unfrozen(after)):
            for row in rows:
                new = self._freeze(row.root, pace)
                counts["frozen" if self._await(self._replace(row.id, row.root, new)) else "gone"] += 1
            after = rows[-1].id
        page: dict[str, Any] = {"next": ""}
        image = self.svc.owners["image"]
        while page["next"] is not None:
            page = self._await(list_roots(image, epoch=0, after=page["next"]))
            for found in page["roots"]:
                old = base64.b64decode(found["root"])
                if Root.from_bytes(old).kind is RootKind.SNAPSHOT:
                    new = self._freeze(old, pace)
                    key = f"freeze:{found['id']}:{Root.from_bytes(new).digest}"
                    counts["frozen" if self._await(replace_root(image, found["id"], old=old, new=new, key=key)) else "gone"] += 1
        shutil.rmtree(self._folder / "freeze", ignore_errors=True)
        return counts

    async def _unfrozen(self, after: str) -> Any:
        async with self.svc.db.read() as uow:
            return await snapshots.unfrozen(uow, after_id=after, limit=_BATCH)

    async def _replace(self, snapshot_id: str, old: bytes, new: bytes) -> bool:
        async with self.svc.db.begin() as uow:
            return await snapshots.replace_root(uow, snapshot_id, old=old, new=new)

    def _freeze(self, blob: bytes, pace: Pace) -> bytes:
        root = Root.from_bytes(blob)
        folder = self._folder / "freeze"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{root.digest}.json"
        frozen = self._store.freeze(root, pace=pace, done=load_json(path) or {}, remember=lambda done: save_json(path, done))
        path.unlink(missing_ok=True)
        return frozen.to_bytes()


async def run_job(svc: Services, job_id: str) -> None:
    """Run a job to its end, or until this process stops or loses the lease. Does nothing while another is at it."""
    lease = Lease(svc.db, "storage job", ttl_s=_LEASE_S)
    if not await lease.acquire():
        return
    try:
        async with svc.db.begin() as uow:
            now = svc.clock.now_us()
            row = await storage_jobs.get(uow, job_id)
            if row is None or row.state not in storage_jobs.UNFINISHED:
                return
            if row.pool and row.pool not in svc.pools:
                values = {"state": "failed", "error": f"The pool {row.pool} is not configured.", "finished_at": now, "updated_at": now}
                await storage_jobs.change(uow, job_id, values=values)
                return
            await storage_jobs.change(uow, job_id, values={"state": "running", "started_at": row.started_at or now, "updated_at": now})
        await _follow(svc, Job(svc, row, asyncio.get_running_loop()), lease)
    finally:
        await lease.release()


async def _follow(svc: Services, job: Job, lease: Lease) -> None:
    thread = asyncio.ensure_future(asyncio.to_thread(job.run))
    told = job.progress
    try:
        while not thread.done():
            await asyncio.wait({thread}, timeout=_TELL_S)
            if not await lease.hold():
                job.stop.set()  # another may begin: nothing of ours may go on beside it
            if job.progress != told and not thread.done():
                told = job.progress
                await _change(svc, job.row.id, _counted(told))
    finally:
        job.stop.set()
        with contextlib.suppress(Exception):  # it is looked at below, or by whoever takes the job up again
            await thread
    values: dict[str, Any] = {"finished_at": svc.clock.now_us(), **_counted(job.progress)}
    try:
        result, findings = thread.result()
        values |= {"state": "done", "result": result, "findings": findings}
    except Stopped:
        return
    except (StoreError, Fault, OSError) as error:
        log.warning("storage_job_failed", job_id=job.row.id, kind=job.row.kind, error=str(error))
        values |= {"state": "failed", "error": f"{type(error).__name__}: {error}"}
    if lease.is_held:
        await _change(svc, job.row.id, values)
        log.info("storage_job_ended", job_id=job.row.id, kind=job.row.kind, state=values["state"], findings=values.get("findings", 0))


def _counted(progress: Progress) -> dict[str, Any]:
    return {"phase": progress.phase, "done": progress.done, "total": progress.total, "bytes": progress.bytes}


async def _change(svc: Services, job_id: str, values: dict[str, Any]) -> None:
    async with svc.db.begin() as uow:
        await storage_jobs.change(uow, job_id, values={**values, "updated_at": svc.clock.now_us()})


class StorageWork:
    """Facts and actions of the reconciler."""

    def __init__(self, svc: Services) -> None:
        self.svc = svc
        self._started = svc.clock.now_us()

    async def observe(self) -> Facts:
        """Jobs that wait, and how long ago each kind was asked for."""
        svc, now = self.svc, self.svc.clock.now_us()
        settings = svc.settings
        async with svc.db.read() as uow:
            unfinished = await storage_jobs.unfinished(uow)
            last = await storage_jobs.last_created(uow)
            waiting = await snapshots.unfrozen(uow, after_id="", limit=1)
        return Facts(
            unfinished=[(row.id, row.kind, row.pool) for row in unfinished],
            age_s={key: (now - at) / MICROS for key, at in last.items()},
            up_s=(now - self._started) / MICROS,
            period_s={Kind.GC: settings.gc_period_s, Kind.SCRUB: settings.scrub_period_s, Kind.FREEZE: settings.freeze_period_s},
            pools=["", *svc.pools],
            has_unfrozen=bool(waiting),
        )

    async def execute(self, action: Action) -> None:
        """Do one."""
        match action:
            case Enqueue(kind, pool):
                await storage.create_job(self.svc, kind, pool=pool, dry_run=False, user_id=None)
                async with self.svc.db.begin() as uow:
                    await storage_jobs.forget(uow, before=self.svc.clock.now_us() - _KEEP_JOBS_S * MICROS)
            case RunJob(job_id):
                await run_job(self.svc, job_id)
                self.svc.nudge_storage()  # there may be more


def storage_reconciler(svc: Services) -> Reconciler[Facts, Action]:
    """The reconciler of storage jobs."""
    work = StorageWork(svc)
    period_s = svc.settings.storage_poll_s
    return Reconciler("storage", db=svc.db, observe=work.observe, plan=plan, execute=work.execute, period_s=period_s)
