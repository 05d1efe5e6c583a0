"""Bodies of RBAC policies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from synnefo_network.api.schemas.base import MAX_BULK, Body, Owned, ProjectId, Uuid, Wrapper


class RbacPolicyCreate(Owned):
    object_type: Literal["network", "subnetpool", "address_scope", "address_group", "qos_policy", "security_group"]
    object_id: Uuid
    action: Literal["access_as_shared", "access_as_external"]
    target_tenant: ProjectId = Field(min_length=1)

    @model_validator(mode="after")
    def _only_networks_are_external(self) -> RbacPolicyCreate:
        if self.action == "access_as_external" and self.object_type != "network":
            raise ValueError(f"Invalid action 'access_as_external' for object type '{self.object_type}'. Valid actions: access_as_shared")
        return self


class RbacPolicyUpdate(Body):
    target_tenant: ProjectId = Field("", min_length=1)


class RbacPolicyCreateBody(Wrapper):
    rbac_policy: RbacPolicyCreate | None = None
    rbac_policies: list[RbacPolicyCreate] | None = Field(None, min_length=1, max_length=MAX_BULK)


class RbacPolicyUpdateBody(Wrapper):
    rbac_policy: RbacPolicyUpdate
