"""Work in the block store that follows an accepted request: create, delete, extend, snapshot.

The request's transaction writes the row (`creating`, `deleting`, `extending`) and the saga together, so that a crash at
any line is followed by the rest. Every call to the store may be repeated. Quota: a create is accepted with its row, an
extension when it is done; a deletion gives back what the row says was counted.
"""

from __future__ import annotations

from typing import Any

from synnefo_archipelago import VolumeNotFound as NoSuchVolume
from synnefo_common.db import UnitOfWork
from synnefo_common.saga import Remote, Retry, Saga, SagaContext
from synnefo_volume.app.services import Services
from synnefo_volume.app.store import GIB, root_of, root_text, store_faults
from synnefo_volume.db import snapshots, volumes
from synnefo_volume.domain.errors import VolumeBusy
from synnefo_volume.domain.states import SnapshotStatus, Status

CREATE, DELETE, EXTEND, SNAPSHOT = "volume_create", "volume_delete", "volume_extend", "snapshot_create"


async def _origin(ctx: SagaContext) -> dict[str, Any] | None:
    """Fix what a clone of a live volume is a clone of."""
    svc: Services = ctx.services
    source = ctx.data.get("source_volid")
    if source is None:
        return None
    with store_faults(source):
        return {"root": root_text(await svc.store.snapshot_volume(source, wait_s=svc.settings.pause_wait_s))}


async def _make(ctx: SagaContext) -> dict[str, Any] | None:
    svc: Services = ctx.services
    volume_id = ctx.data["volume_id"]
    async with svc.db.read() as uow:
        row = await volumes.get(uow, volume_id, project_id=None, hidden=True, with_origin=True)
    if row is None or row.status != Status.CREATING:
        return None
    root = root_of((ctx.out.get("origin") or {}).get("root") or row.origin_root)
    with store_faults(volume_id):
        await svc.store.create_volume(volume_id, row.size_gib * GIB, root)
    return {"digest": root.digest if root else None}


async def _created(uow: UnitOfWork, ctx: SagaContext) -> None:
    digest = (ctx.out.get("make") or {}).get("digest")
    values = {
        "status": Status.AVAILABLE,
        "origin_root": None,
        "origin_digest": digest,
        "updated_at": uow.db.clock.now_us(),
    }
    await volumes.change(uow, [ctx.data["volume_id"]], old=[Status.CREATING], values=values)


async def _not_created(uow: UnitOfWork, ctx: SagaContext, _error: dict[str, Any]) -> None:
    values = {"status": Status.ERROR, "origin_root": None, "updated_at": uow.db.clock.now_us()}
    await volumes.change(uow, [ctx.data["volume_id"]], old=[Status.CREATING], values=values)


async def _remove(ctx: SagaContext) -> None:
    svc: Services = ctx.services
    volume_id = ctx.data["volume_id"]
    try:
        with store_faults(volume_id):
            await remove_from_store(svc, volume_id)
    except VolumeBusy as error:
        raise Retry(error.message, delay_s=2.0) from error


async def remove_from_store(svc: Services, volume_id: str) -> None:
    """Delete the store's volume; done if there is none."""
    try:
        await svc.store.delete_volume(volume_id)
    except NoSuchVolume:
        return


async def _removed(uow: UnitOfWork, ctx: SagaContext) -> None:
    svc: Services = ctx.services
    volume_id = ctx.data["volume_id"]
    if ctx.data.get("cascade"):
        release_snapshots(uow, svc, await snapshots.remove(uow, volume_id=volume_id))
    release_volumes(uow, svc, await volumes.remove(uow, [volume_id]))


def release_volumes(uow: UnitOfWork, svc: Services, gone: Any) -> None:
    """Give back what the ledger counted for deleted volumes."""
    for row in gone:
        if row.is_charged:
            provisions = {"volume.volumes": 1, "volume.gigabytes": row.size_gib}
            svc.quota.release(uow, project_id=row.project_id, user_id=row.user_id, provisions=provisions)


def release_snapshots(uow: UnitOfWork, svc: Services, gone: Any) -> None:
    """Give back what the ledger counted for deleted snapshots."""
    for row in gone:
        provisions = {"volume.snapshots": 1, "volume.gigabytes": row.size_gib}
        svc.quota.release(uow, project_id=row.project_id, user_id=row.user_id, provisions=provisions)


async def _not_removed(uow: UnitOfWork, ctx: SagaContext, _error: dict[str, Any]) -> None:
    values = {"status": Status.ERROR_DELETING, "updated_at": uow.db.clock.now_us()}
    await volumes.change(uow, [ctx.data["volume_id"]], old=[Status.DELETING], values=values)


async def _grow(ctx: SagaContext) -> None:
    svc: Services = ctx.services
    with store_faults(ctx.data["volume_id"]):
        await svc.store.grow_volume(ctx.data["volume_id"], ctx.data["size_gib"] * GIB, wait_s=svc.settings.pause_wait_s)


async def _grown(uow: UnitOfWork, ctx: SagaContext) -> None:
    svc: Services = ctx.services
    values = {"status": Status.AVAILABLE, "size_gib": ctx.data["size_gib"], "updated_at": uow.db.clock.now_us()}
    if await volumes.change(uow, [ctx.data["volume_id"]], old=[Status.EXTENDING], values=values):
        svc.quota.accept(uow, ctx.data["commission_id"])
    else:  # an administrator deleted it meanwhile
        svc.quota.reject(uow, ctx.data["commission_id"])


async def _not_grown(uow: UnitOfWork, ctx: SagaContext, _error: dict[str, Any]) -> None:
    svc: Services = ctx.services
    values = {"status": Status.ERROR_EXTENDING, "updated_at": uow.db.clock.now_us()}
    await volumes.change(uow, [ctx.data["volume_id"]], old=[Status.EXTENDING], values=values)
    svc.quota.reject(uow, ctx.data["commission_id"])


async def _freeze(ctx: SagaContext) -> dict[str, Any]:
    svc: Services = ctx.services
    with store_faults(ctx.data["volume_id"]):
        return {"root": root_text(await svc.store.snapshot_volume(ctx.data["volume_id"], wait_s=svc.settings.pause_wait_s))}


async def _frozen(uow: UnitOfWork, ctx: SagaContext) -> None:
    root = root_of(ctx.out["freeze"]["root"])
    assert root is not None
    values = {"status": SnapshotStatus.AVAILABLE, "root": root.to_bytes(), "updated_at": uow.db.clock.now_us()}
    await snapshots.change(uow, ctx.data["snapshot_id"], old=[SnapshotStatus.CREATING], values=values)


async def _not_frozen(uow: UnitOfWork, ctx: SagaContext, _error: dict[str, Any]) -> None:
    values = {"status": SnapshotStatus.ERROR, "updated_at": uow.db.clock.now_us()}
    await snapshots.change(uow, ctx.data["snapshot_id"], old=[SnapshotStatus.CREATING], values=values)


SAGAS = [
    Saga(CREATE, steps=[Remote("origin", _origin), Remote("make", _make)], finished=_created, failed=_not_created),
    Saga(DELETE, steps=[Remote("remove", _remove, deadline_s=300.0)], finished=_removed, failed=_not_removed),
    Saga(EXTEND, steps=[Remote("grow", _grow)], finished=_grown, failed=_not_grown),
    Saga(SNAPSHOT, steps=[Remote("freeze", _freeze)], finished=_frozen, failed=_not_frozen),
]
