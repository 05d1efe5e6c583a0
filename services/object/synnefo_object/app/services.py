"""What the use cases work with. Built once by `main`."""

from __future__ import annotations

from dataclasses import dataclass

from synnefo_common.auth.verifier import TokenVerifier
from synnefo_common.clock import Clock
from synnefo_common.db import Database
from synnefo_common.ids import IdSource
from synnefo_common.quota import QuotaClient
from synnefo_object.app.slices import Slices
from synnefo_object.app.stores import Stores
from synnefo_object.clients.names import Names
from synnefo_object.clients.signing_keys import SigningKeys
from synnefo_object.settings import Settings


@dataclass
class Services:
    settings: Settings
    db: Database
    clock: Clock
    ids: IdSource
    stores: Stores
    quota: QuotaClient
    verifier: TokenVerifier
    names: Names
    slices: Slices
    signing_keys: SigningKeys
    limits: dict[str, tuple[float, int]]  # project id → (when asked, limit of object.bytes)

    def now_s(self) -> int:
        return self.clock.now_us() // 1_000_000
