"""The saga engine when it dies, and when several share the sagas."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from synnefo_common.clock import ManualClock
from synnefo_common.crashpoint import CrashInjected, arm, disarm, observe
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.db.tables import sagas
from synnefo_common.saga import (
    Local,
    Remote,
    Saga,
    SagaContext,
    SagaEngine,
    Wait,
    crash_points,
)

from .saga_world import World, begin, make_engine, make_saga, metadata, rows, send, state_of, things, wait_for_state


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
