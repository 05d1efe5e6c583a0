"""Bodies of application credentials and credentials."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from synnefo_identity.api.schemas.base import Body, Bool, Exact, Id, Name255, Password, Resource, Text


class RoleRef(BaseModel):
    """A role by id or name."""

    model_config = ConfigDict(extra="allow")

    id: str | None = None
    name: str | None = None


class ApplicationCredentialCreate(Exact):
    """A new application credential."""

    name: Name255
    description: Text | None = None
    secret: Password | None = None
    roles: list[RoleRef] | None = Field(None, max_length=100)
    expires_at: str | None = None
    unrestricted: Bool | None = None
    access_rules: list[Any] | None = None
    project_id: Id | None = None


class ApplicationCredentialBody(Body):
    """`POST /v3/users/{user_id}/application_credentials`."""

    application_credential: ApplicationCredentialCreate


class CredentialCreate(Resource):
    """A new credential."""

    blob: Text
    type: Name255
    user_id: Id | None = None
    project_id: Id | None = None


class CredentialUpdate(Resource):
    """Changes of a credential."""

    blob: Text = ""
    type: Name255 = ""
    user_id: Id = ""
    project_id: Id | None = None


class CredentialCreateBody(Body):
    """`POST /v3/credentials`."""

    credential: CredentialCreate


class CredentialUpdateBody(Body):
    """`PATCH /v3/credentials/{credential_id}`."""

    credential: CredentialUpdate


class Ec2Body(Body):
    """`POST /v3/users/{user_id}/credentials/OS-EC2`."""

    tenant_id: Id


class SignedBody(Body):
    """`POST /v3/ec2tokens` and `/v3/s3tokens`: the signed request or string, under any of these names."""

    credentials: dict[str, Any] | None = None
    credential: dict[str, Any] | None = None
    ec2Credentials: dict[str, Any] | None = None


class SignatureBody(Body):
    """`POST /internal/v1/signatures`."""

    access: str = Field(max_length=1024)
    texts: list[str] = Field(min_length=1, max_length=16)
    signature: str = Field(max_length=1024)
