"""A little world for saga tests: peers with idempotent effects, and one saga over them with every kind of step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, String, Table, delete, insert, select, update

from synnefo_common.db import Database, UnitOfWork, service_metadata
from synnefo_common.db.tables import sagas
from synnefo_common.saga import Local, Remote, Saga, SagaContext, SagaEngine, Wait
from synnefo_common.testing import wait_until

metadata = service_metadata()
things = Table(
    "things", metadata, Column("id", String(64), primary_key=True), Column("state", String(16), nullable=False)
)


@dataclass
class Peer:
    """A service that remembers keys, as ours do. `fails` are raised, one per call, before the effect or after it."""

    made: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    fails: list[tuple[str, Exception]] = field(default_factory=list)

    def _maybe_fail(self, where: str) -> None:
        if self.fails and self.fails[0][0] == where:
            raise self.fails.pop(0)[1]

    async def make(self, ctx: SagaContext) -> dict[str, Any]:
        self.calls.append(ctx.key)
        self._maybe_fail("before")
        self.made.setdefault(ctx.key, 1)
        self._maybe_fail("after")
        return {"id": f"id of {ctx.key}"}

    async def unmake(self, ctx: SagaContext) -> None:
        self.calls.append(ctx.key)
        self._maybe_fail("undo")
        self.made.pop(ctx.action_key, None)


@dataclass
class World:
    """The saga's services."""

    ports: Peer = field(default_factory=Peer)
    volumes: Peer = field(default_factory=Peer)
    job_canceled: list[str] = field(default_factory=list)


async def insert_thing(uow: UnitOfWork, ctx: SagaContext) -> dict[str, Any]:
    await uow.run(insert(things).values(id=ctx.id, state="building"))
    return {"thing": ctx.id}


async def delete_thing(uow: UnitOfWork, ctx: SagaContext) -> None:
    await uow.run(delete(things).where(things.c.id == ctx.id))


async def mark_active(uow: UnitOfWork, ctx: SagaContext) -> None:
    assert ctx.out["job"] == {"ok": True}
    assert ctx.out["ports"]["id"] == f"id of {ctx.id}:ports"
    await uow.run(update(things).where(things.c.id == ctx.id).values(state="active"))


async def unmark_active(uow: UnitOfWork, ctx: SagaContext) -> None:
    await uow.run(update(things).where(things.c.id == ctx.id).values(state="building"))


async def note_failure(uow: UnitOfWork, ctx: SagaContext, error: dict[str, Any]) -> None:
    await uow.run(insert(things).values(id=f"{ctx.id}-failed", state=error["code"][:16]))


def make_saga(world: World, **kwargs: Any) -> Saga:
    return Saga(
        "make",
        steps=[
            Remote("ports", world.ports.make, world.ports.unmake),
            Local("row", insert_thing, delete_thing),
            Remote("volumes", world.volumes.make, world.volumes.unmake),
            Wait("job", timeout_s=600),
            Local("active", mark_active, unmark_active),
        ],
        **kwargs,
    )


def make_engine(db: Database, world: World, **kwargs: object) -> SagaEngine:
    return SagaEngine(db, service="t", sagas=[make_saga(world, failed=note_failure)], services=world, **kwargs)  # type: ignore[arg-type]


async def begin(engine: SagaEngine, name: str = "make", saga_id: str | None = None) -> str:
    async with engine.db.begin() as uow:
        return await engine.start(uow, name, saga_id=saga_id)


async def send(
    engine: SagaEngine, saga_id: str, payload: Mapping[str, object] | None = None, name: str = "job"
) -> bool:
    async with engine.db.begin() as uow:
        return await engine.signal(uow, saga_id, name, payload or {"ok": True})


async def state_of(db: Database, saga_id: str) -> str:
    async with db.read() as uow:
        return str(await uow.scalar(select(sagas.c.state).where(sagas.c.id == saga_id)))


async def rows(db: Database) -> dict[str, str]:
    async with db.read() as uow:
        return {r.id: r.state for r in await uow.all(select(things))}


async def wait_for_state(db: Database, saga_id: str, state: str, timeout_s: float = 5) -> None:
    async def reached() -> bool:
        return await state_of(db, saga_id) == state

    await wait_until(reached, timeout_s)
