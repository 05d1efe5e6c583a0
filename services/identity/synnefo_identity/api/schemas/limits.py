"""Bodies of limits, and of the ledger's internal calls."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from synnefo_identity.api.schemas.base import Body, Exact, Id, Limit, Text
from synnefo_identity.api.schemas.catalog import RegionId
from synnefo_identity.domain.quota import MAX_QUANTITY

ResourceName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"\S")]
Resource = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Quantity = Annotated[int, Field(strict=True, ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
Owner = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Issuer = Annotated[str, StringConstraints(min_length=1, max_length=64)]
LedgerLimit = Annotated[int, Field(strict=True, ge=-1, le=2**53)]


class RegisteredLimitCreate(Exact):
    """A default limit."""

    service_id: Id
    region_id: RegionId | None = None
    resource_name: ResourceName
    default_limit: Limit
    description: Text | None = None


class RegisteredLimitUpdate(Exact):
    """Changes of a default limit."""

    service_id: Id = ""
    region_id: RegionId | None = None
    resource_name: ResourceName = ""
    default_limit: Limit = 0
    description: Text | None = None


class RegisteredLimitsBody(Body):
    """`POST /v3/registered_limits`."""

    registered_limits: list[RegisteredLimitCreate] = Field(min_length=1, max_length=500)


class RegisteredLimitBody(Body):
    """`PATCH /v3/registered_limits/{registered_limit_id}`."""

    registered_limit: RegisteredLimitUpdate


class LimitCreate(Exact):
    """A limit of one project or domain."""

    project_id: Id | None = None
    domain_id: Id | None = None
    service_id: Id
    region_id: RegionId | None = None
    resource_name: ResourceName
    resource_limit: Limit
    description: Text | None = None

    @model_validator(mode="after")
    def _one_owner(self) -> LimitCreate:
        if (self.project_id is None) == (self.domain_id is None):
            raise ValueError("give project_id or domain_id, and not both")
        return self


class LimitUpdate(Exact):
    """Changes of a limit."""

    resource_limit: Limit = 0
    description: Text | None = None


class LimitsBody(Body):
    """`POST /v3/limits`."""

    limits: list[LimitCreate] = Field(min_length=1, max_length=500)


class LimitBody(Body):
    """`PATCH /v3/limits/{limit_id}`."""

    limit: LimitUpdate


class CommissionBody(Body):
    """`POST /internal/v1/commissions`."""

    issuer: Issuer
    project_id: Owner
    user_id: Annotated[str, StringConstraints(max_length=64)] = ""
    provisions: dict[Resource, Quantity] = Field(max_length=100)
    lease_s: float = Field(300, gt=0, le=86400)


class LedgerLimitsBody(Body):
    """`PUT /internal/v1/limits/{project_id}` and `…/defaults`."""

    limits: dict[Resource, LedgerLimit] = Field(max_length=200)
