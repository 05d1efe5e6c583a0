"""The section [object]."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from synnefo_archipelago import check_apart
from synnefo_common.settings import ServiceSettings
from synnefo_object.domain.policies import StoragePolicies, StoragePolicy


class PolicySettings(BaseModel):
    """One `[[object.policies]]`."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Its name for clients: letters, digits, hyphens.")
    aliases: list[str] = Field(default_factory=list, description="Other names of it, also those that it had before.")
    default: bool = Field(False, description="Containers that ask for no policy get it. Exactly one.")
    deprecated: bool = Field(False, description="It takes no new containers; those that are there stay.")
    store_url: str = Field("", description="Its own store. Empty in exactly one policy: that is on the service's store_url.")


class Settings(ServiceSettings):
    """Settings of the object store."""

    section: ClassVar[str] = "object"

    store_url: str = Field("memory:", description="Where the bytes are: file:///path, rados:///…/ceph.conf?… or memory: (tests).")
    policies: list[PolicySettings] = Field(
        default_factory=list,
        description="Storage policies, each a pool of blocks of its own: name, aliases, default, deprecated, store_url. Empty: Policy-0 alone.",
    )
    store_threads: int = Field(8, description="Threads that read, write and hash, of each policy's store.", ge=1, le=256)
    staging_bytes: int = Field(
        16 << 30,
        description="Bytes of blocks that a holder may upload before the objects that they are for (Pithos).",
        ge=4 << 20,
    )
    staging_hours: float = Field(
        24, description="Hours after which uploaded blocks that no object uses are forgotten; less than the collector's grace.", gt=0
    )
    client_timeout_s: float = Field(60.0, description="Seconds to wait for the next bytes of an upload.", gt=0)
    cors_origins: list[str] = Field(
        default_factory=list,
        description="Origins that browsers may call every container from, beside what each container allows.",
    )
    operator_roles: list[str] = Field(
        default_factory=lambda: ["admin", "manager", "member"],
        description="Roles that own the account of their project.",
    )
    reader_roles: list[str] = Field(default_factory=lambda: ["reader"], description="Roles that may read the account of their project.")
    reseller_admin_role: str = Field("ResellerAdmin", description="The role that owns every account.")
    expirer_period_s: float = Field(5.0, description="Seconds between two looks for expired objects.", gt=0)
    usage_period_s: float = Field(1.0, description="Seconds between two reports of changed usage to the quota ledger.", gt=0)
    quota_cache_s: float = Field(5.0, description="Seconds that a project's limit is remembered.", ge=0)
    quota_slice_bytes: int = Field(
        64 << 20, description="Bytes of a project's limit that a process reserves at once for small objects; never more than 1 % of it.", ge=0
    )
    quota_slice_idle_s: float = Field(5.0, description="Seconds without an upload after which the rest of such a slice is given back.", gt=0)
    account_rate: float = Field(0, description="Containers that may be made or removed in an account per second; 0: no limit.", ge=0)
    container_rates: dict[int, float] = Field(
        default_factory=dict,
        description="Writes of objects per second in a container, by how many objects it has; between two sizes a straight line. Empty: no limit.",
    )
    listing_rates: dict[int, float] = Field(default_factory=dict, description="The same for listings of a container.")
    longest_wait_s: float = Field(
        60.0, description="Seconds that a call may wait for its turn where rates are limited; beyond it is refused with 498.", gt=0
    )
    cross_domain_policy: str = Field("", description="Elements of /crossdomain.xml; empty: there is none.")
    s3_domains: list[str] = Field(
        default_factory=list,
        description="Domains below which a bucket's name is a host name (virtual-host style); path style needs none.",
    )
    s3_min_part_bytes: int = Field(5 << 20, description="Least size of a part of an S3 upload that is not the last.", ge=1)
    signing_keys_cache_s: float = Field(10.0, description="Seconds that the key of an S3 credential and its holder's roles are remembered.", ge=0)
    names_cache_s: float = Field(60.0, description="Seconds that names of users and projects in ACLs are remembered.", ge=0)

    @field_validator("container_rates", "listing_rates")
    @classmethod
    def _positive(cls, rates: dict[int, float]) -> dict[int, float]:
        if any(size < 0 or rate <= 0 for size, rate in rates.items()):
            raise ValueError("sizes must not be negative, rates must be above 0")
        return rates

    def storage_policies(self) -> StoragePolicies:
        """The policies. Raises ValueError for what cannot be."""
        found = [
            StoragePolicy(p.name, tuple(p.aliases), is_default=p.default, is_deprecated=p.deprecated, store_url=p.store_url) for p in self.policies
        ]
        policies = StoragePolicies(found)
        check_apart([self.store_url, *(p.store_url for p in self.policies if p.store_url)])
        return policies

    @model_validator(mode="after")
    def _check_policies(self) -> Settings:
        try:
            self.storage_policies()
        except ValueError as error:
            raise ValueError(f"policies: {error}") from error
        return self
