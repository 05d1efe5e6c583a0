"""Bodies of RBAC policies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synnefo_network.api.schemas.base import MAX_BULK, Body, Owned, ProjectId, Uuid, Wrapper


class RbacPolicyCreate(Owned):
    object_type: Literal["network", "subnetpool", "address_scope", "address_group", "qos_policy", "security_group"]
    object_id: Uuid
    action: Literal["access_as_shared"]
    target_tenant: ProjectId = Field(min_length=1)


class RbacPolicyUpdate(Body):
    target_tenant: ProjectId = Field("", min_length=1)


class RbacPolicyCreateBody(Wrapper):
    rbac_policy: RbacPolicyCreate | None = None
    rbac_policies: list[RbacPolicyCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class RbacPolicyUpdateBody(Wrapper):
    rbac_policy: RbacPolicyUpdate
