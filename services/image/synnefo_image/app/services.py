"""What the use cases need, built by `main`."""

from __future__ import annotations

from dataclasses import dataclass

from synnefo_archipelago import AsyncStore
from synnefo_common.clock import Clock
from synnefo_common.db import Database
from synnefo_common.ids import IdSource
from synnefo_common.quota import QuotaClient
from synnefo_image.domain.image import Limits
from synnefo_image.settings import Settings


@dataclass(frozen=True)
class Services:
    """The image service's parts."""

    settings: Settings
    db: Database
    clock: Clock
    ids: IdSource
    quota: QuotaClient
    store: AsyncStore

    @property
    def limits(self) -> Limits:
        """Limits of one image."""
        return Limits(properties=self.settings.max_properties, tags=self.settings.max_tags)
