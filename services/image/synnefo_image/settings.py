"""Settings of the image service: section `[image]`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from synnefo_common.settings import ServiceSettings


class Settings(ServiceSettings):
    """Section `[image]`."""

    section: ClassVar[str] = "image"

    store_url: str = Field(
        "memory:", description="Block store of image data: file:///path, rados:///ceph.conf?maps=…&blocks=… or memory:."
    )
    store_threads: int = Field(8, description="Threads for block store calls.", ge=1)
    default_page_size: int = Field(25, description="Images in a list answer when the caller gives no limit.", ge=1)
    max_page_size: int = Field(1000, description="Most images in one list answer.", ge=1)
    max_image_bytes: int = Field(1 << 40, description="Largest image, bytes.", ge=1)
    max_properties: int = Field(128, description="Most custom properties of one image.", ge=0)
    max_tags: int = Field(128, description="Most tags of one image.", ge=0)
    max_members: int = Field(128, description="Most members of one image.", ge=0)
    upload_lease_s: float = Field(120.0, description="An upload that was not heard of for so long is given up.", gt=0)
