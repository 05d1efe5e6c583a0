"""Bodies of quotas."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from synnefo_network.api.schemas.base import Body, Bool, Int, ProjectId, Wrapper

Limit = Annotated[Int, Field(ge=-1)]


class QuotaUpdate(Body):
    network: Limit = -1
    subnet: Limit = -1
    subnetpool: Limit = -1
    port: Limit = -1
    router: Limit = -1
    floatingip: Limit = -1
    security_group: Limit = -1
    security_group_rule: Limit = -1
    rbac_policy: Limit = -1
    check_limit: Bool = False
    force: Bool = False
    tenant_id: ProjectId | None = None
    project_id: ProjectId | None = None


class QuotaUpdateBody(Wrapper):
    quota: QuotaUpdate
