"""What every use case of compute gets: the parts built in `main`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from synnefo_common.clock import Clock
from synnefo_common.db import Database
from synnefo_common.ids import IdSource
from synnefo_common.quota import QuotaClient
from synnefo_common.saga import SagaEngine
from synnefo_compute.clients.dispatcher import DispatcherClient
from synnefo_compute.clients.image import ImageClient
from synnefo_compute.clients.network import NetworkClient
from synnefo_compute.clients.volume import VolumeClient
from synnefo_compute.settings import Settings


@dataclass
class Compute:
    """The service's parts. `url` is the public base URL of its links."""

    settings: Settings
    db: Database
    clock: Clock
    ids: IdSource
    quota: QuotaClient
    sagas: SagaEngine
    image: ImageClient
    network: NetworkClient
    volume: VolumeClient
    dispatcher: DispatcherClient
    url: str
    vendor_data: Mapping[str, Any] = field(default_factory=dict)  # what the operator tells every guest
