"""What repairs volumes: states that should have passed, disks of servers that are gone, and bytes that nobody owns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from synnefo_common.clock import MICROS
from synnefo_common.errors import NotFound
from synnefo_common.ids import is_uuid
from synnefo_common.log import get_logger
from synnefo_common.reconcile import Reconciler
from synnefo_volume.app import sagas, server_volumes
from synnefo_volume.app.services import Services
from synnefo_volume.db import volumes

log = get_logger(__name__)
BATCH = 200


@dataclass(frozen=True)
class Resume:
    """A volume has been `creating` or `deleting` for too long: take the work up again."""

    volume_id: str
    saga: str


@dataclass(frozen=True)
class RemoveDisks:
    """A server is gone: its disks go, or are free again."""

    server_id: str


@dataclass(frozen=True)
class RemoveOrphan:
    """The store has a volume that no row knows."""

    volume_id: str


@dataclass(frozen=True)
class ReportMissing:
    """A row has no volume in the store: an operator has to look."""

    volume_id: str


Action = Resume | RemoveDisks | RemoveOrphan | ReportMissing


@dataclass
class Facts:
    """What was seen. `orphan_ages` in seconds since first seen here."""

    stuck: list[tuple[str, str]] = field(default_factory=list)  # (volume id, status), not attached
    gone_servers: list[str] = field(default_factory=list)
    rows: dict[str, str] = field(default_factory=dict)  # id → status
    stored: set[str] = field(default_factory=set)
    orphan_ages: dict[str, float] = field(default_factory=dict)
    orphan_grace_s: float = 3600.0


def plan(facts: Facts) -> Sequence[Action]:
    """What to do about it."""
    actions: list[Action] = [
        Resume(volume_id, sagas.CREATE if status == "creating" else sagas.DELETE) for volume_id, status in facts.stuck
    ]
    actions += [RemoveDisks(server_id) for server_id in facts.gone_servers]
    actions += [RemoveOrphan(v) for v, age in sorted(facts.orphan_ages.items()) if age >= facts.orphan_grace_s]
    settled = ("available", "in-use", "detaching", "attaching")
    actions += [ReportMissing(v) for v, s in sorted(facts.rows.items()) if s in settled and v not in facts.stored]
    return actions


class VolumeRepair:
    """Gathers the facts and does the actions."""

    def __init__(self, svc: Services) -> None:
        self.svc = svc
        self._first_seen: dict[str, int] = {}
        self._next_server = ""

    async def observe(self) -> Facts:
        """Rows, the store's list, and what compute says of a batch of servers."""
        svc, now = self.svc, self.svc.clock.now_us()
        settings = svc.settings
        # The store first: a volume made after this list was taken is no orphan.
        stored = {name async for name in svc.store.list_volumes() if is_uuid(name)}
        async with svc.db.read() as uow:
            rows = {row.id: str(row.status) for row in await volumes.all_ids(uow)}
            stuck = await volumes.stuck(uow, before=now - int(settings.stuck_after_s * MICROS))
            held = await volumes.attachments_of(uow, [row.id for row in stuck])
            servers = await volumes.all_attached_servers(uow, before=now - int(settings.stuck_after_s * MICROS))
        orphans = stored - set(rows)
        self._first_seen = {v: self._first_seen.get(v, now) for v in orphans}
        return Facts(
            stuck=[(row.id, str(row.status)) for row in stuck if row.status == "deleting" or row.id not in held],
            gone_servers=await self._gone(sorted({row.server_id for row in servers})),
            rows=rows,
            stored=stored,
            orphan_ages={v: (now - first) / MICROS for v, first in self._first_seen.items()},
            orphan_grace_s=settings.orphan_grace_s,
        )

    async def _gone(self, server_ids: list[str]) -> list[str]:
        """Of the next batch, those that compute does not have (any more)."""
        batch = [s for s in server_ids if s > self._next_server][:BATCH]
        self._next_server = batch[-1] if len(batch) == BATCH else ""
        gone = []
        for server_id in batch:
            try:
                await self.svc.compute.get(f"/internal/v1/servers/{server_id}")
            except NotFound:
                gone.append(server_id)
        return gone

    async def execute(self, action: Action) -> None:
        """Do one."""
        svc = self.svc
        match action:
            case Resume(volume_id, saga):
                async with svc.db.begin() as uow:
                    row = await volumes.get(uow, volume_id, project_id=None, hidden=True)
                    if row is not None and row.status in ("creating", "deleting"):
                        await volumes.change(uow, [volume_id], values={"updated_at": svc.clock.now_us()})
                        data = {"volume_id": volume_id, "source_volid": row.source_volid}
                        await svc.sagas.start(uow, saga, data=data)
            case RemoveDisks(server_id):
                await server_volumes.delete_volumes(svc, server_id)
            case RemoveOrphan(volume_id):
                async with svc.db.read() as uow:
                    row = await volumes.get(uow, volume_id, project_id=None, hidden=True)
                if row is None:
                    await sagas.remove_from_store(svc, volume_id)
            case ReportMissing(volume_id):
                log.error("volume_missing_in_store", volume_id=volume_id)


def volume_reconciler(svc: Services) -> Reconciler[Facts, Action]:
    """The reconciler of volumes."""
    repair = VolumeRepair(svc)
    period_s = svc.settings.reconcile_period_s
    return Reconciler(
        "volumes", db=svc.db, observe=repair.observe, plan=plan, execute=repair.execute, period_s=period_s
    )
