"""Bodies of QoS policies."""

from __future__ import annotations

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Bool, Owned, Tags, Text255, Wrapper


class QosPolicyCreate(Owned):
    name: Text255 = ""
    description: Text255 | None = ""
    shared: Bool = False
    is_default: Bool = False
    tags: Tags = Field(default_factory=list)


class QosPolicyUpdate(Body):
    name: Text255 = ""
    description: Text255 = ""
    shared: Bool = False
    is_default: Bool = False


class QosPolicyCreateBody(Wrapper):
    policy: QosPolicyCreate | None = None
    policies: list[QosPolicyCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class QosPolicyUpdateBody(Wrapper):
    policy: QosPolicyUpdate
