"""Outbox, relay, bus, inbox: nothing lost, one effect each, in order, whatever dies when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, String, Table, func, insert, select

from synnefo_common import context
from synnefo_common.bus import (
    BusUnavailable,
    Chaos,
    ConsumerRunner,
    Consumers,
    Delivery,
    MemoryBus,
    Outgoing,
    Relay,
    events_queue,
)
from synnefo_common.bus.inbox import prune_inbox
from synnefo_common.bus.relay import crash_points
from synnefo_common.clock import ManualClock
from synnefo_common.contracts.envelope import Envelope, Event, MalformedMessage
from synnefo_common.crashpoint import CrashInjected, arm, disarm, observe
from synnefo_common.db import Database, UnitOfWork, service_metadata
from synnefo_common.db.recorder import record_queries
from synnefo_common.db.tables import dead_letters, inbox, outbox
from synnefo_common.testing import wait_until

metadata = service_metadata()
effects = Table(
    "effects",
    metadata,
    Column("n", BigInteger, primary_key=True),
    Column("lane", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)


def made(n: int, lane: str = "a") -> Event:
    return Event("t.thing.made", "thing", lane, {"n": n, "lane": lane})


async def record(uow: UnitOfWork, message: Envelope) -> None:
    values = {"n": message.data["n"], "lane": message.data["lane"], "seq": message.aggregate_seq}
    await uow.run(insert(effects).values(values))


class Side:
    """A sender and a receiver with a database each, on one bus; `rebuild` is what a restart does."""

    def __init__(self, folder: Path, clock: Any = None, chaos: Chaos | None = None) -> None:
        self.folder, self.clock, self.chaos = folder, clock, chaos
        self.consumers = Consumers("t")
        self.consumers.on("t.thing.*")(record)
        self.build()

    def build(self) -> None:
        self.sender = Database(f"sqlite:///{self.folder}/sender", clock=self.clock)
        self.receiver = Database(f"sqlite:///{self.folder}/receiver", clock=self.clock)
        self.bus = MemoryBus(chaos=self.chaos)
        self.relay = Relay(self.sender, self.bus, service="t")
        self.runner = ConsumerRunner(self.receiver, self.bus, self.consumers, delivery_limit=3)

    async def start(self) -> None:
        await self.sender.create_all(metadata)
        await self.receiver.create_all(metadata)
        await self.runner.start()

    async def rebuild(self) -> None:
        await self.sender.close()
        await self.receiver.close()
        self.build()
        await self.start()

    async def emit(self, *events: Event) -> None:
        async with self.sender.begin() as uow:
            for event in events:
                uow.emit(event)

    async def effects(self) -> list[tuple[int, str]]:
        async with self.receiver.read() as uow:
            return [(r.n, r.lane) for r in await uow.all(select(effects).order_by(effects.c.n))]

    async def waiting(self) -> int:
        async with self.sender.read() as uow:
            return int(await uow.scalar(select(func.count()).select_from(outbox)))


@pytest.fixture
async def side(tmp_path: Path) -> AsyncIterator[Side]:
    made_ = Side(tmp_path)
    await made_.start()
    yield made_
    disarm()
    await made_.bus.close()
    await made_.sender.close()
    await made_.receiver.close()


async def test_event_of_a_committed_transaction_has_its_effect(side: Side) -> None:
    await side.emit(made(1), made(2))
    assert await side.waiting() == 2
    assert await side.relay.drain() == 2
    assert await side.effects() == [(1, "a"), (2, "a")]
    assert await side.waiting() == 0


async def test_event_of_a_rolled_back_transaction_never_leaves(side: Side) -> None:
    with pytest.raises(RuntimeError):
        async with side.sender.begin() as uow:
            uow.emit(made(1))
            raise RuntimeError
    assert await side.relay.drain() == 0


async def test_statements_of_one_message(side: Side) -> None:
    with record_queries(side.sender) as q:
        await side.emit(made(1), made(2), made(3))
    assert q.count == 1, q.texts()
    with record_queries(side.sender) as q:
        await side.relay.run_once()
    assert q.count == 2, q.texts()  # read, delete: however many
    with record_queries(side.receiver) as q:
        await side.emit(made(4))
        await side.relay.run_once()
    assert q.count == 2, q.texts()  # inbox and the effect


async def test_duplicate_is_acknowledged_without_effect(side: Side) -> None:
    await side.emit(made(1))
    await side.relay.drain()
    again = side.bus.published[0]
    await side.bus.publish(again)
    await side.bus.publish(again)
    assert await side.effects() == [(1, "a")]


async def test_effect_and_inbox_are_one_transaction(side: Side) -> None:
    fails = [True]

    async def fail_once(uow: UnitOfWork, message: Envelope) -> None:
        if fails:
            fails.clear()
            raise RuntimeError("after the first handler's effect")

    side.consumers.on("t.thing.made")(fail_once)
    await side.emit(made(1))
    assert await side.relay.run_once() == 0
    assert await side.effects() == []
    await asyncio.sleep(0.15)  # the lane's pause
    assert await side.relay.run_once() == 1
    assert await side.effects() == [(1, "a")]


async def test_order_within_an_aggregate_is_kept_across_failures(tmp_path: Path) -> None:
    side = Side(tmp_path)
    await side.start()
    order: list[int] = []
    rng = random.Random(7)

    async def unreliable(uow: UnitOfWork, message: Envelope) -> None:
        if rng.random() < 0.3:
            raise RuntimeError("bad luck")
        uow.after_commit(lambda: order.append(message.data["n"]))

    side.runner.delivery_limit = 1000
    side.consumers.handlers = [(("t.thing.*",), unreliable)]
    await side.emit(*(made(n) for n in range(40)))
    relay = asyncio.create_task(side.relay.run())
    await wait_until(lambda: len(order) == 40, 20)
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    assert order == list(range(40))


async def test_one_aggregate_that_is_stuck_does_not_hold_up_others(side: Side) -> None:
    async def stuck(uow: UnitOfWork, message: Envelope) -> None:
        if message.data["lane"] == "bad":
            raise RuntimeError("always")

    side.runner.delivery_limit = 1000
    side.relay.batch_size = 2
    side.consumers.on("t.thing.made")(stuck)
    await side.emit(*(made(n, "bad") for n in range(5)), *(made(n, "good") for n in range(5)))
    for _ in range(6):
        await side.relay.run_once()
    assert await side.effects() == [(n, "good") for n in range(5)]
    assert await side.waiting() == 5


async def test_poison_is_put_aside_after_the_limit_and_the_rest_goes_on(side: Side) -> None:
    async def poison(uow: UnitOfWork, message: Envelope) -> None:
        if message.data["n"] == 0:
            raise ValueError("cannot be handled")

    side.consumers.on("t.thing.made")(poison)
    await side.emit(made(0), made(1))
    relay = asyncio.create_task(side.relay.run())
    await wait_until(lambda: _count(side.effects(), 1), 10)
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    assert await side.effects() == [(1, "a")]
    async with side.receiver.read() as uow:
        (dead,) = await uow.all(select(dead_letters))
    assert (dead.attempts, dead.queue, dead.routing_key) == (3, "t.events", "t.thing.made")
    assert "cannot be handled" in dead.error
    assert Envelope.from_bytes(dead.body.encode()).data["n"] == 0


async def _count(rows: Any, wanted: int) -> bool:
    return len(await rows) == wanted


async def test_malformed_message_is_put_aside_at_once(side: Side) -> None:
    await side.bus.publish(Outgoing("synnefo.events", "t.thing.made", "m1", b"\xff not json"))
    async with side.receiver.read() as uow:
        assert [r.message_id for r in await uow.all(select(dead_letters))] == ["m1"]


async def test_outage_loses_nothing_and_the_relay_catches_up(side: Side) -> None:
    side.bus.is_down = True
    await side.emit(made(1))
    relay = asyncio.create_task(side.relay.run())
    await asyncio.sleep(0.05)
    await side.emit(made(2))
    assert await side.waiting() == 2
    side.bus.is_down = False
    await wait_until(lambda: _count(side.effects(), 2))
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)


async def test_a_queue_that_does_not_answer_holds_up_nobody_else(side: Side) -> None:
    real, answers, asked = side.bus.publish, asyncio.Event(), 0

    async def slow(message: Outgoing) -> None:
        nonlocal asked
        if b'"lane":"a"' in message.body:
            asked += 1
            await answers.wait()
        await real(message)

    side.bus.publish = slow  # type: ignore[method-assign]
    side.relay.round_s = 0.02
    relay = asyncio.create_task(side.relay.run())
    await side.emit(made(1, "a"), made(2, "b"))
    await wait_until(lambda: _count(side.effects(), 1))
    await side.emit(made(3, "b"), made(4, "a"))
    await wait_until(lambda: _count(side.effects(), 2))
    assert await side.effects() == [(2, "b"), (3, "b")]
    assert asked == 1  # the second of that lane waits for the first, and neither is sent again meanwhile
    answers.set()
    await wait_until(lambda: _count(side.effects(), 4))
    await wait_until(lambda: _none_waits(side))
    assert asked == 2
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)


async def _none_waits(side: Side) -> bool:
    return await side.waiting() == 0


async def test_partial_outage_marks_what_was_confirmed(side: Side) -> None:
    real = side.bus.publish

    async def cut(message: Outgoing) -> None:
        if b'"n":2' in message.body:
            raise BusUnavailable("cut")
        await real(message)

    side.bus.publish = cut  # type: ignore[method-assign]
    await side.emit(made(1, "a"), made(2, "b"), made(3, "c"))
    with pytest.raises(BusUnavailable):
        await side.relay.run_once()
    assert await side.waiting() == 1


async def test_commit_wakes_the_relay(side: Side) -> None:
    side.relay.poll_s = 60
    relay = asyncio.create_task(side.relay.run())
    await asyncio.sleep(0.05)
    await side.emit(made(1))
    await wait_until(lambda: _count(side.effects(), 1), 2)
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)


async def test_second_relay_waits_for_the_lease(tmp_path: Path) -> None:
    clock = ManualClock()
    side = Side(tmp_path, clock=clock)
    await side.start()
    first = Relay(side.sender, side.bus, service="t", holder="first", lease_s=10)
    second = Relay(side.sender, side.bus, service="t", holder="second", lease_s=10)
    assert await first.lease.hold()
    assert not await second.lease.hold()
    clock.advance(11)
    assert await second.lease.hold()
    assert not await first.lease.hold()


async def test_number_of_a_deleted_row_is_never_used_again(side: Side) -> None:
    seqs = []
    for n in range(3):
        await side.emit(made(n))
        await side.relay.drain()
        seqs.append(Envelope.from_bytes(side.bus.published[-1].body).aggregate_seq)
    assert seqs == sorted(set(seqs))


async def test_context_goes_with_the_message_and_on(side: Side) -> None:
    seen: list[tuple[str | None, str | None, str | None]] = []

    async def look(uow: UnitOfWork, message: Envelope) -> None:
        found = context.current_correlation_id(), context.causation_id.get(), context.traceparent.get()
        seen.append(found)
        uow.emit(made(99, "b"))

    side.consumers.on("t.thing.made")(look)
    mark = context.request_id.set("req-7")
    trace = context.traceparent.set("00-aa-bb-01")
    await side.emit(made(1))
    context.request_id.reset(mark)
    context.traceparent.reset(trace)
    await side.relay.drain()
    first = Envelope.from_bytes(side.bus.published[0].body)
    assert seen == [("req-7", first.id, "00-aa-bb-01")]
    async with side.receiver.read() as uow:
        follow_up = Envelope.from_bytes(
            (await uow.scalar(select(outbox.c.body))).encode()[:-1] + b',"aggregate_seq":1}'
        )
    assert (follow_up.causation_id, follow_up.correlation_id) == (first.id, "req-7")
    assert context.causation_id.get() is None


async def test_inbox_is_pruned_by_age(tmp_path: Path) -> None:
    clock = ManualClock()
    side = Side(tmp_path, clock=clock)
    await side.start()
    await side.emit(made(1))
    await side.relay.drain()
    async with side.receiver.begin() as uow:
        assert await prune_inbox(uow) == 0
    clock.advance(8 * 24 * 3600)
    async with side.receiver.begin() as uow:
        assert await prune_inbox(uow) == 1


POINTS = [*crash_points("t"), "t.consumer.record.before_handle", "t.consumer.record.after_commit"]


@pytest.mark.parametrize("hit", [1, 2])
@pytest.mark.parametrize("point", POINTS)
async def test_crash_anywhere_loses_nothing_and_doubles_nothing(tmp_path: Path, point: str, hit: int) -> None:
    side = Side(tmp_path)
    side.relay.batch_size = 3
    await side.start()
    await side.emit(*(made(n, f"lane{n % 3}") for n in range(9)))
    arm(point, hit=hit)
    with pytest.raises(CrashInjected):
        await side.relay.drain()
    disarm()
    await side.rebuild()
    await side.relay.drain()
    assert [n for n, _ in await side.effects()] == list(range(9))
    assert await side.waiting() == 0
    await side.sender.close()
    await side.receiver.close()


async def test_every_crash_point_is_passed(side: Side) -> None:
    seen = observe()
    await side.emit(made(1))
    await side.relay.drain()
    assert seen == set(POINTS) == {*crash_points("t"), *side.consumers.crash_points()}


@pytest.mark.parametrize("seed", range(3))
async def test_under_chaos_each_effect_happens_once_and_in_order(tmp_path: Path, seed: int) -> None:
    side = Side(tmp_path, chaos=Chaos(seed=seed, duplicate=0.3, stale=0.3))
    await side.start()
    for n in range(60):
        await side.emit(made(n, f"lane{n % 5}"))
    await side.relay.drain()
    await asyncio.sleep(0.1)
    assert [n for n, _ in await side.effects()] == list(range(60))
    async with side.receiver.read() as uow:
        assert await uow.scalar(select(func.count()).select_from(inbox)) == 60
    for lane in range(5):
        sent = [Envelope.from_bytes(m.body) for m in side.bus.published]
        seqs = [m.aggregate_seq for m in sent if m.aggregate_id == f"lane{lane}"]
        assert seqs == sorted(seqs)
    await side.bus.close()


async def test_chaos_does_deliver_duplicates() -> None:
    bus = MemoryBus(chaos=Chaos(seed=1, duplicate=0.5))
    count = 0

    async def take(delivery: Delivery) -> None:
        nonlocal count
        count += 1

    await bus.consume(events_queue("t", ["#"]), take)
    for n in range(50):
        await bus.publish(Outgoing("synnefo.events", "a", str(n), b"{}"))
    assert count > 60
    await bus.close()


async def test_declared_queue_without_consumer_keeps_the_message_in_the_outbox(side: Side) -> None:
    await side.bus.declare(events_queue("late", ["t.thing.*"]))
    await side.emit(made(1))
    assert await side.relay.run_once() == 0
    assert await side.waiting() == 1
    late: list[str] = []

    async def take(delivery: Delivery) -> None:
        late.append(delivery.message_id)

    await side.bus.consume(events_queue("late", ["t.thing.*"]), take)
    await asyncio.sleep(0.15)
    assert await side.relay.run_once() == 1
    assert len(late) == 1
    assert await side.effects() == [(1, "a")]


class BatchSide(Side):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sizes: list[int] = []
        self.consumers.handlers = []
        self.consumers.on_batch("t.thing.*")(self.record_all)

    async def record_all(self, uow: UnitOfWork, messages: list[Envelope]) -> None:
        self.sizes.append(len(messages))
        for message in messages:
            if message.data["n"] == 13:
                raise ValueError("unlucky")
            await record(uow, message)


async def test_batch_handles_what_waits_in_one_transaction_and_each_once(tmp_path: Path) -> None:
    side = BatchSide(tmp_path)
    await side.start()
    await side.emit(*(made(n, f"lane{n}") for n in range(20, 50)))
    with record_queries(side.receiver) as q:
        await side.relay.drain()
    assert [n for n, _ in await side.effects()] == list(range(20, 50))
    assert max(side.sizes) > 5, side.sizes
    assert q.count < 30 + len(side.sizes) + 1
    for message in list(side.bus.published)[:5]:
        await side.bus.publish(message)
    assert len(await side.effects()) == 30


async def test_one_bad_message_of_a_batch_fails_alone(tmp_path: Path) -> None:
    side = BatchSide(tmp_path)
    await side.start()
    await side.emit(*(made(n, f"lane{n}") for n in range(10, 20)))
    await side.relay.run_once()
    assert [n for n, _ in await side.effects()] == [n for n in range(10, 20) if n != 13]
    assert await side.waiting() == 1


@pytest.mark.parametrize("where", ["before_handle", "after_commit"])
async def test_crash_in_a_batch_loses_nothing(tmp_path: Path, where: str) -> None:
    side = BatchSide(tmp_path)
    await side.start()
    await side.emit(*(made(n, f"lane{n}") for n in range(20, 26)))
    arm(f"t.consumer.record_all.{where}")
    with pytest.raises(CrashInjected):
        await side.relay.drain()
    disarm()
    await side.rebuild()
    await side.relay.drain()
    assert [n for n, _ in await side.effects()] == list(range(20, 26))


def test_envelope_survives_the_wire_and_ignores_unknown_fields() -> None:
    message = Envelope("i", "t", 1, 5, "a", "b", 9, {"x": 1}, "c", "d", "e")
    body = message.to_bytes()
    assert Envelope.from_bytes(body, routing_key="t") == Envelope(
        "i", "t", 1, 5, "a", "b", 9, {"x": 1}, "c", "d", "e", "t"
    )
    assert Envelope.from_bytes(body[:-1] + b',"new":1}', routing_key="t").id == "i"
    for bad in (b"", b"[]", b"{}", b"null"):
        with pytest.raises(MalformedMessage):
            Envelope.from_bytes(bad)
