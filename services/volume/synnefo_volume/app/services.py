"""What the use cases need, built by `main`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from synnefo_archipelago import AsyncStore
from synnefo_common.clock import Clock
from synnefo_common.db import Database
from synnefo_common.http import ServiceClient
from synnefo_common.ids import IdSource
from synnefo_common.quota import QuotaClient
from synnefo_common.saga import SagaEngine
from synnefo_volume.clients.image import ImageClient
from synnefo_volume.domain.errors import PoolNotFound
from synnefo_volume.settings import Settings


@dataclass
class Services:
    """The volume service's parts."""

    settings: Settings
    db: Database
    clock: Clock
    ids: IdSource
    quota: QuotaClient
    store: AsyncStore
    pools: Mapping[str, AsyncStore]
    """Stores of storage policies by pool; `store` is that of the pool without a name."""
    sagas: SagaEngine
    image: ImageClient
    compute: ServiceClient
    owners: Mapping[str, ServiceClient]
    """The other services that keep roots in the block store."""
    nudge_storage: Callable[[], None] = lambda: None
    """Wakes the worker of storage jobs, if it is in this process."""

    def pool(self, name: str) -> AsyncStore:
        """Raises PoolNotFound."""
        if not name:
            return self.store
        if name not in self.pools:
            raise PoolNotFound(name)
        return self.pools[name]
