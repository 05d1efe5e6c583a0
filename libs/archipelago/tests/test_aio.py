"""The store as coroutines."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from synnefo_archipelago import AsyncStore, CorruptData, LeaseHeld, StoreFull, open_store
from synnefo_archipelago.api import Space

MIB = 1 << 20


@pytest.fixture
async def astore(tmp_path: Path) -> AsyncIterator[AsyncStore]:
    store = AsyncStore(open_store(f"file://{tmp_path}"), threads=4)
    yield store
    await store.close()


async def test_streamed_object_reads_back(astore: AsyncStore) -> None:
    data = random.Random(1).randbytes(9 * MIB + 5)
    async with astore.writer(extra_hashes=("md5",)) as writer:
        for at in range(0, len(data), 65536):
            await writer.write(data[at : at + 65536])
        root = await writer.finish()
    assert writer.size == len(data)
    assert writer.hexdigests == {"md5": hashlib.md5(data, usedforsecurity=False).hexdigest()}
    assert await astore.read(root, 5, 100) == data[5:105]
    assert b"".join([piece async for piece in astore.iter_range(root)]) == data
    assert b"".join([piece async for piece in astore.iter_range(root, 3 * MIB, 5)]) == data[3 * MIB : 3 * MIB + 5]
    assert len(await astore.hashmap(root)) == 3
    assert await astore.concat([root]) == root


async def test_many_streams_at_once(astore: AsyncStore) -> None:
    async def stream(seed: int) -> None:
        data = random.Random(seed).randbytes(3 * MIB)
        writer = astore.writer(extra_hashes=("md5",))
        for at in range(0, len(data), 300_000):
            await writer.write(data[at : at + 300_000])
        root = await writer.finish()
        assert [piece async for piece in astore.iter_range(root, chunk_bytes=MIB)] == [
            data[at : at + MIB] for at in range(0, len(data), MIB)
        ]

    await asyncio.gather(*(stream(seed) for seed in range(12)))
    assert (await astore.stats()).blocks == 12


async def test_aborted_upload_leaves_no_object(astore: AsyncStore) -> None:
    with pytest.raises(RuntimeError):
        async with astore.writer() as writer:
            await writer.write(bytes(3 * MIB))
            await writer.write(b"x")
            raise RuntimeError("the client went away")
    assert (await astore.stats()).blocks == 0


async def test_storage_error_reaches_the_task(astore: AsyncStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> bool:
        raise StoreFull("no space")

    monkeypatch.setattr(astore.store.driver, "put", full)
    writer = astore.writer()
    with pytest.raises(StoreFull):
        for _ in range(40):
            await writer.write(random.Random(2).randbytes(MIB))
        await writer.finish()
    await writer.abort()


async def test_reader_that_stops_early_and_damage_in_the_middle(astore: AsyncStore) -> None:
    writer = astore.writer()
    await writer.write(random.Random(3).randbytes(8 * MIB))
    root = await writer.finish()
    pieces = astore.iter_range(root)
    assert len(await anext(pieces)) == MIB
    await pieces.aclose()
    second = astore.store.hashmap(root)[1]
    astore.store.driver.delete(Space.CAS, second)
    got = 0
    with pytest.raises(CorruptData):
        async for piece in astore.iter_range(root):
            got += len(piece)
    assert got == 4 * MIB


async def test_volumes(astore: AsyncStore) -> None:
    await astore.create_volume("vol", MIB)
    volume = await astore.open_volume("vol", owner="one")
    with pytest.raises(LeaseHeld):
        await astore.open_volume("vol", owner="two")
    await volume.write(10, b"hello")
    await volume.flush()
    shot = await astore.snapshot_volume("vol")
    await volume.write_zeroes(10, 2)
    await volume.trim(12, 1)
    await volume.grow(2 * MIB)
    assert await volume.read(9, 7) == b"\0\0\0\0lo\0"
    assert (await volume.snapshot()).size == volume.size == 2 * MIB
    await volume.close()
    assert await astore.read(shot, 10, 5) == b"hello"
    assert await astore.read_volume("vol", 10, 5) == b"\0\0\0lo"
    await astore.grow_volume("vol", 3 * MIB)
    assert (await astore.volume_info("vol")).size == 3 * MIB
    assert [name async for name in astore.list_volumes()] == ["vol"]
    await (await astore.open_volume("vol", owner="three")).abandon()
    await astore.delete_volume("vol")
    assert [name async for name in astore.list_volumes()] == []
