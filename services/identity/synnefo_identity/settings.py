"""The settings of the identity service: section `[identity]`."""

from __future__ import annotations

from typing import ClassVar

from cryptography.fernet import Fernet
from pydantic import BaseModel, ConfigDict, Field, field_validator

from synnefo_common.settings import ServiceSettings


class Bootstrap(BaseModel):
    """What the first start puts into an empty database. A password that exists is never overwritten from here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    admin_password: str = Field(
        default="",
        description="Password of user admin; empty: the user is not made.",
        json_schema_extra={"secret": True},
    )
    demo_password: str = Field(default="", description="Password of user demo; empty: not made.", json_schema_extra={"secret": True})
    alt_demo_password: str = Field(default="", description="Password of user alt_demo; empty: not made.", json_schema_extra={"secret": True})
    service_passwords: dict[str, str] = Field(
        default_factory=dict,
        description="Service name to the password of its user in project `service`.",
        json_schema_extra={"secret": True},
    )


class Settings(ServiceSettings):
    """Section `[identity]`."""

    section: ClassVar[str] = "identity"

    bootstrap: Bootstrap = Field(default_factory=Bootstrap, description="Users of the first start.")
    token_ttl_s: int = Field(3600, description="Life of a token, seconds.", gt=0, le=7 * 86400)
    expired_token_window_s: int = Field(172800, description="How long services may still read an expired token (`allow_expired`), seconds.")
    hash_time_cost: int = Field(2, description="Argon2id passes over memory for new password hashes.", ge=1)
    hash_memory_kib: int = Field(19456, description="Argon2id memory for new password hashes, KiB.", ge=8)
    hash_threads: int = Field(2, description="Password hashes computed at once.", ge=1)
    cache_ttl_s: float = Field(5.0, description="Longest time that a change of names or catalogue made by another worker is not seen, seconds.")
    revocation_poll_s: float = Field(0.4, description="How often revocations written by other workers are looked for, seconds.", gt=0)
    credential_key: str = Field(
        "",
        description="Fernet key (32 bytes, base64url) that encrypts users' credentials at rest; empty: one made at the first start, in the database.",
        json_schema_extra={"secret": True},
    )
    signing_key_days: float = Field(30.0, description="Age at which the signing key is replaced, days.", gt=0)
    housekeeping_period_s: float = Field(600.0, description="Seconds between two clean-ups of keys, revocations and commissions.", gt=0)
    commission_max_lease_s: int = Field(3600, description="Longest lease that a quota commission may ask for, seconds.")
    commission_keep_s: int = Field(86400, description="How long decided commissions are remembered, seconds.")
    expiry_period_s: float = Field(5.0, description="Seconds between two looks for expired quota commissions.", gt=0)

    @field_validator("credential_key")
    @classmethod
    def _is_key(cls, value: str) -> str:
        if value:
            Fernet(value)  # raises ValueError
        return value
