"""The stores of the policies' pools. A row names the pool that its bytes lie in; new data goes to its container's."""

from __future__ import annotations

from collections.abc import Mapping

from synnefo_archipelago import AsyncStore, Root, StoreClaimed, open_store
from synnefo_archipelago.watched import Observer
from synnefo_common.settings import SettingsError
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.policies import BASE, StoragePolicies


def open_stores(policies: StoragePolicies, base_url: str, *, threads: int, observe: Observer | None = None) -> Stores:
    """All of them, each claimed for its pool. Raises SettingsError for the store of another pool, StoreUnavailable."""
    stores = {policy.pool: AsyncStore(open_store(policy.store_url or base_url, observe=observe), threads=threads) for policy in policies.all}
    try:
        marks = {policy.pool: stores[policy.pool].store.claim(policy.pools) for policy in policies.all if policy.store_url}
    except StoreClaimed as error:
        for store in stores.values():
            store.store.close()
        raise SettingsError(f"object.policies: {error}") from error
    return Stores(policies, stores, marks)


class Stores:
    """One for each policy."""

    def __init__(self, policies: StoragePolicies, stores: Mapping[str, AsyncStore], marks: Mapping[str, str]) -> None:
        self.policies = policies
        self.marks = marks
        """What tells another service which store it is, by pool; the base has none."""
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
