"""Bodies of tags."""

from __future__ import annotations

from synnefo_network.api.schemas.base import Tags, Wrapper


class TagsBody(Wrapper):
    tags: Tags
