"""Messaging and sagas on PostgreSQL and RabbitMQ: several processes' worth of connections, kills, cuts, alarms."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import uuid
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import BigInteger, Column, String, Table, func, insert, select, update

from synnefo_common.bus import (
    BusUnavailable,
    ConsumerRunner,
    Consumers,
    Delivery,
    MemoryBus,
    Outgoing,
    Queue,
    Relay,
    Undeliverable,
    events_queue,
)
from synnefo_common.bus.rabbit import RabbitBus
from synnefo_common.contracts.envelope import EVENTS, Envelope, Event
from synnefo_common.db import Database, UnitOfWork, service_metadata
from synnefo_common.db.tables import dead_letters, outbox, sagas
from synnefo_common.holder import free_the_dead
from synnefo_common.lease import Lease
from synnefo_common.saga import Local, Remote, Saga, SagaContext, SagaEngine, Wait
from synnefo_common.testing import wait_until

from .real_parts import Broker, Postgres

pytestmark = pytest.mark.full

metadata = service_metadata()
counters = Table(
    "counters", metadata, Column("id", String(64), primary_key=True), Column("value", BigInteger, nullable=False)
)
effects = Table(
    "effects", metadata, Column("n", BigInteger, primary_key=True), Column("seq", BigInteger, nullable=False)
)


@pytest.fixture
async def databases(postgres: Postgres) -> AsyncIterator[list[Database]]:
    """Three processes' worth of connections to one database."""
    url = postgres.new_database()
    made = [Database(url, pool_size=5) for _ in range(3)]
    await made[0].create_all(metadata)
    yield made
    for db in made:
        await db.close()


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


HOLD = """
import asyncio, sys
from synnefo_common.db import Database
from synnefo_common.lease import Lease
async def main():
    assert await Lease(Database(sys.argv[1]), "x", ttl_s=3600).acquire()
    print("held", flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


async def test_what_a_killed_process_held_is_free_as_soon_as_another_starts(databases: list[Database], postgres: Postgres) -> None:
    db = databases[0]
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, db.url, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"held\n"
    ours = Lease(db, "x")
    assert await free_the_dead(db) == 0, "it lives"
    assert not await ours.acquire()
    child.kill()
    await child.wait()
    assert not await ours.acquire()
    assert await free_the_dead(db) == 1
    assert await ours.acquire()
    assert await free_the_dead(db) == 0, "we live"
    assert ours.is_held


async def test_commit_in_another_process_wakes_the_relay(databases: list[Database]) -> None:
    api, worker, _ = databases
    bus = MemoryBus()
    relay = asyncio.create_task(Relay(worker, bus, service="t", poll_s=60).run())
    await asyncio.sleep(0.5)
    async with api.begin() as uow:
        uow.emit(Event("t.made", "t", "1", {}))
    await wait_until(lambda: len(bus.published) == 1, 2)
    await stop(relay)


async def test_order_of_an_aggregates_events_is_the_order_of_its_transactions(databases: list[Database]) -> None:
    async with databases[0].begin() as uow:
        await uow.run(insert(counters), [{"id": f"c{i}", "value": 0} for i in range(3)])

    async def count_up(db: Database, counter: str) -> None:
        async def work(uow: UnitOfWork) -> None:
            value = await uow.scalar(
                update(counters)
                .where(counters.c.id == counter)
                .values(value=counters.c.value + 1)
                .returning(counters.c.value)
            )
            await asyncio.sleep(random.random() * 0.003)
            uow.emit(Event("t.counted", "counter", counter, {"value": value}))

        await db.run(work)

    bus = MemoryBus()
    relay = asyncio.create_task(Relay(databases[0], bus, service="t").run())
    await asyncio.gather(*(count_up(databases[i % 3], f"c{i % 3}") for i in range(150)))
    await wait_until(lambda: len(bus.published) >= 150)
    await stop(relay)
    for counter in range(3):
        sent = [Envelope.from_bytes(m.body) for m in bus.published]
        own = [m for m in sent if m.aggregate_id == f"c{counter}"]
        assert [m.data["value"] for m in own] == list(range(1, 51))
        assert [m.aggregate_seq for m in own] == sorted(m.aggregate_seq for m in own)


async def test_engines_share_sagas_and_each_step_runs_once(databases: list[Database]) -> None:
    api, *workers = databases
    runs: list[tuple[str, str]] = []

    async def act(ctx: SagaContext) -> None:
        runs.append((ctx.services, ctx.id))
        await asyncio.sleep(0.005)

    async def write(uow: UnitOfWork, ctx: SagaContext) -> None:
        await uow.run(insert(counters).values(id=ctx.id, value=1))

    saga = Saga("s", [Remote("act", act), Wait("job"), Local("write", write)])
    engines = [
        SagaEngine(db, service="t", sagas=[saga], services=f"w{i}", limit=4, poll_s=0.2) for i, db in enumerate(workers)
    ]
    tasks = [asyncio.create_task(e.run()) for e in engines]
    front = SagaEngine(api, service="t", sagas=[saga])
    ids = []
    for _ in range(60):
        async with api.begin() as uow:
            ids.append(await front.start(uow, "s"))

    async def answer(saga_id: str) -> None:
        await asyncio.sleep(random.random() * 0.4)  # before, while and after it reaches the wait
        async with api.begin() as uow:
            assert await front.signal(uow, saga_id, "job", {"ok": True})

    await asyncio.gather(*(answer(i) for i in ids))

    async def all_finished() -> bool:
        async with api.read() as uow:
            query = select(func.count()).select_from(sagas).where(sagas.c.state == "finished")
            return int(await uow.scalar(query)) == 60

    await wait_until(all_finished, 20)
    await stop(*tasks)
    assert sorted(i for _, i in runs) == sorted(ids)
    assert {s for s, _ in runs} == {"w0", "w1"}
    async with api.read() as uow:
        assert await uow.scalar(select(func.count()).select_from(counters)) == 60


async def test_start_and_signal_in_another_process_wake_the_engine(databases: list[Database]) -> None:
    api, worker, _ = databases

    async def nothing(uow: UnitOfWork, ctx: SagaContext) -> None:
        return None

    saga = Saga("s", [Local("a", nothing), Wait("job"), Local("b", nothing)])
    task = asyncio.create_task(SagaEngine(worker, service="t", sagas=[saga], poll_s=60).run())
    await asyncio.sleep(0.5)
    front = SagaEngine(api, service="t", sagas=[saga])
    async with api.begin() as uow:
        saga_id = await front.start(uow, "s")

    async def state() -> str:
        async with api.read() as uow:
            return str(await uow.scalar(select(sagas.c.state).where(sagas.c.id == saga_id)))

    async def is_in(wanted: str) -> bool:
        return await state() == wanted

    await wait_until(lambda: is_in("waiting"), 2)
    async with api.begin() as uow:
        await front.signal(uow, saga_id, "job")
    await wait_until(lambda: is_in("finished"), 2)
    await stop(task)


class Stream:
    """A service that emits to itself over the broker; each message must have its effect exactly once."""

    def __init__(self, db: Database, url: str, word: str) -> None:
        self.db, self.word = db, word
        self.bus = RabbitBus(url, retry_delay_s=0.2, publish_timeout_s=3)
        self.consumers = Consumers(word)
        self.consumers.on(f"{word}.made")(self.record)
        self.relay = Relay(db, self.bus, service=word)
        self.runner = ConsumerRunner(db, self.bus, self.consumers)

    async def record(self, uow: UnitOfWork, message: Envelope) -> None:
        await uow.run(insert(effects).values(n=message.data["n"], seq=message.aggregate_seq))

    async def start(self) -> asyncio.Task[None]:
        await self.bus.start()
        await self.runner.start()
        return asyncio.create_task(self.relay.run())

    async def emit(self, n: int) -> None:
        async with self.db.begin() as uow:
            uow.emit(Event(f"{self.word}.made", "lane", f"l{n % 20}", {"n": n}))

    async def done(self, wanted: int) -> bool:
        async with self.db.read() as uow:
            handled = int(await uow.scalar(select(func.count()).select_from(effects)))
            waiting = int(await uow.scalar(select(func.count()).select_from(outbox)))
            dead = int(await uow.scalar(select(func.count()).select_from(dead_letters)))
        assert dead == 0
        return handled == wanted and waiting == 0

    async def end(self, relay: asyncio.Task[None]) -> None:
        await stop(relay)
        await self.bus.remove(self.runner.queue)
        await self.bus.close()


@pytest.fixture
def word() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


async def test_nothing_is_lost_or_doubled_while_the_broker_is_killed(
    databases: list[Database], broker: Broker, word: str
) -> None:
    stream = Stream(databases[0], broker.url, word)
    relay = await stream.start()

    async def kill() -> None:
        for _ in range(2):
            await asyncio.sleep(1)
            os.kill(broker.pid, signal.SIGKILL)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(broker.up)

    killing = asyncio.create_task(kill())
    n = 0
    while not killing.done() or n < 600:  # writes are accepted all the time
        await stream.emit(n)
        n += 1
        await asyncio.sleep(0.005)
    await killing
    await wait_until(lambda: stream.done(n), 60)
    await stream.end(relay)


async def test_queue_deleted_under_its_consumer_is_made_again(
    databases: list[Database], broker: Broker, word: str
) -> None:
    stream = Stream(databases[0], broker.url, word)
    relay = await stream.start()
    await stream.emit(0)
    await wait_until(lambda: stream.done(1))
    await asyncio.to_thread(broker.ctl, "delete_queue", stream.runner.queue.name)
    await wait_until(lambda: not stream.bus._consuming.is_up, 10)
    await wait_until(lambda: stream.bus._consuming.is_up, 20)
    await stream.emit(1)
    await wait_until(lambda: stream.done(2))
    await stream.end(relay)


async def test_queue_that_does_not_answer_holds_up_no_other(databases: list[Database], broker: Broker, word: str) -> None:
    """As a quorum queue without a leader: it confirms no message, and nobody can begin to consume it."""
    db = databases[0]
    hurt, well = Stream(db, broker.url, f"{word}a"), Stream(db, broker.url, f"{word}b")
    relay = await hurt.start()  # of the one outbox
    await well.bus.start()
    await well.runner.start()

    async def effects_are(*wanted: int) -> bool:
        async with db.read() as uow:
            return sorted(row.n for row in await uow.all(select(effects.c.n))) == list(wanted)

    process = f'{{list_to_atom("%2F_{hurt.runner.queue.name}"), node()}}'
    await asyncio.to_thread(broker.ctl, "eval", f"sys:suspend({process}).")
    try:
        await hurt.emit(0)
        await well.emit(1)
        await wait_until(lambda: effects_are(1), 5)
        await well.emit(2)  # a round later: the first one's message is still on its way
        await wait_until(lambda: effects_are(1, 2), 5)
        again = RabbitBus(broker.url, consume_timeout_s=0.5)  # a process that consumes both begins anew
        await again.start()
        got: list[str] = []

        async def take(delivery: Delivery) -> None:
            got.append(delivery.message_id)

        mine = events_queue(f"{word}c", [f"{word}c.#"])
        await again.consume(hurt.runner.queue, take)
        await again.consume(mine, take)
        await again.publish(Outgoing(EVENTS, f"{word}c.made", "m", b"{}"))
        await wait_until(lambda: got == ["m"], 5)
        await again.remove(mine)
        await again.close()
    finally:
        await asyncio.to_thread(broker.ctl, "eval", f"sys:resume({process}).")
    await wait_until(lambda: effects_are(0, 1, 2), 30)
    await well.bus.remove(well.runner.queue)
    await well.bus.close()
    await hurt.end(relay)


async def test_memory_alarm_blocks_publishing_for_its_time_only(
    databases: list[Database], broker: Broker, word: str
) -> None:
    stream = Stream(databases[0], broker.url, word)
    relay = await stream.start()
    await asyncio.to_thread(broker.ctl, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        for n in range(20):
            await stream.emit(n)
        with pytest.raises((BusUnavailable, Undeliverable)):
            await stream.bus.publish(Outgoing(EVENTS, f"{word}.other", "m", b"{}"))
    finally:
        await asyncio.to_thread(broker.ctl, "set_vm_memory_high_watermark", "absolute", "1GB")
    await wait_until(lambda: stream.done(20), 30)
    await stream.end(relay)


async def test_bus_starts_without_a_broker_and_connects_when_it_comes(broker: Broker, word: str) -> None:
    broker.down()
    bus = RabbitBus(broker.url)
    await bus.start(wait_s=0.2)
    got: list[str] = []

    async def take(delivery: Delivery) -> None:
        got.append(delivery.message_id)

    queue = Queue(f"{word}.events", EVENTS, (f"{word}.#",))
    await bus.consume(queue, take)
    assert not bus.is_connected
    with pytest.raises(BusUnavailable):
        await bus.publish(Outgoing(EVENTS, f"{word}.a", "m", b"{}"))
    await asyncio.to_thread(broker.up)
    await wait_until(lambda: bus._consuming.is_up and bus.is_connected, 20)
    await bus.publish(Outgoing(EVENTS, f"{word}.a", "m", b"{}"))
    await wait_until(lambda: got == ["m"])
    await bus.remove(queue)
    await bus.close()
