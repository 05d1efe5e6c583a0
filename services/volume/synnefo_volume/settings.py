"""Settings of the volume service: section `[volume]`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from synnefo_common.settings import ServiceSettings


class Settings(ServiceSettings):
    """Section `[volume]`."""

    section: ClassVar[str] = "volume"

    store_url: str = Field(
        "memory:", description="Block store of volumes: file:///path, rados:///ceph.conf?maps=…&blocks=… or memory:."
    )
    store_threads: int = Field(8, description="Threads for block store calls.", ge=1)
    max_page_size: int = Field(1000, description="Most items in one list answer.", ge=1)
    availability_zone: str = Field("nova", description="The availability zone of all volumes.", min_length=1)
    default_volume_type: str = Field("archipelago", description="Name of the volume type made at the first start.")
    max_volume_gib: int = Field(65536, description="Largest volume, GiB.", ge=1)
    stuck_after_s: float = Field(900.0, description="A state that should pass is taken up again after so long.", gt=0)
    orphan_grace_s: float = Field(3600.0, description="What nobody owns is removed after so long.", gt=0)
