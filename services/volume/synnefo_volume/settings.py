"""Settings of the volume service: section `[volume]`."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, model_validator

from synnefo_archipelago import check_apart
from synnefo_common.settings import ServiceSettings

_POOL = re.compile(r"[a-z0-9-]{1,64}")


class Settings(ServiceSettings):
    """Section `[volume]`."""

    section: ClassVar[str] = "volume"

    store_url: str = Field(
        "memory:", description="Block store of volumes: file:///path, rados:///ceph.conf?maps=…&blocks=… or memory:."
    )
    pools: dict[str, str] = Field(
        default_factory=dict,
        description="Stores of the object service's storage policies that have one of their own: name in lower case to store URL. "
        "Storage jobs look after them, too; a pool that is not here is never swept.",
    )
    store_threads: int = Field(8, description="Threads for block store calls.", ge=1)
    pause_wait_s: float = Field(
        10.0, description="How long a snapshot or a growth waits for the node that has the volume open to step aside.", ge=0
    )
    max_page_size: int = Field(1000, description="Most items in one list answer.", ge=1)
    availability_zone: str = Field("nova", description="The availability zone of all volumes.", min_length=1)
    default_volume_type: str = Field("archipelago", description="Name of the volume type made at the first start.")
    max_volume_gib: int = Field(65536, description="Largest volume, GiB.", ge=1)
    stuck_after_s: float = Field(900.0, description="A state that should pass is taken up again after so long.", gt=0)
    orphan_grace_s: float = Field(3600.0, description="What nobody owns is removed after so long.", gt=0)

    storage_dir: str = Field(
        "",
        description="Folder for the lists of collector, scrub and freeze; it should outlive the worker, or a collection begins anew. "
        "Empty: `work` in the folder of a file store, else /var/lib/synnefo/volume-storage.",
    )
    gc_period_s: float = Field(86400.0, description="How often unreferenced blocks are collected; 0: only on demand.", ge=0)
    gc_grace_s: float = Field(
        172800.0,
        description="What was used within so long is never collected: longer than the longest upload, and than object's staging_hours.",
        ge=3600,
    )
    scrub_period_s: float = Field(604800.0, description="How often everything stored is read and verified; 0: only on demand.", ge=0)
    freeze_period_s: float = Field(600.0, description="How often new snapshots are looked for to be frozen; 0: only on demand.", ge=0)
    storage_objects_per_s: float = Field(2000.0, description="Most objects that storage jobs handle in a second; 0: no limit.", ge=0)
    storage_bytes_per_s: float = Field(
        100_000_000.0, description="Most bytes that scrub and freeze read in a second; 0: no limit.", ge=0
    )
    storage_poll_s: float = Field(15.0, description="How often the worker looks for storage jobs.", gt=0)

    @model_validator(mode="after")
    def _check_pools(self) -> Settings:
        for name in self.pools:
            if not _POOL.fullmatch(name):
                raise ValueError(f"pools: {name!r} must be 1 to 64 lower-case letters, digits and hyphens")
        try:
            check_apart([self.store_url, *self.pools.values()])
        except ValueError as error:
            raise ValueError(f"pools: {error}") from error
        return self
