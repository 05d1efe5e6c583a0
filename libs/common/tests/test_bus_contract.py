"""What every bus must do, on the memory bus and on RabbitMQ. The queues' names are new in each test."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from synnefo_common.bus import Bus, BusUnavailable, Delivery, MemoryBus, Outgoing, Queue, Undeliverable, cluster_queue
from synnefo_common.bus.rabbit import RabbitBus
from synnefo_common.bus.topology import job_routing_key, matches
from synnefo_common.contracts.envelope import EVENTS, JOBS
from synnefo_common.testing import wait_until


@pytest.fixture(params=["memory", pytest.param("rabbit", marks=pytest.mark.full)])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    is_memory = request.param == "memory"
    made: Bus = MemoryBus(is_strict=True) if is_memory else RabbitBus(request.getfixturevalue("amqp_url"), retry_delay_s=0.2)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def word() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


def event(key: str, body: bytes = b"{}", message_id: str = "") -> Outgoing:
    return Outgoing(EVENTS, key, message_id or str(uuid.uuid4()), body)


def queue(word: str, *patterns: str, name: str = "q") -> Queue:
    return Queue(f"{word}.{name}", EVENTS, tuple(f"{word}.{p}" for p in patterns))


async def test_a_message_reaches_every_queue_that_matches_once(bus: Bus, word: str) -> None:
    got: list[tuple[str, str, bytes]] = []

    async def take(delivery: Delivery) -> None:
        got.append((delivery.queue, delivery.routing_key, delivery.body))

    await bus.consume(queue(word, "port.*", name="one"), take)
    await bus.consume(queue(word, "#", "port.created", name="two"), take)
    await bus.consume(queue(word, "server.*", name="three"), take)
    await bus.publish(event(f"{word}.port.created", b"hello"))
    await wait_until(lambda: len(got) >= 2)
    await asyncio.sleep(0.05)
    key = f"{word}.port.created"
    assert sorted(got) == [(f"{word}.one", key, b"hello"), (f"{word}.two", key, b"hello")]
    for name in ("one", "two", "three"):
        await bus.remove(queue(word, name=name))


async def test_event_that_nobody_wants_is_confirmed(bus: Bus, word: str) -> None:
    await bus.publish(event(f"{word}.nobody"))


async def test_job_without_a_queue_is_refused(bus: Bus, word: str) -> None:
    with pytest.raises(Undeliverable):
        await bus.publish(Outgoing(JOBS, job_routing_key(word, "instance.create"), "1", b"{}"))
    with pytest.raises(Undeliverable):
        await bus.publish(event(f"quota.{word}.released"))


async def test_cluster_queue_made_at_run_time_gets_jobs_and_is_gone_after_remove(bus: Bus, word: str) -> None:
    got: list[str] = []

    async def take(delivery: Delivery) -> None:
        got.append(delivery.routing_key)

    cluster = f"{word}.example.com"
    key = job_routing_key(cluster, "instance.create")
    await bus.consume(cluster_queue(cluster), take)
    await bus.publish(Outgoing(JOBS, key, "1", b"{}"))
    await wait_until(lambda: got == [key])
    await bus.remove(cluster_queue(cluster))
    with pytest.raises(Undeliverable):
        await bus.publish(Outgoing(JOBS, key, "2", b"{}"))


async def test_failed_message_comes_again_with_its_count_and_key(bus: Bus, word: str) -> None:
    seen: list[tuple[int, str]] = []

    async def fail_twice(delivery: Delivery) -> None:
        seen.append((delivery.attempts, delivery.routing_key))
        if delivery.attempts < 2:
            raise RuntimeError("not yet")

    await bus.consume(queue(word, "a"), fail_twice)
    message = event(f"{word}.a")
    for _ in range(3):  # on the memory bus the relay is the retry
        try:
            await bus.publish(message)
        except Undeliverable:
            continue
        break
    await wait_until(lambda: len(seen) >= 3)
    await asyncio.sleep(0.3)
    assert seen == [(0, f"{word}.a"), (1, f"{word}.a"), (2, f"{word}.a")]
    await bus.remove(queue(word))


async def test_one_failing_queue_does_not_keep_the_other_from_its_message(bus: Bus, word: str) -> None:
    got: list[str] = []

    async def fail(delivery: Delivery) -> None:
        raise RuntimeError("always")

    async def take(delivery: Delivery) -> None:
        got.append(delivery.queue)

    await bus.consume(queue(word, "a", name="bad"), fail)
    await bus.consume(queue(word, "a", name="good"), take)
    try:
        await bus.publish(event(f"{word}.a"))
    except Undeliverable:
        assert isinstance(bus, MemoryBus)
    await wait_until(lambda: got == [f"{word}.good"])
    await bus.remove(queue(word, name="bad"))
    await bus.remove(queue(word, name="good"))


async def test_messages_of_one_publisher_stay_in_order(bus: Bus, word: str) -> None:
    got: list[bytes] = []

    async def take(delivery: Delivery) -> None:
        got.append(delivery.body)

    await bus.consume(queue(word, "a"), take, prefetch=1)
    for n in range(50):
        await bus.publish(event(f"{word}.a", b"%d" % n))
    await wait_until(lambda: len(got) >= 50)
    assert got == [b"%d" % n for n in range(50)]
    await bus.remove(queue(word))


async def test_prefetch_bounds_what_is_handled_at_once(bus: Bus, word: str) -> None:
    now = most = done = 0

    async def take(delivery: Delivery) -> None:
        nonlocal now, most, done
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        done += 1

    await bus.consume(queue(word, "a"), take, prefetch=3)
    await asyncio.gather(*(bus.publish(event(f"{word}.a")) for _ in range(20)))
    await wait_until(lambda: done == 20)
    assert most == 3
    await bus.remove(queue(word))


async def test_nothing_is_published_after_close(bus: Bus, word: str) -> None:
    async def take(delivery: Delivery) -> None:
        raise AssertionError("consumed after close")

    await bus.consume(queue(word, "a"), take)
    await bus.close()
    with pytest.raises((BusUnavailable, Undeliverable)):
        await bus.publish(event(f"{word}.a"))


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("network.port.*", "network.port.created", True),
        ("network.port.*", "network.port", False),
        ("network.port.*", "network.port.a.b", False),
        ("network.#", "network", True),
        ("network.#", "network.a.b", True),
        ("#", "anything.at.all", True),
        ("#.created", "network.port.created", True),
        ("*.port.#", "network.port", True),
        ("network.port.created", "network.port.created", True),
        ("network.port.created", "network.port.updated", False),
        ("", "a", False),
    ],
)
def test_topic_patterns(pattern: str, key: str, *, expected: bool) -> None:
    assert matches(pattern, key) is expected


def test_clusters_whose_names_begin_alike_do_not_share_jobs() -> None:
    (pattern,) = cluster_queue("c1").patterns
    assert matches(pattern, job_routing_key("c1", "instance.create"))
    assert not matches(pattern, job_routing_key("c1.example", "instance.create"))
