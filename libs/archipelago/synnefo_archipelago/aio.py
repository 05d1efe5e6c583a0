"""The store for asyncio: the same names, in threads of its own, so that slow storage cannot fill the loop's pool.

A thin layer: no decision is made here.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Self, TypeVar

from synnefo_archipelago.api import Data, Stats, VolumeInfo
from synnefo_archipelago.composing import Range
from synnefo_archipelago.roots import Root
from synnefo_archipelago.store import Store
from synnefo_archipelago.volume import Volume
from synnefo_archipelago.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

_HAND_OVER = 1 << 20
"""Received bytes that are worth a trip to another thread."""


class AsyncWriter:
    """Takes the next bytes while those before are hashed and stored. For one task at a time."""

    def __init__(self, pool: ThreadPoolExecutor, writer: Writer) -> None:
        self._pool = pool
        self._writer = writer
        self._chunks: list[bytes] = []
        self._waiting = 0
        self._running: asyncio.Future[None] | None = None

    @property
    def size(self) -> int:
        return self._writer.size + self._waiting

    @property
    def hexdigests(self) -> dict[str, str]:
        """The extra hashes; complete after `finish`."""
        return self._writer.hexdigests

    async def write(self, data: Data) -> None:
        self._chunks.append(data if isinstance(data, bytes) else bytes(data))
        self._waiting += len(data)
        if self._waiting >= _HAND_OVER:
            await self._hand_over()

    async def _hand_over(self) -> None:
        await self._settle()
        chunks, self._chunks, self._waiting = self._chunks, [], 0
        self._running = asyncio.get_running_loop().run_in_executor(self._pool, self._write_all, chunks)

    def _write_all(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self._writer.write(chunk)

    async def _settle(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running

    def _finish(self, chunks: list[bytes]) -> Root:
        self._write_all(chunks)
        return self._writer.finish()

    async def finish(self) -> Root:
        await self._settle()
        chunks, self._chunks, self._waiting = self._chunks, [], 0
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._finish, chunks)

    async def abort(self) -> None:
        self._chunks, self._waiting = [], 0
        running, self._running = self._running, None
        if running is not None:
            await asyncio.wait([running])
            if not running.cancelled():
                running.exception()  # nobody needs to know: it is given up
        self._writer.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            await self.abort()


class AsyncVolume:
    """An open volume's operations as coroutines."""

    def __init__(self, run: "AsyncStore", volume: Volume) -> None:
        self._run = run.run
        self.volume = volume

    @property
    def size(self) -> int:
        return self.volume.size

    async def read(self, offset: int, length: int) -> bytes:
        return await self._run(self.volume.read, offset, length)

    async def write(self, offset: int, data: Data) -> None:
        await self._run(self.volume.write, offset, data)

    async def flush(self) -> None:
        await self._run(self.volume.flush)

    async def trim(self, offset: int, length: int) -> None:
        await self._run(self.volume.trim, offset, length)

    async def write_zeroes(self, offset: int, length: int) -> None:
        await self._run(self.volume.write_zeroes, offset, length)

    async def grow(self, new_size: int) -> None:
        await self._run(self.volume.grow, new_size)

    async def snapshot(self) -> Root:
        return await self._run(self.volume.snapshot)

    async def close(self) -> None:
        await self._run(self.volume.close)

    async def abandon(self) -> None:
        await self._run(self.volume.abandon)


class AsyncStore:
    def __init__(self, store: Store, *, threads: int = 8) -> None:
        self.store = store
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="archipelago-aio")

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call of the store in the store's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(*args, **kwargs))

    def writer(self, *, extra_hashes: Iterable[str] = (), block_size: int | None = None) -> AsyncWriter:
        return AsyncWriter(self._pool, self.store.writer(extra_hashes=extra_hashes, block_size=block_size))

    async def read(self, root: Root, offset: int, length: int) -> bytes:
        return await self.run(self.store.read, root, offset, length)

    async def iter_range(self, root: Root, offset: int = 0, length: int | None = None, *, chunk_bytes: int = 1 << 20) -> AsyncGenerator[bytes, None]:
        """Verified pieces; the next is read while the caller sends the last."""
        pieces = self.store.iter_range(root, offset, length, chunk_bytes=chunk_bytes)
        ahead = asyncio.ensure_future(self.run(_next, pieces))
        try:
            while True:
                piece = await ahead
                if piece is None:
                    return
                ahead = asyncio.ensure_future(self.run(_next, pieces))
                yield piece
        finally:
            if not ahead.done():
                await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()

    async def hashmap(self, root: Root) -> list[str]:
        return await self.run(self.store.hashmap, root)

    async def merkle(self, root: Root) -> str | None:
        if not root.pages:  # all of its map is at hand
            return self.store.merkle(root)
        return await self.run(self.store.merkle, root)

    async def concat(self, roots: Iterable[Root]) -> Root:
        return await self.run(self.store.concat, list(roots))

    async def from_hashes(self, size: int, hashes: Sequence[bytes]) -> Root:
        return await self.run(self.store.from_hashes, size, hashes)

    async def compose(self, ranges: Iterable[Range]) -> Root:
        return await self.run(self.store.compose, list(ranges))

    async def blocks(self, root: Root) -> list[tuple[bytes, int]]:
        return await self.run(self.store.blocks, root)

    async def create_volume(self, name: str, size: int, origin: Root | None = None) -> None:
        await self.run(self.store.create_volume, name, size, origin)

    async def volume_info(self, name: str) -> VolumeInfo:
        return await self.run(self.store.volume_info, name)

    async def list_volumes(self) -> AsyncIterator[str]:
        for name in await self.run(lambda: list(self.store.list_volumes())):
            yield name

    async def open_volume(self, name: str, *, owner: str, ttl_s: float = 30, force: bool = False) -> AsyncVolume:
        volume = await self.run(self.store.open_volume, name, owner=owner, ttl_s=ttl_s, force=force)
        return AsyncVolume(self, volume)

    async def read_volume(self, name: str, offset: int, length: int) -> bytes:
        return await self.run(self.store.read_volume, name, offset, length)

    async def snapshot_volume(self, name: str, *, wait_s: float = 0.0) -> Root:
        return await self.run(self.store.snapshot_volume, name, wait_s=wait_s)

    async def grow_volume(self, name: str, new_size: int, *, wait_s: float = 0.0) -> None:
        await self.run(self.store.grow_volume, name, new_size, wait_s=wait_s)

    async def delete_volume(self, name: str) -> None:
        await self.run(self.store.delete_volume, name)

    async def stats(self) -> Stats:
        return await self.run(self.store.stats)

    async def close(self) -> None:
        await self.run(self.store.close)
        self._pool.shutdown(wait=False)


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
