"""The generic saga tests themselves: they pass for a right saga and fail for each kind of wrong one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import insert, select

from synnefo_common.clock import ManualClock
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.errors import Conflict
from synnefo_common.saga import Local, Remote, Saga, SagaContext
from synnefo_common.saga.testing import (
    Lab,
    MakeLab,
    assert_all_tested,
    check_actions_twice,
    check_unwinds,
    saga_tests,
)

from .saga_world import World, insert_thing, make_saga, metadata, note_failure, things


def lab_of(make: Callable[[World], Saga]) -> MakeLab:
    @contextlib.asynccontextmanager
    async def lab() -> AsyncIterator[Lab]:
        world = World()
        db = Database("sqlite://", clock=ManualClock())
        await db.create_all(metadata)

        async def snapshot() -> Any:
            async with db.read() as uow:
                rows = {r.id: r.state for r in await uow.all(select(things))}
            return rows, dict(world.ports.made), dict(world.volumes.made)

        try:
            yield Lab(db, world, {}, snapshot, answers={"job": {"ok": True}}, saga=make(world))
        finally:
            await db.close()

    return lab


def right(world: World) -> Saga:
    return make_saga(world, failed=note_failure)


TestMake = saga_tests("t", right(World()), lab_of(right))


def test_registry_names_the_saga_without_tests() -> None:
    assert_all_tested("t", [right(World())])
    with pytest.raises(AssertionError, match="forgotten"):
        assert_all_tested("t", [Saga("forgotten", right(World()).steps)])


async def undo_nothing(ctx: SagaContext) -> None:
    return None


async def insert_again(uow: UnitOfWork, ctx: SagaContext) -> None:
    await uow.run(insert(things).values(id=f"{ctx.id}-undo", state="x"))


async def test_action_with_two_effects_is_found() -> None:
    def wrong(world: World) -> Saga:
        async def count(ctx: SagaContext) -> None:
            world.ports.made["n"] = world.ports.made.get("n", 0) + 1

        return Saga("wrong", [Remote("a", count, undo_nothing)])

    with pytest.raises(AssertionError, match="two effects"):
        await check_actions_twice(wrong(World()), lab_of(wrong))


async def test_local_with_an_effect_outside_its_transaction_is_found() -> None:
    def wrong(world: World) -> Saga:
        async def leak(uow: UnitOfWork, ctx: SagaContext) -> None:
            world.ports.made["n"] = world.ports.made.get("n", 0) + 1

        return Saga("wrong", [Local("a", leak)])

    with pytest.raises(AssertionError, match="two effects"):
        await check_actions_twice(wrong(World()), lab_of(wrong))


async def test_missing_undo_is_found() -> None:
    def wrong(world: World) -> Saga:
        return Saga("wrong", [Remote("a", world.ports.make, undo_nothing), Local("b", insert_thing)])

    with pytest.raises(AssertionError, match="not undone"):
        await check_unwinds(wrong(World()), lab_of(wrong), at="b", moment="before")


async def test_undo_that_does_not_tolerate_nothing_is_found() -> None:
    def wrong(world: World) -> Saga:
        async def strict(ctx: SagaContext) -> None:
            if ctx.action_key not in world.ports.made:
                raise Conflict("nothing to undo")
            await world.ports.unmake(ctx)

        return Saga("wrong", [Remote("a", world.ports.make, strict)])

    await check_unwinds(wrong(World()), lab_of(wrong), at="a", moment="after")
    with pytest.raises(AssertionError, match="undo failed"):
        await check_unwinds(wrong(World()), lab_of(wrong), at="a", moment="before")
    with pytest.raises(AssertionError, match="undo failed"):
        await check_unwinds(wrong(World()), lab_of(wrong), at="a", moment="after", is_undo_twice=True)
