"""Leases, stored answers, reconcile loop, housekeeping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, Table, func, insert, select

from synnefo_common.clock import ManualClock
from synnefo_common.crashpoint import CrashInjected
from synnefo_common.db import Database, UnitOfWork, service_metadata
from synnefo_common.db.recorder import record_queries
from synnefo_common.errors import Conflict, NotFound, Unprocessable
from synnefo_common.housekeeping import prune
from synnefo_common.idempotency import StoredAnswer, idempotent, remember, request_hash, run_once
from synnefo_common.lease import Lease, LeaseLost
from synnefo_common.reconcile import Reconciler
from synnefo_common.testing import wait_until

metadata = service_metadata()
made = Table("made", metadata, Column("n", Integer, primary_key=True))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def db(clock: ManualClock, database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, clock=clock)
    await database.create_all(metadata)
    yield database
    await database.close()


async def count(db: Database) -> int:
    async with db.read() as uow:
        return int(await uow.scalar(select(func.count()).select_from(made)))


async def test_lease_has_one_holder_and_passes_on_at_its_end(db: Database, clock: ManualClock) -> None:
    one, two = Lease(db, "x", holder="one"), Lease(db, "x", holder="two")
    assert await one.acquire()
    assert not await two.acquire()
    clock.advance(9)
    assert await one.renew()
    clock.advance(9)
    assert not await two.acquire(), "renewed"
    clock.advance(2)
    assert await two.acquire()
    assert two.epoch == one.epoch + 1
    assert not await one.renew()


async def test_holder_stops_believing_before_anyone_else_can_take_it(db: Database, clock: ManualClock) -> None:
    one, two = Lease(db, "x", holder="one", ttl_s=10), Lease(db, "x", holder="two", ttl_s=10)
    await one.acquire()
    clock.advance(9.5)
    assert not one.is_held
    assert not await two.acquire()


async def test_late_holder_cannot_commit(db: Database, clock: ManualClock) -> None:
    one, two = Lease(db, "x", holder="one"), Lease(db, "x", holder="two")
    await one.acquire()
    async with db.begin() as uow:
        await one.check(uow)
    clock.advance(11)
    await two.acquire()
    with pytest.raises(LeaseLost):
        async with db.begin() as uow:
            await uow.run(insert(made).values(n=1))
            await one.check(uow)
    assert await count(db) == 0


async def test_release_lets_another_in_at_once(db: Database) -> None:
    one, two = Lease(db, "x", holder="one"), Lease(db, "x", holder="two")
    await one.acquire()
    await one.release()
    assert not one.is_held
    assert await two.acquire()


async def test_holding_costs_a_statement_only_every_third_of_the_term(db: Database, clock: ManualClock) -> None:
    lease = Lease(db, "x", holder="one", ttl_s=9)
    assert await lease.hold()
    with record_queries(db) as q:
        for _ in range(10):
            assert await lease.hold()
    assert q.count == 0
    clock.advance(3.5)
    with record_queries(db) as q:
        assert await lease.hold()
    assert q.count == 1


async def test_leases_of_many_contenders_are_exclusive(tmp_path: Path) -> None:
    dbs = [Database(f"sqlite:///{tmp_path}/db") for _ in range(4)]
    await dbs[0].create_all(metadata)
    won = await asyncio.gather(*(Lease(d, "x", holder=f"h{i}").acquire() for i, d in enumerate(dbs)))
    assert sorted(won) == [False, False, False, True]
    for d in dbs:
        await d.close()


HASH = request_hash("POST", "/x", {"a": 1})


async def make(uow: UnitOfWork) -> tuple[int, dict[str, int]]:
    n = int(await uow.scalar(select(func.count()).select_from(made))) + 1
    await uow.run(insert(made).values(n=n))
    return 201, {"n": n}


async def test_second_call_with_the_key_gets_the_first_answer(db: Database) -> None:
    first = await run_once(db, "k", HASH, make)
    second = await run_once(db, "k", HASH, make)
    assert first == StoredAnswer(201, {"n": 1}, is_repeat=False)
    assert second == StoredAnswer(201, {"n": 1}, is_repeat=True)
    assert await count(db) == 1


async def test_other_keys_and_no_key_are_other_requests(db: Database) -> None:
    for key in ("a", "b", None, None):
        await run_once(db, key, HASH, make)
    assert await count(db) == 4


async def test_same_key_for_another_request_is_refused(db: Database) -> None:
    await run_once(db, "k", HASH, make)
    with pytest.raises(Unprocessable):
        await run_once(db, "k", request_hash("POST", "/x", {"a": 2}), make)
    assert await count(db) == 1


def test_order_of_keys_in_the_body_does_not_make_another_request() -> None:
    assert request_hash("POST", "/x", {"a": 1, "b": 2}) == request_hash("POST", "/x", {"b": 2, "a": 1})
    assert request_hash("POST", "/x", {"a": 1}) != request_hash("POST", "/y", {"a": 1})


@pytest.mark.parametrize("error", [NotFound("no"), CrashInjected("here")])
async def test_failed_first_call_leaves_nothing_and_the_repeat_is_judged_anew(
    db: Database, error: BaseException
) -> None:
    async def fail(uow: UnitOfWork) -> tuple[int, None]:
        await make(uow)
        raise error

    with pytest.raises(type(error)):
        await run_once(db, "k", HASH, fail)
    assert await count(db) == 0
    assert (await run_once(db, "k", HASH, make)).status == 201


async def test_answer_forgotten_by_the_first_call_is_a_conflict(db: Database) -> None:
    async with db.begin() as uow:
        assert await idempotent(uow, "k", HASH) is None
    with pytest.raises(Conflict):
        async with db.begin() as uow:
            await idempotent(uow, "k", HASH)


async def test_concurrent_calls_with_one_key_have_one_effect(tmp_path: Path) -> None:
    dbs = [Database(f"sqlite:///{tmp_path}/db") for _ in range(3)]
    await dbs[0].create_all(metadata)
    answers = await asyncio.gather(*(run_once(d, "k", HASH, make) for d in dbs * 5))
    assert {(a.status, a.body["n"]) for a in answers} == {(201, 1)}
    assert sum(not a.is_repeat for a in answers) == 1
    assert await count(dbs[0]) == 1
    for d in dbs:
        await d.close()


async def test_prune_forgets_old_answers_only(db: Database, clock: ManualClock) -> None:
    await run_once(db, "old", HASH, make)
    clock.advance(8 * 24 * 3600)
    async with db.begin() as uow:
        await idempotent(uow, "new", HASH)
        await remember(uow, "new", 200, None)
    assert (await prune(db))["idempotency"] == 1
    assert (await run_once(db, "new", HASH, make)).is_repeat


@dataclass(frozen=True)
class Add:
    n: int


class Drift:
    """Facts: what is there; the plan: what is missing of 1..3."""

    def __init__(self, db: Database, *, fails_on: int | None = None, holder: str = "h", period_s: float = 60) -> None:
        self.db, self.fails_on, self.runs = db, fails_on, 0
        self.reconciler: Reconciler[set[int], Add] = Reconciler(
            "drift", db=db, observe=self.observe, plan=self.plan, execute=self.execute, holder=holder, period_s=period_s
        )

    async def observe(self) -> set[int]:
        self.runs += 1
        async with self.db.read() as uow:
            return {row.n for row in await uow.all(select(made))}

    @staticmethod
    def plan(facts: set[int]) -> list[Add]:
        return [Add(n) for n in (1, 2, 3) if n not in facts]

    async def execute(self, action: Add) -> None:
        if action.n == self.fails_on:
            raise RuntimeError("cannot")
        async with self.db.begin() as uow:
            await uow.run(insert(made).values(n=action.n))


async def test_reconciler_mends_once_and_then_has_nothing_to_do(db: Database) -> None:
    drift = Drift(db)
    assert await drift.reconciler.run_once() == [Add(1), Add(2), Add(3)]
    assert await count(db) == 3
    assert await drift.reconciler.run_once() == []


async def test_dry_run_changes_nothing(db: Database) -> None:
    drift = Drift(db)
    assert await drift.reconciler.run_once(dry_run=True) == [Add(1), Add(2), Add(3)]
    assert await count(db) == 0


async def test_failing_action_does_not_stop_the_others(db: Database) -> None:
    drift = Drift(db, fails_on=2)
    await drift.reconciler.run_once()
    assert await count(db) == 2


async def test_nudge_runs_before_the_period_ends_and_only_the_holder_runs(db: Database) -> None:
    one, two = Drift(db, holder="one"), Drift(db, holder="two")
    tasks = [asyncio.create_task(one.reconciler.run())]
    await wait_until(lambda: one.runs == 1)
    tasks.append(asyncio.create_task(two.reconciler.run()))
    await asyncio.sleep(0.02)
    one.reconciler.nudge()
    two.reconciler.nudge()
    await wait_until(lambda: one.runs == 2)
    await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert two.runs == 0


async def test_loop_survives_a_run_that_fails(db: Database) -> None:
    drift = Drift(db, period_s=0.01)
    real = drift.observe

    async def fail_first() -> set[int]:
        if drift.runs == 0:
            drift.runs += 1
            raise RuntimeError("database away")
        return await real()

    drift.reconciler._observe = fail_first
    task = asyncio.create_task(drift.reconciler.run())
    await wait_until(lambda: drift.runs > 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await count(db) == 3
