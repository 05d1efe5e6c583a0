"""The saga engine: forward and back."""

from __future__ import annotations

import asyncio

import pytest

from synnefo_common import context
from synnefo_common.clock import ManualClock
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.db.recorder import record_queries
from synnefo_common.errors import Conflict, NotFound, Unavailable
from synnefo_common.saga import (
    Abort,
    Local,
    Remote,
    Retry,
    Saga,
    SagaContext,
    Wait,
    WaitLonger,
)
from synnefo_common.saga.recovery import retry_undo, stuck

from .saga_world import World, begin, make_engine, metadata, rows, send, state_of, things, wait_for_state


async def test_steps_run_in_order_and_the_wait_parks(db: Database, world: World) -> None:
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "waiting"
    assert await rows(db) == {saga_id: "building"}
    assert await send(engine, saga_id)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "finished"
    assert await rows(db) == {saga_id: "active"}
    assert world.ports.made == {f"{saga_id}:ports": 1}
    assert not await send(engine, saga_id), "a signal to an ended saga says so"


async def test_statements_per_saga(db: Database, world: World) -> None:
    engine = make_engine(db, world)
    with record_queries(db) as q:
        saga_id = await begin(engine)
    assert q.count == 1, q.texts()
    with record_queries(db) as q:
        await engine.run_until_idle()
    # claim; log of ports; insert and log of row; log of volumes, which parks; the last look for work
    assert q.count == 6, q.texts()
    with record_queries(db) as q:
        await send(engine, saga_id)
    assert q.count == 1, q.texts()
    with record_queries(db) as q:
        await engine.run_until_idle()
    # claim; update of the row and the final log, which holds the wait too; the last look for work
    assert q.count == 4, q.texts()


async def test_signal_before_the_wait_is_not_lost(db: Database, world: World) -> None:
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    await send(engine, saga_id)
    await send(engine, saga_id, {"error": "a second signal of the name does not count"})
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "finished"


async def test_signal_that_comes_while_a_step_runs_is_not_lost(db: Database, world: World) -> None:
    engine = make_engine(db, world)

    async def make_and_signal(ctx: SagaContext) -> None:
        await send(engine, ctx.id)

    engine.register(Saga("s", [Remote("a", make_and_signal), Wait("job"), Local("b", nothing)]))
    saga_id = await begin(engine, "s")
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "finished"


async def nothing(uow: UnitOfWork, ctx: SagaContext) -> None:
    return None


async def test_signal_with_error_unwinds_everything(db: Database, world: World) -> None:
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    await engine.run_until_idle()
    await send(engine, saga_id, {"error": {"message": "no space", "code": "ganeti.no_space"}})
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"
    assert await rows(db) == {f"{saga_id}-failed": "ganeti.no_space"}
    assert world.ports.made == world.volumes.made == {}
    assert world.ports.calls[-1] == f"{saga_id}:ports:undo"


@pytest.mark.parametrize("where", ["before", "after"])
async def test_final_error_unwinds_at_once_and_undoes_the_step_itself(db: Database, world: World, where: str) -> None:
    world.volumes.fails = [(where, Conflict("no", code="volume.conflict"))]
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"
    assert world.volumes.calls == [f"{saga_id}:volumes", f"{saga_id}:volumes:undo"]
    assert world.ports.made == world.volumes.made == {}
    assert await rows(db) == {f"{saga_id}-failed": "volume.conflict"}


@pytest.mark.parametrize("error", [Unavailable("down"), ConnectionError("cut"), KeyError("bug"), Retry("not yet")])
async def test_outage_is_retried_with_the_same_key(
    db: Database, world: World, clock: ManualClock, error: Exception
) -> None:
    world.volumes.fails = [("after", error), ("before", error)]
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    for _ in range(2):
        await engine.run_until_idle()
        assert await state_of(db, saga_id) == "running"
        clock.advance(2)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "waiting"
    assert world.volumes.calls == [f"{saga_id}:volumes"] * 3


async def test_retries_end_at_the_deadline(db: Database, world: World, clock: ManualClock) -> None:
    world.volumes.fails = [("before", Unavailable("down"))] * 1000
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    for _ in range(119):
        await engine.run_until_idle()
        clock.advance(1)
    assert await state_of(db, saga_id) == "running"
    clock.advance(2)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"
    assert world.ports.made == {}


async def test_local_that_fails_leaves_nothing_and_is_not_undone(db: Database, world: World) -> None:
    engine = make_engine(db, world)
    undone: list[str] = []

    async def insert_and_fail(uow: UnitOfWork, ctx: SagaContext) -> None:
        await uow.run(things.insert().values(id="x", state="x"))
        raise Abort("no")

    async def undo_local(uow: UnitOfWork, ctx: SagaContext) -> None:
        undone.append(ctx.step)

    async def undo_remote(ctx: SagaContext) -> None:
        undone.append(ctx.step)

    engine.register(Saga("s", [Remote("a", world.ports.make, undo_remote), Local("b", insert_and_fail, undo_local)]))
    saga_id = await begin(engine, "s")
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"
    assert undone == ["a"]
    assert await rows(db) == {}


async def test_undo_is_repeated_until_it_succeeds(db: Database, world: World, clock: ManualClock) -> None:
    world.volumes.fails = [("before", Conflict("no"))] + [("undo", Unavailable("down"))] * 5
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    for _ in range(5):
        await engine.run_until_idle()
        assert await state_of(db, saga_id) == "unwinding"
        assert world.ports.made, "undone in reverse order: ports wait for volumes"
        clock.advance(60)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"
    assert world.ports.made == {}


async def test_undo_gives_up_after_a_day_and_can_be_resumed(db: Database, world: World, clock: ManualClock) -> None:
    world.ports.fails = [("before", Conflict("no"))] + [("undo", Unavailable("down"))] * 3
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    await engine.run_until_idle()
    clock.advance(24 * 3600)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "undo_failed"
    assert await stuck(db) == [saga_id]
    clock.advance(3600)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "undo_failed", "no longer tried by itself"
    world.ports.fails.clear()
    assert await retry_undo(db, saga_id)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"


async def test_undo_of_what_is_gone_counts_as_done(db: Database, world: World) -> None:
    world.volumes.fails = [("before", Conflict("no")), ("undo", NotFound("gone"))]
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"


async def test_wait_times_out_and_unwinds(db: Database, world: World, clock: ManualClock) -> None:
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    await engine.run_until_idle()
    clock.advance(599)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "waiting"
    clock.advance(1)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"
    assert await rows(db) == {f"{saga_id}-failed": "saga.timeout"}


async def test_on_timeout_may_answer_or_wait_longer(db: Database, world: World, clock: ManualClock) -> None:
    asked: list[str] = []

    async def on_timeout(uow: UnitOfWork, ctx: SagaContext) -> WaitLonger | dict[str, bool]:
        asked.append(ctx.step)
        return WaitLonger(5) if len(asked) == 1 else {"guessed": True}

    engine = make_engine(db, world)
    seen: list[object] = []

    async def finish(uow: UnitOfWork, ctx: SagaContext) -> None:
        seen.append(ctx.out["job"])

    engine.register(Saga("s", [Wait("job", timeout_s=10, on_timeout=on_timeout)], finished=finish))
    saga_id = await begin(engine, "s")
    clock.advance(10)
    await engine.run_until_idle()
    assert (await state_of(db, saga_id), asked) == ("waiting", ["job"])
    clock.advance(4)
    await engine.run_until_idle()
    assert asked == ["job"]
    clock.advance(1)
    await engine.run_until_idle()
    assert (await state_of(db, saga_id), seen) == ("finished", [{"guessed": True}])


async def test_wait_has_an_undo(db: Database, world: World, clock: ManualClock) -> None:
    engine = make_engine(db, world)
    undone: list[str] = []

    async def undo(uow: UnitOfWork, ctx: SagaContext) -> None:
        undone.append(ctx.key)

    engine.register(Saga("s", [Wait("job", timeout_s=10, undo=undo)]))
    saga_id = await begin(engine, "s")
    clock.advance(10)
    await engine.run_until_idle()
    assert undone == [f"{saga_id}:job:undo"]


async def test_cancel_unwinds_a_waiting_saga(db: Database, world: World) -> None:
    engine = make_engine(db, world)
    saga_id = await begin(engine)
    await engine.run_until_idle()
    async with db.begin() as uow:
        assert await engine.cancel(uow, saga_id, Conflict("deleted", code="server.deleted"))
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"
    assert await rows(db) == {f"{saga_id}-failed": "server.deleted"}
    assert world.ports.made == world.volumes.made == {}


async def test_cancel_during_the_last_step_still_unwinds(db: Database, world: World) -> None:
    engine = make_engine(db, world)

    async def canceled_meanwhile(ctx: SagaContext) -> None:
        async with db.begin() as uow:
            assert await engine.cancel(uow, ctx.id)

    engine.register(Saga("s", [Remote("a", world.ports.make, world.ports.unmake), Remote("b", canceled_meanwhile)]))
    saga_id = await begin(engine, "s")
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"
    assert world.ports.made == {}


async def test_rolled_back_start_never_runs(db: Database, world: World) -> None:
    engine = make_engine(db, world)
    with pytest.raises(RuntimeError):
        async with db.begin() as uow:
            await engine.start(uow, "make")
            raise RuntimeError
    await engine.run_until_idle()
    assert world.ports.calls == []


async def test_context_of_the_request_travels_with_the_saga(db: Database, world: World) -> None:
    engine = make_engine(db, world)
    seen: list[tuple[str | None, str | None]] = []

    async def look(ctx: SagaContext) -> None:
        seen.append((context.current_correlation_id(), context.causation_id.get()))

    engine.register(Saga("s", [Remote("a", look)]))
    mark = context.request_id.set("req-1")
    saga_id = await begin(engine, "s")
    context.request_id.reset(mark)
    await engine.run_until_idle()
    assert seen == [("req-1", saga_id)]


async def test_engine_that_runs_takes_a_new_saga_without_a_claim(world: World) -> None:
    db = Database("sqlite://")
    await db.create_all(metadata)
    engine = make_engine(db, world, poll_s=30)
    task = asyncio.create_task(engine.run())
    await asyncio.sleep(0.05)
    with record_queries(db) as q:
        saga_id = await begin(engine)
        await wait_for_state(db, saga_id, "waiting")
    assert not [t for t in q.texts() if t.startswith("UPDATE") and "epoch=(sagas.epoch" in t], q.texts()
    await send(engine, saga_id)
    await wait_for_state(db, saga_id, "finished")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await db.close()
