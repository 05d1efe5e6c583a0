"""The stores of the policies' pools. A row names the pool that its bytes lie in; new data goes to its container's."""

from __future__ import annotations

from collections.abc import Mapping

from synnefo_archipelago import AsyncStore, Root
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.policies import BASE, StoragePolicies


class Stores:
    """One for each policy."""

    def __init__(self, policies: StoragePolicies, stores: Mapping[str, AsyncStore]) -> None:
        self.policies = policies
        self._stores = {pool: stores[policy.pool] for policy in policies.all for pool in policy.pools}
        self.run = stores[BASE].run
        """Run a blocking call in a store's threads."""

    def of(self, pool: str) -> AsyncStore:
        """Raises 503 for a pool that the settings have no more: its bytes are out of reach, not gone."""
        store = self._stores.get(pool)
        if store is None:
            raise SwiftFault(503, f"The storage policy {pool!r} is not configured.")
        return store

    async def bring(self, root: Root, source: str, to: str) -> Root:
        """The same bytes in another pool: read and written a megabyte at a time. In their own pool nothing moves."""
        store, target = self.of(source), self.of(to)
        if store is target:
            return root
        async with target.writer() as writer:
            stream = store.iter_range(root, chunk_bytes=1 << 20)
            try:
                async for chunk in stream:
                    await writer.write(chunk)
            finally:
                await stream.aclose()
            return await writer.finish()

    async def close(self) -> None:
        for store in set(self._stores.values()):
            await store.close()
