"""The section [object]."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from synnefo_common.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the object store."""

    section: ClassVar[str] = "object"

    store_url: str = Field("memory:", description="Where the bytes are: file:///path, rados:///…/ceph.conf?… or memory: (tests).")
    store_threads: int = Field(8, description="Threads that read, write and hash.", ge=1, le=256)
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
    s3_domains: list[str] = Field(
        default_factory=list,
        description="Domains below which a bucket's name is a host name (virtual-host style); path style needs none.",
    )
    s3_min_part_bytes: int = Field(5 << 20, description="Least size of a part of an S3 upload that is not the last.", ge=1)
    signing_keys_cache_s: float = Field(10.0, description="Seconds that the key of an S3 credential and its holder's roles are remembered.", ge=0)
    names_cache_s: float = Field(60.0, description="Seconds that names of users and projects in ACLs are remembered.", ge=0)
