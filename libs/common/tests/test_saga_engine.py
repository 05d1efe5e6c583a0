"""The saga engine: forward, back, through crashes, shared between engines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from synnefo_common import context
from synnefo_common.clock import ManualClock
from synnefo_common.crashpoint import CrashInjected, arm, disarm, observe
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.db.recorder import record_queries
from synnefo_common.db.tables import sagas
from synnefo_common.errors import Conflict, NotFound, Unavailable
from synnefo_common.saga import (
    Abort,
    Local,
    Remote,
    Retry,
    Saga,
    SagaContext,
    SagaEngine,
    Wait,
    WaitLonger,
    crash_points,
)
from synnefo_common.saga.recovery import retry_undo, stuck
from synnefo_common.testing import wait_until

from .saga_world import World, make_saga, metadata, note_failure, things


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def db(clock: ManualClock, database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, clock=clock)
    await database.create_all(metadata)
    yield database
    disarm()
    await database.close()


@pytest.fixture
def world() -> World:
    return World()


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


async def wait_for_state(db: Database, saga_id: str, state: str, timeout_s: float = 5) -> None:
    async def reached() -> bool:
        return await state_of(db, saga_id) == state

    await wait_until(reached, timeout_s)


async def test_two_engines_share_sagas_and_none_runs_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    one, two = Database(url), Database(url)
    await one.create_all(metadata)
    runs: list[tuple[str, str]] = []
    engines = []
    for name, db in (("one", one), ("two", two)):

        async def work(ctx: SagaContext, name: str = name) -> None:
            runs.append((name, ctx.id))
            await asyncio.sleep(0.002)

        engines.append(
            SagaEngine(db, service="t", sagas=[Saga("s", [Remote("a", work)])], owner=name, limit=2, poll_s=0.02)
        )
    ids = [await begin(engines[0], "s") for _ in range(40)]
    tasks = [asyncio.create_task(e.run()) for e in engines]
    for saga_id in ids:
        await wait_for_state(one, saga_id, "finished", timeout_s=20)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(i for _, i in runs) == sorted(ids)
    assert {n for n, _ in runs} == {"one", "two"}
    await one.close()
    await two.close()


async def test_late_holder_is_fenced(db: Database, world: World, clock: ManualClock) -> None:
    first = make_engine(db, world, owner="first", lease_s=20)
    second = make_engine(db, world, owner="second", lease_s=20)
    paused = asyncio.Event()
    go_on = asyncio.Event()

    async def slow(ctx: SagaContext) -> dict[str, str]:
        if not paused.is_set():
            paused.set()
            await go_on.wait()
            return {"by": "the late one"}
        return {"by": "the new one"}

    for engine in (first, second):
        engine.register(Saga("s", [Remote("a", slow), Wait("job")]))
    saga_id = await begin(first, "s")
    late = asyncio.create_task(first.run_until_idle())
    await paused.wait()
    clock.advance(21)
    await second.run_until_idle()
    go_on.set()
    await late
    async with db.read() as uow:
        row = await uow.one(select(sagas).where(sagas.c.id == saga_id))
    assert row is not None
    assert (row.state, row.epoch) == ("waiting", 3)
    assert "the new one" in row.out


POINTS = crash_points("t", make_saga(World()))


async def run_with_crashes(url: str, world: World, clock: ManualClock, points: list[str], *, fail: bool) -> list[str]:
    """Run a saga, dying at one point after the other, each time going on as a new process. The points passed."""
    db = Database(url, clock=clock)
    await db.create_all(metadata)
    engine = make_engine(db, world)
    await begin(engine, saga_id="the-saga")
    left, passed = list(points), []
    arm(left[0])
    signal: dict[str, object] = {"error": {"message": "no", "code": "no"}} if fail else {"ok": True}
    for _ in range(4 + 2 * len(points)):
        try:
            await engine.run_until_idle()
            await send(engine, "the-saga", signal)
        except CrashInjected:
            passed.append(left.pop(0))
            disarm()
            if left:
                arm(left[0])
            await db.close()
            db = Database(url, clock=clock)
            engine = make_engine(db, world)
            clock.advance(21)  # the claim of the dead runs out
    disarm()
    await engine.run_until_idle()
    expected = {"the-saga-failed": "no"} if fail else {"the-saga": "active"}
    assert await state_of(db, "the-saga") == ("failed" if fail else "finished")
    assert await rows(db) == expected
    assert world.ports.made == ({} if fail else {"the-saga:ports": 1})
    assert world.volumes.made == ({} if fail else {"the-saga:volumes": 1})
    await db.close()
    return passed


FORWARD = [p for p in POINTS if ".undo." not in p]
BACK = [p for p in POINTS if ".active." not in p and ".job.after" not in p]  # those are not reached when the job fails


@pytest.mark.parametrize("point", FORWARD)
async def test_crash_at_each_point_forward_then_recovery(tmp_path: Path, clock: ManualClock, point: str) -> None:
    assert await run_with_crashes(f"sqlite:///{tmp_path}/db", World(), clock, [point], fail=False) == [point]


@pytest.mark.parametrize("point", BACK)
async def test_crash_at_each_point_then_unwinding(tmp_path: Path, clock: ManualClock, point: str) -> None:
    assert await run_with_crashes(f"sqlite:///{tmp_path}/db", World(), clock, [point], fail=True) == [point]


@pytest.mark.parametrize("seed", range(20))
async def test_crash_during_recovery(tmp_path: Path, clock: ManualClock, seed: int) -> None:
    draw = random.Random(seed)
    fail = seed % 2 == 0
    points = [draw.choice(BACK if fail else FORWARD) for _ in range(3)]
    passed = await run_with_crashes(f"sqlite:///{tmp_path}/db", World(), clock, points, fail=fail)
    assert passed, points


async def test_every_crash_point_listed_exists_and_none_is_unlisted(db: Database, world: World) -> None:
    seen = observe()
    engine = make_engine(db, world)
    payloads: list[dict[str, object]] = [{"ok": True}, {"error": "no"}]
    for payload in payloads:
        saga_id = await begin(engine)
        await engine.run_until_idle()
        await send(engine, saga_id, payload)
        await engine.run_until_idle()
    unreached = {f"t.make.active.undo.{w}" for w in ("before", "after_effect", "after_log")}  # the last step
    assert seen == set(POINTS) - unreached


async def test_late_holder_is_fenced_while_the_new_one_is_at_the_same_step(
    db: Database, world: World, clock: ManualClock
) -> None:
    first, second = (make_engine(db, world, owner=name, lease_s=20) for name in ("first", "second"))
    inside = {"first": asyncio.Event(), "second": asyncio.Event()}
    go_on = {"first": asyncio.Event(), "second": asyncio.Event()}

    def slow(name: str) -> Saga:
        async def act(ctx: SagaContext) -> dict[str, str]:
            inside[name].set()
            await go_on[name].wait()
            return {"by": name}

        return Saga("s", [Remote("a", act), Wait("job")])

    first.register(slow("first"))
    second.register(slow("second"))
    saga_id = await begin(first, "s")
    late = asyncio.create_task(first.run_until_idle())
    await inside["first"].wait()
    clock.advance(21)
    current = asyncio.create_task(second.run_until_idle())
    await inside["second"].wait()
    go_on["first"].set()
    await late
    assert await state_of(db, saga_id) == "running", "the late one wrote nothing"
    go_on["second"].set()
    await current
    async with db.read() as uow:
        assert "second" in await uow.scalar(select(sagas.c.out).where(sagas.c.id == saga_id))


async def test_commit_whose_answer_is_lost_does_not_repeat_a_local(
    db: Database, world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(db, world)
    done: list[int] = []

    async def count(uow: UnitOfWork, ctx: SagaContext) -> None:
        await uow.run(things.insert().values(id=f"effect {len(done)}", state="x"))
        done.append(1)

    engine.register(Saga("s", [Local("a", count), Wait("job")]))
    saga_id = await begin(engine, "s")
    real = db.run

    async def lose_the_answer(work: Callable[[UnitOfWork], Awaitable[Any]], **kwargs: int) -> Any:
        await real(work, **kwargs)
        monkeypatch.undo()
        raise DBAPIError("COMMIT", None, OSError("connection lost"))

    monkeypatch.setattr(db, "run", lose_the_answer)
    await engine.run_until_idle()
    for _ in range(3):
        clock.advance(21)
        await engine.run_until_idle()
    assert await rows(db) == {"effect 0": "x"}
    assert await state_of(db, saga_id) == "waiting"


async def test_cancel_after_a_crash_undoes_the_step_that_followed_the_wait(
    db: Database, world: World, clock: ManualClock
) -> None:
    engine = make_engine(db, world)
    engine.register(Saga("s", [Wait("job"), Remote("b", world.ports.make, world.ports.unmake)]))
    saga_id = await begin(engine, "s")
    await send(engine, saga_id)
    arm("t.s.b.after_effect")
    with pytest.raises(CrashInjected):
        await engine.run_until_idle()
    disarm()
    assert world.ports.made
    async with db.begin() as uow:
        assert await engine.cancel(uow, saga_id)
    clock.advance(21)
    await engine.run_until_idle()
    assert await state_of(db, saga_id) == "failed"
    assert world.ports.made == {}
